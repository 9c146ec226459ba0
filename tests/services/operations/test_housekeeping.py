"""Retention, workspaces that removed the app, stale memories, and lanes that lost their turn."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import func, select, update

from domain.audit import APP, AuditEntry
from domain.delivery import TraceStep
from domain.states import DEFAULT_CHANNEL
from services.operations.housekeeping import DAY_MS, Housekeeping
from store import audit
from store.delivery import pauses
from store.delivery.trace import add_steps, steps_of
from store.schema import day_counts, deliveries, job_changes, lanes, slack_events
from store.schema import pauses as pauses_table
from store.slack import workspaces
from store.slack.sdk_stores import metadata
from tests.conftest import SOMEDAY
from tests.store.sample_rows import add_routed, add_workspace, claim


def house(database, clock):
    return Housekeeping(database, 90, clock)


@pytest.mark.both_databases
async def test_payloads_are_forgotten_after_their_retention_and_counts_stay(database, clock):
    """Who it was about goes; that it was delivered stays."""
    await database.run(add_workspace)
    old, young = await database.run(add_routed, "U_DANA", "U_DANA")

    def age(connection):
        connection.execute(
            update(job_changes).values(outcome="delivered", ended_at=SOMEDAY, decision="{}", reason="Ada")
        )
        connection.execute(update(job_changes).where(job_changes.c.id == old).values(ended_at=SOMEDAY - 91 * DAY_MS))

    await database.run(age)

    await house(database, clock).tidy()

    def kept(connection):
        columns = (job_changes.c.id, job_changes.c.payload, job_changes.c.reason, job_changes.c.outcome)
        return {row.id: row for row in connection.execute(select(*columns))}

    rows = await database.run(kept)
    assert (rows[old].payload, rows[old].reason, rows[old].outcome) == (None, None, "delivered")
    assert rows[young].payload is not None


async def test_a_workspace_may_forget_earlier_than_the_operator(database, clock):
    """Its own job changes alone; a longer time than the operator's changes nothing."""
    for workspace_id, days in (("T1", 30), ("T2", None), ("T3", 365)):
        await database.run(add_workspace, workspace_id)
        await database.run(workspaces.change, workspace_id, None, retention_days=days)
    by_age = {}
    for workspace_id, age in (("T1", 29), ("T1", 31), ("T2", 31), ("T2", 91), ("T3", 91)):
        [one] = await database.run(add_routed, "U_DANA", workspace_id=workspace_id)
        await database.run(end, one, SOMEDAY - age * DAY_MS)
        by_age[workspace_id, age] = one
    tidied = house(database, clock)

    await tidied.tidy()

    assert {age for age, one in by_age.items() if await is_forgotten(database, one)} == {
        ("T1", 31),
        ("T2", 91),
        ("T3", 91),
    }
    clock.advance(seconds=2 * 24 * 3600)
    await tidied.tidy()
    assert await is_forgotten(database, by_age["T1", 29])


def end(connection, job_change_id, at):
    values = {"outcome": "delivered", "ended_at": at, "payload": "{}"}
    connection.execute(update(job_changes).where(job_changes.c.id == job_change_id).values(values))


async def is_forgotten(database, job_change_id) -> bool:
    payload = select(job_changes.c.payload).where(job_changes.c.id == job_change_id)
    return await database.run(lambda connection: connection.execute(payload).scalar_one()) is None


async def test_what_has_not_ended_is_kept_however_old(database, clock):
    """Nothing that is still promised is forgotten."""
    await database.run(add_workspace)
    await database.run(add_routed, "U_DANA")
    clock.advance(seconds=365 * 24 * 3600)

    await house(database, clock).tidy()

    assert (
        await database.run(
            lambda connection: connection.execute(
                select(func.count()).where(job_changes.c.payload.is_(None))
            ).scalar_one()
        )
        == 0
    )


async def test_reasons_of_forgotten_job_changes_are_forgotten_too(database, clock):
    """They hold names; and so may what is told of their way, and of what went wrong on it."""
    await database.run(add_workspace)
    [one] = await database.run(add_routed, "U_DANA")
    await database.run(add_steps, [TraceStep(one, SOMEDAY, "escalated", "to C1: Dana Reyes did not act")])
    await database.run(
        lambda connection: connection.execute(
            update(job_changes).values(outcome="delivered", ended_at=1, last_error="Ada Smith")
        )
    )

    await house(database, clock).tidy()

    reasons = await database.run(lambda connection: connection.execute(select(deliveries.c.reason)).scalars().all())
    assert reasons == [""]
    assert [step.detail for step in await database.run(steps_of, one)] == [""]
    errors = await database.run(lambda connection: connection.execute(select(job_changes.c.last_error)).scalars().all())
    assert errors == [None]


