"""Acting on deliveries: one winner whoever presses together, told anew where it goes, and messages marked as stale."""

from __future__ import annotations

import asyncio

from sqlalchemy import select, update

from domain.delivery import NewDelivery
from domain.states import DEFAULT_CHANNEL, DeliveryState, Role
from store.delivery import posts, redraws
from store.delivery.settlements import Sent
from store.messages import actions, histories
from store.operations import housekeeping
from store.schema import deliveries, job_changes, lanes, wrong_data
from tests.conftest import SOMEDAY
from tests.store.sample_rows import LEASE_MS, add_routed, add_workspace, claim, delivery_states

WORDS = "Dana Reyes gave it to you."


def tell(connection, *destinations, now=SOMEDAY):
    """One job change, told to all of these; its id."""
    [job_change_id] = add_routed(connection, destinations[0], now=now)
    for other in destinations[1:]:
        add_routed(connection, other, role=Role.FALLBACK, job_change_id=job_change_id, now=now)
    send(connection, now)
    return job_change_id


def send(connection, now):
    """All that is due is posted."""
    sent = [Sent(each, now, f"D{each.lane_id}", f"{now}.{each.lane_id}") for each in claim(connection, now)]
    posts.settle(connection, sent)


def found(connection, job_change_id, destination):
    """The delivery to this destination, as it stands."""
    [delivery_id] = connection.execute(
        select(deliveries.c.id)
        .join(lanes, lanes.c.id == deliveries.c.lane_id)
        .where(deliveries.c.job_change_id == job_change_id, lanes.c.destination == destination)
    ).scalars()
    return actions.find(connection, "T1", delivery_id)


async def told(database, *destinations):
    """A workspace in which one job change was told to these; its deliveries."""
    await database.run(add_workspace)
    job_change_id = await database.run(tell, *destinations)
    return [await database.run(found, job_change_id, destination) for destination in destinations]


def to(delivery, destination, role=Role.DRI):
    return NewDelivery(delivery.job_change_id, destination, role, WORDS, delivery.side)


async def test_of_many_who_take_it_at_once_one_has_it(database):
    """Whichever connection is first; the others learn that they were not."""
    [delivery] = await told(database, DEFAULT_CHANNEL)

    won = await asyncio.gather(*(database.run(actions.take, delivery, f"U{number}", SOMEDAY) for number in range(12)))

    assert won.count(True) == 1
    now = await database.run(actions.find, "T1", delivery.id)
    assert (now.state, now.actor) == ("taken", f"U{won.index(True)}")


async def test_taking_and_giving_at_once_leaves_one_of_them(database):
    """Either it is taken, and nothing was given; or it was given, and not taken."""
    for number in range(6):
        channel = await told_again(database, number)
        took, gave = await asyncio.gather(
            database.run(actions.take, channel, "U_KIM", SOMEDAY),
            database.run(actions.reassign, channel, "U_MO", "U_LEE", to(channel, "U_LEE"), SOMEDAY),
        )

        assert took != gave
        promised = (await database.run(delivery_states, channel.job_change_id))[1:]
        assert promised == ([DeliveryState.PENDING] if gave else [])


async def told_again(database, number):
    if number == 0:
        return (await told(database, DEFAULT_CHANNEL))[0]
    job_change_id = await database.run(tell, DEFAULT_CHANNEL, now=SOMEDAY + 2_000 * number)
    return await database.run(found, job_change_id, DEFAULT_CHANNEL)


async def test_two_who_give_it_to_each_other_at_once_both_get_it(database):
    """Neither waits for the other for ever, and both are told anew."""
    dana, kim = await told(database, "U_DANA", "U_KIM")
    await database.run(actions.take, dana, "U_DANA", SOMEDAY)
    await database.run(actions.take, kim, "U_KIM", SOMEDAY)

    gave = await asyncio.gather(
        database.run(actions.reassign, dana, "U_DANA", "U_KIM", to(dana, "U_KIM"), SOMEDAY),
        database.run(actions.reassign, kim, "U_KIM", "U_DANA", to(kim, "U_DANA"), SOMEDAY),
    )

    assert gave == [True, True]
    assert await database.run(delivery_states, dana.job_change_id) == [DeliveryState.PENDING, DeliveryState.PENDING]


async def test_what_was_given_away_cannot_be_given_again(database):
    """By whoever gave it, or by another who looks at the same message."""
    [channel] = await told(database, DEFAULT_CHANNEL)
    await database.run(actions.reassign, channel, "U_KIM", "U_MO", to(channel, "U_MO"), SOMEDAY)

    for actor in ("U_KIM", "U_DANA"):
        assert not await database.run(actions.reassign, channel, actor, "U_LEE", to(channel, "U_LEE"), SOMEDAY)
        assert not await database.run(actions.return_to_channel, channel, actor, to(channel, DEFAULT_CHANNEL), SOMEDAY)


async def test_another_workspaces_delivery_is_not_found(database):
    """Ids count up over all of them."""
    [delivery] = await told(database, "U_DANA")
    await database.run(add_workspace, "T2")

    assert await database.run(actions.find, "T2", delivery.id) is None


