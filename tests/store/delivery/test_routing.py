"""Claiming and settling batches of accepted job changes."""

from __future__ import annotations

import pytest

from domain.decision.reasons import legacy
from domain.decision.record import Decision
from domain.delivery import NewDelivery
from domain.states import Outcome, Role
from store.delivery import pauses, routing
from store.delivery.routing import Routed, RoutingPostponed, batch_size
from store.intake.job_changes import find
from store.slack import workspaces
from tests.conftest import SOMEDAY
from tests.store.sample_rows import add_job_change, add_workspace, claim, delivery_states, outcome_of

LEASE_MS = 30_000


@pytest.fixture(autouse=True)
async def workspace(database):
    return await database.run(add_workspace)


async def take(database, now=SOMEDAY):
    return await database.run(routing.claim, now, LEASE_MS)


def routed_to(job_change_id, destination="U_DANA"):
    return Routed(
        job_change_id, Decision(), (NewDelivery(job_change_id, destination, Role.DRI, legacy("You own it.")),)
    )


async def test_a_batch_holds_what_is_due_in_order_of_arrival(database):
    """Up to 200 job changes of a workspace share one round of outgoing calls."""
    ids = [await database.run(add_job_change) for _ in range(3)]
    await database.run(add_job_change, due_at=SOMEDAY + 1)

    batch = await take(database)

    assert [each.id for each in batch.job_changes] == ids


async def test_a_workspace_has_one_router_at_a_time(database):
    """Two routers would lose the order of arrival."""
    await database.run(add_job_change)
    await take(database)
    await database.run(add_job_change)

    assert await take(database, SOMEDAY + LEASE_MS - 1) is None


async def test_the_batch_of_a_router_that_died_is_taken_over(database):
    """When the lease ends. No delivery is added twice."""
    job_change_id = await database.run(add_job_change)
    dead = await take(database)

    batch = await take(database, SOMEDAY + LEASE_MS)
    late = await database.run(routing.settle, dead, [routed_to(job_change_id)], [], SOMEDAY)

    assert [each.id for each in batch.job_changes] == [job_change_id]
    assert late is False
    assert await database.run(delivery_states, job_change_id) == []


async def test_a_router_that_is_working_keeps_its_batch(database):
    """The lease is renewed, however long Salesforce takes."""
    await database.run(add_job_change)
    batch = await take(database)

    await database.run(routing.prolong, batch, SOMEDAY + 2 * LEASE_MS)

    assert await take(database, SOMEDAY + LEASE_MS) is None


async def test_settling_adds_deliveries_and_releases_the_workspace(database):
    """Decision, deliveries and lanes commit together."""
    job_change_id = await database.run(add_job_change)
    batch = await take(database)

    stored = await database.run(routing.settle, batch, [routed_to(job_change_id)], [], SOMEDAY)

    assert stored
    assert [each.channel for each in await database.run(claim)] == ["U_DANA"]
    assert await take(database) is None


async def test_a_postponed_batch_comes_back_and_has_used_no_attempt(database):
    """Waiting for an API is not a failure, so the whole batch comes back together."""
    ids = [await database.run(add_job_change) for _ in range(3)]
    batch = await take(database)
    await database.run(
        routing.settle, batch, [], [RoutingPostponed(each, SOMEDAY + 9_000, "down") for each in ids], SOMEDAY
    )

    early, again = await take(database, SOMEDAY + 8_999), await take(database, SOMEDAY + 9_000)

    assert early is None
    assert [(each.id, each.attempts) for each in again.job_changes] == [(each, 0) for each in ids]


async def test_a_job_change_that_crashes_its_batch_ends_up_alone(database):
    """The batches get smaller, so that it blocks no other."""
    ids = [await database.run(add_job_change) for _ in range(30)]
    sizes, now = [], SOMEDAY
    for _ in range(3):
        batch = await take(database, now)
        sizes.append(len(batch.job_changes))
        now += LEASE_MS

    assert sizes == [30, 20, 1]
    assert batch.job_changes[0].id == ids[0]


async def test_only_the_batch_that_was_never_settled_has_used_an_attempt(database):
    """What has arrived since then is not suspected of the crash."""
    crashed = await database.run(add_job_change)
    await take(database)
    arrived = await database.run(add_job_change, due_at=SOMEDAY + 1)

    again = await take(database, SOMEDAY + LEASE_MS)
    await database.run(routing.settle, again, [routed_to(crashed)], [], SOMEDAY + LEASE_MS)
    after_it = await take(database, SOMEDAY + LEASE_MS + 1)

    assert [(item.id, item.attempts) for item in again.job_changes] == [(crashed, 1), (arrived, 0)]
    assert [(item.id, item.attempts) for item in after_it.job_changes] == [(arrived, 0)]


async def test_a_job_change_that_crashes_every_attempt_fails_with_its_reason(database):
    """An operator can read the reason and retry it."""
    job_change_id = await database.run(add_job_change)
    batch = await take(database)

    await database.run(routing.give_up, batch, "ValueError while routing", SOMEDAY, SOMEDAY, 1)

    assert await database.run(outcome_of, job_change_id) == (Outcome.FAILED, None, "ValueError while routing")
    assert await take(database) is None


