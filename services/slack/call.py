"""One call to Slack's Web API, and the errors it can end with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from domain.errors import PermanentError, TransientError, WorkspaceGoneError
from services.slack.errors import error_for
from services.slack.shapes import Json
from store.slack.installations import OtherAppError


async def token_of(tokens: Callable[[str], Awaitable[str | None]], workspace_id: str) -> str:
    """
    Return the bot token of a workspace.

    Raises WorkspaceGoneError, or TransientError if the workspace has installed a different Slack app.
    """
    try:
        token = await tokens(workspace_id)
    except OtherAppError as error:
        raise TransientError("the workspace installed a different Slack app than the one in SLACK_CLIENT_ID") from error
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
