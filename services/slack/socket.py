"""Where to meet Slack for Socket Mode: an address that is good for one connection."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from domain.errors import PermanentError, TransientError
from services.settings import is_loopback
from services.slack.api import error_code
from services.slack.errors import seconds

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
    "make one with the scope connections:write under Basic Information at https://api.slack.com/apps, and switch Socket"
    " Mode on there"
)


@dataclass(frozen=True)
class SlackSocket:
    """*client* carries the base URL and the shared session, and no token."""

    client: AsyncWebClient = field(repr=False)
    app_token: str = field(repr=False)

    async def address(self) -> str:
        """
        A new one. Raises PermanentError when Slack does not take the token, TransientError otherwise.

        https://docs.slack.dev/reference/methods/apps.connections.open
        """
        try:
            answer = await self.client.apps_connections_open(app_token=self.app_token)
        except SlackApiError as error:
            raise _failure(error) from error
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise TransientError(f"Slack cannot be reached ({type(error).__name__})") from error
        except (AttributeError, ValueError) as error:
            raise TransientError("Slack's answer makes no sense") from error
        url = answer.data.get("url") if isinstance(answer.data, dict) else None
        if not isinstance(url, str) or not _is_safe(url):
            raise TransientError("Slack names no address to meet at")
        return url


def _failure(error: SlackApiError) -> PermanentError | TransientError:
    code = error_code(error)
    if code in _REFUSED:
        return PermanentError(f"Slack refuses SLACK_APP_TOKEN ({code}): {_ADVICE}")
    retry_after = error.response.headers.get("Retry-After")
    if code == "ratelimited" or retry_after:
        return TransientError("Slack asks us to wait", retry_after=seconds(retry_after))
    return TransientError(f"Slack opens no connection ({code or 'its answer makes no sense'})")


def _is_safe(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "wss" or (parts.scheme == "ws" and is_loopback(parts.hostname))
