"""Reminders: people who do not act are reminded once; then a manager or channel is notified once."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest
from sqlalchemy import select, update

from domain.audit import AuditEntry
from domain.delivery import Delivery
from domain.notification_hours import NotificationHours
from sandbox.salesforce.schema import Field
from sandbox.slack.state import Message
from services.messages.actions import ActionRequest, DeliveryActions
from services.messages.button_values import delivery_id_in
from services.messages.redraws import Redrawer
from services.messages.reminders import LEASE_MS, ReminderSender
from services.messages.snooze import SnoozeOption
from services.ownership.managers import Managers
from services.slack.api import Posted
from store.delivery import reminders
from store.delivery.trace import steps_of
from store.home import member_preferences
from store.messages import actions
from store.ownership import muting, owners
from store.schema import deliveries, job_changes
from store.schema import reminders as rows
from tests.services.ownership.test_routing_by_rules import owner_of, publish, rule
from tests.world import World

HOUR = 3_600
DAY = 24 * HOUR
POST_ID = "0a50f2c1-3d0c-4c5a-9d0e-1c2b8f6f0b57"
WEDNESDAY_AT_SIX = 1_795_000_000_000
"""When these tests begin: in the morning in New York, the time zone of everyone in the sandbox."""


@dataclass
class ReminderWorld:
    """Dana owns Ada Smith in Salesforce and reports to Mo; Kim is a colleague."""

    world: World
    sender: ReminderSender
    delivery_actions: DeliveryActions

    def replica(self) -> ReminderSender:
        there = self.sender
        return ReminderSender(there.database, there.slack, there.managers, there.now)

    async def pass_time(self, seconds: float) -> None:
        self.world.clock.advance(seconds=seconds)
        while await self.sender.catch_up() or await self.delivery_actions.catch_up():
            pass
        await self.world.worker.drain()

    def reminders(self, name: str = "Dana Reyes") -> list[Message]:
        return [message for message in self.world.direct_messages(name) if "till open" in message.text]

    async def delivery(self, job_change_id: str) -> Delivery:
        def find(connection):
            ids = select(deliveries.c.id).where(deliveries.c.job_change_id == job_change_id).order_by(deliveries.c.id)
            first = connection.execute(ids).scalars().first()
            return actions.find(connection, self.world.workspace_id, first)

        return await self.world.database.run(find)

    async def steps(self, job_change_id: str) -> list[tuple[str, str]]:
        return [(step.step, step.detail) for step in await self.world.database.run(steps_of, job_change_id)]

    def slack_id(self, name: str) -> str:
        return next(user.id for user in self.world.slack.world.users.values() if user.real_name == name)


@pytest.fixture
async def reminder_world(world, clock):
    assert clock() == WEDNESDAY_AT_SIX
    await world.default_channel()
    await world.set_preferences(reminder_hours=4)
    boss = world.add_owner("Mo Chen")
    world.add_owner("Kim Lee")
    owner = world.add_owner("Dana Reyes", ManagerId=boss)
    world.salesforce.add("Contact", FirstName="Ada", LastName="Smith", Email="ada@initech.example", OwnerId=owner)
    decider, slack = world.worker.router.decider, world.worker.courier.slack
    signer = world.worker.courier.signer
    managers = Managers(world.database, decider.salesforce, decider.directory)
    return ReminderWorld(
        world,
        ReminderSender(world.database, slack, managers, clock),
        DeliveryActions(
            world.database,
            slack,
            Redrawer(world.database, slack, signer, clock, world.worker.courier.layouts),
            signer,
            clock,
        ),
    )


async def test_reminders_are_off_by_default(reminder_world):
    """Switching them on does not affect earlier messages."""
    await reminder_world.world.set_preferences(reminder_hours=0)
    await reminder_world.world.deliver()
    await reminder_world.world.set_preferences(reminder_hours=4)

    await reminder_world.pass_time(30 * DAY)

    assert len(reminder_world.world.direct_messages("Dana Reyes")) == 1


async def test_a_reminder_is_sent_after_working_hours_of_the_reader(reminder_world):
    """Sent at six in the morning: four working hours have passed at one. It is in the thread of the message."""
    job_change_id = await reminder_world.world.deliver()

    await reminder_world.pass_time(6.8 * HOUR)
    early = reminder_world.reminders()
    await reminder_world.pass_time(0.3 * HOUR)

    message, reminder = reminder_world.world.direct_messages("Dana Reyes")
    assert early == []
    assert reminder.thread_ts == message.ts
    assert "*Ada Smith* joined *Globex* as CRO" in reminder.text
    dana = reminder_world.slack_id("Dana Reyes")
    assert ("reminded", f"{dana}, after 4 working hours") in await reminder_world.steps(job_change_id)


async def test_no_reminder_is_sent_on_a_weekend(reminder_world):
    """Sent on a Friday afternoon, reminded on Monday."""
    await reminder_world.pass_time(2 * DAY + 9 * HOUR)  # Friday at three
    await reminder_world.world.deliver()

    await reminder_world.pass_time(2.7 * DAY)  # Monday, at about eight
    before = reminder_world.reminders()
    await reminder_world.pass_time(3 * HOUR + 1_500)

    assert (before, len(reminder_world.reminders())) == ([], 1)


async def test_a_reminder_is_sent_once(reminder_world):
    """However much time passes."""
    await reminder_world.world.deliver()

    for _ in range(10):
        await reminder_world.pass_time(2 * DAY)

    assert len(reminder_world.reminders()) == 1
    assert "more working hour" not in reminder_world.reminders()[0].text
    assert reminder_world.world.channel_messages("job-changes") == []


async def test_the_manager_is_notified_once_after_the_same_time_again(reminder_world):
    """The reminder says so before. The manager reads why, and is not reminded in turn."""
    await reminder_world.world.set_preferences(reminder_escalation="manager")
    job_change_id = await reminder_world.world.deliver()

    await reminder_world.pass_time(8 * HOUR)
    before = reminder_world.world.direct_messages("Mo Chen")
    for _ in range(10):
        await reminder_world.pass_time(2 * DAY)

    (reminder,) = reminder_world.reminders()
    assert "After 4 more working hours, your manager is notified." in reminder.text
    assert before == []
    (message,) = reminder_world.world.direct_messages("Mo Chen")
    assert "Dana Reyes was notified and reminded, and has not acted on it. They report to you" in message.text
    assert "delivery_take" in str(message.blocks)
    steps = [step for step, _ in await reminder_world.steps(job_change_id)]
    assert (steps.count("reminded"), steps.count("escalated")) == (1, 1)
    assert (await reminder_world.world.outcome(job_change_id))[:2] == ("delivered", "dri")


async def test_a_manager_who_was_informed_before_reads_it_in_the_earlier_message_too(reminder_world):
    """The manager may act in either message."""
    world = reminder_world.world
    await world.set_preferences(reminder_escalation="manager")
    ids = {str(user["FirstName"]): user["Id"] for user in world.salesforce.org.all_users()}
    account = world.salesforce.add("Account", Name="Hooli", OwnerId=ids["Mo"])
    world.salesforce.add(
        "Contact", LastName="Lovelace", Email="ada@hooli.example", OwnerId=ids["Dana"], AccountId=account
    )
    informed = rule("All", [owner_of("contact")], when={"side": "past"}, also_notify=[owner_of("account")])
    await publish(world, informed)
    await world.deliver(person={"full_name": "Ada Lovelace", "emails": ["ada@hooli.example"]})
    assert "FYI" in world.direct_messages("Mo Chen")[0].text

    for _ in range(4):
        await reminder_world.pass_time(DAY)

    earlier, again = world.direct_messages("Mo Chen")
    assert all("has not acted on it" in str(message.blocks) for message in (earlier, again))
    assert "FYI" not in str(earlier.blocks)


async def test_the_channel_is_notified_once_after_the_same_time_again(reminder_world):
    """Anyone there can claim it."""
    await reminder_world.world.set_preferences(reminder_escalation="channel")
    await reminder_world.world.deliver()

    for _ in range(10):
        await reminder_world.pass_time(2 * DAY)

    (message,) = reminder_world.world.channel_messages("job-changes")
    assert "Dana Reyes was notified and reminded, and has not acted on it." in message.text
    assert "Claim" in str(message.blocks)
    assert len(reminder_world.reminders()) == 1


async def test_the_manager_is_matched_like_an_owner(reminder_world):
    """By the Slack user IDs in Salesforce, on both ends; the addresses belong to nobody in Slack."""
    world = reminder_world.world
    org = world.salesforce.org
    org.add_field("User", Field("Slack_Id__c"))
    ids = {row["Name"]: row["Id"] for row in org.rows(org.sobject("User"))}
    for name in ("Mo Chen", "Dana Reyes"):
        org.update(ids[name], Slack_Id__c=reminder_world.slack_id(name), Email=f"x{ids[name]}@y.example")
    change = AuditEntry(0, "U_ADMIN", "x", "")
    await world.database.run(owners.match_by, world.workspace_id, None, {}, "Slack_Id__c", change)
    await world.set_preferences(reminder_escalation="manager")
    await world.deliver()

    await reminder_world.pass_time(2 * DAY)
    await reminder_world.pass_time(2 * DAY)

    assert len(world.direct_messages("Mo Chen")) == 1


async def test_a_manager_is_found_in_a_sandbox_org(reminder_world):
    """The addresses of its users end with `.invalid`."""
    world = reminder_world.world
    world.salesforce.add("Organization", Name="Acme")
    world.salesforce.org.become_sandbox()
    await world.set_preferences(reminder_escalation="manager")
    await world.deliver()

    await reminder_world.pass_time(2 * DAY)
    await reminder_world.pass_time(2 * DAY)

    assert len(world.direct_messages("Mo Chen")) == 1


@pytest.mark.parametrize(
    "why", ["none in Salesforce", "inactive", "not in Slack", "Salesforce is gone", "Slack does not tell", "themselves"]
)
async def test_the_channel_is_notified_if_the_manager_cannot_be(reminder_world, why):
    """It says why."""
    world, org = reminder_world.world, reminder_world.world.salesforce.org
    people = {row["LastName"]: str(row["Id"]) for row in org.rows(org.sobject("User"))}
    if why == "none in Salesforce":
        org.update(people["Reyes"], ManagerId=None)
    elif why == "inactive":
        org.update(people["Chen"], IsActive=False)
    elif why == "not in Slack":
        org.update(people["Chen"], Email="somebody@else.example")
    elif why == "themselves":
        org.update(people["Reyes"], ManagerId=people["Reyes"])
    await world.set_preferences(reminder_escalation="manager")
    await world.deliver()
    if why == "Salesforce is gone":
        for resource in ("composite", "query"):
            world.salesforce.faults.add(resource, error="INVALID_FIELD", times=None)
    elif why == "Slack does not tell":
        world.slack.faults.add("users.lookupByEmail", error="missing_scope", times=None)

    for _ in range(4):
        await reminder_world.pass_time(2 * DAY)

    assert world.direct_messages("Mo Chen") == []
    (message,) = world.channel_messages("job-changes")
    assert "Their manager could not be notified." in message.text


def request_of(delivery) -> ActionRequest:
    """Its reader wants to act on the delivery."""
    return ActionRequest(delivery.workspace_id, delivery.id, delivery.destination)


async def take(reminder_world, delivery):
    await reminder_world.delivery_actions.take(request_of(delivery))


async def reassign(reminder_world, delivery):
    await reminder_world.delivery_actions.reassign(request_of(delivery), None, "")


async def report(reminder_world, delivery):
    await reminder_world.delivery_actions.report(request_of(delivery), "old_news", "")


async def mute(reminder_world, delivery):
    await reminder_world.delivery_actions.mute(request_of(delivery), "contact_tracking")


async def erase(reminder_world, delivery):
    forget = update(job_changes).where(job_changes.c.id == delivery.job_change_id).values(payload=None)
    await reminder_world.world.database.run(lambda connection: connection.execute(forget))


async def switch_off(reminder_world, _delivery):
    await reminder_world.world.set_preferences(reminder_hours=0)


ENDS = [take, reassign, report, mute, erase, switch_off]


@pytest.mark.parametrize("act", ENDS, ids=lambda act: act.__name__)
async def test_a_person_who_acted_is_not_reminded(reminder_world, act):
    """To take, reassign, report or mute it is to act."""
    job_change_id = await reminder_world.world.deliver()

    await act(reminder_world, await reminder_world.delivery(job_change_id))
    await reminder_world.pass_time(10 * DAY)

    assert reminder_world.reminders() == []


@pytest.mark.parametrize("act", [take, switch_off], ids=lambda act: act.__name__)
async def test_nothing_is_escalated_if_the_person_acts_after_the_reminder(reminder_world, act):
    """Nobody else is notified."""
    await reminder_world.world.set_preferences(reminder_escalation="manager")
    job_change_id = await reminder_world.world.deliver()
    await reminder_world.pass_time(8 * HOUR)

    await act(reminder_world, await reminder_world.delivery(job_change_id))
    await reminder_world.pass_time(10 * DAY)

    assert len(reminder_world.reminders()) == 1
    assert reminder_world.world.direct_messages("Mo Chen") == []


async def test_a_snoozed_job_change_is_reminded_of_after_it_came_back(reminder_world):
    """To snooze it is to act. The time starts again when it comes back."""
    job_change_id = await reminder_world.world.deliver()
    delivery = await reminder_world.delivery(job_change_id)

    await reminder_world.delivery_actions.snooze(request_of(delivery), SnoozeOption.TOMORROW)
    await reminder_world.pass_time(DAY)
    still_off = reminder_world.reminders()
    await reminder_world.pass_time(4 * HOUR)  # it came back at nine
    await reminder_world.pass_time(DAY)

    assert still_off == []
    assert len(reminder_world.reminders()) == 1


@pytest.mark.both_databases
async def test_a_reminder_that_is_scheduled_again_while_it_is_claimed_is_kept(reminder_world):
    """The process that claimed it found it over, because it was being sent again."""
    job_change_id = await reminder_world.world.deliver()
    reminder_world.world.clock.advance(seconds=DAY)
    database, now = reminder_world.world.database, reminder_world.world.clock()
    held = await database.run(reminders.claim, now, LEASE_MS, 20)
    post_id = await database.run(post_of, job_change_id)

    await database.run(reminders.schedule, {post_id: now})
    await database.run(reminders.finish, held)
    await reminder_world.pass_time(2 * DAY)

    assert len(reminder_world.reminders()) == 1


def post_of(connection, job_change_id):
    return connection.execute(
        select(deliveries.c.post_id).where(deliveries.c.job_change_id == job_change_id)
    ).scalar_one()


@pytest.mark.both_databases
async def test_no_reminder_is_sent_in_quiet_hours(reminder_world):
    """Four working hours have passed at one in New York; it is quiet until three."""
    quiet = NotificationHours(quiet_from=12 * 60, quiet_to=15 * 60, tz="America/New_York")
    await reminder_world.world.deliver()
    who = (reminder_world.world.workspace_id, reminder_world.slack_id("Dana Reyes"))
    await reminder_world.world.database.run(member_preferences.save, *who, quiet, reminder_world.world.clock())

    await reminder_world.pass_time(7.1 * HOUR)
    at_one = reminder_world.reminders()
    await reminder_world.pass_time(2 * HOUR)

    assert at_one == []
    assert len(reminder_world.reminders()) == 1


async def test_a_required_notification_is_reminded_of_although_it_is_muted(reminder_world):
    """It was sent although it is muted."""
    who = (reminder_world.world.workspace_id, reminder_world.slack_id("Dana Reyes"))
    await reminder_world.world.database.run(muting.set_mutes, *who, ["contact_tracking"])
    limit = AuditEntry(0, "U_ADMIN", "mute_limits", "")
    await reminder_world.world.database.run(
        muting.set_required, reminder_world.world.workspace_id, ["contact_tracking"], limit
    )
    await reminder_world.world.deliver()

    await reminder_world.pass_time(DAY)

    assert len(reminder_world.reminders()) == 1


@pytest.mark.parametrize(("muted", "reminded"), [("customer", 0), ("target", 1)])
async def test_no_reminder_is_sent_for_a_segment_that_was_muted_since(reminder_world, muted, reminded):
    """The segments of an account are known if a rule or a mute uses them."""
    org, world = reminder_world.world.salesforce, reminder_world.world
    initech = org.add("Account", Name="Initech", Type="Customer - Direct")
    org.org.update(next(row["Id"] for row in org.org.rows(org.org.sobject("Contact"))), AccountId=initech)
    kim, dana = reminder_world.slack_id("Kim Lee"), reminder_world.slack_id("Dana Reyes")
    await world.database.run(muting.set_mutes, world.workspace_id, kim, ["segment:customer", "segment:target"])
    await world.deliver()

    await world.database.run(muting.set_mutes, world.workspace_id, dana, [f"segment:{muted}"])
    await reminder_world.pass_time(DAY)

    assert (len(world.direct_messages("Dana Reyes")) - reminded, len(reminder_world.reminders())) == (1, reminded)


@pytest.mark.both_databases
async def test_a_colleague_is_reminded_of_a_reassigned_job_change(reminder_world):
    """The colleague is responsible now."""
    job_change_id = await reminder_world.world.deliver()
    delivery = await reminder_world.delivery(job_change_id)
    kim = reminder_world.slack_id("Kim Lee")
    await reminder_world.delivery_actions.reassign(request_of(delivery), kim, "")
    await reminder_world.world.worker.drain()

    await reminder_world.pass_time(2 * DAY)

    assert (len(reminder_world.reminders()), len(reminder_world.reminders("Kim Lee"))) == (0, 1)


async def test_a_job_change_returned_to_the_channel_is_open_in_its_earlier_message_too(reminder_world):
    """The channel reassigned it to Kim, who did not act."""
    await reminder_world.world.set_preferences(reminder_escalation="channel")
    person = {"full_name": "Ada Smith", "emails": ["nobody@initech.example"]}
    delivery = await reminder_world.delivery(await reminder_world.world.deliver(person=person))
    kim, dana = reminder_world.slack_id("Kim Lee"), reminder_world.slack_id("Dana Reyes")
    result = await reminder_world.delivery_actions.reassign(
        ActionRequest(delivery.workspace_id, delivery.id, dana), kim, ""
    )
    await reminder_world.delivery_actions.update_messages(result)
    await reminder_world.world.worker.drain()
    assert "reassigned" in str(reminder_world.world.channel_messages("job-changes")[0].blocks)

    for _ in range(4):
        await reminder_world.pass_time(DAY)

    earlier, again = reminder_world.world.channel_messages("job-changes")
    assert all("Claim" in str(message.blocks) for message in (earlier, again))
    assert "reassigned" not in str(earlier.blocks)


@pytest.mark.both_databases
async def test_nobody_is_reminded_of_what_a_colleague_took(reminder_world):
    """Every message about it says who is on it."""
    await reminder_world.world.set_preferences(reminder_escalation="channel")
    job_change_id = await reminder_world.world.deliver()
    await reminder_world.pass_time(2 * DAY)
    await reminder_world.pass_time(2 * DAY)
    (in_channel,) = reminder_world.world.channel_messages("job-changes")
    ids = [
        element["value"] for block in in_channel.blocks for element in block.get("elements", []) if "value" in element
    ]

    await reminder_world.delivery_actions.take(
        ActionRequest(reminder_world.world.workspace_id, delivery_id_in(ids[0]), reminder_world.slack_id("Kim Lee"))
    )
    await reminder_world.world.database.run(due_again, job_change_id, reminder_world.world.clock())
    await reminder_world.pass_time(2 * DAY)

    assert len(reminder_world.reminders()) == 1


def due_again(connection, job_change_id, now):
    mine = rows.c.job_change_id == job_change_id
    connection.execute(update(rows).where(mine).values(due_at=now, reminded_at=None, begun_at=None))


async def test_several_job_changes_of_one_message_are_one_reminder(reminder_world):
    """It has a line for each job change that is open."""
    for number in range(3):
        await reminder_world.world.accept(source_event_id=str(number), previous={"title": f"VP {number}"})
    await reminder_world.world.worker.drain()
    (message,) = reminder_world.world.direct_messages("Dana Reyes")

    await reminder_world.pass_time(DAY)

    (reminder,) = reminder_world.reminders()
    assert reminder.thread_ts == message.ts
    assert "3 job changes are still open" in reminder.text
    assert reminder.text.count("• ") == 3


async def test_several_messages_are_one_reminder_with_links(reminder_world):
    """So that nobody gets many reminders on Monday morning."""
    for number in range(3):
        await reminder_world.world.deliver(source_event_id=str(number), previous={"title": f"VP {number}"})
        reminder_world.world.clock.advance(seconds=60)
        await reminder_world.world.worker.drain()

    await reminder_world.pass_time(DAY)

    (reminder,) = reminder_world.reminders()
    assert reminder.thread_ts is None
    assert reminder.text.count("|Open message>") == 3


@pytest.mark.both_databases
async def test_two_replicas_send_one_reminder(reminder_world):
    """Each claims different rows."""
    await reminder_world.world.deliver()
    reminder_world.world.clock.advance(seconds=DAY)

    await asyncio.gather(
        *(each.catch_up() for each in (reminder_world.sender, reminder_world.replica(), reminder_world.replica()))
    )

    assert len(reminder_world.reminders()) == 1


@pytest.mark.both_databases
async def test_two_replicas_escalate_once(reminder_world):
    """The manager gets one message."""
    await reminder_world.world.set_preferences(reminder_escalation="manager")
    await reminder_world.world.deliver()
    await reminder_world.pass_time(DAY)
    reminder_world.world.clock.advance(seconds=2 * DAY)

    await asyncio.gather(
        *(each.catch_up() for each in (reminder_world.sender, reminder_world.replica(), reminder_world.replica()))
    )
    await reminder_world.pass_time(DAY)

    assert len(reminder_world.world.direct_messages("Mo Chen")) == 1


@pytest.mark.parametrize("has_arrived", [True, False])
async def test_a_reminder_is_looked_for_after_a_crash(reminder_world, has_arrived):
    """It is in the thread of its message. It is sent again only if it is missing."""
    await reminder_world.world.deliver()
    reminder_world.world.clock.advance(seconds=DAY)
    database, now, slack = reminder_world.world.database, reminder_world.world.clock, reminder_world.sender.slack
    claimed = await database.run(reminders.claim, now(), LEASE_MS, 20)
    await database.run(reminders.begin, claimed, now(), LEASE_MS, POST_ID, claimed[0].ts)
    if has_arrived:
        place = Posted(claimed[0].channel, claimed[0].ts)
        lease_until = now() + LEASE_MS
        workspace_id = reminder_world.world.workspace_id
        await slack.reply(workspace_id, place, "Still open", post_id=POST_ID, lease_until=lease_until)

    await reminder_world.pass_time(2 * LEASE_MS / 1_000)
    await reminder_world.pass_time(3 * DAY)

    (reminder,) = reminder_world.reminders()
    assert (reminder.text == "Still open") == has_arrived


async def test_a_reminder_is_not_sent_twice_where_the_app_may_not_read(reminder_world):
    """It is not known whether it arrived. The trace says so, and the manager is notified in time."""
    await reminder_world.world.set_preferences(reminder_escalation="manager")
    reminder_world.world.slack.faults.add("conversations.replies", error="missing_scope", times=None)
    job_change_id = await reminder_world.world.deliver()
    reminder_world.world.clock.advance(seconds=DAY)
    database, now = reminder_world.world.database, reminder_world.world.clock
    claimed = await database.run(reminders.claim, now(), LEASE_MS, 20)
    await database.run(reminders.begin, claimed, now(), LEASE_MS, POST_ID, claimed[0].ts)

    await reminder_world.pass_time(2 * LEASE_MS / 1_000)
    await reminder_world.pass_time(3 * DAY)

    assert reminder_world.reminders() == []
    assert ("reminded", "it is not known whether it arrived") in await reminder_world.steps(job_change_id)
    assert len(reminder_world.world.direct_messages("Mo Chen")) == 1


@pytest.mark.parametrize(
    ("fault", "reminded"),
    [
        ({"error": "ratelimited", "status": 429, "retry_after": 5}, 1),
        ({"status": 503}, 1),
        ({"status": 500, "perform": True}, 1),
    ],
)
@pytest.mark.both_databases
async def test_a_failure_of_slack_causes_no_second_reminder(reminder_world, fault, reminded):
    """It is retried only if it did not arrive."""
    await reminder_world.world.deliver()
    reminder_world.world.slack.faults.add("chat.postMessage", **fault)

    await reminder_world.pass_time(DAY)
    await reminder_world.pass_time(60)

    assert len(reminder_world.reminders()) == reminded


async def test_a_reminder_waits_until_slack_answers_who_the_reader_is(reminder_world):
    """Their working hours are not known before."""
    await reminder_world.world.deliver()
    reminder_world.world.slack.faults.add("users.info", status=503)

    await reminder_world.pass_time(DAY)
    assert reminder_world.reminders() == []
    await reminder_world.pass_time(60)

    assert len(reminder_world.reminders()) == 1


async def test_a_reminder_that_slack_never_accepts_is_escalated(reminder_world):
    """The message may have been deleted."""
    await reminder_world.world.set_preferences(reminder_escalation="channel")
    await reminder_world.world.deliver()
    reminder_world.world.clock.advance(seconds=DAY)
    reminder_world.world.slack.faults.add("chat.postMessage", error="cannot_reply_to_message", times=None)
    for _ in range(40):
        await reminder_world.sender.catch_up()
        reminder_world.world.clock.advance(seconds=61)
    reminder_world.world.slack.faults.clear()

    await reminder_world.pass_time(2 * DAY)

    assert reminder_world.reminders() == []
    assert len(reminder_world.world.channel_messages("job-changes")) == 1
