"""Whose token it is: a workspace that left is told from settings that are another Slack app's."""

from __future__ import annotations

import pytest

from domain.errors import TransientError, WorkspaceGoneError
from services.slack.call import token_of
from store.slack.installations import OtherAppError


async def test_without_a_token_the_workspace_is_gone():
    """It has removed the app, and nothing is tried again until it installs it anew."""

    async def none(_workspace_id: str) -> str | None:
        return None

    with pytest.raises(WorkspaceGoneError):
        await token_of(none, "T1")


async def test_with_another_apps_client_id_all_waits():
    """A slip in the settings is no reason to give a workspace up, nor to erase it a month later."""

    async def others(_workspace_id: str) -> str | None:
        raise OtherAppError("111.222")

    with pytest.raises(TransientError, match="SLACK_CLIENT_ID"):
        await token_of(others, "T1")
