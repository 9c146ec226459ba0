"""What members prefer, end to end: digests and quiet hours as they are read, what is muted, and who they are not."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from domain.audit import AuditEntry
from domain.notification_hours import DAILY, WEEKLY, NotificationHours
from services.messages.actions import DeliveryActions
from services.messages.redraws import Redrawer
from services.messages.snooze import SnoozeOption
from store.delivery.trace import steps_of
from store.home import member_preferences
from store.ownership import choice_state, muting, owners
from store.schema import laters
from tests.world import World

MINUTE, DAY = 60_000, 24 * 60 * 60_000


@pytest.fixture
async def dana(world: World):
    """Ada's owner; her Slack user id. The default channel is told of what she is not."""
    await world.default_channel()
    initech = world.salesforce.add("Account", Name="Initech", Type="Customer - Direct")
    contact = {"FirstName": "Ada", "LastName": "Smith", "Email": "ada@initech.example", "AccountId": initech}
    world.salesforce.add("Contact", OwnerId=world.add_owner("Dana Reyes"), **contact)
    return next(user.id for user in world.slack.world.users.values() if user.real_name == "Dana Reyes")


async def prefer(world, user_id, hours):
    await world.database.run(member_preferences.save, world.workspace_id, user_id, hours, world.clock())


def in_an_hour(world, delivery=DAILY, **more):
    """A digest that is due in about an hour, and how many milliseconds that is."""
    minute = world.clock() // MINUTE + 60
    days = (minute * MINUTE) // DAY
    hours = NotificationHours(delivery, digest_at=minute % (24 * 60), weekday=(days + 3) % 7, **more)
    return hours, minute * MINUTE - world.clock()


async def test_a_digest_reads_as_one_message_with_everything_in_it(world, dana):
    """Nothing before, all of it then; how it ended is told of each."""
    hours, wait = in_an_hour(world)
    await prefer(world, dana, hours)
    ids = [await world.deliver(source_event_id=f"e{number}") for number in range(3)]
    assert world.direct_messages("Dana Reyes") == []

    world.clock.advance(seconds=wait / 1_000)
    await world.worker.drain()

    (message,) = world.direct_messages("Dana Reyes")
    assert message.text.splitlines()[0] == "Your daily digest: 3 job changes"
    assert message.blocks[0]["text"]["text"] == "Your daily digest: 3 job changes"
    assert [await world.outcome(each) for each in ids] == [("delivered", "dri", "You own Ada Smith in Salesforce.")] * 3


async def test_a_digest_that_is_drawn_again_stays_a_digest(world, dana):
    """Somebody is on one of them."""
    hours, wait = in_an_hour(world)
    await prefer(world, dana, hours)
    for number in range(2):
        await world.deliver(source_event_id=f"e{number}")
    world.clock.advance(seconds=wait / 1_000)
    await world.worker.drain()
    actions = actions_in(world)

    result = await actions.take(world.workspace_id, 1, dana)
    await actions.update_messages(result)

    (message,) = world.direct_messages("Dana Reyes")
    assert "is on it" in message.text
    assert message.text.splitlines()[0] == "Your daily digest: 2 job changes"


async def test_a_week_in_a_digest_is_no_week_of_failing(world, dana):
    """Slack is away at the moment of a weekly digest: it is tried again, not buried as tried for too long."""
    hours, wait = in_an_hour(world, WEEKLY)
    await prefer(world, dana, hours)
    world.clock.advance(seconds=-6 * DAY / 1_000)
    told = await world.deliver()
    world.clock.advance(seconds=(6 * DAY + wait) / 1_000)
    fault = world.slack.faults.add("chat.postMessage", status=503)
    await world.worker.drain()
    assert (await world.outcome(told))[0] is None

    world.slack.faults.remove(fault)
    world.clock.advance(seconds=120)
    await world.worker.drain()

    assert (await world.outcome(told))[:2] == ("delivered", "dri")


async def test_the_channel_is_told_at_once_whatever_its_members_prefer(world, dana):
    """Its copy does not wait for the digest of the DRI."""
    await world.set_preferences(channel_gets="everything")
    await prefer(world, dana, in_an_hour(world)[0])

    await world.deliver()

    assert world.direct_messages("Dana Reyes") == []
    assert len(world.channel_messages("job-changes")) == 1


async def test_the_trace_tells_until_when_and_why(world, dana):
    """For whoever asks where it is."""
    await prefer(world, dana, in_an_hour(world)[0])

    told = await world.deliver()

    (kept,) = [step for step in await world.database.run(steps_of, told) if step.step == "held back"]
    assert kept.detail.startswith("until ")
    assert kept.detail.endswith("(UTC): their daily digest")


