"""Socket Mode addresses, each of which is valid for one connection."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from domain.errors import PermanentError, TransientError
from services.settings import is_loopback
from services.slack.call import bearer, body, call, failure

_METHOD = "apps.connections.open"
_ADVICE = (
    "Create one with the scope connections:write under Basic Information at https://api.slack.com/apps, and turn on"
    " Socket Mode there"
)


@dataclass(frozen=True)
class SlackSocket:
    """`client` has the base URL and the shared session, and no token."""

    client: AsyncWebClient = field(repr=False)
    app_token: str = field(repr=False)

    async def address(self) -> str:
        """
        Return a new address. Raises PermanentError if Slack does not accept the token, TransientError otherwise.

        https://docs.slack.dev/reference/methods/apps.connections.open
        """
        try:
            answer = await call(self.client, _METHOD, bearer(self.app_token), data={})
        except SlackApiError as error:
            our_error = failure(_METHOD, error)
            if isinstance(our_error, TransientError):
                raise our_error from error
            raise PermanentError(f"Slack does not accept SLACK_APP_TOKEN ({our_error.code}). {_ADVICE}") from error
        url = body(answer).get("url")
        if not isinstance(url, str):
            raise TransientError("Slack gave no Socket Mode address")
        parts = urlsplit(url)
        if parts.scheme != "wss" and not (parts.scheme == "ws" and is_loopback(parts.hostname)):
            raise TransientError("Slack gave no Socket Mode address")
        return url
