"""Retention, uninstalled workspaces, stale rows and stranded lanes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import func, insert, select, update

from domain.audit import APP, AuditEntry
from domain.day_counts import DAY_MS
from domain.delivery import TraceStep
from domain.states import DEFAULT_CHANNEL
from services.operations.housekeeping import Housekeeping
from store import audit
from store.delivery import pauses
from store.delivery.posts import settle
from store.delivery.settlements import Sent
from store.delivery.trace import add_steps, steps_of
from store.schema import day_counts, deliveries, job_changes, lanes, posts, slack_events, trace
from store.schema import pauses as pauses_table
from store.slack import workspaces
from store.slack.sdk_stores import bots, metadata
from tests.conftest import SOMEDAY
from tests.store.sample_rows import add_routed, add_workspace, claim


def housekeeping(database, clock):
    return Housekeeping(database, 90, clock)


@pytest.mark.both_databases
async def test_payloads_are_erased_after_the_retention_and_counts_stay(database, clock):
    """The outcome stays without the person."""
    await database.run(add_workspace)
    old, young = await database.run(add_routed, "U_DANA", "U_DANA")

    def age(connection):
        connection.execute(
            update(job_changes).values(outcome="delivered", ended_at=SOMEDAY, decision="{}", reason="Ada")
        )
        connection.execute(update(job_changes).where(job_changes.c.id == old).values(ended_at=SOMEDAY - 91 * DAY_MS))

    await database.run(age)

    await housekeeping(database, clock).tidy()

    def kept(connection):
        columns = (job_changes.c.id, job_changes.c.payload, job_changes.c.reason, job_changes.c.outcome)
        return {row.id: row for row in connection.execute(select(*columns))}

    rows = await database.run(kept)
    assert (rows[old].payload, rows[old].reason, rows[old].outcome) == (None, None, "delivered")
    assert rows[young].payload is not None


async def test_a_workspace_can_shorten_the_retention(database, clock):
    """It applies to its own job changes. A longer retention than the operator's has no effect."""
    for workspace_id, days in (("T1", 30), ("T2", None), ("T3", 365)):
        await database.run(add_workspace, workspace_id)
        await database.run(workspaces.change, workspace_id, None, retention_days=days)
    by_age = {}
    for workspace_id, age in (("T1", 29), ("T1", 31), ("T2", 31), ("T2", 91), ("T3", 91)):
        [job_change_id] = await database.run(add_routed, "U_DANA", workspace_id=workspace_id)
        await database.run(end, job_change_id, SOMEDAY - age * DAY_MS)
        by_age[workspace_id, age] = job_change_id
    keeper = housekeeping(database, clock)

    await keeper.tidy()

    assert {age for age, job_change_id in by_age.items() if await is_forgotten(database, job_change_id)} == {
        ("T1", 31),
        ("T2", 91),
        ("T3", 91),
    }
    clock.advance(seconds=2 * 24 * 3600)
    await keeper.tidy()
    assert await is_forgotten(database, by_age["T1", 29])


def end(connection, job_change_id, at):
    values = {"outcome": "delivered", "ended_at": at, "payload": "{}"}
    connection.execute(update(job_changes).where(job_changes.c.id == job_change_id).values(values))


async def is_forgotten(database, job_change_id) -> bool:
    payload = select(job_changes.c.payload).where(job_changes.c.id == job_change_id)
    return await database.run(lambda connection: connection.execute(payload).scalar_one()) is None


async def test_job_changes_without_an_outcome_are_kept(database, clock):
    """Nothing that must still be delivered is erased."""
    await database.run(add_workspace)
    await database.run(add_routed, "U_DANA")
    clock.advance(seconds=365 * 24 * 3600)

    await housekeeping(database, clock).tidy()

    assert (
        await database.run(
            lambda connection: connection.execute(
                select(func.count()).where(job_changes.c.payload.is_(None))
            ).scalar_one()
        )
        == 0
    )


async def test_reasons_of_erased_job_changes_are_erased(database, clock):
    """They contain names, and so do details of the trace and errors."""
    await database.run(add_workspace)
    [job_change_id] = await database.run(add_routed, "U_DANA")
    await database.run(add_steps, [TraceStep(job_change_id, SOMEDAY, "escalated", "to C1: Dana Reyes did not act")])
    await database.run(
        lambda connection: connection.execute(
            update(job_changes).values(outcome="delivered", ended_at=SOMEDAY - 100 * DAY_MS, last_error="Ada Smith")
        )
    )

    await housekeeping(database, clock).tidy()

    reasons = await database.run(lambda connection: connection.execute(select(deliveries.c.reason)).scalars().all())
    assert reasons == [""]
    assert [step.detail for step in await database.run(steps_of, job_change_id)] == [""]
    errors = await database.run(lambda connection: connection.execute(select(job_changes.c.last_error)).scalars().all())
    assert errors == [None]


