"""Stuck work is distinguished from work that waits for a reason."""

from __future__ import annotations

import pytest
from sqlalchemy import delete, insert, update

from store.delivery import pauses, posts, routing
from store.delivery.settlements import InDoubt, Postponed
from store.operations import health_figures
from store.schema import job_changes, salesforce_connections
from store.slack import workspaces
from tests.conftest import SOMEDAY
from tests.store.sample_rows import add_job_change, add_routed, add_workspace, claim, set_lane

MINUTE = 60_000
LONG_AGO = SOMEDAY - 10 * MINUTE
BEFORE = SOMEDAY - 5 * MINUTE


def is_stuck(connection, now=SOMEDAY) -> bool:
    return health_figures.is_stuck(connection, now - 5 * MINUTE, now)


@pytest.fixture
async def run(database):
    await database.run(add_workspace)
    return database.run


async def test_nothing_is_stuck_without_old_work(run):
    """New job changes are not stuck either."""
    assert not await run(is_stuck)
    await run(add_job_change, due_at=BEFORE)
    assert not await run(is_stuck)


async def test_an_unrouted_job_change_is_stuck_after_five_minutes(run):
    """No worker has routed it."""
    await run(add_job_change, due_at=BEFORE - 1)

    assert await run(is_stuck)


async def test_a_backlog_that_is_progressing_is_not_stuck(run):
    """Its workspace was served recently. Two minutes later it is stuck."""
    await run(add_job_change, due_at=LONG_AGO)
    await run(add_job_change, due_at=LONG_AGO)
    await run(routing.claim, SOMEDAY, 30_000)

    assert not await run(is_stuck)
    assert await run(is_stuck, SOMEDAY + 2 * MINUTE)


async def test_a_pause_of_salesforce_is_a_reason_to_wait(run):
    """The reason ends with the longest wait for Salesforce."""
    await run(add_job_change, due_at=LONG_AGO)
    await run(pauses.record_failure, "T1", "salesforce", LONG_AGO, "no answer")
    await run(pauses.pause, "T1", "salesforce", SOMEDAY + MINUTE, LONG_AGO, "no answer")

    assert not await run(is_stuck)
    assert await run(is_stuck, SOMEDAY + 2 * MINUTE)


async def test_after_the_longest_wait_salesforce_is_no_reason(run):
    """Job changes are routed without it then."""
    await run(add_job_change, due_at=LONG_AGO)
    await run(pauses.record_failure, "T1", "salesforce", SOMEDAY - 15 * MINUTE, "no answer")
    await run(pauses.pause, "T1", "salesforce", SOMEDAY + MINUTE, LONG_AGO, "no answer")

    assert await run(is_stuck)


async def test_reasons_of_another_workspace_do_not_count(run):
    """Each workspace has its own pauses and turns."""
    await run(add_workspace, "T2")
    for subject in ("salesforce", "slack"):
        await run(pauses.pause, "T2", subject, SOMEDAY + MINUTE, SOMEDAY, "asked to wait")
    await run(add_job_change, "T2", due_at=LONG_AGO)
    await run(add_routed, "U2", workspace_id="T2", now=LONG_AGO)
    assert not await run(is_stuck)

    old = await run(add_job_change, due_at=LONG_AGO)
    assert await run(is_stuck)

    await run(delete_job_change, old)
    await run(add_routed, "U1", now=LONG_AGO)
    assert await run(is_stuck)


def delete_job_change(connection, job_change_id):
    connection.execute(delete(job_changes).where(job_changes.c.id == job_change_id))


async def test_a_delivery_that_is_not_posted_is_stuck(run):
    """It counts from when the delivery was created."""
    await run(add_routed, "U1", now=BEFORE - 1)

    assert await run(is_stuck)


async def test_a_parked_lane_is_not_stuck(run):
    """It waits for an admin, who was notified."""
    await run(add_routed, "default_channel", now=LONG_AGO)
    await run(set_lane_parked)

    assert not await run(is_stuck)
    assert (await run(health_figures.collect, SOMEDAY)).parked == 1


async def test_what_waits_for_an_admin_or_a_readers_hours_is_not_overdue(run):
    """The parked channel of one workspace hides nobody's delay, and a weekly digest is none."""

    async def overdue_since(now=SOMEDAY):
        return (await run(health_figures.collect, now)).overdue_since

    await run(add_workspace, "T2")
    await run(add_routed, "default_channel", now=LONG_AGO - 4 * MINUTE)
    await run(set_lane_parked)
    await run(add_routed, "U2", now=LONG_AGO - 3 * MINUTE)
    await run(set_lane, "U2", kept_until=SOMEDAY + MINUTE, due_at=SOMEDAY + MINUTE)
    assert await overdue_since() is None
    assert await overdue_since(SOMEDAY + 2 * MINUTE) == SOMEDAY + MINUTE

    await run(add_routed, "U3", workspace_id="T2", now=LONG_AGO)
    assert await overdue_since() == LONG_AGO
    await run(add_job_change, "T2", due_at=LONG_AGO - MINUTE)
    assert await overdue_since() == LONG_AGO - MINUTE


