"""Actions on deliveries: one of several people wins, the new destination is notified, and messages are marked."""

from __future__ import annotations

import asyncio

from sqlalchemy import select, update

from domain.decision.reasons import legacy
from domain.delivery import NewDelivery
from domain.states import DEFAULT_CHANNEL, DeliveryState, HandlingState, Role
from store.delivery import posts, redraws
from store.delivery.settlements import Sent
from store.messages import actions, histories
from store.operations import housekeeping
from store.schema import deliveries, job_changes, lanes, wrong_data
from tests.conftest import SOMEDAY
from tests.store.sample_rows import LEASE_MS, add_routed, add_workspace, claim, delivery_states

WORDS = "Dana Reyes reassigned it to you."


def tell(connection, *destinations, now=SOMEDAY):
    """Add a job change with a delivery for each destination. Return its id."""
    [job_change_id] = add_routed(connection, destinations[0], now=now)
    for other in destinations[1:]:
        add_routed(connection, other, role=Role.FALLBACK, job_change_id=job_change_id, now=now)
    send(connection, now)
    return job_change_id


def send(connection, now):
    """Post everything that is due."""
    sent = [Sent(each, now, f"D{each.lane_id}", f"{now}.{each.lane_id}") for each in claim(connection, now)]
    posts.settle(connection, sent)


def found(connection, job_change_id, destination):
    """Return the delivery to this destination."""
    [delivery_id] = connection.execute(
        select(deliveries.c.id)
        .join(lanes, lanes.c.id == deliveries.c.lane_id)
        .where(deliveries.c.job_change_id == job_change_id, lanes.c.destination == destination)
    ).scalars()
    return actions.find(connection, "T1", delivery_id)


async def delivered_to(database, *destinations):
    """Add a workspace with a delivered job change. Return the deliveries."""
    await database.run(add_workspace)
    job_change_id = await database.run(tell, *destinations)
    return [await database.run(found, job_change_id, destination) for destination in destinations]


def to(delivery, destination, role=Role.DRI):
    return NewDelivery(delivery.job_change_id, destination, role, legacy(WORDS), delivery.side)


async def test_only_one_of_many_people_takes_a_delivery(database):
    """The first connection wins, and the others learn that they were too late."""
    [delivery] = await delivered_to(database, DEFAULT_CHANNEL)

    won = await asyncio.gather(*(database.run(actions.take, delivery, f"U{number}", SOMEDAY) for number in range(12)))

    assert won.count(True) == 1
    now = await database.run(actions.find, "T1", delivery.id)
    assert (now.state, now.actor) == ("taken", f"U{won.index(True)}")


async def test_a_job_change_has_one_state_in_all_of_its_messages(database):
    """Whoever takes it first has it, also if they use different messages at the same moment."""
    for number in range(4):
        destinations = ("U_DANA", "U_KIM", DEFAULT_CHANNEL)
        if number == 0:
            await database.run(add_workspace)
        job_change_id = await database.run(tell, *destinations, now=SOMEDAY + 2_000 * number)
        dana, kim, channel = [await database.run(found, job_change_id, destination) for destination in destinations]

        won = await asyncio.gather(
            database.run(actions.take, dana, "U_DANA", SOMEDAY),
            database.run(actions.take, channel, "U_MO", SOMEDAY),
            database.run(actions.finish, kim, "U_KIM", HandlingState.NOT_RELEVANT, SOMEDAY),
        )

        assert won.count(True) == 1
        holder = ["U_DANA", "U_MO", "U_KIM"][won.index(True)]
        states = [await database.run(actions.find, "T1", each.id) for each in (dana, kim, channel)]
        assert {(state.state, state.actor) for state in states} == {(states[0].state, holder)}


async def test_the_person_who_is_on_it_finishes_and_reopens_it(database):
    """From any of its messages; nobody else can."""
    dana, kim, channel = await delivered_to(database, "U_DANA", "U_KIM", DEFAULT_CHANNEL)
    await database.run(actions.take, channel, "U_KIM", SOMEDAY)

    assert not await database.run(actions.finish, dana, "U_DANA", HandlingState.DONE, SOMEDAY)
    assert not await database.run(actions.reopen, kim, "U_KIM", SOMEDAY)
    assert await database.run(actions.finish, kim, "U_KIM", HandlingState.DONE, SOMEDAY + 1)
    assert not await database.run(actions.reopen, dana, "U_DANA", SOMEDAY)

    states = [await database.run(actions.find, "T1", each.id) for each in (dana, kim, channel)]
    assert {(state.state, state.actor, state.at) for state in states} == {("done", "U_KIM", SOMEDAY + 1)}
    assert await database.run(actions.reopen, kim, "U_KIM", SOMEDAY + 2)
    assert (await database.run(actions.find, "T1", dana.id)).state == "taken"


