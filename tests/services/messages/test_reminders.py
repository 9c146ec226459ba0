"""Whoever was told and does not act is reminded once, and then somebody else is told, once; acting ends that."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest
from sqlalchemy import select, update

from domain.audit import AuditEntry
from domain.delivery import Delivery
from domain.notification_hours import NotificationHours
from sandbox.slack.state import Message
from services.messages.actions import DeliveryActions
from services.messages.managers import Managers
from services.messages.redraws import Redrawer
from services.messages.reminders import LEASE_MS, ReminderSender
from services.messages.snooze import SnoozeOption
from services.salesforce.queries.describe import SalesforceDescribe
from store.delivery import reminders
from store.delivery.trace import steps_of
from store.home import member_preferences
from store.messages import actions
from store.ownership import muting
from store.schema import deliveries, job_changes
from store.schema import reminders as rows
from tests.world import World

HOUR = 3_600
DAY = 24 * HOUR
WEDNESDAY_AT_SIX = 1_795_000_000_000
"""In the morning and in New York, where everybody in the sandbox lives: the moment at which these tests begin."""


@dataclass
class Watched:
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
async def watched(world, clock):
    assert clock() == WEDNESDAY_AT_SIX
    await world.default_channel()
    await world.set_preferences(reminder_hours=4)
    boss = world.add_owner("Mo Chen")
    world.add_owner("Kim Lee")
    owner = world.add_owner("Dana Reyes", ManagerId=boss)
    world.salesforce.add("Contact", FirstName="Ada", LastName="Smith", Email="ada@initech.example", OwnerId=owner)
    decider, slack = world.worker.router.decider, world.worker.courier.slack
    managers = Managers(world.database, SalesforceDescribe(decider.salesforce), decider.directory)
    return Watched(
        world,
        ReminderSender(world.database, slack, managers, clock),
        DeliveryActions(world.database, slack, Redrawer(world.database, slack, clock), clock),
    )


async def test_nobody_is_reminded_unless_the_workspace_wants_it(watched):
    """It is off to begin with, and what was told before it is switched on is left alone."""
    await watched.world.set_preferences(reminder_hours=0)
    await watched.world.deliver()
    await watched.world.set_preferences(reminder_hours=4)

    await watched.pass_time(30 * DAY)

    assert len(watched.world.direct_messages("Dana Reyes")) == 1


async def test_a_reminder_comes_after_working_hours_of_the_readers_own_clock(watched):
    """Told at six in the morning: four working hours have passed at one. It stands in the thread of the message."""
    job_change_id = await watched.world.deliver()

    await watched.pass_time(6.8 * HOUR)
    early = watched.reminders()
    await watched.pass_time(0.3 * HOUR)

    told, reminder = watched.world.direct_messages("Dana Reyes")
    assert early == []
    assert reminder.thread_ts == told.ts
    assert "*Ada Smith* joined *Globex* as CRO" in reminder.text
    dana = watched.slack_id("Dana Reyes")
    assert ("reminded", f"{dana}, after 4 working hours") in await watched.steps(job_change_id)


async def test_nobody_is_reminded_at_the_weekend(watched):
    """Told on a Friday afternoon, reminded on Monday."""
    await watched.pass_time(2 * DAY + 9 * HOUR)  # Friday at three
    await watched.world.deliver()

    await watched.pass_time(2.7 * DAY)  # Monday, at about eight
    before = watched.reminders()
    await watched.pass_time(3 * HOUR + 1_500)

    assert (before, len(watched.reminders())) == ([], 1)


async def test_a_reminder_comes_once(watched):
    """Whatever time passes, where nobody else is to be told."""
    await watched.world.deliver()

    for _ in range(10):
        await watched.pass_time(2 * DAY)

    assert len(watched.reminders()) == 1
    assert "If nothing happens" not in watched.reminders()[0].text
    assert watched.world.channel_messages("job-changes") == []


async def test_after_as_long_again_the_manager_is_told_once(watched):
    """The reader knows beforehand, the manager reads why, and nobody asks the manager in turn."""
    await watched.world.set_preferences(reminder_escalation="manager")
    job_change_id = await watched.world.deliver()

    await watched.pass_time(8 * HOUR)
    before = watched.world.direct_messages("Mo Chen")
    for _ in range(10):
        await watched.pass_time(2 * DAY)

    (reminder,) = watched.reminders()
    assert "If nothing happens for 4 more working hours, your manager is told." in reminder.text
    assert before == []
    (told,) = watched.world.direct_messages("Mo Chen")
    assert "Dana Reyes was told of this and reminded, and has not acted on it. They report to you" in told.text
    assert "delivery_take" in str(told.blocks)
    steps = [step for step, _ in await watched.steps(job_change_id)]
    assert (steps.count("reminded"), steps.count("escalated")) == (1, 1)
    assert (await watched.world.outcome(job_change_id))[:2] == ("delivered", "dri")


async def test_after_as_long_again_the_channel_is_told_once(watched):
    """There whoever is first can claim it."""
    await watched.world.set_preferences(reminder_escalation="channel")
    await watched.world.deliver()

    for _ in range(10):
        await watched.pass_time(2 * DAY)

    (told,) = watched.world.channel_messages("job-changes")
    assert "Dana Reyes was told of this and reminded, and has not acted on it." in told.text
    assert "Claim" in str(told.blocks)
    assert len(watched.reminders()) == 1


@pytest.mark.parametrize(
    "why", ["none in Salesforce", "inactive", "not in Slack", "Salesforce is gone", "Slack does not tell", "themselves"]
)
async def test_where_no_manager_can_be_told_the_channel_is(watched, why):
    """A setting that leads nowhere loses nothing, and the channel reads why it came there."""
    world, org = watched.world, watched.world.salesforce.org
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
        world.salesforce.faults.add("query", error="INVALID_FIELD", times=None)
    elif why == "Slack does not tell":
        world.slack.faults.add("users.lookupByEmail", error="missing_scope", times=None)

    for _ in range(4):
        await watched.pass_time(2 * DAY)

    assert world.direct_messages("Mo Chen") == []
    (told,) = world.channel_messages("job-changes")
    assert "No manager of theirs could be told." in told.text


async def take(watched, delivery):
    await watched.delivery_actions.take(delivery.workspace_id, delivery.id, delivery.destination)


async def hand_on(watched, delivery):
    await watched.delivery_actions.reassign(delivery.workspace_id, delivery.id, delivery.destination, None, "")


async def report(watched, delivery):
    await watched.delivery_actions.report(delivery.workspace_id, delivery.id, delivery.destination, "old_news", "")


async def mute(watched, delivery):
    await watched.delivery_actions.mute(delivery.workspace_id, delivery.id, delivery.destination, "contact_tracking")


async def erase(watched, delivery):
    forget = update(job_changes).where(job_changes.c.id == delivery.job_change_id).values(payload=None)
    await watched.world.database.run(lambda connection: connection.execute(forget))


async def switch_off(watched, _delivery):
    await watched.world.set_preferences(reminder_hours=0)


ENDS = [take, hand_on, report, mute, erase, switch_off]


@pytest.mark.parametrize("act", ENDS, ids=lambda act: act.__name__)
async def test_who_acts_is_not_reminded(watched, act):
    """Taken, handed on, reported or muted: all of these are acting."""
    job_change_id = await watched.world.deliver()

    await act(watched, await watched.delivery(job_change_id))
    await watched.pass_time(10 * DAY)

    assert watched.reminders() == []


@pytest.mark.parametrize("act", [take, switch_off], ids=lambda act: act.__name__)
async def test_who_acts_after_a_reminder_is_not_passed_over(watched, act):
    """Nobody else is told then."""
    await watched.world.set_preferences(reminder_escalation="manager")
    job_change_id = await watched.world.deliver()
    await watched.pass_time(8 * HOUR)

    await act(watched, await watched.delivery(job_change_id))
    await watched.pass_time(10 * DAY)

    assert len(watched.reminders()) == 1
    assert watched.world.direct_messages("Mo Chen") == []


async def test_what_was_put_off_is_waited_for_once_it_is_back(watched):
    """Putting it off is acting; when it comes back it is told anew, and the time begins anew."""
    job_change_id = await watched.world.deliver()
    delivery = await watched.delivery(job_change_id)

    await watched.delivery_actions.snooze(
        delivery.workspace_id, delivery.id, delivery.destination, SnoozeOption.TOMORROW
    )
    await watched.pass_time(DAY)
    still_off = watched.reminders()
    await watched.pass_time(4 * HOUR)  # it came back at nine
    await watched.pass_time(DAY)

    assert still_off == []
    assert len(watched.reminders()) == 1


@pytest.mark.both_databases
async def test_what_is_told_anew_while_somebody_looks_at_it_is_still_waited_for(watched):
    """They found it over, as it was on its way again; it has arrived meanwhile."""
    job_change_id = await watched.world.deliver()
    watched.world.clock.advance(seconds=DAY)
    database, now = watched.world.database, watched.world.clock()
    held = await database.run(reminders.claim, now, LEASE_MS, 20)
    post_id = await database.run(post_of, job_change_id)

    await database.run(reminders.schedule, {post_id: now})
    await database.run(reminders.finish, held)
    await watched.pass_time(2 * DAY)

    assert len(watched.reminders()) == 1


def post_of(connection, job_change_id):
    return connection.execute(
        select(deliveries.c.post_id).where(deliveries.c.job_change_id == job_change_id)
    ).scalar_one()


@pytest.mark.both_databases
async def test_nobody_is_reminded_in_their_quiet_hours(watched):
    """Four working hours have passed at one in New York; until three it is quiet."""
    quiet = NotificationHours(quiet_from=12 * 60, quiet_to=15 * 60, tz="America/New_York")
    await watched.world.deliver()
    who = (watched.world.workspace_id, watched.slack_id("Dana Reyes"))
    await watched.world.database.run(member_preferences.save, *who, quiet, watched.world.clock())

    await watched.pass_time(7.1 * HOUR)
    at_one = watched.reminders()
    await watched.pass_time(2 * HOUR)

    assert at_one == []
    assert len(watched.reminders()) == 1


async def test_a_mute_without_effect_does_not_keep_a_reminder_away(watched):
    """Nobody may mute it, so it was told all the same."""
    who = (watched.world.workspace_id, watched.slack_id("Dana Reyes"))
    await watched.world.database.run(muting.set_mutes, *who, ["contact_tracking"])
    limit = AuditEntry(0, "U_ADMIN", "mute_limits", "")
    await watched.world.database.run(muting.set_required, watched.world.workspace_id, ["contact_tracking"], limit)
    await watched.world.deliver()

    await watched.pass_time(DAY)

    assert len(watched.reminders()) == 1


@pytest.mark.parametrize(("muted", "reminded"), [("customer", 0), ("target", 1)])
async def test_nobody_is_reminded_of_a_segment_that_they_have_muted_since(watched, muted, reminded):
    """Of which segments the account is in is as good as known wherever somebody asks for it: a rule, or a mute."""
    org, world = watched.world.salesforce, watched.world
    initech = org.add("Account", Name="Initech", Type="Customer - Direct")
    org.org.update(next(row["Id"] for row in org.org.rows(org.org.sobject("Contact"))), AccountId=initech)
    kim, dana = watched.slack_id("Kim Lee"), watched.slack_id("Dana Reyes")
    await world.database.run(muting.set_mutes, world.workspace_id, kim, ["segment:customer", "segment:target"])
    await world.deliver()

    await world.database.run(muting.set_mutes, world.workspace_id, dana, [f"segment:{muted}"])
    await watched.pass_time(DAY)

    assert (len(world.direct_messages("Dana Reyes")) - reminded, len(watched.reminders())) == (1, reminded)


@pytest.mark.both_databases
async def test_a_colleague_who_was_given_it_is_reminded_in_turn(watched):
    """It is theirs now."""
    job_change_id = await watched.world.deliver()
    delivery = await watched.delivery(job_change_id)
    kim = watched.slack_id("Kim Lee")
    await watched.delivery_actions.reassign(delivery.workspace_id, delivery.id, delivery.destination, kim, "")
    await watched.world.worker.drain()

    await watched.pass_time(2 * DAY)

    assert (len(watched.reminders()), len(watched.reminders("Kim Lee"))) == (0, 1)


@pytest.mark.both_databases
async def test_what_a_colleague_took_is_nobody_elses_worry(watched):
    """Every message of it says who is on it."""
    await watched.world.set_preferences(reminder_escalation="channel")
    job_change_id = await watched.world.deliver()
    await watched.pass_time(2 * DAY)
    await watched.pass_time(2 * DAY)
    (in_channel,) = watched.world.channel_messages("job-changes")
    ids = [
        element["value"] for block in in_channel.blocks for element in block.get("elements", []) if "value" in element
    ]

    await watched.delivery_actions.take(watched.world.workspace_id, int(ids[0]), watched.slack_id("Kim Lee"))
    await watched.world.database.run(due_again, job_change_id, watched.world.clock())
    await watched.pass_time(2 * DAY)

    assert len(watched.reminders()) == 1


def due_again(connection, job_change_id, now):
    mine = rows.c.job_change_id == job_change_id
    connection.execute(update(rows).where(mine).values(due_at=now, reminded_at=None, begun_at=None))


async def test_several_in_one_message_are_one_reminder(watched):
    """As many lines as there are left to act on."""
    for number in range(3):
        await watched.world.accept(source_event_id=str(number), previous={"title": f"VP {number}"})
    await watched.world.worker.drain()
    (told,) = watched.world.direct_messages("Dana Reyes")

    await watched.pass_time(DAY)

    (reminder,) = watched.reminders()
    assert reminder.thread_ts == told.ts
    assert "3 job changes are still open" in reminder.text
    assert reminder.text.count("• ") == 3


async def test_several_messages_are_one_reminder_with_links(watched):
    """Nobody finds a row of reminders on Monday morning."""
    for number in range(3):
        await watched.world.deliver(source_event_id=str(number), previous={"title": f"VP {number}"})
        watched.world.clock.advance(seconds=60)
        await watched.world.worker.drain()

    await watched.pass_time(DAY)

    (reminder,) = watched.reminders()
    assert reminder.thread_ts is None
    assert reminder.text.count("|open it>") == 3


@pytest.mark.both_databases
async def test_two_replicas_remind_once(watched):
    """Each claims what no other has."""
    await watched.world.deliver()
    watched.world.clock.advance(seconds=DAY)

    await asyncio.gather(*(each.catch_up() for each in (watched.sender, watched.replica(), watched.replica())))

    assert len(watched.reminders()) == 1


@pytest.mark.both_databases
async def test_two_replicas_pass_it_on_once(watched):
    """The same for the manager."""
    await watched.world.set_preferences(reminder_escalation="manager")
    await watched.world.deliver()
    await watched.pass_time(DAY)
    watched.world.clock.advance(seconds=2 * DAY)

    await asyncio.gather(*(each.catch_up() for each in (watched.sender, watched.replica(), watched.replica())))
    await watched.pass_time(DAY)

    assert len(watched.world.direct_messages("Mo Chen")) == 1


async def test_who_dies_on_the_way_reminds_nobody_twice(watched):
    """Whether it arrived is not known then; the trace says so, and the manager is told in time all the same."""
    await watched.world.set_preferences(reminder_escalation="manager")
    job_change_id = await watched.world.deliver()
    watched.world.clock.advance(seconds=DAY)
    database, now = watched.world.database, watched.world.clock
    claimed = await database.run(reminders.claim, now(), LEASE_MS, 20)
    await database.run(reminders.begin, claimed, now())

    await watched.pass_time(2 * LEASE_MS / 1_000)
    await watched.pass_time(3 * DAY)

    assert watched.reminders() == []
    assert ("reminded", "it is not known whether that arrived") in await watched.steps(job_change_id)
    assert len(watched.world.direct_messages("Mo Chen")) == 1


@pytest.mark.parametrize(
    ("fault", "reminded"),
    [
        ({"error": "ratelimited", "status": 429, "retry_after": 5}, 1),  # certainly not sent: it is sent later
        ({"status": 503}, 0),  # perhaps sent: not once more
    ],
)
@pytest.mark.both_databases
async def test_slack_in_trouble_is_no_reason_to_remind_twice(watched, fault, reminded):
    """Once means once; where Slack did not take it, it is tried again."""
    await watched.world.deliver()
    watched.world.slack.faults.add("chat.postMessage", **fault)

    await watched.pass_time(DAY)
    await watched.pass_time(60)

    assert len(watched.reminders()) == reminded


async def test_slack_that_does_not_tell_who_somebody_is_delays_a_reminder(watched):
    """Their working hours are not known then."""
    await watched.world.deliver()
    watched.world.slack.faults.add("users.info", status=503)

    await watched.pass_time(DAY)
    assert watched.reminders() == []
    await watched.pass_time(60)

    assert len(watched.reminders()) == 1


async def test_a_thread_that_slack_never_takes_is_given_up(watched):
    """The message was deleted, say; what comes after a reminder comes all the same."""
    await watched.world.set_preferences(reminder_escalation="channel")
    await watched.world.deliver()
    watched.world.clock.advance(seconds=DAY)
    watched.world.slack.faults.add("chat.postMessage", error="cannot_reply_to_message", times=None)
    for _ in range(40):
        await watched.sender.catch_up()
        watched.world.clock.advance(seconds=61)
    watched.world.slack.faults.clear()

    await watched.pass_time(2 * DAY)

    assert watched.reminders() == []
    assert len(watched.world.channel_messages("job-changes")) == 1