def set_lane_parked(connection):
    set_lane(connection, "default_channel", due_at=None)


async def test_a_rate_limit_is_a_reason_and_failures_are_not(run):
    """The operator should know about calls that keep failing."""
    await run(add_routed, "U1", now=LONG_AGO)
    await run(pauses.pause, "T1", "slack:chat.postMessage", SOMEDAY + MINUTE, SOMEDAY, "asked to wait")
    assert not await run(is_stuck)

    await run(pauses.record_failure, "T1", "slack:chat.postMessage", SOMEDAY, "no answer")
    assert await run(is_stuck)


async def test_a_delivery_that_keeps_failing_is_stuck(run):
    """Attempts are not progress."""
    await run(add_routed, "U1", now=LONG_AGO)
    (claimed,) = await run(claim)
    await run(posts.settle, [Postponed(claimed, SOMEDAY, SOMEDAY + 1_000, "Slack responded with HTTP 500")])

    assert await run(is_stuck)


async def test_a_post_in_doubt_for_long_is_stuck_and_counted(run):
    """Its deliveries wait for this app only."""
    await run(add_routed, "U1", now=LONG_AGO)
    (claimed,) = await run(claim, LONG_AGO)
    await run(posts.settle, [InDoubt(claimed, LONG_AGO, SOMEDAY + 1_000, "no answer", by_answer=True)])

    assert await run(is_stuck)
    assert (await run(health_figures.collect, SOMEDAY)).in_doubt == 1


async def test_uninstalled_workspaces_are_not_stuck(run):
    """Their job changes are kept or erased."""
    await run(add_job_change, due_at=LONG_AGO)
    await run(workspaces.mark_gone, "T1", LONG_AGO)

    assert not await run(is_stuck)


async def test_routed_job_changes_are_not_stuck(run):
    """It does not matter how old they are."""
    await run(add_job_change, due_at=LONG_AGO)
    await run(lambda connection: connection.execute(update(job_changes).values(routed_at=LONG_AGO, due_at=None)))

    assert not await run(is_stuck)


async def test_open_pauses_are_counted_by_subject_and_reason(run):
    """Pauses that are over are not counted."""
    await run(pauses.pause, "T1", "slack:users.list", SOMEDAY + 1, SOMEDAY, "asked to wait")
    await run(pauses.record_failure, "T1", "salesforce", SOMEDAY, "no answer")
    await run(pauses.pause, "T1", "salesforce", SOMEDAY + 1, SOMEDAY, "no answer")
    await run(pauses.pause, "T1", "slack", SOMEDAY, SOMEDAY, "over")

    figures = await run(health_figures.collect, SOMEDAY)

    assert figures.pauses == {("slack:users.list", "asked"): 1, ("salesforce", "failing"): 1}


async def test_api_usage_is_that_of_the_workspace_closest_to_its_limit(run):
    """Both the app's daily limit and the org's limit count. Calls of yesterday do not."""
    await run(add_workspace, "T2")
    await run(add_workspace, "T3")
    today = SOMEDAY // (24 * 60 * MINUTE)
    for workspace_id, calls, day, used, limit, problem in (
        ("T1", 500, today, 10, 1000, None),
        ("T2", 2500, today, None, None, "connect again"),
        ("T3", 4999, today - 1, 900, 1000, None),
    ):
        await run(
            connect, workspace_id, our_calls=calls, our_calls_day=day, api_used=used, api_limit=limit, problem=problem
        )

    figures = (await run(health_figures.collect, SOMEDAY)).salesforce

    assert (figures.connected, figures.troubled, figures.our_calls) == (3, 1, 3000)
    assert (figures.our_share, figures.org_share) == (0.5, 0.9)


def connect(connection, workspace_id, **columns):
    values = {"flow": "web_server", "login_url": "https://login.salesforce.com", "connected_at": SOMEDAY} | columns
    connection.execute(insert(salesforce_connections).values(workspace_id=workspace_id, **values))


async def test_an_empty_database_has_zeros(database):
    """There are no errors either."""
    figures = await database.run(health_figures.collect, SOMEDAY)

    assert (figures.in_doubt, figures.parked, figures.pauses) == (0, 0, {})
    assert figures.salesforce == health_figures.SalesforceUse(0, 0, 0, 0.0, 0.0)
