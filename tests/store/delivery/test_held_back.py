"""Lanes that the hours of a reader hold back: when they are due, what the trace says, and changed preferences."""

from __future__ import annotations

import asyncio
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import delete, event, select, text, update

from domain.decision.reasons import legacy
from domain.delivery import NewDelivery
from domain.notification_hours import DAILY, WEEKLY, HeldBack, NotificationHours
from domain.states import DEFAULT_CHANNEL, Role
from store.delivery import failed, redraws
from store.delivery.deliveries import add_deliveries
from store.delivery.posts import LANE_GAP_MS, settle
from store.delivery.settlements import Failed, InDoubt, Postponed, Sent
from store.delivery.trace import steps_of
from store.home import member_preferences
from store.operations import health_figures
from store.schema import job_changes, lanes, posts
from tests.store.sample_rows import LEASE_MS, add_routed, add_workspace, claim, lane_of

OSLO = "Europe/Oslo"
MINUTE = 60_000
NIGHT = NotificationHours(quiet_from=18 * 60, quiet_to=8 * 60, tz=OSLO)
MORNINGS = NotificationHours(DAILY, digest_at=9 * 60, tz=OSLO)


def at(text: str) -> int:
    return round(datetime.fromisoformat(f"2026-11-{text}").replace(tzinfo=ZoneInfo(OSLO)).timestamp() * 1_000)


EVENING, BEFORE_EIGHT, EIGHT, NINE = at("19 19:00"), at("20 07:59"), at("20 08:00"), at("20 09:00")


@pytest.fixture
async def run(database):
    await database.run(add_workspace)
    return database.run


async def prefer(run, hours, now=EVENING, user_id="U_DANA"):
    await run(member_preferences.save, "T1", user_id, hours, now)


def details(connection, job_change_id):
    return [step.detail for step in steps_of(connection, job_change_id) if step.step == "held back"]


async def sent(run, claimed, now):
    return (await run(settle, [Sent(claimed, now, "D1", f"{now}.1")]))[0]


async def test_quiet_hours_hold_deliveries_back(run):
    """Nothing is claimed before they end, and the trace says until when and why."""
    await prefer(run, NIGHT)
    (kept,) = await run(add_routed, "U_DANA", now=EVENING)

    assert await run(claim, EVENING) == []
    assert await run(claim, BEFORE_EIGHT) == []
    (claimed,) = await run(claim, EIGHT)

    assert [each.job_change_id for each in claimed.deliveries] == [kept]
    assert await run(details, kept) == ["until Fri 20 Nov, 08:00 (Europe/Oslo): their quiet hours"]


async def test_a_channel_is_never_held_back(run):
    """Nor is a person who has chosen nothing."""
    await prefer(run, NIGHT)
    await run(add_routed, DEFAULT_CHANNEL, "C_SALES", "U_KIM", now=EVENING)

    assert {claimed.destination for claimed in await run(claim, EVENING)} == {DEFAULT_CHANNEL, "C_SALES", "U_KIM"}


async def test_a_digest_is_one_post_with_everything_since_the_last_one(run):
    """The row says that it is a digest, for those who redraw it."""
    await prefer(run, MORNINGS)
    ids = [*await run(add_routed, "U_DANA", now=EVENING), *await run(add_routed, "U_DANA", "U_DANA", now=BEFORE_EIGHT)]

    (claimed,) = await run(claim, NINE)

    assert [each.job_change_id for each in claimed.deliveries] == ids
    assert claimed.digest == DAILY
    await sent(run, claimed, NINE)
    await run(redraws.mark, ids[0], NINE)
    assert [each.digest for each in await run(redraws.claim, NINE, LEASE_MS, 8)] == [DAILY]


async def test_a_digest_of_one_is_an_ordinary_message(run):
    """It has the usual buttons."""
    await prefer(run, MORNINGS)
    await run(add_routed, "U_DANA", now=EVENING)

    (claimed,) = await run(claim, NINE)

    assert claimed.digest is None


async def test_a_long_digest_continues_in_more_messages(run):
    """None of it waits for the next day."""
    await prefer(run, MORNINGS)
    ids = await run(add_routed, *["U_DANA"] * 23, now=EVENING)
    sent_ids, now = [], NINE

    while claims := await run(claim, now):
        sent_ids += [each.job_change_id for each in claims[0].deliveries]
        now = await sent(run, claims[0], now) or now + LANE_GAP_MS

    assert sent_ids == ids
    assert now < NINE + 10 * LANE_GAP_MS


async def test_what_arrives_while_a_digest_is_sent_waits_for_the_next_one(run):
    """Also if the lane is due again a second later."""
    await prefer(run, MORNINGS)
    await run(add_routed, "U_DANA", now=EVENING)
    (claimed,) = await run(claim, NINE)
    (late,) = await run(add_routed, "U_DANA", now=NINE + 1)
    await sent(run, claimed, NINE + 2)

    assert await run(claim, NINE + 2 * LANE_GAP_MS) == []
    assert await run(details, late) == ["until Sat 21 Nov, 09:00 (Europe/Oslo): their daily digest"]
    assert [each.deliveries[0].job_change_id for each in await run(claim, at("21 09:00"))] == [late]


