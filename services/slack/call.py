"""One call to Slack's Web API, and the errors it can end with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import ContextVar

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from domain.errors import PermanentError, TokenRefusedError, TransientError, WorkspaceGoneError
from services.slack.errors import EXPIRED_WAIT, RenewalRefusedError, error_for
from services.slack.shapes import Json
from store.slack.installations import OtherAppError

LOOK_AGAIN_SECONDS = 30.0
"""How long a method waits after Slack rejected a token that auth.test still accepts."""
authorized: ContextVar[tuple[str, str] | None] = ContextVar("authorized", default=None)
"""The workspace and the token with which Bolt has authorized the request that is being handled."""


async def token_of(tokens: Callable[[str], Awaitable[str | None]], workspace_id: str) -> str:
    """
    Return the bot token of a workspace.

    Raises WorkspaceGoneError, or TransientError if the workspace has installed a different Slack app, or its token has
    expired and cannot be renewed.
    """
    if (request_token := authorized.get()) and request_token[0] == workspace_id:
        return request_token[1]
    try:
        token = await tokens(workspace_id)
    except OtherAppError as error:
        raise TransientError("the workspace installed a different Slack app than the one in SLACK_CLIENT_ID") from error
    except RenewalRefusedError as error:
        raise TransientError(str(error), retry_after=EXPIRED_WAIT) from error
    if token is None:
        raise WorkspaceGoneError("the app is not installed in the workspace", code="no_token")
    return token


async def call(
    client: AsyncWebClient, method: str, headers: dict[str, str], *, data: Json | None = None, json: Json | None = None
) -> AsyncSlackResponse:
    """Raises SlackApiError for an error response of Slack (see `failure`), and TransientError otherwise."""
    try:
        return await client.api_call(method, headers=headers, data=data, json=json)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
        raise TransientError(f"Slack cannot be reached ({type(error).__name__})") from error
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        # Slack may have received the request before the connection failed.
        raise TransientError(f"Slack did not respond ({type(error).__name__})", in_doubt=True) from error
    except (AttributeError, ValueError) as error:
        # The SDK fails on a 200 whose body is text, a list, or in a different encoding than it declares.
        raise TransientError("Slack sent an invalid response", in_doubt=True) from error


async def call_renewed(
    client: AsyncWebClient,
    method: str,
    token: str,
    renew: Callable[[str], Awaitable[str | None]],
    data: Json | None,
    json: Json | None,
) -> AsyncSlackResponse:
    """
    Call once more with a renewed token if Slack does not accept this one. Such a call has not been performed.

    `renew` takes the token and returns another one, or None. Raises what `call` does.
    """
    try:
        return await call(client, method, bearer(token), data=data, json=json)
    except SlackApiError as error:
        if error_code(error) not in _RENEWABLE:
            raise
        with suppress(PermanentError):
            if new_token := await renew(token):
                return await call(client, method, bearer(new_token), data=data, json=json)
        raise


_RENEWABLE = {"token_expired", "token_revoked", "invalid_auth"}
"""The answers to an old token of an app with token rotation. Another replica may have renewed it."""


async def never_renewed(_workspace_id: str, _token: str) -> None:
    """Does nothing, because the tokens do not expire."""


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def body(response: AsyncSlackResponse) -> Json:
    """Raises TransientError if the body is not a JSON object."""
    if not isinstance(response.data, dict):
        raise TransientError("Slack sent an invalid response", in_doubt=True)
    return response.data


def error_code(error: SlackApiError) -> str | None:
    """Return Slack's error code, or None if the response has none."""
    # The body may be anything, and the SDK's own .get() fails on text and lists.
    data = getattr(error.response, "data", None)
    code = data.get("error") if isinstance(data, dict) else None
    return code if isinstance(code, str) else None


def failure(method: str, error: SlackApiError) -> PermanentError | TransientError:
    """Return our error for an error response of a method."""
    response = error.response
    if not isinstance(response, AsyncSlackResponse):  # the body was not JSON, so this is aiohttp's response
        return error_for(method, response.status, {}, response.headers.get("Retry-After"))
    answer = response.data if isinstance(response.data, dict) else {}
    return error_for(method, response.status_code, answer, response.headers.get("Retry-After"))


async def look_again(
    client: AsyncWebClient, method: str, token: str, gone: WorkspaceGoneError
) -> PermanentError | TransientError:
    """
    Ask auth.test whether the token is invalid, since one answer of a single method may be wrong.

    If the token is valid, a message may have been refused because of its destination, so other messages do not wait.
    "the request originates from an IP address disallowed from making the request" is the same code as an invalid
    token: https://docs.slack.dev/reference/methods/auth.test#errors
    """
    try:
        await call(client, "auth.test", bearer(token), data={})
        if method == "chat.postMessage":
            return TokenRefusedError(f"Slack refused the message with {gone.code}, but accepts the token", gone.code)
    except SlackApiError as error:
        second = failure("auth.test", error)
        if isinstance(second, WorkspaceGoneError):
            return second
    except TransientError:
        pass
    return TransientError(f"Slack rejected the app's token once ({gone.code})", retry_after=LOOK_AGAIN_SECONDS)


def paused(method: str, wait_ms: int) -> TransientError:
    """Return the error for a method that must not be called now: Slack asked to wait, or refused the token."""
    return TransientError(f"calls of {method} are paused", retry_after=wait_ms / 1000)


def subject(method: str) -> str:
    """Return the subject of a pause of this method. Slack's limits are per method and workspace."""
    return f"slack:{method}"
