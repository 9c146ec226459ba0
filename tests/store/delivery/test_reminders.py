"""Reminders: each change is stored under the lease only, and while nobody has acted."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import select

from domain.decision.reasons import legacy
from domain.delivery import NewDelivery
from domain.states import Role, Step
from store.delivery import reminders
from store.delivery.posts import settle
from store.delivery.reminders import HOUR_MS
from store.delivery.settlements import Sent
from store.delivery.trace import steps_of
from store.messages import actions
from store.schema import reminders as rows
from store.slack import workspaces
from tests.conftest import SOMEDAY
from tests.store.sample_rows import LEASE_MS, add_routed, add_workspace, claim, delivery_states

DUE = SOMEDAY + 4 * HOUR_MS
COLUMNS = ("due_at", "lease", "attempts", "begun_at", "post_id", "reminded_at", "escalated_at", "escalated_to")


@pytest.fixture
async def reminder(database):
    """A claimed reminder of Dana, who got her message four hours ago."""
    await database.run(add_workspace)
    await database.run(workspaces.change, "T1", None, reminder_hours=4)
    await database.run(add_routed, "U_DANA")
    (claimed,) = await database.run(claim)
    await database.run(settle, [Sent(claimed, SOMEDAY, "D_DANA", "1.1")])
    (reminder,) = await database.run(reminders.claim, DUE, LEASE_MS, 9)
    return reminder


async def stored(database):
    columns = [rows.c[name] for name in COLUMNS]
    row = await database.run(lambda connection: connection.execute(select(*columns)).one())
    return {name: value for name, value in row._mapping.items() if value is not None}


async def test_what_is_claimed_says_where_the_message_is(database, reminder):
    """And when it was delivered, so that its working hours can be counted."""
    assert (reminder.workspace_id, reminder.reader, reminder.channel, reminder.ts) == ("T1", "U_DANA", "D_DANA", "1.1")
    assert (reminder.delivered_at, reminder.hours, reminder.attempts, reminder.is_over) == (SOMEDAY, 4, 0, False)
    assert (reminder.begun_at, reminder.post_id, reminder.thread_ts, reminder.reminded_at) == (None, None, None, None)
    assert await database.run(reminders.claim, DUE, LEASE_MS, 9) == []


async def test_a_reminder_that_was_certainly_not_sent_begins_again(database, reminder):
    """One that may have been sent keeps the id of its message, by which it is looked for. Failures are counted."""
    (begun,) = await database.run(reminders.begin, [reminder], DUE, LEASE_MS, "post", "1.1")
    await database.run(reminders.postpone, [begun], DUE + 1_000, failed=True)
    in_doubt = await stored(database)
    (again,) = await database.run(reminders.claim, DUE + 1_000, LEASE_MS, 9)
    await database.run(reminders.postpone, [again], DUE + 3_000, failed=True, unsent=True)
    unsent = await stored(database)
    (last,) = await database.run(reminders.claim, DUE + 3_000, LEASE_MS, 9)
    await database.run(reminders.wait_until, [(last, DUE + 9_000)])

    assert in_doubt == {"due_at": DUE + 1_000, "attempts": 1, "begun_at": DUE, "post_id": "post"}
    assert (again.begun_at, again.post_id, again.thread_ts, again.attempts) == (DUE, "post", "1.1", 1)
    assert unsent == {"due_at": DUE + 3_000, "attempts": 2}
    assert await stored(database) == {"due_at": DUE + 9_000, "attempts": 0}


async def test_a_reminder_is_escalated_after_as_many_hours_again(database, reminder):
    """Once, to one person, and with a step in the trace that says to whom."""
    await database.run(reminders.record_reminded, [reminder], DUE, "in the thread", escalates=True)
    reminded = await stored(database)
    (again,) = await database.run(reminders.claim, DUE + 4 * HOUR_MS, LEASE_MS, 9)
    new = NewDelivery(reminder.job_change_id, "U_KIM", Role.DRI, legacy("Dana has not acted."))
    escalated = [
        await database.run(reminders.escalate, which, new, DUE + 4 * HOUR_MS)
        for which in (replace(again, lease="of a process that was late"), again, again)
    ]

    assert reminded == {"due_at": DUE + 4 * HOUR_MS, "attempts": 0, "reminded_at": DUE}
    assert escalated == [False, True, False]
    values = {"attempts": 0, "reminded_at": DUE, "escalated_at": DUE + 4 * HOUR_MS, "escalated_to": "U_KIM"}
    assert await stored(database) == values
    assert await database.run(delivery_states, reminder.job_change_id) == ["delivered", "pending"]
    steps = [(step.step, step.at, step.detail) for step in await database.run(steps_of, reminder.job_change_id)]
    assert steps == [
        (Step.REMINDED, DUE, "in the thread"),
        (Step.ESCALATED, DUE + 4 * HOUR_MS, "to U_KIM: Dana has not acted."),
    ]


async def test_nothing_is_sent_after_a_person_has_acted(database, reminder):
    """Also if they did so after the reminder was claimed."""

    def take(connection):
        delivery = actions.find(connection, "T1", reminder.delivery_id)
        actions.take(connection, delivery, "U_DANA", DUE)

    await database.run(take)
    new = NewDelivery(reminder.job_change_id, "U_KIM", Role.DRI, legacy("Dana has not acted."))

    assert await database.run(reminders.begin, [reminder], DUE, LEASE_MS, "post", "1.1") == []
    assert not await database.run(reminders.escalate, reminder, new, DUE)
    assert await database.run(delivery_states, reminder.job_change_id) == ["delivered"]
