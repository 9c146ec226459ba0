"""A signal may have a channel of its own; the default channel is the last resort."""

from __future__ import annotations

import asyncio
import json

import pytest

from domain.job_change.parts import Signal
from services.home.signal_channels import SignalChannels
from services.ownership.rulebook import Rulebook
from services.ownership.rules.rule_set import RuleSet
from store import audit
from tests.services.slack.slack_world import open_slack_workspace


async def own_channel(world, signal="custom"):
    """A channel chosen for this signal."""
    channel = world.slack.add_channel(world.team, "own")
    await world.set_preferences(signal_channels=json.dumps({signal: channel.id}))
    return channel


async def test_a_job_change_without_a_dri_goes_to_the_channel_of_its_signal(world):
    """The message has the reason. Other signals still go to the default channel."""
    await world.default_channel()
    await own_channel(world)

    job_change_id = await world.deliver(signal="custom")
    await world.deliver(source_event_id="2")

    assert len(world.channel_messages("own")) == 1
    assert len(world.channel_messages("job-changes")) == 1
    outcome, sent_to, reason = await world.outcome(job_change_id)
    assert (outcome, sent_to) == ("delivered", "channel")
    assert reason.startswith("No DRI found:")
    assert reason in world.channel_messages("own")[0].text


async def test_the_channel_of_a_signal_works_without_a_default_channel(world):
    """Its job changes do not wait until a default channel is chosen."""
    await own_channel(world)

    await world.deliver(signal="custom")

    assert len(world.channel_messages("own")) == 1


async def test_the_default_channel_gets_what_the_channel_of_the_signal_cannot(world):
    """If that channel is archived, for example, nothing is lost, and the message says why it was posted here."""
    await world.default_channel()
    channel = await own_channel(world)
    channel.is_archived = True

    job_change_id = await world.deliver(signal="custom")

    [message] = world.channel_messages("job-changes")
    assert "archived" in message.text
    assert "No DRI found:" in message.text
    assert (await world.outcome(job_change_id))[:2] == ("delivered", "channel")


async def test_the_reason_fits_everything_that_an_archived_channel_did_not_get(world):
    """Where a rule chose the channel for one job change and the signal for another, it names neither."""
    await world.default_channel()
    channel = await own_channel(world)
    deals = {"name": "Deals", "tell": [], "when": {"relationship": ["champion"]}}
    rules = RuleSet.parse({"rules": [deals | {"deliver": {"to": "channel", "channel": channel.id}}]})
    rulebook = Rulebook(world.database, world.worker.router.decider.schemas, world.clock)
    assert (await rulebook.publish(world.workspace_id, world.admin.id, rules, None)).stored
    channel.is_archived = True
    await world.accept(signal="custom")
    await world.accept(source_event_id="2", relationship="champion")

    await world.worker.drain()

    [message] = world.channel_messages("job-changes")
    assert message.text.count("The channel chosen for it cannot be posted to: the channel is archived.") == 2


async def test_a_signal_channel_that_is_also_the_default_channel_has_one_lane(world):
    """The channel gets each job change once, in order."""
    default = await world.default_channel()
    await world.set_preferences(signal_channels=json.dumps({"custom": default}))

    await world.deliver(signal="custom", dri_email=None)
    world.clock.advance(seconds=2)
    await world.deliver(source_event_id="2")

    assert len(world.channel_messages("job-changes")) == 2


async def test_copies_go_to_the_channel_of_the_signal_too(world):
    """If every job change is posted in the channel, the signal's own channel gets them."""
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
async def test_only_one_of_two_simultaneous_choices_succeeds(acme, database, clock):
    """The other one learns that nothing was saved. Either of them may be the first."""
    channels = SignalChannels(acme.api, database, clock)
    seen = (await acme.workspace()).version

    results = await asyncio.gather(
        channels.choose(acme.id, "U1", Signal.CUSTOM, acme.wins.id, seen),
        channels.choose(acme.id, "U2", Signal.CONTACT_TRACKING, acme.wins.id, seen),
    )

    assert sorted(result.stored for result in results) == [False, True]
    entries = await database.run(audit.recent, acme.id)
    assert [entry.action for entry in entries].count("signal_channels") == 1


@pytest.mark.parametrize(
    ("fault", "text"),
    [({"status": 503}, "try again in a minute"), ({"error": "missing_scope"}, "is missing a permission")],
)
async def test_a_channel_that_cannot_be_checked_is_not_stored(acme, database, clock, fault, text):
    """Nothing is posted in it either."""
    acme.sandbox.faults.add("conversations.info", **fault)

    channels = SignalChannels(acme.api, database, clock)
    result = await channels.choose(acme.id, "U1", Signal.CUSTOM, acme.wins.id, None)

    assert not result.stored
    assert text in result.text
    assert acme.wins.messages == {}
    assert (await acme.workspace()).signal_channels == {}


async def test_a_workspace_that_uninstalled_has_nothing_to_choose(acme, database, clock):
    """Its Home may still be open on someone's screen."""
    channels = SignalChannels(acme.api, database, clock)

    assert not (await channels.choose("T0ELSE", "U1", Signal.CUSTOM, None, None)).stored