async def test_a_retry_is_held_back_if_quiet_hours_have_begun(run):
    """It was not held back when it was added, so the trace says so now. It does not count as an attempt."""
    await prefer(run, NIGHT)
    (job_change_id,) = await run(add_routed, "U_DANA", now=at("19 17:59"))
    (claimed,) = await run(claim, at("19 17:59"))
    await run(settle, [Postponed(claimed, at("19 17:59"), at("19 18:01"), "Slack was away")])

    assert await run(claim, at("19 18:01")) == []

    assert await run(details, job_change_id) == ["until Fri 20 Nov, 08:00 (Europe/Oslo): their quiet hours"]
    assert await run(lambda connection: len(connection.execute(select(posts.c.id)).all())) == 1
    assert len(await run(claim, EIGHT)) == 1


async def test_holding_a_reader_back_leaves_the_messages_of_others_alone(run):
    """They are claimed in the same moment."""
    await prefer(run, NIGHT)
    await run(add_routed, "U_DANA", now=at("19 17:59"))
    (claimed,) = await run(claim, at("19 17:59"))
    await run(settle, [Postponed(claimed, at("19 17:59"), at("19 18:01"), "Slack was away")])
    await run(add_routed, "U_OMAR", now=at("19 18:00"))

    (other,) = await run(claim, at("19 18:01"))

    assert other.destination == "U_OMAR"
    lane = await run(lane_of, "U_OMAR")
    assert lane.lease is not None
    assert lane.kept_until is None


async def test_a_retry_of_a_failed_job_change_is_held_back_too(run):
    """The retry makes its lane due, and the trace says why nothing is sent."""
    (job_change_id,) = await run(add_routed, "U_DANA", now=at("19 17:00"))
    (claimed,) = await run(claim, at("19 17:00"))
    await run(settle, [Failed(claimed, at("19 17:00"), "Slack refuses it")])
    await prefer(run, NIGHT)
    await run(failed.retry, [job_change_id], EVENING)

    assert await run(claim, EVENING) == []

    assert await run(details, job_change_id) == ["until Fri 20 Nov, 08:00 (Europe/Oslo): their quiet hours"]
    assert len(await run(claim, EIGHT)) == 1


async def test_a_post_that_has_begun_is_finished_at_any_hour(run):
    """Whether it arrived has to be found out. Holding it back would repeat or lose it."""
    await prefer(run, NIGHT)
    await run(add_routed, "U_DANA", now=at("19 17:59"))
    (claimed,) = await run(claim, at("19 17:59"))
    await run(settle, [InDoubt(claimed, EVENING, EVENING, "no answer", by_answer=True)])

    (again,) = await run(claim, EVENING)

    assert again.in_doubt


async def test_ending_quiet_hours_releases_what_is_held_back(run):
    """The trace of each job change says so."""
    await prefer(run, NIGHT)
    ids = await run(add_routed, "U_DANA", "U_DANA", now=EVENING)

    await prefer(run, NotificationHours(tz=OSLO), EVENING + MINUTE)

    (claimed,) = await run(claim, EVENING + MINUTE)
    assert [each.job_change_id for each in claimed.deliveries] == ids
    assert (await run(details, ids[1]))[1:] == ["no longer"]


async def test_choosing_a_digest_includes_what_is_held_back_already(run):
    """From quiet hours that end at eight to a digest at nine."""
    await prefer(run, NIGHT)
    (job_change_id,) = await run(add_routed, "U_DANA", now=EVENING)

    await prefer(run, MORNINGS)

    assert await run(claim, EIGHT) == []
    assert (await run(details, job_change_id))[1:] == ["until Fri 20 Nov, 09:00 (Europe/Oslo): their daily digest"]
    assert len(await run(claim, NINE)) == 1


async def test_ending_a_digest_while_it_is_sent_loses_nothing(run):
    """The lane is leased. The preferences are read when it is due again."""
    await prefer(run, MORNINGS)
    await run(add_routed, *["U_DANA"] * 12, now=EVENING)
    (claimed,) = await run(claim, NINE)
    await prefer(run, NotificationHours(tz=OSLO), NINE)
    await sent(run, claimed, NINE)

    (rest,) = await run(claim, NINE + LANE_GAP_MS)

    assert (len(rest.deliveries), rest.digest) == (2, None)


async def test_changed_preferences_do_not_hurry_a_retry(run):
    """A retry that is due in a minute is still due in a minute."""
    await run(add_routed, "U_DANA", now=EVENING)
    (claimed,) = await run(claim, EVENING)
    await run(settle, [Postponed(claimed, EVENING, EVENING + MINUTE, "Slack was away")])

    await prefer(run, NotificationHours(tz=OSLO))

    assert await run(claim, EVENING) == []
    assert len(await run(claim, EVENING + MINUTE)) == 1