async def test_a_workspace_that_left_keeps_nothing_longer_than_others(database, clock):
    """Before it is erased as a whole."""
    await database.run(add_workspace)
    [one] = await database.run(add_routed, "U_DANA")
    await database.run(end, one, SOMEDAY - 8 * DAY_MS)
    await database.run(workspaces.mark_gone, "T1", SOMEDAY)

    await Housekeeping(database, 7, clock).tidy()

    assert await is_forgotten(database, one)


@pytest.mark.both_databases
async def test_more_than_is_forgotten_at_once_is_forgotten_in_one_round(database, clock):
    """Also where many ended at the same moment; what ended since the last round is forgotten in the next."""
    await database.run(add_workspace)
    some = await database.run(add_routed, *["U_DANA"] * 8)
    for one, age in zip(some, (95, 95, 95, 95, 94, 94, 93, 89), strict=True):
        await database.run(end, one, SOMEDAY - age * DAY_MS)
    tidied = Housekeeping(database, 90, clock, at_once=2)

    await tidied.tidy()

    assert [await is_forgotten(database, one) for one in some] == [True] * 7 + [False]
    clock.advance(seconds=2 * 24 * 3600)
    await tidied.tidy()
    assert await is_forgotten(database, some[-1])


@pytest.mark.both_databases
async def test_a_lane_that_lost_its_turn_is_woken(database, clock):
    """A second look, should a bug or a restored backup have left something waiting with nobody to call it."""
    await database.run(add_workspace)
    await database.run(add_routed, "U_DANA")
    await database.run(lambda connection: connection.execute(update(lanes).values(due_at=None)))

    await house(database, clock).tidy()

    assert len(await database.run(claim)) == 1


async def test_a_parked_default_channel_stays_parked(database, clock):
    """It waits for a person, not for a sweep."""
    await database.run(add_workspace, channel=None)
    await database.run(add_routed, DEFAULT_CHANNEL)

    await house(database, clock).tidy()

    assert await database.run(claim) == []


async def test_events_and_waits_of_long_ago_are_forgotten(database, clock):
    """Slack does not repeat an event after a day, and a wait that is over binds nobody."""
    await database.run(add_workspace)
    await database.run(lambda connection: connection.execute(slack_events.insert().values(event_id="Ev1", seen_at=1)))
    await database.run(pauses.pause, "T1", "slack:users.list", SOMEDAY - 1, SOMEDAY - 10, "429")

    await house(database, clock).tidy()

    def left(connection):
        tables = (slack_events, pauses_table)
        return [connection.execute(select(func.count()).select_from(table)).scalar_one() for table in tables]

    assert await database.run(left) == [0, 0]


def rows_of(workspace_id):
    """How many rows speak of a workspace, table by table; days are counted as they pass."""

    def count(connection):
        tables = [table for table in metadata.sorted_tables if "workspace_id" in table.c and table is not day_counts]
        counted = {
            table.name: connection.execute(
                select(func.count()).select_from(table).where(table.c.workspace_id == workspace_id)
            ).scalar_one()
            for table in tables
        }
        return {name: rows for name, rows in counted.items() if rows}

    return count


async def uninstalled(database, clock, *, installs_again=False):
    """Two workspaces, of which one removed the app a moment ago."""
    for each in ("T1", "T2"):
        await database.run(add_workspace, each)
        await database.run(add_routed, "U_DANA", "U_DANA", DEFAULT_CHANNEL, workspace_id=each)
    await database.run(workspaces.mark_gone, "T1", clock())
    if installs_again:
        clock.advance(seconds=29 * 24 * 3600)
        await database.run(add_workspace, "T1")


async def test_a_workspace_that_removed_the_app_is_erased_after_thirty_days(database, clock):
    """With all that it had, however much; a line in the audit stays, and the other workspaces."""
    await uninstalled(database, clock)
    others = await database.run(rows_of("T2"))
    clock.advance(seconds=30 * 24 * 3600 + 1)

    await replace(house(database, clock), at_once=2).tidy()

    assert await database.run(workspaces.find, "T1") is None
    assert await database.run(rows_of("T1")) == {"audit": 1}
    assert await database.run(audit.recent, "T1") == [AuditEntry(clock(), APP, "erased the workspace", "")]
    assert await database.run(rows_of("T2")) == others


async def test_until_then_it_is_kept(database, clock):
    """Somebody may have pressed the wrong button."""
    await uninstalled(database, clock)
    before = await database.run(rows_of("T1"))
    clock.advance(seconds=30 * 24 * 3600 - 1)

    await house(database, clock).tidy()

    assert await database.run(rows_of("T1")) == before


async def test_whoever_installs_again_finds_everything_as_it_was(database, clock):
    """However long ago it was removed."""
    await uninstalled(database, clock, installs_again=True)
    before = await database.run(rows_of("T1"))
    clock.advance(seconds=2 * 24 * 3600)

    await house(database, clock).tidy()

    assert await database.run(rows_of("T1")) == before
    assert (await database.run(workspaces.find, "T1")).is_active
