"""The token for a call to Slack."""

from __future__ import annotations

import pytest

from domain.errors import TransientError, WorkspaceGoneError
from services.slack.call import token_of
from store.slack.installations import OtherAppError


async def test_without_a_token_the_workspace_is_gone():
    """It uninstalled the app, and nothing is retried until it installs the app again."""

    async def none(_workspace_id: str) -> str | None:
        return None

    with pytest.raises(WorkspaceGoneError):
        await token_of(none, "T1")


async def test_with_a_different_apps_client_id_calls_are_retried_later():
    """A mistake in the settings must not mark a workspace as gone, which would erase it a month later."""

    async def others(_workspace_id: str) -> str | None:
        raise OtherAppError("111.222")

    with pytest.raises(TransientError, match="SLACK_CLIENT_ID"):
        await token_of(others, "T1")
