"""A signal may have a channel of its own; the default channel is the last resort."""

from __future__ import annotations

import asyncio
import json

import pytest

from domain.job_change.parts import Signal
from services.home.signal_channels import SignalChannels
from store import audit
from tests.services.slack.slack_world import open_slack_workspace


async def own_channel(world, signal="custom"):
    """A channel of this signal's own."""
    channel = world.slack.add_channel(world.team, "own")
    await world.set_preferences(signal_channels=json.dumps({signal: channel.id}))
    return channel


async def test_what_no_dri_is_found_for_goes_to_the_channel_of_its_signal(world):
    """With the reason; the other signals go to the default channel as before."""
    await world.default_channel()
    await own_channel(world)

    theirs = await world.deliver(signal="custom")
    await world.deliver(source_event_id="2")

    assert len(world.channel_messages("own")) == 1
    assert len(world.channel_messages("job-changes")) == 1
    outcome, told, reason = await world.outcome(theirs)
    assert (outcome, told) == ("delivered", "channel")
    assert reason.startswith("No DRI found:")
    assert reason in world.channel_messages("own")[0].text


async def test_it_needs_no_default_channel(world):
    """What has a channel need not wait for another."""
    await own_channel(world)

    await world.deliver(signal="custom")

    assert len(world.channel_messages("own")) == 1


async def test_the_default_channel_reads_what_the_own_one_cannot(world):
    """Archived, say: nothing is lost, and the message says why it came here."""
    await world.default_channel()
    channel = await own_channel(world)
    channel.is_archived = True

    job_change_id = await world.deliver(signal="custom")

    [message] = world.channel_messages("job-changes")
    assert "archived" in message.text
    assert "No DRI found:" in message.text
    assert (await world.outcome(job_change_id))[:2] == ("delivered", "channel")


async def test_the_same_channel_in_both_places_is_the_default_one(world):
    """It is told once, in one order."""
    default = await world.default_channel()
    await world.set_preferences(signal_channels=json.dumps({"custom": default}))

    await world.deliver(signal="custom", dri_email=None)
    world.clock.advance(seconds=2)
    await world.deliver(source_event_id="2")

    assert len(world.channel_messages("job-changes")) == 2


async def test_copies_go_to_the_channel_of_the_signal_too(world):
    """Where the channel gets everything, this is the channel."""
    await world.default_channel()
    await own_channel(world)
    await world.set_preferences(channel_gets="everything")
    world.slack.add_user(world.team, "Dana Reyes", "dana@acme.example")

    await world.deliver(signal="custom", dri_email="dana@acme.example")

    assert len(world.direct_messages("Dana Reyes")) == 1
    assert len(world.channel_messages("own")) == 1
    assert world.channel_messages("job-changes") == []


@pytest.fixture
async def acme(database, clock):
    async with open_slack_workspace(database, clock) as acme:
        yield acme


@pytest.mark.both_databases
async def test_of_two_who_choose_at_the_same_moment_one_is_stored(acme, database, clock):
    """The other is told; which one it is does not matter."""
    channels = SignalChannels(acme.api, database, clock)
    seen = (await acme.workspace()).version

    done = await asyncio.gather(
        channels.choose(acme.id, "U1", Signal.CUSTOM, acme.wins.id, seen),
        channels.choose(acme.id, "U2", Signal.CONTACT_TRACKING, acme.wins.id, seen),
    )

    assert sorted(each.stored for each in done) == [False, True]
    assert len([each for each in await database.run(audit.recent, acme.id) if each.action == "signal_channels"]) == 1


@pytest.mark.parametrize(
    ("fault", "said"),
    [({"status": 503}, "try again in a minute"), ({"error": "missing_scope"}, "lacks a permission it needs")],
)
async def test_a_channel_that_cannot_be_checked_is_not_stored(acme, database, clock, fault, said):
    """Nothing is said in it either."""
    acme.sandbox.faults.add("conversations.info", **fault)

    channels = SignalChannels(acme.api, database, clock)
    done = await channels.choose(acme.id, "U1", Signal.CUSTOM, acme.wins.id, None)

    assert not done.stored
    assert said in done.text
    assert acme.wins.messages == {}
    assert (await acme.workspace()).signal_channels == {}


async def test_a_workspace_that_uninstalled_has_nothing_to_choose(acme, database, clock):
    """Its Home may still be on somebody's screen."""
    channels = SignalChannels(acme.api, database, clock)

    assert not (await channels.choose("T0ELSE", "U1", Signal.CUSTOM, None, None)).stored