async def test_taking_it_ends_every_snooze(database):
    """Nobody gets again what a colleague is on."""
    dana, kim = await delivered_to(database, "U_DANA", "U_KIM")
    await database.run(actions.snooze, dana, "U_DANA", SOMEDAY + 1, SOMEDAY)

    await database.run(actions.take, kim, "U_KIM", SOMEDAY)

    assert not await database.run(actions.resume_snoozed, SOMEDAY + 1)


async def test_taking_and_reassigning_at_once_has_one_winner(database):
    """Either it is taken and was not reassigned, or the other way round."""
    for number in range(6):
        channel = await delivered_numbered(database, number)
        took, reassigned = await asyncio.gather(
            database.run(actions.take, channel, "U_KIM", SOMEDAY),
            database.run(actions.reassign, channel, "U_MO", "U_LEE", to(channel, "U_LEE"), SOMEDAY),
        )

        assert took != reassigned
        added = (await database.run(delivery_states, channel.job_change_id))[1:]
        assert added == ([DeliveryState.PENDING] if reassigned else [])


async def delivered_numbered(database, number):
    if number == 0:
        return (await delivered_to(database, DEFAULT_CHANNEL))[0]
    job_change_id = await database.run(tell, DEFAULT_CHANNEL, now=SOMEDAY + 2_000 * number)
    return await database.run(found, job_change_id, DEFAULT_CHANNEL)


async def test_two_people_who_reassign_to_each_other_both_get_it(database):
    """There is no deadlock, and both are notified again."""
    dana, kim = await delivered_to(database, "U_DANA", "U_KIM")

    reassigned = await asyncio.gather(
        database.run(actions.reassign, dana, "U_DANA", "U_KIM", to(dana, "U_KIM"), SOMEDAY),
        database.run(actions.reassign, kim, "U_KIM", "U_DANA", to(kim, "U_DANA"), SOMEDAY),
    )

    assert reassigned == [True, True]
    assert await database.run(delivery_states, dana.job_change_id) == [DeliveryState.PENDING, DeliveryState.PENDING]


async def test_a_reassigned_delivery_cannot_be_reassigned_again(database):
    """Neither by the person who did it, nor by another who sees the same message."""
    [channel] = await delivered_to(database, DEFAULT_CHANNEL)
    await database.run(actions.reassign, channel, "U_KIM", "U_MO", to(channel, "U_MO"), SOMEDAY)

    for actor in ("U_KIM", "U_DANA"):
        assert not await database.run(actions.reassign, channel, actor, "U_LEE", to(channel, "U_LEE"), SOMEDAY)
        assert not await database.run(actions.return_to_channel, channel, actor, to(channel, DEFAULT_CHANNEL), SOMEDAY)


async def test_a_delivery_of_another_workspace_is_not_found(database):
    """The ids count over all workspaces."""
    [delivery] = await delivered_to(database, "U_DANA")
    await database.run(add_workspace, "T2")

    assert await database.run(actions.find, "T2", delivery.id) is None


async def test_delivering_again_uses_the_same_delivery_with_a_new_reason(database):
    """It waits in its lane, its attempts and time limit start again, and the earlier message is remembered."""
    [delivery] = await delivered_to(database, "U_DANA")
    await database.run(actions.snooze, delivery, "U_DANA", SOMEDAY + 5_000, SOMEDAY)

    assert not await database.run(actions.resume_snoozed, SOMEDAY + 4_999)
    assert await database.run(actions.resume_snoozed, SOMEDAY + 5_000)
    assert not await database.run(actions.resume_snoozed, SOMEDAY + 5_000)

    row = await database.run(lambda connection: connection.execute(select(deliveries)).one())
    assert (row.state, row.attempts, row.created_at) == (DeliveryState.PENDING, 0, SOMEDAY + 5_000)
    await database.run(send, SOMEDAY + 6_000)
    drawn = await database.run(redraws.claim, SOMEDAY + 6_000, LEASE_MS, 9)
    assert [await members(database, each) for each in drawn] == [[delivery.id]]
    history = await database.run(histories.histories, [delivery.job_change_id])
    assert [each.back_at for each in history[delivery.job_change_id].snoozes] == [SOMEDAY + 5_000]


