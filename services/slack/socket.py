"""Socket Mode addresses, each of which is good for one connection."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from domain.errors import PermanentError, TransientError
from services.settings import is_loopback
from services.slack.api import error_code
from services.slack.errors import retry_after_seconds

_REFUSED = {
    "invalid_auth",
    "not_authed",
    "token_revoked",
    "token_expired",
    "account_inactive",
    "not_allowed_token_type",
    "missing_scope",
    "forbidden_team",
}
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
            answer = await self.client.apps_connections_open(app_token=self.app_token)
        except SlackApiError as error:
            raise _failure(error) from error
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise TransientError(f"Slack cannot be reached ({type(error).__name__})") from error
        except (AttributeError, ValueError) as error:
            raise TransientError("Slack sent an invalid response") from error
        url = answer.data.get("url") if isinstance(answer.data, dict) else None
        if not isinstance(url, str) or not _is_safe(url):
            raise TransientError("Slack gave no Socket Mode address")
        return url


def _failure(error: SlackApiError) -> PermanentError | TransientError:
    code = error_code(error)
    if code in _REFUSED:
        return PermanentError(f"Slack does not accept SLACK_APP_TOKEN ({code}). {_ADVICE}")
    retry_after = error.response.headers.get("Retry-After")
    if code == "ratelimited" or retry_after:
        return TransientError("Slack rate limit reached", retry_after=retry_after_seconds(retry_after))
    return TransientError(f"Slack did not open a Socket Mode connection ({code or 'invalid response'})")


def _is_safe(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "wss" or (parts.scheme == "ws" and is_loopback(parts.hostname))
