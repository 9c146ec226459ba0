"""Retention, stale memories, and lanes that lost their turn."""

from __future__ import annotations

from sqlalchemy import func, select, update

from services.housekeeping import DAY_MS, Housekeeping
from store import pauses
from store.schema import DEFAULT_CHANNEL, deliveries, job_changes, lanes, slack_events
from store.schema import pauses as pauses_table
from tests.conftest import SOMEDAY
from tests.store.engine import add_workspace, claim, promise


def house(database, clock):
    return Housekeeping(database, 90, clock)


async def test_payloads_are_forgotten_after_their_retention_and_counts_stay(database, clock):
    """Who it was about goes; that it was delivered stays."""
    await database.run(add_workspace)
    old, young = await database.run(promise, "U_DANA", "U_DANA")

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


async def test_what_has_not_ended_is_kept_however_old(database, clock):
    """Nothing that is still promised is forgotten."""
    await database.run(add_workspace)
    await database.run(promise, "U_DANA")
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
    """They hold names."""
    await database.run(add_workspace)
    await database.run(promise, "U_DANA")
    await database.run(
        lambda connection: connection.execute(update(job_changes).values(outcome="delivered", ended_at=1))
    )

    await house(database, clock).tidy()

    reasons = await database.run(lambda connection: connection.execute(select(deliveries.c.reason)).scalars().all())
    assert reasons == [""]


async def test_a_lane_that_lost_its_turn_is_woken(database, clock):
    """A second look, should a bug or a restored backup have left something waiting with nobody to call it."""
    await database.run(add_workspace)
    await database.run(promise, "U_DANA")
    await database.run(lambda connection: connection.execute(update(lanes).values(due_at=None)))

    await house(database, clock).tidy()

    assert len(await database.run(claim)) == 1


async def test_a_parked_default_channel_stays_parked(database, clock):
    """It waits for a person, not for a sweep."""
    await database.run(add_workspace, channel=None)
    await database.run(promise, DEFAULT_CHANNEL)

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