async def test_giving_up_retries_the_others_later(database):
    """Below the limit they are retried after a backoff."""
    await database.run(add_job_change)
    batch = await take(database)

    await database.run(routing.give_up, batch, "ValueError while routing", SOMEDAY, SOMEDAY + 1_000, 6)

    assert await take(database, SOMEDAY + 999) is None
    assert (await take(database, SOMEDAY + 1_000)).job_changes[0].attempts == 1


async def test_an_outage_does_not_count_as_an_attempt(database):
    """Afterwards they come back together, and are no closer to failing."""
    for _ in range(30):
        await database.run(add_job_change)
    for _ in range(8):
        await database.run(routing.give_up, await take(database), "the database was away", SOMEDAY, SOMEDAY, None)

    again = await take(database)

    assert {each.attempts for each in again.job_changes} == {0}
    assert len(again.job_changes) == 30


async def test_the_workspace_that_waited_longest_is_served_first(database):
    """A large backlog does not delay a single job change of another workspace."""
    await database.run(add_workspace, "T2")
    for _ in range(2):
        await database.run(add_job_change, "T1")
    await database.run(add_job_change, "T2", due_at=SOMEDAY)

    first = await take(database)
    await database.run(routing.settle, first, [], [], SOMEDAY)
    second = await take(database, SOMEDAY + 1)

    assert {first.workspace_id, second.workspace_id} == {"T1", "T2"}


async def test_nothing_is_routed_while_salesforce_is_paused(database):
    """A failing API does not keep the worker busy."""
    await database.run(add_job_change)
    await database.run(pauses.pause, "T1", "salesforce", SOMEDAY + 5_000, SOMEDAY, "503")

    assert await take(database, SOMEDAY + 4_999) is None
    assert await take(database, SOMEDAY + 5_000) is not None


async def test_a_long_salesforce_pause_no_longer_delays_routing(database):
    """After the time that the workspace allows, batches go without Salesforce, and one after each pause queries it."""
    await database.run(add_job_change)
    await database.run(pauses.record_failure, "T1", "salesforce", SOMEDAY, "503")
    over = SOMEDAY + 15 * 60_000
    await database.run(pauses.pause, "T1", "salesforce", over + 5_000, SOMEDAY, "503")
    assert await take(database, over - 1) is None

    without = await take(database, over)
    await database.run(routing.settle, without, [], [], over)
    asking = await take(database, over + 5_000)

    assert (without.salesforce_problem, asking.salesforce_problem) == ("503", None)
    assert without.job_changes[0].id == asking.job_changes[0].id


async def test_a_requested_pause_has_no_time_limit(database):
    """The limit is for failures, and each workspace has its own."""
    await database.run(add_job_change)
    await database.run(workspaces.change, "T1", None, salesforce_patience_minutes=5)
    await database.run(pauses.pause, "T1", "salesforce", SOMEDAY + 900_000, SOMEDAY, "asked to wait")
    assert await take(database, SOMEDAY + 400_000) is None

    await database.run(pauses.record_failure, "T1", "salesforce", SOMEDAY, "503")

    assert (await take(database, SOMEDAY + 400_000)).salesforce_problem == "503"


async def test_nothing_is_routed_for_a_workspace_without_the_app(database):
    """Its job changes wait until the app is installed again."""
    await database.run(add_job_change)
    await database.run(workspaces.mark_gone, "T1", SOMEDAY)

    assert await take(database) is None


async def test_a_job_change_may_end_without_a_delivery(database):
    """That nobody is notified is an outcome too, stored at once with the reason, which the trace repeats."""
    job_change_id = await database.run(add_job_change)
    batch = await take(database)

    ended = Routed(job_change_id, Decision(), (), outcome="muted", reason="muted by the DRI")
    await database.run(routing.settle, batch, [ended], [], SOMEDAY)

    assert await database.run(outcome_of, job_change_id) == ("muted", None, "muted by the DRI")
    last = (await database.run(find, "T1", job_change_id)).trace[-1]
    assert (last.step, last.detail) == ("muted", "muted by the DRI")


async def test_after_a_restart_the_turns_of_the_dead_process_are_free_at_once(database):
    """On SQLite no other process can be working, so nobody waits for the lease to end."""
    await database.run(add_job_change)
    await take(database)

    await database.run(routing.release_all)

    assert [item.attempts for item in (await take(database)).job_changes] == [1]


@pytest.mark.parametrize(("attempts", "size"), [(0, 200), (1, 20), (2, 1), (9, 1)])
def test_batches_shrink_with_each_attempt(attempts, size):
    """200, then 20, then each alone."""
    assert batch_size(attempts) == size


@pytest.mark.both_databases
async def test_routing_does_not_wait_for_the_disk_but_claiming_a_lane_does(database):
    """If PostgreSQL crashes, a lost decision is made again. A lost post would be sent again, so it is on the disk."""
    job_change_id = await database.run(add_job_change)

    def waits(connection):
        is_sqlite = database.is_sqlite
        return is_sqlite or connection.exec_driver_sql("SHOW synchronous_commit").scalar_one() == "on"

    def routing_waits(connection):
        batch = routing.claim(connection, SOMEDAY, LEASE_MS)
        claim_waits = waits(connection)
        assert routing.settle(connection, batch, [routed_to(job_change_id)], [], SOMEDAY)
        return claim_waits, waits(connection)

    def posting_waits(connection):
        assert claim(connection)
        return waits(connection)

    assert await database.run(routing_waits) == ((True, True) if database.is_sqlite else (False, False))
    assert await database.run(posting_waits)
