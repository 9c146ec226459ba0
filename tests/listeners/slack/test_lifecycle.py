"""The app leaves a workspace: no token stays, whatever event comes first, however often."""

from __future__ import annotations

import json

import pytest
from slack_sdk.oauth.installation_store import Installation

from domain.states import WorkspaceState
from listeners.http.metrics import Metrics
from listeners.slack.requests import answer_of
from tests.listeners.conftest import install

UNINSTALLED = {"type": "app_uninstalled"}


async def token_of(office) -> str | None:
    return await office.installations.bot_token(office.team.id)


@pytest.mark.both_databases
async def test_uninstalling_deletes_the_token_and_marks_the_workspace(office):
    """Slack sends two events for it: tokens_revoked and app_uninstalled."""
    await office.slack.uninstall(office.team.id)
    await office.settled()

    workspace = await office.workspace()
    assert workspace.state == WorkspaceState.GONE
    assert await token_of(office) is None


async def test_a_revoked_bot_token_is_deleted(office):
    """Slack may send tokens_revoked without app_uninstalled."""
    await office.slack.revoke_token(office.team.id)
    await office.settled()

    assert (await office.workspace()).state == WorkspaceState.GONE
    assert await token_of(office) is None


async def test_revoked_user_tokens_are_ignored(office):
    """The app has no user tokens, so the workspace stays installed."""
    event = {"type": "tokens_revoked", "tokens": {"oauth": [office.mo.id], "bot": []}}
    assert await office.slack.send_event(office.team.id, event) == 200
    await office.settled()

    assert (await office.workspace()).is_active
    assert await token_of(office) is not None


async def test_a_repeated_event_does_not_remove_a_newer_installation(office):
    """Slack repeats an event for a day, and the app may have been installed again since."""
    await office.slack.send_event(office.team.id, UNINSTALLED, event_id="Ev1")
    await office.settled()
    await install(office, office.dana)

    await office.slack.send_event(office.team.id, UNINSTALLED, event_id="Ev1", retry_num=2)
    await office.settled()

    assert (await office.workspace()).is_active
    assert await token_of(office) is not None


async def test_an_event_that_slack_delivers_late_does_not_remove_a_newer_installation(office, clock):
    """It is delivered for the first time, and the app has been installed again since it happened."""
    clock.advance(seconds=-60)
    await office.slack.send_event(office.team.id, UNINSTALLED, event_id="Ev10")
    await office.settled()

    assert (await office.workspace()).is_active
    assert await token_of(office) is not None


async def test_an_event_from_before_the_installation_is_ignored(office, clock):
    """The app was down for the first attempt, and was installed again before the second."""
    clock.advance(seconds=-60)
    told_late = office.slack.send_event(office.team.id, UNINSTALLED, event_id="Ev9", retry_num=1)

    assert await told_late == 200
    await office.settled()

    assert (await office.workspace()).is_active


@pytest.mark.parametrize("event", [{"type": "channel_archive", "channel": "C0X"}, {"type": "some_new_event"}])
async def test_events_after_uninstalling_are_acknowledged(office, event):
    """Slack may still send events that were queued."""
    await office.slack.uninstall(office.team.id)
    await office.settled()

    assert await office.slack.send_event(office.team.id, event) == 200


async def test_an_uninstallation_of_an_unknown_workspace_leaves_the_organization_alone(office):
    """Only Slack's word that the organization uninstalled the app ends its installation."""
    team = office.slack.add_team("Acme Europe", enterprise_id="E0ACME")
    lee = office.slack.add_user(team, "Lee Park", "lee@acme.example", is_owner=True)
    token = office.slack.world.tokens[office.slack.install(team.id, lee.id, org_wide=True)]
    await office.installations.async_save(
        Installation(
            app_id=office.slack.app.id,
            enterprise_id="E0ACME",
            is_enterprise_install=True,
            bot_token=token.value,
            bot_id=token.bot_id,
            bot_user_id=token.bot_user,
            user_id=lee.id,
            installed_at=office.slack.world.now(),
        )
    )
    token.team_id = team.id  # so that the envelope speaks of this workspace only

    await office.slack.send_event(team.id, UNINSTALLED)
    await office.settled()

    assert await office.installations.bot_token("E0ACME") == token.value


async def test_no_later_answer_changes_why_an_uninstalled_workspace_is_gone(office):
    """Its data may be erased later, and its token is not tried again."""
    await office.slack.uninstall(office.team.id)
    await office.settled()

    assert not (await office.workspace()).may_come_back


@pytest.mark.parametrize(
    "body",
    [
        {"type": "app_rate_limited", "team_id": "T1", "minute_rate_limited": 1518467820, "api_app_id": "A1"},
        {"type": "event_callback", "team_id": "T1", "event": {"type": "app_rate_limited"}},
    ],
)
async def test_minutes_with_dropped_events_are_counted(office, body):
    """Slack's documentation has the first form, its recorded payloads have the second."""
    metrics = Metrics()

    answer = await answer_of(office.bolt, json.dumps(body), metrics, query="", headers={})

    assert answer.status == 200
    assert "usergems_slack_events_limited_total 1.0" in metrics.exposition(None, 0).decode()
