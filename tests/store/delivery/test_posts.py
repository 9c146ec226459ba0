"""Settling posts: each way one can end, and the effect on deliveries, lanes and job changes."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from domain.decision.reasons import legacy, to_stored
from domain.delivery import NewDelivery, TraceStep
from domain.states import DEFAULT_CHANNEL, DeliveryState, Outcome, Role, Step
from domain.workspace import OutgoingWebhook, WebhookEvent
from store.delivery import reminders as reminders_store
from store.delivery import webhooks
from store.delivery.deliveries import deliver_again
from store.delivery.failed import failures
from store.delivery.posts import settle
from store.delivery.reminders import HOUR_MS
from store.delivery.settlements import Failed, InDoubt, Moved, Parked, Postponed, Sent
from store.delivery.trace import steps_of
from store.schema import deliveries, posts, reminders
from store.slack import workspaces
from tests.conftest import SOMEDAY
from tests.store.sample_rows import (
    LEASE_MS,
    add_routed,
    add_workspace,
    claim,
    delivery_states,
    lane_of,
    outcome_of,
    post_states,
)


@pytest.fixture(autouse=True)
async def workspace(database):
    return await database.run(add_workspace)


async def test_a_sent_post_ends_its_job_changes_as_delivered_to_the_dri(database):
    """Every job change ends with exactly one outcome."""
    ids = await database.run(add_routed, "U_DANA", "U_DANA")
    (claimed,) = await database.run(claim)

    await database.run(settle, [Sent(claimed, SOMEDAY + 1, "D_DANA", "1.1")])

    assert await database.run(delivery_states, *ids) == ["delivered", "delivered"]
    assert {(await database.run(outcome_of, each))[:2] for each in ids} == {("delivered", "dri")}
    assert await database.run(post_states) == ["sent"]


async def test_a_delivery_to_the_default_channel_is_stored_with_its_reason(database):
    """The reason why no DRI was notified is part of the outcome."""
    (job_change_id,) = await database.run(add_routed, DEFAULT_CHANNEL, role=Role.FALLBACK)
    (claimed,) = await database.run(claim)

    await database.run(settle, [Sent(claimed, SOMEDAY, "C_DEFAULT", "1.1")])

    assert await database.run(outcome_of, job_change_id) == ("delivered", "channel", "You own it.")


async def test_a_copy_never_decides_the_outcome(database):
    """The copy may arrive while the message to the DRI is waiting."""
    (job_change_id,) = await database.run(add_routed, DEFAULT_CHANNEL, role=Role.COPY)
    (claimed,) = await database.run(claim)

    await database.run(settle, [Sent(claimed, SOMEDAY, "C_DEFAULT", "1.1")])

    assert (await database.run(outcome_of, job_change_id))[0] is None


async def test_sent_is_stored_even_if_the_lease_was_lost(database):
    """The message was sent. The lane, which another worker holds now, is left alone."""
    ids = await database.run(add_routed, "U_DANA")
    (late,) = await database.run(claim)
    (other,) = await database.run(claim, SOMEDAY + LEASE_MS)

    await database.run(settle, [Sent(late, SOMEDAY + LEASE_MS + 1, "D_DANA", "1.1")])

    assert await database.run(delivery_states, *ids) == ["delivered"]
    assert (await database.run(lane_of, "U_DANA")).lease == other.lease


async def test_its_reminder_is_not_started_again_by_a_worker_that_is_late(database):
    """It may be on its way already. Otherwise the reader would be reminded twice."""
    await database.run(workspaces.change, "T1", None, reminder_hours=4)
    await database.run(add_routed, "U_DANA")
    (late,) = await database.run(claim)
    (other,) = await database.run(claim, SOMEDAY + LEASE_MS)
    await database.run(settle, [Sent(other, SOMEDAY + LEASE_MS + 1, "D_DANA", "1.1")])
    before = await database.run(reminder_times)

    await database.run(settle, [Sent(late, SOMEDAY + LEASE_MS + 2, "D_DANA", "1.1")])

    assert await database.run(reminder_times) == before == [SOMEDAY + LEASE_MS + 1]


async def test_a_reminder_starts_again_for_a_message_that_is_sent_again(database):
    """With the hours that the workspace wants now. What happened to the earlier reminder is forgotten."""
    await database.run(workspaces.change, "T1", None, reminder_hours=4)
    (job_change_id,) = await database.run(add_routed, "U_DANA")
    (first,) = await database.run(claim)
    await database.run(settle, [Sent(first, SOMEDAY, "D_DANA", "1.1")])
    due = SOMEDAY + 4 * HOUR_MS
    (reminder,) = await database.run(reminders_store.claim, due, LEASE_MS, 9)
    await database.run(reminders_store.begin, [reminder], due, LEASE_MS, "post", "1.1")
    await database.run(reminders_store.record_reminded, [reminder], due, "in the thread", escalates=True)
    await database.run(workspaces.change, "T1", None, reminder_hours=8)
    new = NewDelivery(job_change_id, "U_DANA", Role.DRI, legacy("Kim passed it on."))
    await database.run(deliver_again, "T1", new, due)
    (again,) = await database.run(claim, due)

    await database.run(settle, [Sent(again, due, "D_DANA", "2.2")])

    row = await database.run(lambda connection: connection.execute(select(reminders)).one())
    assert (row.told_at, row.hours, row.due_at, row.attempts) == (due, 8, due + 8 * HOUR_MS, 0)
    assert (row.lease, row.begun_at, row.post_id, row.reminded_at) == (None, None, None, None)


def reminder_times(connection) -> list[int]:
    return list(connection.execute(select(reminders.c.told_at)).scalars())


async def test_if_a_message_is_there_twice_the_one_stored_first_is_updated(database):
    """What was done with it is shown there. The other one may come to light minutes later."""
    await database.run(add_routed, DEFAULT_CHANNEL)
    (late,) = await database.run(claim)
    (other,) = await database.run(claim, SOMEDAY + LEASE_MS)
    await database.run(settle, [Sent(other, SOMEDAY + LEASE_MS + 1, "C_DEFAULT", "2.2")])

    await database.run(settle, [Sent(late, SOMEDAY + LEASE_MS + 2, "C_DEFAULT", "1.1")])

    assert await database.run(lambda connection: connection.execute(select(posts.c.ts)).scalars().all()) == ["2.2"]


async def test_a_worker_without_its_lease_changes_nothing_else(database):
    """It must not release what another worker is sending."""
    ids = await database.run(add_routed, "U_DANA")
    (late,) = await database.run(claim)
    await database.run(claim, SOMEDAY + LEASE_MS)

    due = await database.run(settle, [Postponed(late, SOMEDAY, SOMEDAY, "reset")])

    assert due == [None]
    assert await database.run(delivery_states, *ids) == ["sending"]


async def test_a_postponed_delivery_keeps_its_place(database):
    """It was certainly not sent, so it may be bundled differently, in the same order, when it is due."""
    ids = await database.run(add_routed, "U_DANA")
    (claimed,) = await database.run(claim)
    await database.run(settle, [Postponed(claimed, SOMEDAY, SOMEDAY + 4_000, "connection refused")])
    ids += await database.run(add_routed, "U_DANA")

    assert await database.run(claim, SOMEDAY + 3_999) == []
    (again,) = await database.run(claim, SOMEDAY + 4_000)
    assert [each.job_change_id for each in again.deliveries] == ids
    assert again.failures == 1


async def test_being_asked_to_wait_is_not_a_failure(database):
    """It uses up no attempt and does not increase the backoff."""
    await database.run(add_routed, "U_DANA")
    (claimed,) = await database.run(claim)

    await database.run(settle, [Postponed(claimed, SOMEDAY, SOMEDAY + 30_000, "429", is_failure=False)])

    attempts = await database.run(lambda connection: connection.execute(select(deliveries.c.attempts)).scalar_one())
    assert ((await database.run(lane_of, "U_DANA")).failures, attempts) == (0, 0)


async def test_a_post_in_doubt_keeps_its_deliveries(database):
    """Until the result is known, they can be neither sent in another post nor forgotten."""
    ids = await database.run(add_routed, "U_DANA")
    (claimed,) = await database.run(claim)

    await database.run(settle, [InDoubt(claimed, SOMEDAY, SOMEDAY + 1_000, "timed out", by_answer=True)])

    assert await database.run(delivery_states, *ids) == ["sending"]
    assert await database.run(post_states) == ["sending"]


async def test_a_delivery_that_cannot_work_fails_with_its_reason(database):
    """It ends visibly, for a receiver of events too, and frees its lane."""
    await database.run(webhooks.save, OutgoingWebhook("T1", "url", "secret", "host", WebhookEvent.FAILED))
    (job_change_id,) = await database.run(add_routed, "U_DANA")
    (claimed,) = await database.run(claim)

    await database.run(settle, [Failed(claimed, SOMEDAY, "too long")])

    assert await database.run(outcome_of, job_change_id) == (Outcome.FAILED, None, "too long")
    assert [each.reason for each in await database.run(failures, "T1")] == ["too long"]
    assert await database.run(steps_of, job_change_id) == [TraceStep(job_change_id, SOMEDAY, Step.FAILED, "too long")]
    assert (await database.run(lane_of, "U_DANA")).due_at is None
    (event,) = await database.run(webhooks.claim, SOMEDAY, LEASE_MS, 9)
    assert (event.event, event.job_change_id, event.at) == (WebhookEvent.FAILED, job_change_id, SOMEDAY)


async def test_a_dead_direct_message_moves_to_the_default_channel(database):
    """The job change is posted there with the reason, and ends once."""
    (job_change_id,) = await database.run(add_routed, "U_GONE")
    (claimed,) = await database.run(claim)
    reasons = legacy("The DRI's account is disabled.")
    await database.run(settle, [Moved(claimed, SOMEDAY, reasons, "disabled", "user_disabled")])

    (moved,) = await database.run(claim)
    await database.run(settle, [Sent(moved, SOMEDAY, "C_DEFAULT", "1.1")])

    assert moved.channel == "C_DEFAULT"
    assert [each.role for each in moved.deliveries] == [Role.FALLBACK]
    assert await database.run(delivery_states, job_change_id) == ["moved", "delivered"]
    columns = (deliveries.c.settled_at, deliveries.c.last_error, deliveries.c.last_code)
    rows = await database.run(lambda connection: connection.execute(select(*columns).order_by(deliveries.c.id)).all())
    assert rows[0] == (SOMEDAY, "The DRI's account is disabled.", "user_disabled")
    (step,) = await database.run(steps_of, job_change_id)
    assert (step.step, step.at, step.detail) == (Step.MOVED, SOMEDAY, "The DRI's account is disabled.")
    assert await database.run(outcome_of, job_change_id) == ("delivered", "channel", "The DRI's account is disabled.")


async def test_a_copy_for_a_dead_direct_message_fails_while_the_rest_of_its_post_moves(database):
    """Nobody has to act on a copy, so the channel does not need it. The lane is free again."""
    (to_act_on,) = await database.run(add_routed, "U_GONE")
    (copied,) = await database.run(add_routed, "U_GONE", role=Role.COPY)
    (claimed,) = await database.run(claim)

    await database.run(settle, [Moved(claimed, SOMEDAY, legacy("The DRI is gone."), "gone")])

    assert await database.run(delivery_states, to_act_on) == ["moved", "pending"]
    assert await database.run(delivery_states, copied) == [DeliveryState.FAILED]
    assert await database.run(outcome_of, copied) == (None, None, None)
    lane = await database.run(lane_of, "U_GONE")
    assert (lane.lease, lane.due_at) == (None, None)


@pytest.mark.parametrize("copy_went_first", [True, False])
async def test_a_copy_for_the_channel_becomes_the_fallback(database, copy_went_first):
    """The default channel gets one message, even if it had a copy before the direct message failed."""
    (job_change_id,) = await database.run(add_routed, "U_GONE", role=Role.DRI, rule="targets")
    await database.run(add_routed, DEFAULT_CHANNEL, role=Role.COPY, job_change_id=job_change_id)
    by_channel = {each.channel: each for each in await database.run(claim)}
    copy, dm = by_channel["C_DEFAULT"], by_channel["U_GONE"]
    sent, moved = Sent(copy, SOMEDAY, "C_DEFAULT", "1.1"), Moved(dm, SOMEDAY, legacy("The DRI is gone."), "gone")

    for settlement in [sent, moved] if copy_went_first else [moved, sent]:
        await database.run(settle, [settlement])

    assert await database.run(claim, SOMEDAY + 5_000) == []
    assert await database.run(outcome_of, job_change_id) == ("delivered", "channel", "The DRI is gone.")
    columns = (deliveries.c.state, deliveries.c.role, deliveries.c.reason, deliveries.c.reasons, deliveries.c.rule)
    rows = await database.run(lambda connection: connection.execute(select(*columns).order_by(deliveries.c.id)).all())
    gone = "The DRI is gone."
    assert rows[1] == ("delivered", Role.FALLBACK, gone, to_stored(legacy(gone)), "targets")
    assert rows[0][:2] == ("moved", Role.DRI)


async def test_a_broken_default_channel_parks_its_lane(database):
    """Its deliveries wait, and Home and status show the problem."""
    ids = await database.run(add_routed, DEFAULT_CHANNEL, role=Role.FALLBACK)
    (claimed,) = await database.run(claim)

    await database.run(settle, [Parked(claimed, SOMEDAY, "it is archived")])

    assert await database.run(delivery_states, *ids) == ["pending"]
    assert (await database.run(lane_of, DEFAULT_CHANNEL)).due_at is None
    assert (await database.run(workspaces.find, "T1")).default_channel_problem == "it is archived"


async def test_a_channel_chosen_while_the_old_one_broke_is_tried_at_once(database):
    """The problem of the old channel is not a problem of the new one."""
    await database.run(add_routed, DEFAULT_CHANNEL, role=Role.FALLBACK)
    (claimed,) = await database.run(claim)
    await database.run(workspaces.change, "T1", None, default_channel_id="C_NEW")

    await database.run(settle, [Parked(claimed, SOMEDAY, "it is archived")])

    (again,) = await database.run(claim)
    assert again.channel == "C_NEW"
    assert (await database.run(workspaces.find, "T1")).default_channel_problem is None


async def test_many_posts_are_settled_in_one_transaction(database):
    """Settlements that wait together commit together, each with the time when its lane is due next."""
    await database.run(add_routed, *["U_DANA"] * 11, "U_KIM", "U_LEE")
    claims = {each.channel: each for each in await database.run(claim)}

    due = await database.run(
        settle,
        [
            Sent(claims["U_DANA"], SOMEDAY, "D1", "1.1"),
            Sent(claims["U_KIM"], SOMEDAY, "D2", "1.1"),
            Postponed(claims["U_LEE"], SOMEDAY, SOMEDAY + 7_000, "reset"),
        ],
    )

    assert due == [SOMEDAY + 1_000, None, SOMEDAY + 7_000]


async def test_a_failed_delivery_is_not_hidden_by_one_that_was_delivered(database):
    """Where both sides are notified, a job change of which one delivery failed has failed and can be retried."""
    (job_change_id,) = await database.run(add_routed, "U_DANA")
    await database.run(add_routed, "U_KIM", job_change_id=job_change_id)
    dana, kim = await database.run(claim)
    await database.run(settle, [Sent(dana, SOMEDAY, "D_DANA", "1.1")])

    await database.run(settle, [Failed(kim, SOMEDAY + 1, "no_text")])

    assert await database.run(outcome_of, job_change_id) == (Outcome.FAILED, None, "no_text")
