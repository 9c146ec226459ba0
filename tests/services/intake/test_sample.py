"""A test message goes end to end to the user who requested it, and to nobody else."""

from __future__ import annotations

import json

import pytest

from domain.audit import AuditEntry
from services.intake.sample import SampleSender
from store.ownership import choice_state, rule_sets


def sample_sender(world) -> SampleSender:
    return SampleSender(world.intake, world.worker.courier.slack)


async def sent(world) -> str:
    """Send Dana a test, deliver it, and return its id."""
    dana = world.slack.add_user(world.team, "Dana Reyes", "dana@acme.example")
    job_change_id, why_not = await sample_sender(world).send(world.workspace_id, dana.id)
    assert why_not == ""
    await world.worker.drain()
    return job_change_id


async def test_a_test_message_is_marked_as_a_test(world):
    """It has sample data, and the reason why it was sent."""
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
async def test_a_test_message_is_not_posted_in_a_channel(world, preferences):
    """This holds where DRIs get no direct messages and where a channel gets copies."""
    await world.default_channel()
    await world.set_preferences(**preferences)

    await sent(world)

    assert len(world.direct_messages("Dana Reyes")) == 1
    assert world.channel_messages("job-changes") == []


async def test_a_test_message_ignores_rules(world):
    """A rule for all job changes would notify another person."""
    channel = await world.default_channel()
    rules = json.dumps({"rules": [{"name": "All", "deliver": {"to": "channel", "channel": channel}}]})
    published = AuditEntry(world.clock(), "U1", "published", "")
    await world.database.run(rule_sets.publish, world.workspace_id, rules, None, published)

    await sent(world)

    assert len(world.direct_messages("Dana Reyes")) == 1
    assert world.channel_messages("job-changes") == []


async def test_a_user_who_muted_everything_gets_no_test_message(world):
    """It ends as muted with its reason, and no channel gets it instead."""
    await world.default_channel()
    dana = world.slack.add_user(world.team, "Dana Reyes", "dana@acme.example")
    await world.database.run(choice_state.mute, world.workspace_id, dana.id, "*")

    job_change_id, _ = await sample_sender(world).send(world.workspace_id, dana.id)
    await world.worker.drain()

    outcome, sent_to, reason = await world.outcome(job_change_id)
    assert (outcome, sent_to) == ("muted", None)
    assert "dana@acme.example" in reason
    assert world.channel_messages("job-changes") == []
