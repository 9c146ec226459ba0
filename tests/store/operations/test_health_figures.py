"""What hangs is told from what waits for a reason."""

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


async def test_with_nothing_to_do_nothing_hangs(run):
    """Nor with something that came just now."""
    assert not await run(is_stuck)
    await run(add_job_change, due_at=BEFORE)
    assert not await run(is_stuck)


async def test_what_nobody_routes_hangs(run):
    """After five minutes."""
    await run(add_job_change, due_at=BEFORE - 1)

    assert await run(is_stuck)


async def test_a_backlog_that_is_worked_off_does_not_hang(run):
    """Its workspace was served a moment ago; it does once that stops."""
    await run(add_job_change, due_at=LONG_AGO)
    await run(add_job_change, due_at=LONG_AGO)
    await run(routing.claim, SOMEDAY, 30_000)

    assert not await run(is_stuck)
    assert await run(is_stuck, SOMEDAY + 2 * MINUTE)


async def test_who_waits_for_salesforce_has_a_reason(run):
    """Which ends when the workspace's patience does."""
    await run(add_job_change, due_at=LONG_AGO)
    await run(pauses.record_failure, "T1", "salesforce", LONG_AGO, "no answer")
    await run(pauses.pause, "T1", "salesforce", SOMEDAY + MINUTE, LONG_AGO, "no answer")

    assert not await run(is_stuck)
    assert await run(is_stuck, SOMEDAY + 2 * MINUTE)


async def test_after_our_patience_salesforce_is_no_reason(run):
    """However long it is paused: job changes go without it."""
    await run(add_job_change, due_at=LONG_AGO)
    await run(pauses.record_failure, "T1", "salesforce", SOMEDAY - 15 * MINUTE, "no answer")
    await run(pauses.pause, "T1", "salesforce", SOMEDAY + MINUTE, LONG_AGO, "no answer")

    assert await run(is_stuck)


async def test_another_workspace_s_reason_is_none(run):
    """Each has its own pauses, and its own turns."""
    await run(add_workspace, "T2")
    for subject in ("salesforce", "slack"):
        await run(pauses.pause, "T2", subject, SOMEDAY + MINUTE, SOMEDAY, "asked to wait")
    await run(add_job_change, "T2", due_at=LONG_AGO)
    await run(add_routed, "U2", workspace_id="T2", now=LONG_AGO)
    assert not await run(is_stuck)

    old = await run(add_job_change, due_at=LONG_AGO)
    assert await run(is_stuck)

    await run(forget, old)
    await run(add_routed, "U1", now=LONG_AGO)
    assert await run(is_stuck)


def forget(connection, job_change_id):
    connection.execute(delete(job_changes).where(job_changes.c.id == job_change_id))


async def test_what_nobody_posts_hangs(run):
    """Also when it was promised long after it was accepted."""
    await run(add_routed, "U1", now=BEFORE - 1)

    assert await run(is_stuck)


async def test_a_parked_lane_has_a_reason(run):
    """Somebody has to mend the default channel, and has been told."""
    await run(add_routed, "default_channel", now=LONG_AGO)
    await run(set_lane_parked)

    assert not await run(is_stuck)
    assert (await run(health_figures.collect, SOMEDAY)).parked == 1


def set_lane_parked(connection):
    set_lane(connection, "default_channel", due_at=None)


async def test_being_asked_to_wait_is_a_reason_and_failing_is_none(run):
    """Slack that keeps failing is what somebody should hear of."""
    await run(add_routed, "U1", now=LONG_AGO)
    await run(pauses.pause, "T1", "slack:chat.postMessage", SOMEDAY + MINUTE, SOMEDAY, "asked to wait")
    assert not await run(is_stuck)

    await run(pauses.record_failure, "T1", "slack:chat.postMessage", SOMEDAY, "no answer")
    assert await run(is_stuck)


async def test_what_fails_again_and_again_hangs_though_it_is_tried(run):
    """Being served is no progress then."""
    await run(add_routed, "U1", now=LONG_AGO)
    (claimed,) = await run(claim)
    await run(posts.settle, [Postponed(claimed, SOMEDAY, SOMEDAY + 1_000, "Slack answered with HTTP 500")])

    assert await run(is_stuck)


async def test_a_post_in_doubt_for_long_hangs_and_is_counted(run):
    """Its members wait for nobody but us."""
    await run(add_routed, "U1", now=LONG_AGO)
    (claimed,) = await run(claim, LONG_AGO)
    await run(posts.settle, [InDoubt(claimed, LONG_AGO, SOMEDAY + 1_000, "no answer", by_answer=True)])

    assert await run(is_stuck)
    assert (await run(health_figures.collect, SOMEDAY)).in_doubt == 1


async def test_workspaces_that_are_gone_wait_for_nobody(run):
    """What is left there is kept until they come back, or erased."""
    await run(add_job_change, due_at=LONG_AGO)
    await run(workspaces.mark_gone, "T1", LONG_AGO)

    assert not await run(is_stuck)


async def test_what_was_routed_or_ended_is_not_asked_about(run):
    """However long ago that was."""
    await run(add_job_change, due_at=LONG_AGO)
    await run(lambda connection: connection.execute(update(job_changes).values(routed_at=LONG_AGO, due_at=None)))

    assert not await run(is_stuck)


async def test_open_pauses_are_counted_by_what_and_why(run):
    """And the closed ones are not."""
    await run(pauses.pause, "T1", "slack:users.list", SOMEDAY + 1, SOMEDAY, "asked to wait")
    await run(pauses.record_failure, "T1", "salesforce", SOMEDAY, "no answer")
    await run(pauses.pause, "T1", "salesforce", SOMEDAY + 1, SOMEDAY, "no answer")
    await run(pauses.pause, "T1", "slack", SOMEDAY, SOMEDAY, "over")

    found = await run(health_figures.collect, SOMEDAY)

    assert found.pauses == {("slack:users.list", "asked"): 1, ("salesforce", "failing"): 1}


async def test_the_budget_is_that_of_whoever_has_least_left(run):
    """Of our own share a day, and of the org's limit; calls of yesterday are over."""
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

    found = (await run(health_figures.collect, SOMEDAY)).salesforce

    assert (found.connected, found.troubled, found.our_calls) == (3, 1, 3000)
    assert (found.our_share, found.org_share) == (0.5, 0.9)


def connect(connection, workspace_id, **columns):
    values = {"flow": "web_server", "login_url": "https://login.salesforce.com", "connected_at": SOMEDAY} | columns
    connection.execute(insert(salesforce_connections).values(workspace_id=workspace_id, **values))


async def test_an_empty_database_has_noughts(database):
    """And no errors."""
    found = await database.run(health_figures.collect, SOMEDAY)

    assert (found.in_doubt, found.parked, found.pauses) == (0, 0, {})
    assert found.salesforce == health_figures.SalesforceUse(0, 0, 0, 0.0, 0.0)
