"""The app leaves a workspace: no token stays, whatever is told first, however often."""

from __future__ import annotations

import pytest

from store.workspaces import GONE
from tests.listeners.conftest import install

UNINSTALLED = {"type": "app_uninstalled"}


async def token_of(office) -> str | None:
    return await office.installations.bot_token(office.team.id)


async def test_uninstalling_forgets_the_token_and_marks_the_workspace(office):
    """Slack tells it twice, as tokens_revoked and as app_uninstalled."""
    await office.slack.uninstall(office.team.id)
    await office.settled()

    workspace = await office.workspace()
    assert workspace.state == GONE
    assert await token_of(office) is None


async def test_a_revoked_bot_token_alone_is_forgotten_too(office):
    """Slack's tokens_revoked may come without app_uninstalled."""
    await office.slack.revoke_token(office.team.id)
    await office.settled()

    assert (await office.workspace()).state == GONE
    assert await token_of(office) is None


async def test_revoked_user_tokens_are_none_of_ours(office):
    """We ask for none: the workspace stays."""
    event = {"type": "tokens_revoked", "tokens": {"oauth": [office.mo.id], "bot": []}}
    assert await office.slack.send_event(office.team.id, event) == 200
    await office.settled()

    assert (await office.workspace()).is_active
    assert await token_of(office) is not None


async def test_a_workspace_that_comes_back_is_not_removed_by_a_repeated_event(office):
    """Slack repeats an event for a day; the installation since then is a new one."""
    await office.slack.send_event(office.team.id, UNINSTALLED, event_id="Ev1")
    await office.settled()
    await install(office, office.dana)

    await office.slack.send_event(office.team.id, UNINSTALLED, event_id="Ev1", retry_num=2)
    await office.settled()

    assert (await office.workspace()).is_active
    assert await token_of(office) is not None


async def test_an_event_of_before_the_installation_says_nothing_about_it(office, clock):
    """Nobody heard the first try: the app was down, came up, and was installed again before Slack's second."""
    clock.advance(seconds=-60)
    told_late = office.slack.send_event(office.team.id, UNINSTALLED, event_id="Ev9", retry_num=1)

    assert await told_late == 200
    await office.settled()

    assert (await office.workspace()).is_active


@pytest.mark.parametrize("event", [{"type": "channel_archive", "channel": "C0X"}, {"type": "some_new_event"}])
async def test_events_after_the_end_are_answered_quietly(office, event):
    """Slack may still send what was under way."""
    await office.slack.uninstall(office.team.id)
    await office.settled()

    assert await office.slack.send_event(office.team.id, event) == 200