async def test_what_is_promised_again_is_one_delivery_with_new_words(database):
    """It waits in its lane, its patience begins anew, and the message that carried it is remembered."""
    [delivery] = await told(database, "U_DANA")
    await database.run(actions.snooze, delivery, "U_DANA", SOMEDAY + 5_000, SOMEDAY)

    assert not await database.run(actions.resume_snoozed, SOMEDAY + 4_999)
    assert await database.run(actions.resume_snoozed, SOMEDAY + 5_000)
    assert not await database.run(actions.resume_snoozed, SOMEDAY + 5_000)

    assert await database.run(delivery_states, delivery.job_change_id) == [DeliveryState.PENDING]
    await database.run(send, SOMEDAY + 6_000)
    drawn = await database.run(redraws.claim, SOMEDAY + 6_000, LEASE_MS, 9)
    assert [await members(database, each) for each in drawn] == [[delivery.id]]
    history = await database.run(histories.histories, [delivery.job_change_id])
    assert [each.back_at for each in history[delivery.job_change_id].snoozes] == [SOMEDAY + 5_000]


async def test_two_workers_bring_it_back_once(database):
    """Both look at the same moment."""
    [delivery] = await told(database, "U_DANA")
    await database.run(actions.snooze, delivery, "U_DANA", SOMEDAY + 1, SOMEDAY)

    back = await asyncio.gather(*(database.run(actions.resume_snoozed, SOMEDAY + 1) for _ in range(4)))

    assert back.count(True) == 1


async def members(database, redraw):
    return [each.id for each in await database.run(redraws.deliveries_in, redraw.post_id)]


async def test_every_message_of_it_is_marked_in_the_same_commit(database):
    """The reader's and the channel's."""
    dana, _ = await told(database, "U_DANA", DEFAULT_CHANNEL)

    await database.run(actions.take, dana, "U_DANA", SOMEDAY)

    drawn = await database.run(redraws.claim, SOMEDAY, LEASE_MS, 9, dana.job_change_id)
    assert {each.destination for each in drawn} == {"U_DANA", DEFAULT_CHANNEL}
    assert all(each.ts for each in drawn)


async def test_a_message_on_its_way_is_marked_too(database):
    """It was composed before, and may show what is not true any more."""
    await database.run(add_workspace)
    [job_change_id] = await database.run(add_routed, "U_DANA")
    await database.run(claim)
    delivery = await database.run(found, job_change_id, "U_DANA")
    await database.run(actions.report, delivery, "U_DANA", "other", None, SOMEDAY)

    [redraw] = await database.run(redraws.claim, SOMEDAY, LEASE_MS, 9)

    assert redraw.ts is None
    assert await database.run(delivery_states, job_change_id) == [DeliveryState.SENDING]


async def test_one_at_a_time_draws_a_message_and_again_if_more_happened_meanwhile(database):
    """An older picture never replaces a newer one."""
    [delivery] = await told(database, "U_DANA")
    await database.run(actions.take, delivery, "U_DANA", SOMEDAY)
    [first] = await database.run(redraws.claim, SOMEDAY, LEASE_MS, 9)

    await database.run(actions.report, delivery, "U_DANA", "other", None, SOMEDAY)
    assert await database.run(redraws.claim, SOMEDAY, LEASE_MS, 9) == []
    await database.run(redraws.finish, first, SOMEDAY)
    [second] = await database.run(redraws.claim, SOMEDAY, LEASE_MS, 9)
    await database.run(redraws.finish, second, SOMEDAY)

    assert second.version > first.version
    assert await database.run(redraws.claim, SOMEDAY + LEASE_MS, LEASE_MS, 9) == []


async def test_what_a_dead_process_was_drawing_is_drawn_by_another(database):
    """Its lease runs out; if it comes back after that, it settles nothing."""
    [delivery] = await told(database, "U_DANA")
    await database.run(actions.take, delivery, "U_DANA", SOMEDAY)
    [dead] = await database.run(redraws.claim, SOMEDAY, LEASE_MS, 9)

    [alive] = await database.run(redraws.claim, SOMEDAY + LEASE_MS, LEASE_MS, 9)
    await database.run(redraws.drop, dead)
    await database.run(redraws.postpone, dead, SOMEDAY)

    assert await database.run(redraws.claim, SOMEDAY + LEASE_MS, LEASE_MS, 9) == []
    assert alive.post_id == dead.post_id


async def test_a_put_off_job_change_that_was_erased_stays_where_it_is(database):
    """There is nothing left to tell."""
    [delivery] = await told(database, "U_DANA")
    await database.run(actions.snooze, delivery, "U_DANA", SOMEDAY + 1, SOMEDAY)
    await database.run(lambda connection: connection.execute(update(job_changes).values(payload=None)))

    assert await database.run(actions.resume_snoozed, SOMEDAY + 1)

    assert await database.run(delivery_states, delivery.job_change_id) == [DeliveryState.DELIVERED]


async def test_what_people_wrote_is_forgotten_with_the_job_change_and_still_counted(database):
    """Their words may hold a name; that there was a report stays."""
    [delivery] = await told(database, "U_DANA")
    await database.run(actions.report, delivery, "U_DANA", "other", "Ada is my sister", SOMEDAY)

    assert await database.run(housekeeping.erase_expired, "T1", 0, SOMEDAY + 1) == SOMEDAY + 1  # there is no more

    words = await database.run(lambda connection: connection.execute(select(wrong_data.c.words)).scalars().all())
    assert words == [None]
    assert await database.run(actions.count_reports, "T1", SOMEDAY) == 1
    assert await database.run(actions.count_reports, "T1", SOMEDAY + 1) == 0
