"""Members' preferences end to end: digests, quiet hours, mutes, absences, and owners they reported."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from domain.audit import AuditEntry
from domain.notification_hours import DAILY, WEEKLY, NotificationHours
from services.messages.actions import ActionRequest, DeliveryActions
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
    """The Slack user id of Ada's owner. The default channel gets what she does not."""
    await world.default_channel()
    initech = world.salesforce.add("Account", Name="Initech", Type="Customer - Direct")
    contact = {"FirstName": "Ada", "LastName": "Smith", "Email": "ada@initech.example", "AccountId": initech}
    world.salesforce.add("Contact", OwnerId=world.add_owner("Dana Reyes"), **contact)
    return next(user.id for user in world.slack.world.users.values() if user.real_name == "Dana Reyes")


async def save_hours(world, user_id, hours):
    await world.database.run(member_preferences.save, world.workspace_id, user_id, hours, world.clock())


def in_an_hour(world, delivery=DAILY, **more):
    """A digest that is due in about an hour, and how many milliseconds that is."""
    minute = world.clock() // MINUTE + 60
    days = (minute * MINUTE) // DAY
    hours = NotificationHours(delivery, digest_at=minute % (24 * 60), weekday=(days + 3) % 7, **more)
    return hours, minute * MINUTE - world.clock()


async def test_a_digest_is_one_message_with_all_job_changes(world, dana):
    """Nothing is sent before it is due. Each job change then has its outcome."""
    hours, wait = in_an_hour(world)
    await save_hours(world, dana, hours)
    ids = [await world.deliver(source_event_id=f"e{number}") for number in range(3)]
    assert world.direct_messages("Dana Reyes") == []

    world.clock.advance(seconds=wait / 1_000)
    await world.worker.drain()

    (message,) = world.direct_messages("Dana Reyes")
    assert message.text.splitlines()[0] == "Your daily digest: 3 job changes"
    assert message.blocks[0]["text"]["text"] == "Your daily digest: 3 job changes"
    assert [await world.outcome(job_change_id) for job_change_id in ids] == [
        ("delivered", "dri", "You own Ada Smith in Salesforce.")
    ] * 3


async def test_an_updated_digest_stays_a_digest(world, dana):
    """It is updated when someone acts on one of its job changes."""
    hours, wait = in_an_hour(world)
    await save_hours(world, dana, hours)
    for number in range(2):
        await world.deliver(source_event_id=f"e{number}")
    world.clock.advance(seconds=wait / 1_000)
    await world.worker.drain()
    actions = actions_in(world)

    result = await actions.take(ActionRequest(world.workspace_id, 1, dana))
    await actions.update_messages(result)

    (message,) = world.direct_messages("Dana Reyes")
    assert "You're on it" in message.text
    assert message.text.splitlines()[0] == "Your daily digest: 2 job changes"


async def test_time_on_hold_does_not_count_as_time_of_retrying(world, dana):
    """If Slack is down when a weekly digest is due, the delivery is retried and does not fail."""
    hours, wait = in_an_hour(world, WEEKLY)
    await save_hours(world, dana, hours)
    world.clock.advance(seconds=-6 * DAY / 1_000)
    job_change_id = await world.deliver()
    world.clock.advance(seconds=(6 * DAY + wait) / 1_000)
    fault = world.slack.faults.add("chat.postMessage", status=503)
    await world.worker.drain()
    assert (await world.outcome(job_change_id))[0] is None

    world.slack.faults.remove(fault)
    world.clock.advance(seconds=120)
    await world.worker.drain()

    assert (await world.outcome(job_change_id))[:2] == ("delivered", "dri")


async def test_channels_get_messages_right_away(world, dana):
    """The copy in the channel does not wait for the digest of the DRI."""
    await world.set_preferences(channel_gets="everything")
    await save_hours(world, dana, in_an_hour(world)[0])

    await world.deliver()

    assert world.direct_messages("Dana Reyes") == []
    assert len(world.channel_messages("job-changes")) == 1


async def test_the_trace_says_until_when_a_delivery_is_held_back_and_why(world, dana):
    """The step has the time in the member's time zone and the preference."""
    await save_hours(world, dana, in_an_hour(world)[0])

    job_change_id = await world.deliver()

    (held_back,) = [step for step in await world.database.run(steps_of, job_change_id) if step.step == "held back"]
    assert held_back.detail.startswith("until ")
    assert held_back.detail.endswith("(UTC): their daily digest")


