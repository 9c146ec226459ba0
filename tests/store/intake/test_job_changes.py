"""Adding job changes once, whichever process adds them, and reading one with its history."""

from __future__ import annotations

import asyncio
import json
from uuid import UUID

import pytest
from sqlalchemy import event, func, select, update

from domain.decision.reasons import ReasonCode, legacy
from domain.decision.record import Decision
from domain.decision.sentences import for_reader
from domain.delivery import NewDelivery
from domain.job_change.new import NewJobChange
from domain.states import Role
from store.database import Database
from store.delivery import pauses, posts, routing
from store.delivery.deliveries import add_deliveries
from store.delivery.routing import Routed
from store.intake import job_changes
from store.intake.job_changes import Added
from store.schema import deliveries
from store.schema import job_changes as table
from store.slack import workspaces
from tests.conftest import SOMEDAY
from tests.store.sample_rows import add_workspace, claim


@pytest.fixture(autouse=True)
async def workspace(database):
    return await database.run(add_workspace)


def new(key: str, workspace_id: str = "T1") -> NewJobChange:
    return NewJobChange(workspace_id, key, "tests", json.dumps({"key": key}), SOMEDAY)


async def stored(database: Database) -> int:
    return await database.run(
        lambda connection: connection.execute(select(func.count()).select_from(table)).scalar_one()
    )


async def test_a_job_change_is_due_at_once(database):
    """The worker does not wait for anything."""
    [added] = await database.run(job_changes.add, [new("a")])

    batch = await database.run(routing.claim, SOMEDAY, 30_000)
    assert [(each.id, each.payload) for each in batch.job_changes] == [(added.id, '{"key": "a"}')]


async def test_ids_grow_in_order_of_arrival(database):
    """Although rows are written in the order of their keys."""
    added = await database.run(job_changes.add, [new(key) for key in "cab"])

    batch = await database.run(routing.claim, SOMEDAY, 30_000)
    assert [each.id for each in batch.job_changes] == [each.id for each in added]
    assert {UUID(item.id).version for item in added} == {7}


async def test_a_repeated_key_returns_the_first_job_change(database):
    """A source may repeat a job change as often as it likes."""
    [first] = await database.run(job_changes.add, [new("a")])

    assert await database.run(job_changes.add, [new("a")]) == [Added(first.id, is_new=False)]
    assert await stored(database) == 1


@pytest.mark.sqlite_only
async def test_repeated_keys_are_found_by_an_index(database):
    """A file of a million rows that is sent again is answered as fast. PostgreSQL plans by the size of its tables."""
    plans = []

    def look(connection):
        def tell(_connection, cursor, statement, parameters, *_rest):
            if statement.startswith("SELECT") and "FROM job_changes" in statement:
                plans.extend(row[3] for row in cursor.connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters))

        event.listen(connection, "before_cursor_execute", tell)
        return job_changes.add(connection, [new("a"), new("b"), new("a")])

    await database.run(look)

    assert plans
    assert all("USING INDEX" in plan for plan in plans)
    assert all("key=?" in plan for plan in plans if "job_changes" in plan)


async def test_keys_of_other_workspaces_are_not_mixed_up(database):
    """Two workspaces in one group, with the same keys."""
    await database.run(add_workspace, "T2")
    before = await database.run(job_changes.add, [new("a"), new("b"), new("a", "T2")])

    again = await database.run(job_changes.add, [new("a", "T2"), new("b"), new("b", "T2"), new("a")])

    assert [each.id for each in again[:2]] == [before[2].id, before[1].id]
    assert (again[2].is_new, again[3].id) == (True, before[0].id)


async def test_a_key_twice_in_one_group_is_added_once(database):
    """One of the two is new, and both get its id."""
    known = (await database.run(job_changes.add, [new("known")]))[0]

    first, other, again, before = await database.run(job_changes.add, [new("a"), new("b"), new("a"), new("known")])

    assert first.is_new
    assert other.is_new
    assert again == Added(first.id, is_new=False)
    assert before == Added(known.id, is_new=False)
    assert await stored(database) == 3


async def test_a_key_belongs_to_its_workspace(database):
    """Two workspaces may receive the same person."""
    await database.run(add_workspace, "T2")

    added = await database.run(job_changes.add, [new("a"), new("a", "T2")])

    assert [each.is_new for each in added] == [True, True]


async def test_an_unknown_workspace_does_not_fail_its_group(database):
    """A group has the requests of many sources, and one of their workspaces may be gone."""
    await database.run(add_workspace, "T2")
    await database.run(workspaces.mark_gone, "T2", SOMEDAY)

    good, gone, never = await database.run(job_changes.add, [new("a"), new("a", "T2"), new("a", "T3")])

    assert good.is_new
    assert (gone, never) == (None, None)
    assert await database.run(job_changes.add, [new("b", "T3")]) == [None]