@pytest.mark.parametrize("has_lane", [True, False])
@pytest.mark.parametrize("first", ["save", "add"])
async def test_what_is_added_while_preferences_change_follows_the_new_ones(run, database, first, has_lane):
    """The second transaction waits for the first, so that no old hours remain in effect."""
    await prefer(run, NIGHT)
    if has_lane:
        await run(add_routed, "U_DANA", now=at("19 12:00"))
        (claimed,) = await run(claim, at("19 12:00"))
        await sent(run, claimed, at("19 12:00"))
    else:
        await run(lambda connection: connection.execute(delete(lanes)))
    changes = {
        "save": lambda connection: member_preferences.save(
            connection, "T1", "U_DANA", NotificationHours(tz=OSLO), EVENING
        ),
        "add": lambda connection: add_routed(connection, "U_DANA", now=EVENING),
    }

    await overlapping(database, changes.pop(first), *changes.values())

    assert len(await run(claim, EVENING)) == 1


async def overlapping(database, first, second):
    """Run each in its own transaction. The first commits while the second waits for it."""

    def run_in_transaction(act):
        with database.begin() as connection:
            act(connection)

    with database.begin() as connection:
        first(connection)
        other = asyncio.create_task(asyncio.to_thread(run_in_transaction, second))
        async with asyncio.timeout(30):
            while not database.is_sqlite and not await asyncio.to_thread(somebody_waits, database):
                pass
    await other


def somebody_waits(database):
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    with database.begin() as connection:
        return connection.execute(waiting).scalar_one() > 0


async def test_quiet_hours_follow_a_new_time_zone(run):
    """Slack reports the time zone: eight in New York is six hours later."""
    await prefer(run, NIGHT)
    await run(add_routed, "U_DANA", now=EVENING)

    await run(member_preferences.update_time_zone, "T1", "U_DANA", "America/New_York", EVENING)

    assert (await run(member_preferences.find, "T1", "U_DANA")).tz == "America/New_York"
    assert len(await run(claim, EVENING)) == 1, "it is one in the afternoon there"


async def test_a_time_zone_alone_is_not_a_preference(run):
    """Nothing is stored for a member who has chosen nothing."""
    await run(member_preferences.update_time_zone, "T1", "U_DANA", OSLO, EVENING)

    assert await run(member_preferences.find, "T1", "U_DANA") == NotificationHours()


async def test_what_is_held_back_is_counted(run):
    """For each reader, with the time until when."""
    await prefer(run, NIGHT)
    await run(add_routed, "U_DANA", "U_DANA", "U_KIM", now=EVENING)

    assert await run(member_preferences.held_back, "T1", "U_DANA", EVENING) == HeldBack(2, EVENING, EIGHT)
    assert await run(member_preferences.held_back, "T1", "U_KIM", EVENING) == HeldBack(1, EVENING, None)
    assert await run(member_preferences.held_back, "T1", "U_MO", EVENING) == HeldBack()


async def test_what_is_held_back_is_not_stuck(run):
    """Until a few minutes after it should have been sent."""
    await prefer(run, NotificationHours(WEEKLY, digest_at=9 * 60, weekday=4, tz=OSLO))
    await run(add_routed, "U_DANA", now=at("16 12:00"))
    await run(lambda connection: connection.execute(update(job_changes).values(routed_at=at("16 12:00"))))

    def is_stuck(connection, now):
        return health_figures.is_stuck(connection, now - 5 * MINUTE, now)

    assert not await run(is_stuck, BEFORE_EIGHT)
    assert not await run(is_stuck, NINE + MINUTE)
    assert await run(is_stuck, NINE + 6 * MINUTE)


async def test_the_time_limit_starts_when_the_reader_can_be_notified(run):
    """A weekly digest must not use up the three days before it is tried."""
    await prefer(run, NotificationHours(WEEKLY, digest_at=9 * 60, weekday=4, tz=OSLO))
    await run(add_routed, "U_DANA", now=at("16 12:00"))

    (claimed,) = await run(claim, NINE)

    assert claimed.due_since(claimed.deliveries[0]) == NINE


async def test_holding_back_costs_the_same_for_two_readers_as_for_many(run, database):
    """The number of statements does not depend on the batch."""

    async def statements(*readers):
        count = 0

        def counted(*_):
            nonlocal count
            count += 1

        for reader in readers:
            await prefer(run, NIGHT, user_id=reader)
        ids = await run(lambda connection: [add_routed(connection, "C_1")[0] for _ in readers])
        event.listen(database.engine, "before_cursor_execute", counted)
        try:
            await run(_add_all, ids, readers)
        finally:
            event.remove(database.engine, "before_cursor_execute", counted)
        assert [(await run(lane_of, reader)).kept_until for reader in readers] == [EIGHT] * len(readers)
        return count

    assert await statements("U_A", "U_B") == await statements(*[f"U_{number}" for number in range(20)])


def _add_all(connection, ids, readers):
    new = [
        NewDelivery(each, reader, Role.DRI, legacy("You own it.")) for each, reader in zip(ids, readers, strict=True)
    ]
    add_deliveries(connection, "T1", new, EVENING)