@pytest.mark.both_databases
async def test_a_snooze_ends_after_the_quiet_hours(world, dana):
    """Tomorrow at nine is during her quiet hours, so the message comes back when they end at 16:00."""
    await world.deliver()
    await save_hours(world, dana, NotificationHours(quiet_from=0, quiet_to=16 * 60))

    await actions_in(world).snooze(ActionRequest(world.workspace_id, 1, dana), SnoozeOption.TOMORROW)

    (due_at,) = await world.database.run(lambda connection: connection.execute(select(laters.c.due_at)).scalars().all())
    assert NotificationHours().format_moment(due_at)[-11:] == "16:00 (UTC)"


async def test_a_snooze_that_ends_at_the_time_of_a_digest_comes_with_that_digest(world, dana):
    """Its delivery is created a moment after nine and must not wait for the next day's digest."""
    await world.deliver()
    await save_hours(world, dana, NotificationHours(DAILY, digest_at=9 * 60, tz="America/New_York"))
    actions = actions_in(world)
    await actions.snooze(ActionRequest(world.workspace_id, 1, dana), SnoozeOption.TOMORROW)
    (due_at,) = await world.database.run(lambda connection: connection.execute(select(laters.c.due_at)).scalars().all())

    world.clock.advance(seconds=(due_at - world.clock()) / 1_000 + 5)
    await actions.catch_up()
    await world.worker.drain()

    assert len(world.direct_messages("Dana Reyes")) == 2


async def test_a_muted_segment_mutes_its_own_accounts_only(world, dana):
    """Initech is a customer. The segment is looked up although the rules do not use it."""
    await world.database.run(muting.set_mutes, world.workspace_id, dana, ["segment:target"])
    first = await world.deliver(source_event_id="first")
    await world.database.run(muting.set_mutes, world.workspace_id, dana, ["segment:customer"])

    second = await world.deliver(source_event_id="second")

    assert (await world.outcome(first))[:2] == ("delivered", "dri")
    outcome, sent_to, reason = await world.outcome(second)
    assert (outcome, sent_to) == ("delivered", "channel")
    assert "has muted this account segment" in reason


@pytest.mark.parametrize("muted", ["contact_tracking", "new_company", "segment:customer", "*"])
@pytest.mark.parametrize("required", ["contact_tracking", "new_company", "segment:customer"])
async def test_required_notifications_are_sent_in_spite_of_mutes(world, dana, muted, required):
    """It does not matter in which way the member has muted them."""
    await world.database.run(muting.set_mutes, world.workspace_id, dana, [muted])
    entry = AuditEntry(0, "U_ADMIN", "mute_limits", "")
    await world.database.run(muting.set_required, world.workspace_id, [required], entry)

    job_change_id = await world.deliver()

    assert (await world.outcome(job_change_id))[:2] == ("delivered", "dri")


@pytest.mark.both_databases
async def test_another_required_notification_leaves_a_mute_in_effect(world, dana):
    """Departures are required, and this job change is not a departure."""
    await world.database.run(muting.set_mutes, world.workspace_id, dana, ["contact_tracking"])
    entry = AuditEntry(0, "U_ADMIN", "mute_limits", "")
    await world.database.run(muting.set_required, world.workspace_id, ["departure"], entry)

    job_change_id = await world.deliver()

    assert (await world.outcome(job_change_id))[:2] == ("delivered", "channel")


async def test_a_member_who_reported_not_my_account_gets_none_of_its_job_changes(world, dana):
    """The channel gets them with the reason, and the owner is listed as unmatched."""
    entry = AuditEntry(world.clock(), dana, "not_me", "dana@acme.example")
    await world.database.run(owners.deny, world.workspace_id, "dana@acme.example", dana, entry)

    job_change_id = await world.deliver()

    outcome, sent_to, reason = await world.outcome(job_change_id)
    assert (outcome, sent_to) == ("delivered", "channel")
    assert "reported that this is not their account" in reason
    (unmatched,) = await world.database.run(owners.unmatched, world.workspace_id)
    assert unmatched.owner == "dana@acme.example"


async def test_the_delegate_gets_job_changes_until_the_absence_ends(world, dana):
    """After the last day, the member gets them again."""
    world.add_owner("Kim Lee")
    kim = next(user.id for user in world.slack.world.users.values() if user.real_name == "Kim Lee")
    until = world.clock() + DAY
    await world.database.run(choice_state.set_absence, world.workspace_id, dana, world.clock(), until, kim)

    await world.deliver(source_event_id="away")
    world.clock.advance(seconds=DAY / 1_000)
    await world.deliver(source_event_id="back")

    (message,) = world.direct_messages("Kim Lee")
    assert "Dana Reyes is out of office and named you" in message.text
    assert len(world.direct_messages("Dana Reyes")) == 1


def actions_in(world):
    slack = world.worker.courier.slack
    signer = world.worker.courier.signer
    redrawer = Redrawer(world.database, slack, signer, world.clock, world.worker.courier.layouts)
    return DeliveryActions(world.database, slack, redrawer, signer, world.clock)
