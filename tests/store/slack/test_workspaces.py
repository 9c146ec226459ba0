"""Workspaces and their default channel."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from sqlalchemy import insert, select

from domain.messages.notices import DEFAULT_CHANNEL_BROKEN
from domain.states import DEFAULT_CHANNEL
from store.delivery import pauses
from store.schema import lanes
from store.slack import workspaces
from tests.world import installed

T1 = "T1"
ACME = installed(T1)


@pytest.fixture(autouse=True)
async def acme(database):
    await database.run(workspaces.install, ACME)
    await database.run(workspaces.change, T1, None, default_channel_id="C1", default_channel_name="wins")


async def default_lane(database, **values) -> None:
    row = {"workspace_id": T1, "destination": DEFAULT_CHANNEL, "paced_until": 0} | values
    await database.run(lambda connection: connection.execute(insert(lanes).values(row)))


async def due_at(database) -> int | None:
    return await database.run(lambda connection: connection.execute(select(lanes.c.due_at)).scalar_one())


async def test_a_fixed_default_channel_gets_what_was_waiting(database):
    """Its problem may be reported again if it comes back."""
    await default_lane(database, due_at=None)
    await database.run(workspaces.mark_default_channel_broken, T1, "C1", "it was archived")
    await database.run(workspaces.claim_notice, T1, DEFAULT_CHANNEL_BROKEN, 5)

    assert await database.run(workspaces.mark_default_channel_working, T1, "C1", 9) is True

    assert await due_at(database) == 9
    assert await database.run(workspaces.claim_notice, T1, DEFAULT_CHANNEL_BROKEN, 10) is True


async def test_fixing_a_channel_without_a_problem_changes_nothing(database):
    """For example, another channel is unarchived."""
    await default_lane(database, due_at=None)

    assert await database.run(workspaces.mark_default_channel_working, T1, "C1", 9) is False
    assert await database.run(workspaces.mark_default_channel_working, T1, "C2", 9) is False

    assert await due_at(database) is None


async def test_a_new_installation_continues_what_waits(database):
    """An earlier token may be why Slack was not called. The default channel may work with the new permissions."""
    await default_lane(database, due_at=None, paced_until=700)
    await database.run(pauses.pause, T1, "slack:chat.postMessage", 300_000, 5, "the token has expired")

    await database.run(workspaces.install, replace(ACME, installed_at=9))

    assert await due_at(database) == 700
    assert await database.run(pauses.paused_until, T1, "slack:chat.postMessage", 9) is None


async def test_a_leased_lane_is_not_scheduled(database):
    """Otherwise another worker could send its post a second time."""
    await default_lane(database, due_at=30_000, lease="somebody")

    await database.run(workspaces.open_default_lane, T1, 9)

    assert await due_at(database) == 30_000


async def test_a_lane_keeps_its_pace_when_it_is_scheduled(database):
    """A channel gets one message a second."""
    await default_lane(database, due_at=None, paced_until=700)

    await database.run(workspaces.open_default_lane, T1, 9)

    assert await due_at(database) == 700


async def test_only_the_default_channel_can_have_a_problem(database):
    """Other channels are archived every day."""
    assert await database.run(workspaces.mark_default_channel_broken, T1, "C2", "it was archived") is False
    assert await database.run(workspaces.mark_default_channel_broken, T1, "C1", "it was archived") is True


async def test_a_workspace_is_marked_as_gone_once(database):
    """Slack sends two events."""
    assert await database.run(workspaces.mark_gone, T1, 5) is True
    assert await database.run(workspaces.mark_gone, T1, 6) is False
    assert (await database.run(workspaces.find, T1)).gone_at == 5


async def test_a_workspace_that_installs_again_keeps_its_preferences(database):
    """Nothing has to be set up again."""
    await database.run(workspaces.mark_gone, T1, 5)
    await database.run(workspaces.install, ACME)

    back = await database.run(workspaces.find, T1)
    assert (back.is_active, back.gone_at, back.default_channel_id) == (True, None, "C1")


async def test_a_change_based_on_an_old_version_is_refused(database):
    """The version grows with each change."""
    seen = (await database.run(workspaces.find, T1)).version

    assert await database.run(workspaces.change, T1, seen, tell_dris=False) is True
    assert await database.run(workspaces.change, T1, seen, tell_dris=True) is False
    assert (await database.run(workspaces.find, T1)).tell_dris is False


async def test_an_old_channel_id_is_not_stored_again(database):
    """An admin may have seen the preferences before the event of Slack arrived."""
    mine = {"default_channel_id": "C_OLD", "signal_channels": json.dumps({"custom": "C_OLD"})}
    await database.run(workspaces.change, "T1", None, **mine)
    seen = await database.run(workspaces.find, "T1")

    await database.run(workspaces.move_channel, "T1", "C_OLD", "C_NEW")

    assert not await database.run(workspaces.change, "T1", seen.version, **mine)
    found = await database.run(workspaces.find, "T1")
    assert (found.default_channel_id, found.signal_channels) == ("C_NEW", {"custom": "C_NEW"})