async def test_many_who_add_the_same_job_changes_at_once_add_them_once(database):
    """In different orders on several connections: there is no deadlock, and each gets the same id."""
    keys = [f"k{number}" for number in range(60)]
    groups = [keys, keys[::-1], keys[30:] + keys[:30], keys[::2] + keys[1::2]]

    answers = await asyncio.gather(
        *(database.run(job_changes.add, [new(key) for key in group]) for group in groups for _ in range(3))
    )

    ids = {key: set() for key in keys}
    for group, answer in zip([group for group in groups for _ in range(3)], answers, strict=True):
        for key, added in zip(group, answer, strict=True):
            ids[key].add(added.id)
    assert [len(found) for found in ids.values()] == [1] * 60
    assert sum(added.is_new for answer in answers for added in answer) == 60
    assert await stored(database) == 60


async def test_a_job_change_is_found_with_its_decision_deliveries_and_steps(database):
    """Everything that a source or an operator may want to know."""
    [added] = await database.run(job_changes.add, [new("a")])
    before = await database.run(job_changes.find, "T1", added.id)
    batch = await database.run(routing.claim, SOMEDAY, 30_000)
    routed = Routed(
        added.id,
        Decision(rule="One", chosen="Dana"),
        (NewDelivery(added.id, "U_DANA", Role.DRI, legacy("You own it.")),),
    )
    await database.run(routing.settle, batch, [routed], [], SOMEDAY)

    found = await database.run(job_changes.find, "T1", added.id)

    assert (before.state, bool(before.decision), before.deliveries) == ("accepted", False, [])
    assert (found.state, found.decision, found.accepted_at) == ("routed", Decision(rule="One", chosen="Dana"), SOMEDAY)
    [delivery] = found.deliveries
    assert (delivery.destination, delivery.role, for_reader(delivery.reasons), delivery.state) == (
        "U_DANA",
        "dri",
        "You own it.",
        "pending",
    )
    assert (delivery.channel, delivery.ts) == (None, None)


async def test_a_job_change_that_waits_for_salesforce_says_why(database):
    """Until it is routed, and only for a pause that affects it."""
    await database.run(pauses.pause, "T1", "salesforce", SOMEDAY + 1_000, SOMEDAY, "503")
    later = NewJobChange("T1", "later", "tests", "{}", SOMEDAY + 1_000)
    waiting, after = await database.run(job_changes.add, [new("a"), later])
    found = [await database.run(job_changes.find, "T1", one.id) for one in (waiting, after)]
    assert [one.last_error for one in found] == ["503", None]

    batch = await database.run(routing.claim, SOMEDAY + 1_000, 30_000)
    routed = Routed(waiting.id, Decision(), (NewDelivery(waiting.id, "U_DANA", Role.DRI, legacy("You own it.")),))
    await database.run(routing.settle, batch, [routed], [], SOMEDAY)

    assert (await database.run(job_changes.find, "T1", waiting.id)).last_error is None


async def test_a_delivered_job_change_says_where(database):
    """Channel and timestamp identify the message in Slack."""
    [added] = await database.run(job_changes.add, [new("a")])
    batch = await database.run(routing.claim, SOMEDAY, 30_000)
    routed = Routed(added.id, Decision(), (NewDelivery(added.id, "U_DANA", Role.DRI, legacy("You own it.")),))
    await database.run(routing.settle, batch, [routed], [], SOMEDAY)
    [post] = await database.run(claim)
    await database.run(posts.settle, [posts.Sent(post, SOMEDAY, "D1", "1.2")])

    found = await database.run(job_changes.find, "T1", added.id)

    assert (found.state, found.outcome, found.sent_to) == ("delivered", "delivered", "dri")
    assert [(delivery.channel, delivery.ts) for delivery in found.deliveries] == [("D1", "1.2")]
    last_steps = [(step.step, step.detail) for step in found.trace[-2:]]
    assert last_steps == [("posted", "to U_DANA"), ("delivered", "to the DRI")]


async def test_a_job_change_of_another_workspace_is_not_found(database):
    """Ids are not secret, but workspaces are separate."""
    await database.run(add_workspace, "T2")
    [added] = await database.run(job_changes.add, [new("a")])

    assert await database.run(job_changes.find, "T2", added.id) is None


async def test_a_reason_is_stored_as_codes_and_as_a_sentence(database):
    """Rows of earlier versions have only the sentence, which is read as it is."""
    (added,) = await database.run(job_changes.add, [new("a")])
    owns = (ReasonCode.OWNS_ACCOUNT.of(record="Globex"),)
    await database.run(add_deliveries, "T1", [NewDelivery(added.id, "U_DANA", Role.DRI, owns)], SOMEDAY)

    (delivery,) = (await database.run(job_changes.find, "T1", added.id)).deliveries
    assert delivery.reasons == owns

    old = update(deliveries).values(reasons=None)
    await database.run(lambda connection: connection.execute(old))
    (delivery,) = (await database.run(job_changes.find, "T1", added.id)).deliveries
    assert delivery.reasons == legacy("You own Globex in Salesforce.")
