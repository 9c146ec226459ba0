"""One call of Slack's Web API, and what may come of it: for the modules that call it on somebody's behalf."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from domain.errors import PermanentError, TransientError, WorkspaceGoneError
from services.slack.errors import refusal
from services.slack.shapes import Json
from store.slack.installations import OtherAppError


async def token_of(tokens: Callable[[str], Awaitable[str | None]], workspace_id: str) -> str:
    """The bot token of a workspace. Raises WorkspaceGoneError; TransientError when it is another Slack app's."""
    try:
        token = await tokens(workspace_id)
    except OtherAppError as error:
        raise TransientError("the workspace has installed another Slack app than that of SLACK_CLIENT_ID") from error
    if token is None:
        raise WorkspaceGoneError("the app is not installed in the workspace")
    return token


async def call(
    client: AsyncWebClient, method: str, headers: dict[str, str], *, data: Json | None = None, json: Json | None = None
) -> AsyncSlackResponse:
    """Raises SlackApiError for what Slack refused, see `failure`, and TransientError for all else."""
    try:
        return await client.api_call(method, headers=headers, data=data, json=json)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
        raise TransientError(f"Slack cannot be reached ({type(error).__name__})") from error
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        # The request may have been read before the connection failed.
        raise TransientError(f"Slack did not answer ({type(error).__name__})", in_doubt=True) from error
    except (AttributeError, ValueError) as error:
        # The SDK stumbles over a 200 whose body is text, a list, or not of the encoding it claims.
        raise TransientError("Slack's answer makes no sense", in_doubt=True) from error


def body(response: AsyncSlackResponse) -> Json:
    """Raises TransientError if it is no object."""
    if not isinstance(response.data, dict):
        raise TransientError("Slack's answer makes no sense", in_doubt=True)
    return response.data


def error_code(error: SlackApiError) -> str | None:
    """The code by which Slack refused; None where its answer has none."""
    # The body may be anything: the SDK's own .get() falls over text and lists.
    said = getattr(error.response, "data", None)
    code = said.get("error") if isinstance(said, dict) else None
    return code if isinstance(code, str) else None


def failure(error: SlackApiError) -> PermanentError | TransientError:
    """What a refusal of Slack's means for us."""
    response = error.response
    if not isinstance(response, AsyncSlackResponse):  # the body was no JSON: aiohttp's own response
        return refusal(response.status, {}, response.headers.get("Retry-After"))
    answer = response.data if isinstance(response.data, dict) else {}
    return refusal(response.status_code, answer, response.headers.get("Retry-After"))
