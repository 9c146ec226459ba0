"""A test message goes the whole way to whoever asked for it, and to nobody else, whatever the workspace prefers."""

from __future__ import annotations

import json

import pytest

from domain.audit import AuditEntry
from services.intake.sample import SampleSender
from store.ownership import choice_state, rule_sets


def sampling(world) -> SampleSender:
    return SampleSender(world.intake, world.worker.courier.slack)


async def sent(world) -> str:
    """A test for Dana, told as far as it goes; its id."""
    dana = world.slack.add_user(world.team, "Dana Reyes", "dana@acme.example")
    job_change_id, why_not = await sampling(world).send(world.workspace_id, dana.id)
    assert why_not == ""
    await world.worker.drain()
    return job_change_id


async def test_it_arrives_marked_as_a_test(world):
    """Sample data about nobody, and the reason why it came."""
    job_change_id = await sent(world)

    [message] = world.direct_messages("Dana Reyes")
    assert message.text.startswith("Test message with sample data: nobody changed jobs.")
    assert "The source of this job change named you as its DRI." in message.text
    assert await world.outcome(job_change_id) == (
        "delivered",
        "dri",
        "The source of this job change named you as its DRI.",
    )


@pytest.mark.parametrize(
    "preferences", [{"tell_dris": False}, {"channel_gets": "everything"}], ids=["only the channel", "copies"]
)
async def test_no_channel_reads_it(world, preferences):
    """Neither where DRIs are not told in person, nor where a channel reads along."""
    await world.default_channel()
    await world.set_preferences(**preferences)

    await sent(world)

    assert len(world.direct_messages("Dana Reyes")) == 1
    assert world.channel_messages("job-changes") == []


async def test_no_rule_takes_it(world):
    """A rule that takes everything would tell somebody else of a job change that never was."""
    channel = await world.default_channel()
    rules = json.dumps({"rules": [{"name": "All", "deliver": {"to": "channel", "channel": channel}}]})
    published = AuditEntry(world.clock(), "U1", "published", "")
    await world.database.run(rule_sets.publish, world.workspace_id, rules, None, published)

    await sent(world)

    assert len(world.direct_messages("Dana Reyes")) == 1
    assert world.channel_messages("job-changes") == []


async def test_whoever_has_muted_all_is_told_why_there_was_no_test(world):
    """It ends with its reason, and goes to no channel in their place."""
    await world.default_channel()
    dana = world.slack.add_user(world.team, "Dana Reyes", "dana@acme.example")
    await world.database.run(choice_state.mute, world.workspace_id, dana.id, "*")

    job_change_id, _ = await sampling(world).send(world.workspace_id, dana.id)
    await world.worker.drain()

    outcome, told, reason = await world.outcome(job_change_id)
    assert (outcome, told) == ("muted", None)
    assert "dana@acme.example" in reason
    assert world.channel_messages("job-changes") == []