@pytest.mark.both_databases
async def test_what_was_put_off_comes_back_when_its_reader_reads(world, dana):
    """Until four it is quiet: nine in the morning, as Slack has it where she is, would be too early."""
    await world.deliver()
    await prefer(world, dana, NotificationHours(quiet_from=0, quiet_to=16 * 60))

    await actions_in(world).snooze(world.workspace_id, 1, dana, SnoozeOption.TOMORROW)

    (due_at,) = await world.database.run(lambda connection: connection.execute(select(laters.c.due_at)).scalars().all())
    assert NotificationHours().format_moment(due_at)[-11:] == "16:00 (UTC)"


async def test_what_was_put_off_to_the_minute_of_a_digest_comes_with_that_one(world, dana):
    """It is promised a moment after nine, when the digest of nine is past: not a day later all the same."""
    await world.deliver()
    await prefer(world, dana, NotificationHours(DAILY, digest_at=9 * 60, tz="America/New_York"))
    actions = actions_in(world)
    await actions.snooze(world.workspace_id, 1, dana, SnoozeOption.TOMORROW)
    (due_at,) = await world.database.run(lambda connection: connection.execute(select(laters.c.due_at)).scalars().all())

    world.clock.advance(seconds=(due_at - world.clock()) / 1_000 + 5)
    await actions.catch_up()
    await world.worker.drain()

    assert len(world.direct_messages("Dana Reyes")) == 2


async def test_a_muted_segment_passes_on_what_is_of_it_and_nothing_else(world, dana):
    """Initech is a customer, so it is left to the channel; of the kind of account the rules did not ask."""
    await world.database.run(muting.set_mutes, world.workspace_id, dana, ["segment:target"])
    first = await world.deliver(source_event_id="first")
    await world.database.run(muting.set_mutes, world.workspace_id, dana, ["segment:customer"])

    second = await world.deliver(source_event_id="second")

    assert (await world.outcome(first))[:2] == ("delivered", "dri")
    outcome, told, reason = await world.outcome(second)
    assert (outcome, told) == ("delivered", "channel")
    assert "has muted this segment of accounts" in reason


@pytest.mark.parametrize("muted", ["contact_tracking", "new_company", "segment:customer", "*"])
@pytest.mark.parametrize("unmutable", ["contact_tracking", "new_company", "segment:customer"])
async def test_what_nobody_may_mute_is_told_to_who_has_muted_it(world, dana, muted, unmutable):
    """Whatever way they muted it."""
    await world.database.run(muting.set_mutes, world.workspace_id, dana, [muted])
    limit = AuditEntry(0, "U_ADMIN", "mute_limits", "")
    await world.database.run(muting.set_required, world.workspace_id, [unmutable], limit)

    told = await world.deliver()

    assert (await world.outcome(told))[:2] == ("delivered", "dri")


@pytest.mark.both_databases
async def test_a_limit_on_something_else_leaves_a_mute_in_force(world, dana):
    """Departures are for everybody; this is none."""
    await world.database.run(muting.set_mutes, world.workspace_id, dana, ["contact_tracking"])
    limit = AuditEntry(0, "U_ADMIN", "mute_limits", "")
    await world.database.run(muting.set_required, world.workspace_id, ["departure"], limit)

    told = await world.deliver()

    assert (await world.outcome(told))[:2] == ("delivered", "channel")


async def test_who_says_that_they_are_not_the_owner_is_not_told_in_their_place(world, dana):
    """The channel is, with the reason, and the owner is among those whom an admin can link."""
    denied = AuditEntry(world.clock(), dana, "not_me", "dana@acme.example")
    await world.database.run(owners.deny, world.workspace_id, "dana@acme.example", dana, denied)

    told = await world.deliver()

    outcome, whom, reason = await world.outcome(told)
    assert (outcome, whom) == ("delivered", "channel")
    assert "reported that this is not their account" in reason
    (unmatched,) = await world.database.run(owners.unmatched, world.workspace_id)
    assert unmatched.owner == "dana@acme.example"


async def test_who_is_away_is_stood_in_for_until_the_end_date(world, dana):
    """And told again after it."""
    world.add_owner("Kim Lee")
    kim = next(user.id for user in world.slack.world.users.values() if user.real_name == "Kim Lee")
    until = world.clock() + DAY
    await world.database.run(choice_state.set_absence, world.workspace_id, dana, world.clock(), until, kim)

    await world.deliver(source_event_id="away")
    world.clock.advance(seconds=DAY / 1_000)
    await world.deliver(source_event_id="back")

    (stood_in,) = world.direct_messages("Kim Lee")
    assert "Dana Reyes is out of office and named you." in stood_in.text
    assert len(world.direct_messages("Dana Reyes")) == 1


def actions_in(world):
    slack = world.worker.courier.slack
    return DeliveryActions(world.database, slack, Redrawer(world.database, slack, world.clock), world.clock)
