"""Pauses and failures of APIs, shared by all replicas."""

from __future__ import annotations

import pytest

from domain.errors import Outage, Vendor
from store.delivery import pauses
from store.delivery.pauses import Failing
from store.slack import workspaces
from tests.world import installed

T1, POSTING = "T1", "slack:chat.postMessage"


@pytest.fixture(autouse=True)
async def workspace(database):
    await database.run(workspaces.install, installed(T1))


async def test_a_pause_ends_by_itself(database, clock):
    """Nobody has to end it."""
    now = clock()
    await database.run(pauses.pause, T1, POSTING, now + 1000, now, "asked to wait")

    assert await database.run(pauses.paused_until, T1, POSTING, now + 999) == now + 1000
    assert await database.run(pauses.paused_until, T1, POSTING, now + 1000) is None
    assert await database.run(pauses.last_until, T1, POSTING) == now + 1000
    assert await database.run(pauses.last_until, T1, "slack:users.info") == 0


async def test_a_shorter_pause_does_not_end_a_longer_one(database, clock):
    """Two simultaneous calls may get different times."""
    now = clock()
    await database.run(pauses.pause, T1, POSTING, now + 9000, now, "first")
    await database.run(pauses.pause, T1, POSTING, now + 1000, now, "second")

    assert await database.run(pauses.paused_until, T1, POSTING, now) == now + 9000


async def test_a_pause_is_for_one_subject_and_workspace(database, clock):
    """Slack's limits are for a method and workspace."""
    now = clock()
    await database.run(pauses.pause, T1, POSTING, now + 1000, now, "")

    assert await database.run(pauses.paused_until, T1, "slack:users.info", now) is None
    assert await database.run(pauses.paused_until, "T2", POSTING, now) is None


async def test_many_pauses_are_looked_up_at_once(database, clock):
    """Concurrent calls share one query, and each gets its own result."""
    now = clock()
    await database.run(pauses.pause, T1, POSTING, now + 1000, now, "")
    asked = [("T2", POSTING, now), (T1, POSTING, now), (T1, "slack", now), (T1, POSTING, now + 1000)]

    assert await database.run(pauses.paused_until_each, asked) == [None, now + 1000, None, None]


async def test_pausing_an_erased_workspace_does_nothing(database, clock):
    """The answer of an API may arrive after the workspace was erased."""
    await database.run(pauses.pause, "T0ERASED", POSTING, clock() + 1000, clock(), "")

    assert await database.run(pauses.paused_until, "T0ERASED", POSTING, clock()) is None


async def test_failures_are_counted_from_the_first_one(database, clock):
    """The time of the first failure decides when a workspace stops waiting."""
    first = clock()
    await database.run(pauses.record_failure, T1, "salesforce", first, "503")
    clock.advance(seconds=60)

    assert await database.run(pauses.record_failure, T1, "salesforce", clock(), "503") == Failing(2, first)


async def test_being_asked_to_wait_is_not_a_failure(database, clock):
    """The first failure after it starts the count."""
    await database.run(pauses.pause, T1, "salesforce", clock() + 1, clock(), "asked to wait")
    clock.advance(seconds=60)

    assert await database.run(pauses.record_failure, T1, "salesforce", clock(), "503") == Failing(1, clock())


async def test_a_success_forgets_failures_but_keeps_a_requested_pause(database, clock):
    """A pause that Slack asked for stays in effect."""
    now = clock()
    await database.run(pauses.record_failure, T1, "slack", now, "503")
    await database.run(pauses.pause, T1, "slack", now + 1000, now, "503")
    await database.run(pauses.pause, T1, POSTING, now + 1000, now, "asked to wait")

    assert await database.run(pauses.record_success, T1, "slack") is True
    assert await database.run(pauses.record_success, T1, POSTING) is False

    assert await database.run(pauses.paused_until, T1, "slack", now) is None
    assert await database.run(pauses.paused_until, T1, POSTING, now) == now + 1000


async def test_pauses_that_are_over_are_deleted(database, clock):
    """The table does not grow. Failing subjects are kept for their count."""
    now = clock()
    await database.run(pauses.pause, T1, POSTING, now + 1000, now, "")
    await database.run(pauses.record_failure, T1, "salesforce", now, "503")

    assert await database.run(pauses.prune, now + 1001) == 1
    assert await database.run(pauses.record_failure, T1, "salesforce", now, "503") == Failing(2, now)


async def test_a_new_connection_ends_the_pauses_of_one_vendor_in_one_workspace(database, clock):
    """Other workspaces and the other vendor wait on, and the outages name whom they concern."""
    now = clock()
    await database.run(workspaces.install, installed("T2"))
    for workspace_id in (T1, "T2"):
        for subject in ("slack", "salesforce"):
            await database.run(pauses.record_failure, workspace_id, subject, now, f"{subject} is away")
            await database.run(pauses.pause, workspace_id, subject, now + 1_000, now, f"{subject} is away")
        await database.run(pauses.pause, workspace_id, POSTING, now + 1_000, now, "asked to wait")

    await database.run(pauses.clear, T1, "slack")

    subjects = ("slack", POSTING, "salesforce")
    waits = {
        workspace_id: [await database.run(pauses.paused_until, workspace_id, subject, now) for subject in subjects]
        for workspace_id in (T1, "T2")
    }
    assert waits == {T1: [None, None, now + 1_000], "T2": [now + 1_000] * 3}
    assert await database.run(pauses.outages) == (
        Outage(T1, Vendor.SALESFORCE, now, "salesforce is away", 0),
        Outage("T2", Vendor.SALESFORCE, now, "salesforce is away", 0),
        Outage("T2", Vendor.SLACK, now, "slack is away", 0),
    )
