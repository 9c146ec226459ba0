"""Delivering a job change again to a destination that has it, and marking the messages that then have to be redrawn."""

from __future__ import annotations

import pytest
from sqlalchemy import insert, select

from domain.decision.reasons import legacy, to_stored
from domain.delivery import NewDelivery
from domain.states import HandlingState, Role
from store.delivery import redraws
from store.delivery.deliveries import deliver_again
from store.delivery.posts import settle
from store.delivery.settlements import Failed, Sent
from store.schema import deliveries, handlings
from store.schema import redraws as rows
from tests.conftest import SOMEDAY
from tests.store.sample_rows import LEASE_MS, add_routed, add_workspace, claim, lane_of

LATER = SOMEDAY + 60_000


@pytest.fixture(autouse=True)
async def workspace(database):
    return await database.run(add_workspace)


async def send(database, destination="U_DANA", ts="1.1", *, job_change_id=None, now=SOMEDAY):
    """Deliver and send. Return the ids of the job change and of the post."""
    (job_change_id,) = await database.run(add_routed, destination, job_change_id=job_change_id, now=now)
    return job_change_id, await send_waiting(database, ts, now)


async def send_waiting(database, ts, now):
    (claimed,) = await database.run(claim, now)
    await database.run(settle, [Sent(claimed, now, f"D_{claimed.channel}", ts)])
    return claimed.post_id


def again(job_change_id, destination="U_DANA", role=Role.DRI):
    return NewDelivery(job_change_id, destination, role, legacy("Kim passed it on."), "current")


async def marked(database):
    columns = select(rows.c.post_id, rows.c.version, rows.c.due_at, rows.c.attempts).order_by(rows.c.post_id)
    return await database.run(lambda connection: connection.execute(columns).all())


async def test_what_was_delivered_before_is_a_new_message_with_its_own_reason(database):
    """It counts as new in every way, and the message before is redrawn."""
    job_change_id, first_post = await send(database)

    await database.run(deliver_again, "T1", again(job_change_id, role=Role.CHANNEL), LATER)

    row = await database.run(lambda connection: connection.execute(select(deliveries)).one())
    assert (row.state, row.attempts, row.plainness, row.created_at) == ("pending", 0, 0, LATER)
    assert (row.post_id, row.last_error, row.last_code, row.settled_at) == (None, None, None, None)
    assert (row.role, row.side, row.reason) == (Role.CHANNEL, "current", "Kim passed it on.")
    assert row.reasons == to_stored(legacy("Kim passed it on."))
    assert (await database.run(lane_of, "U_DANA")).due_at == LATER
    assert await marked(database) == [(first_post, 1, LATER, 0)]
    await send_waiting(database, "2.2", LATER)
    await database.run(redraws.mark, job_change_id, LATER)
    assert len(await marked(database)) == 2


async def test_what_failed_before_is_tried_again_without_a_message_to_redraw(database):
    """Slack never had one."""
    (job_change_id,) = await database.run(add_routed, "U_DANA")
    (claimed,) = await database.run(claim)
    await database.run(settle, [Failed(claimed, SOMEDAY, "too long", "msg_too_long")])

    await database.run(deliver_again, "T1", again(job_change_id), LATER)

    row = await database.run(lambda connection: connection.execute(select(deliveries)).one())
    assert (row.state, row.last_error, row.last_code, row.post_id) == ("pending", None, None, None)
    assert await marked(database) == []


@pytest.mark.parametrize("state", [HandlingState.REASSIGNED, HandlingState.TAKEN])
async def test_what_was_reassigned_is_open_again_and_shown_so_everywhere(database, state):
    """Also if its own message has not been sent yet. What a person took stays theirs."""
    job_change_id, of_dana = await send(database)
    await database.run(add_routed, "U_KIM", job_change_id=job_change_id)
    of_kim = select(deliveries.c.id).where(deliveries.c.state == "pending")
    delivery_id = await database.run(lambda connection: connection.execute(of_kim).scalar_one())
    values = {"delivery_id": delivery_id, "job_change_id": job_change_id, "state": state}
    handled = insert(handlings).values(**values, actor="U_KIM", at=SOMEDAY, given_to="U_LEE")
    await database.run(lambda connection: connection.execute(handled) and None)

    await database.run(deliver_again, "T1", again(job_change_id, "U_KIM"), LATER)

    columns = select(handlings.c.state, handlings.c.actor, handlings.c.at, handlings.c.given_to)
    handling = await database.run(lambda connection: connection.execute(columns).one())
    if state is HandlingState.REASSIGNED:
        assert handling == (HandlingState.OPEN, None, None, None)
        assert await marked(database) == [(of_dana, 1, LATER, 0)]
    else:
        assert handling == (state, "U_KIM", SOMEDAY, "U_LEE")
        assert await marked(database) == []


async def test_a_message_that_changes_while_it_is_redrawn_is_redrawn_again(database):
    """By the process that redraws it now, or at once if nobody does. Earlier failures no longer delay it."""
    job_change_id, post_id = await send(database)
    await database.run(redraws.mark, job_change_id, SOMEDAY)
    (leased,) = await database.run(redraws.claim, SOMEDAY, LEASE_MS, 9)
    await database.run(redraws.mark, job_change_id, SOMEDAY + 1)
    assert await database.run(redraws.claim, SOMEDAY + 1, LEASE_MS, 9) == []
    await database.run(redraws.finish, leased, SOMEDAY + 2)
    assert await marked(database) == [(post_id, 2, SOMEDAY + 2, 0)]

    (late,) = await database.run(redraws.claim, SOMEDAY + 2, LEASE_MS, 9)
    await database.run(redraws.postpone, late, LATER)
    assert await marked(database) == [(post_id, 2, LATER, 1)]
    await database.run(redraws.mark, job_change_id, SOMEDAY + 3)
    assert await marked(database) == [(post_id, 3, SOMEDAY + 3, 0)]
    (last,) = await database.run(redraws.claim, SOMEDAY + 3, LEASE_MS, 9)
    assert (last.workspace_id, last.destination, last.channel, last.ts) == ("T1", "U_DANA", "D_U_DANA", "1.1")
    assert (last.version, last.lease_until) == (3, SOMEDAY + 3 + LEASE_MS)
    await database.run(redraws.finish, last, SOMEDAY + 4)
    assert await marked(database) == []


async def test_a_process_that_lost_its_lease_does_not_end_the_redraw_of_another(database):
    """It may have drawn what was there before."""
    job_change_id, post_id = await send(database)
    await database.run(redraws.mark, job_change_id, SOMEDAY)
    (slow,) = await database.run(redraws.claim, SOMEDAY, LEASE_MS, 9)
    (other,) = await database.run(redraws.claim, SOMEDAY + LEASE_MS, LEASE_MS, 9)

    await database.run(redraws.finish, slow, SOMEDAY + LEASE_MS + 1)

    assert [post for post, *_ in await marked(database)] == [post_id]
    await database.run(redraws.finish, other, SOMEDAY + LEASE_MS + 2)
    assert await marked(database) == []