async def test_the_retention_applies_to_uninstalled_workspaces(database, clock):
    """It applies before the whole workspace is erased."""
    await database.run(add_workspace)
    [job_change_id] = await database.run(add_routed, "U_DANA")
    await database.run(end, job_change_id, SOMEDAY - 8 * DAY_MS)
    await database.run(workspaces.mark_gone, "T1", SOMEDAY)

    await Housekeeping(database, 7, clock).tidy()

    assert await is_forgotten(database, job_change_id)


@pytest.mark.both_databases
async def test_what_was_erased_is_purged_after_further_days_down_to_the_counts(database, clock):
    """With its deliveries, its trace and the posts that carried nothing else. Younger job changes stay."""
    await database.run(add_workspace)
    old, young = await database.run(add_routed, "U_DANA", "U_DANA")
    (claimed,) = await database.run(claim)
    await database.run(settle, [Sent(claimed, SOMEDAY, "D_DANA", "1.1")])
    await database.run(end, old, SOMEDAY - 101 * DAY_MS)
    await database.run(end, young, SOMEDAY - 99 * DAY_MS)
    keeper = Housekeeping(database, 90, clock, purge_days=10)

    await keeper.tidy()
    left = await database.run(lambda c: c.execute(select(job_changes.c.id)).scalars().all())
    kept_posts = await database.run(lambda c: c.execute(select(func.count()).select_from(posts)).scalar_one())
    clock.advance(seconds=2 * 24 * 3600)
    await keeper.tidy()

    def count(connection):
        tables = (job_changes, deliveries, trace, posts)
        return [connection.execute(select(func.count()).select_from(table)).scalar_one() for table in tables]

    assert (left, kept_posts) == ([young], 1)  # both were in one message
    assert await database.run(count) == [0, 0, 0, 0]


async def test_the_file_does_not_grow_any_further_once_job_changes_are_purged(database, clock):
    """A year in small: days of a hundred job changes each, of which a week is kept."""
    await database.run(add_workspace)
    keeper, sizes = Housekeeping(database, 3, clock, purge_days=4), list[int]()

    for _ in range(30):
        ids = await database.run(add_routed, *["U_DANA"] * 100)
        for job_change_id in ids:
            await database.run(end, job_change_id, clock())
        await keeper.tidy()
        pages = await database.run(lambda c: c.exec_driver_sql("PRAGMA page_count").scalar_one())
        sizes.append(pages)
        clock.advance(seconds=24 * 3600)

    assert max(sizes[10:]) <= 1.1 * sizes[9]
    clock.advance(seconds=30 * 24 * 3600)
    await keeper.tidy()
    assert await database.run(lambda c: c.exec_driver_sql("PRAGMA page_count").scalar_one()) < sizes[0]


async def test_an_erased_job_change_gives_its_page_back(database, clock):
    """SQLite would keep a page for each, however little is left of it."""
    await database.run(add_workspace)
    ids = await database.run(add_routed, *["U_DANA"] * 100)
    for job_change_id in ids:
        await database.run(end, job_change_id, clock())
    large = update(job_changes).values(payload="{" + " " * 2_500 + "}")
    await database.run(lambda connection: connection.execute(large))
    before = await database.run(lambda c: c.exec_driver_sql("PRAGMA page_count").scalar_one())
    clock.advance(seconds=4 * 24 * 3600)

    await Housekeeping(database, 3, clock).tidy()

    after = await database.run(lambda c: c.exec_driver_sql("PRAGMA page_count").scalar_one())
    assert after < before - 80
    order = select(job_changes.c.id).order_by(job_changes.c.id)
    assert await database.run(lambda connection: connection.execute(order).scalars().all()) == sorted(ids)


@pytest.mark.both_databases
async def test_one_round_erases_more_than_one_batch(database, clock):
    """Also if many job changes ended at the same time. Later ones are erased in the next round."""
    await database.run(add_workspace)
    some = await database.run(add_routed, *["U_DANA"] * 8)
    for job_change_id, age in zip(some, (95, 95, 95, 95, 94, 94, 93, 89), strict=True):
        await database.run(end, job_change_id, SOMEDAY - age * DAY_MS)
    keeper = Housekeeping(database, 90, clock, at_once=2)

    await keeper.tidy()

    assert [await is_forgotten(database, job_change_id) for job_change_id in some] == [True] * 7 + [False]
    clock.advance(seconds=2 * 24 * 3600)
    await keeper.tidy()
    assert await is_forgotten(database, some[-1])