async def test_two_workers_end_a_snooze_once(database):
    """Both look at the same moment."""
    [delivery] = await delivered_to(database, "U_DANA")
    await database.run(actions.snooze, delivery, "U_DANA", SOMEDAY + 1, SOMEDAY)

    back = await asyncio.gather(*(database.run(actions.resume_snoozed, SOMEDAY + 1) for _ in range(4)))

    assert back.count(True) == 1


async def members(database, redraw):
    return [each.id for each in await database.run(redraws.deliveries_in, redraw.post_id)]


async def test_every_message_about_it_is_marked_in_the_same_transaction(database):
    """That of the reader and that of the channel."""
    dana, _ = await delivered_to(database, "U_DANA", DEFAULT_CHANNEL)

    await database.run(actions.take, dana, "U_DANA", SOMEDAY)

    drawn = await database.run(redraws.claim, SOMEDAY, LEASE_MS, 9, dana.job_change_id)
    assert {each.destination for each in drawn} == {"U_DANA", DEFAULT_CHANNEL}
    assert all(each.ts for each in drawn)


async def test_a_message_that_is_being_sent_is_marked_too(database):
    """It was composed before the action, and may show an outdated state."""
    await database.run(add_workspace)
    [job_change_id] = await database.run(add_routed, "U_DANA")
    await database.run(claim)
    delivery = await database.run(found, job_change_id, "U_DANA")
    await database.run(actions.report, delivery, "U_DANA", "other", None, SOMEDAY)

    [redraw] = await database.run(redraws.claim, SOMEDAY, LEASE_MS, 9)

    assert redraw.ts is None
    assert await database.run(delivery_states, job_change_id) == [DeliveryState.SENDING]


async def test_a_message_is_redrawn_by_one_process_and_again_after_a_change(database):
    """An older rendering never replaces a newer one."""
    [delivery] = await delivered_to(database, "U_DANA")
    await database.run(actions.take, delivery, "U_DANA", SOMEDAY)
    [first] = await database.run(redraws.claim, SOMEDAY, LEASE_MS, 9)

    await database.run(actions.report, delivery, "U_DANA", "other", None, SOMEDAY)
    assert await database.run(redraws.claim, SOMEDAY, LEASE_MS, 9) == []
    await database.run(redraws.finish, first, SOMEDAY)
    [second] = await database.run(redraws.claim, SOMEDAY, LEASE_MS, 9)
    await database.run(redraws.finish, second, SOMEDAY)

    assert second.version > first.version
    assert await database.run(redraws.claim, SOMEDAY + LEASE_MS, LEASE_MS, 9) == []


async def test_the_redraw_of_a_dead_process_is_taken_over(database):
    """When its lease ends. If the process continues after that, it settles nothing."""
    [delivery] = await delivered_to(database, "U_DANA")
    await database.run(actions.take, delivery, "U_DANA", SOMEDAY)
    [dead] = await database.run(redraws.claim, SOMEDAY, LEASE_MS, 9)

    [alive] = await database.run(redraws.claim, SOMEDAY + LEASE_MS, LEASE_MS, 9)
    await database.run(redraws.drop, dead)
    await database.run(redraws.postpone, dead, SOMEDAY)

    assert await database.run(redraws.claim, SOMEDAY + LEASE_MS, LEASE_MS, 9) == []
    assert alive.post_id == dead.post_id


async def test_a_snoozed_job_change_that_was_erased_is_not_sent(database):
    """There is nothing left to show."""
    [delivery] = await delivered_to(database, "U_DANA")
    await database.run(actions.snooze, delivery, "U_DANA", SOMEDAY + 1, SOMEDAY)
    await database.run(lambda connection: connection.execute(update(job_changes).values(payload=None)))

    assert await database.run(actions.resume_snoozed, SOMEDAY + 1)

    assert await database.run(delivery_states, delivery.job_change_id) == [DeliveryState.DELIVERED]


async def test_comments_are_erased_with_the_job_change_and_reports_still_counted(database):
    """A comment may hold a name. That there was a report remains."""
    [delivery] = await delivered_to(database, "U_DANA")
    await database.run(actions.report, delivery, "U_DANA", "other", "Ada is my sister", SOMEDAY)

    assert await database.run(housekeeping.erase_expired, "T1", 0, SOMEDAY + 1) == SOMEDAY + 1  # there is no more

    words = await database.run(lambda connection: connection.execute(select(wrong_data.c.words)).scalars().all())
    assert words == [None]
    assert await database.run(actions.count_reports, "T1", SOMEDAY) == 1
    assert await database.run(actions.count_reports, "T1", SOMEDAY + 1) == 0