@pytest.mark.both_databases
async def test_a_stranded_lane_is_scheduled(database, clock):
    """A bug or a restored backup could leave deliveries waiting without a due time."""
    await database.run(add_workspace)
    await database.run(add_routed, "U_DANA")
    await database.run(lambda connection: connection.execute(update(lanes).values(due_at=None)))

    await housekeeping(database, clock).tidy()

    assert len(await database.run(claim)) == 1


async def test_a_parked_default_channel_stays_parked(database, clock):
    """It waits for an admin."""
    await database.run(add_workspace, channel=None)
    await database.run(add_routed, DEFAULT_CHANNEL)

    await housekeeping(database, clock).tidy()

    assert await database.run(claim) == []


async def test_old_events_and_pauses_are_deleted(database, clock):
    """Slack does not repeat an event after a day, and a pause that is over has no effect."""
    await database.run(add_workspace)
    await database.run(lambda connection: connection.execute(slack_events.insert().values(event_id="Ev1", seen_at=1)))
    await database.run(pauses.pause, "T1", "slack:users.list", SOMEDAY - 1, SOMEDAY - 10, "429")

    await housekeeping(database, clock).tidy()

    def left(connection):
        tables = (slack_events, pauses_table)
        return [connection.execute(select(func.count()).select_from(table)).scalar_one() for table in tables]

    assert await database.run(left) == [0, 0]


def rows_of(workspace_id):
    """The number of rows of a workspace by table, without day counts, which grow as days pass."""

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
    """Create two workspaces, the first of which has just uninstalled the app."""
    for workspace_id in ("T1", "T2"):
        await database.run(add_workspace, workspace_id)
        await database.run(add_routed, "U_DANA", "U_DANA", DEFAULT_CHANNEL, workspace_id=workspace_id)
    await database.run(workspaces.mark_gone, "T1", clock())
    if installs_again:
        clock.advance(seconds=29 * 24 * 3600)
        await database.run(add_workspace, "T1")


async def test_a_workspace_is_erased_thirty_days_after_it_uninstalled_the_app(database, clock):
    """One audit entry stays, and other workspaces are not touched."""
    await uninstalled(database, clock)
    others = await database.run(rows_of("T2"))
    clock.advance(seconds=30 * 24 * 3600 + 1)

    await replace(housekeeping(database, clock), at_once=2).tidy()

    assert await database.run(workspaces.find, "T1") is None
    assert await database.run(rows_of("T1")) == {"audit": 1, "first_workspace": 1}
    assert await database.run(audit.recent, "T1") == [AuditEntry(clock(), APP, "erased the workspace", "")]
    assert await database.run(rows_of("T2")) == others


async def test_an_uninstalled_workspace_is_kept_for_thirty_days(database, clock):
    """It may have uninstalled the app by mistake."""
    await uninstalled(database, clock)
    before = await database.run(rows_of("T1"))
    clock.advance(seconds=30 * 24 * 3600 - 1)

    await housekeeping(database, clock).tidy()

    assert await database.run(rows_of("T1")) == before


async def test_a_workspace_that_installs_again_keeps_its_data(database, clock):
    """Only a workspace without the app is erased."""
    await uninstalled(database, clock, installs_again=True)
    before = await database.run(rows_of("T1"))
    clock.advance(seconds=2 * 24 * 3600)

    await housekeeping(database, clock).tidy()

    assert await database.run(rows_of("T1")) == before
    assert (await database.run(workspaces.find, "T1")).is_active


@pytest.mark.parametrize("code", ["invalid_auth", "not_authed", "token_expired", None])
async def test_a_workspace_whose_token_slack_only_rejects_is_never_erased(database, clock, code):
    """Perhaps only our address changed. Data is erased after a sure sign: an event, or account_inactive."""
    await database.run(add_workspace, "T1")
    await database.run(workspaces.mark_gone, "T1", clock(), code)
    await database.run(add_token, "T1")
    clock.advance(seconds=365 * 24 * 3600)

    await housekeeping(database, clock).tidy()

    assert (await database.run(workspaces.find, "T1")).may_come_back


async def test_a_sure_sign_replaces_a_doubtful_one(database, clock):
    """The event of an uninstallation may arrive after Slack has rejected a call."""
    await database.run(add_workspace, "T1")
    await database.run(workspaces.mark_gone, "T1", clock(), "invalid_auth")
    await database.run(workspaces.mark_gone, "T1", clock(), "app_uninstalled")

    assert not (await database.run(workspaces.find, "T1")).may_come_back


def add_token(connection, workspace_id):
    token = {"client_id": "1.2", "app_id": "A1", "team_id": workspace_id, "bot_token": "secret"}
    connection.execute(insert(bots).values(**token, is_enterprise_install=False, installed_at=datetime.now(UTC)))
