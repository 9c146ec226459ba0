"""The results of rules: what was sent because of a rule, and what people did with it."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from domain.decision.reasons import legacy
from domain.delivery import NewDelivery
from domain.rule_versions import EVERYTHING_ELSE, RuleFigures
from domain.states import DEFAULT_CHANNEL, HandlingState, Role
from store.delivery.posts import settle
from store.delivery.settlements import Moved, Sent
from store.home import scorecard
from store.messages import actions
from store.schema import deliveries
from tests.conftest import SOMEDAY
from tests.store.sample_rows import add_routed, add_workspace, claim

DAY = 24 * 60 * 60 * 1_000
MINUTE = 60_000


@pytest.fixture(autouse=True)
async def workspace(database):
    return await database.run(add_workspace)


def send(connection, now=SOMEDAY):
    settle(
        connection, [Sent(each, now, f"D{each.lane_id}", f"{now}.{each.lane_id}") for each in claim(connection, now)]
    )


def sent(connection, *destinations, rule, role=Role.DRI, now=SOMEDAY):
    """Send a job change to each destination because of a rule. Return the deliveries."""
    ids = add_routed(connection, *destinations, rule=rule, role=role, now=now)
    send(connection, now)
    of_job_change = select(deliveries.c.id).where(deliveries.c.job_change_id.in_(ids)).order_by(deliveries.c.id)
    return [actions.find(connection, "T1", id_) for id_ in connection.execute(of_job_change).scalars()]


async def last_30_days(database, now=SOMEDAY):
    figures = await database.run(scorecard.figures, "T1", now)
    return {rule: windows[30] for rule, windows in figures.items()}


async def test_whatever_people_do_counts_as_acted_on_once(database):
    """Taken, finished, reassigned, snoozed or reported, each by its first action."""
    people = ("U1", "U2", "U3", "U4", "U5", "U6")
    taken, done, reassigned, snoozed, reported, _ = await database.run(sent, *people, rule="Champions")
    later = SOMEDAY + 10 * MINUTE

    await database.run(actions.take, taken, "U1", SOMEDAY + 2 * MINUTE)
    await database.run(actions.finish, taken, "U1", HandlingState.DONE, SOMEDAY + DAY)
    await database.run(actions.finish, done, "U2", HandlingState.NOT_RELEVANT, later)
    new = NewDelivery(reassigned.job_change_id, "U9", Role.DRI, legacy("Yours."))
    await database.run(actions.reassign, reassigned, "U3", "U9", new, later)
    await database.run(actions.snooze, snoozed, "U4", SOMEDAY + DAY, later)
    await database.run(actions.report, reported, "U5", "not_moved", None, SOMEDAY + 20 * MINUTE)
    await database.run(send, later)

    assert await last_30_days(database) == {"Champions": RuleFigures(6, 5, 1, 1, 10 * MINUTE)}


async def test_a_snoozed_job_change_keeps_the_time_of_its_first_message(database):
    """It was acted on before it was sent again."""
    [snoozed] = await database.run(sent, "U1", rule="Champions")
    await database.run(actions.snooze, snoozed, "U1", SOMEDAY + DAY, SOMEDAY + MINUTE)
    await database.run(actions.resume_snoozed, SOMEDAY + DAY)
    await database.run(send, SOMEDAY + DAY)

    assert await last_30_days(database, SOMEDAY + DAY) == {"Champions": RuleFigures(1, 1, 0, 0, MINUTE)}


async def test_what_one_person_does_counts_for_every_rule_that_sent_the_job_change(database):
    """A job change has one state. But only who got a direct message can say that it is not theirs."""
    [dana] = await database.run(sent, "U_DANA", rule="Champions")
    await database.run(add_routed, DEFAULT_CHANNEL, rule="Targets", role=Role.CHANNEL, job_change_id=dana.job_change_id)
    await database.run(send)
    new = NewDelivery(dana.job_change_id, "U9", Role.DRI, legacy("Yours."))
    await database.run(actions.reassign, dana, "U_DANA", "U9", new, SOMEDAY + MINUTE)

    figures = await last_30_days(database)

    assert figures == {"Champions": RuleFigures(1, 1, 1, 0, MINUTE), "Targets": RuleFigures(1, 1, 0, 0, MINUTE)}


async def test_an_action_counts_even_if_it_was_stored_before_that_the_message_was_sent(database):
    """After a crash, the app learns only later that the message is there."""
    [job_change_id] = await database.run(add_routed, "U1", rule="Champions")
    claims = await database.run(claim)
    delivery = await database.run(actions.find, "T1", claims[0].deliveries[0].id)
    await database.run(actions.take, delivery, "U1", SOMEDAY + MINUTE)

    await database.run(settle, [Sent(claims[0], SOMEDAY + 2 * MINUTE, "D1", "1.1")])

    assert delivery.job_change_id == job_change_id
    assert await last_30_days(database) == {"Champions": RuleFigures(1, 1, 0, 0, 0)}


async def test_what_moves_to_the_default_channel_counts_once_for_its_rule(database):
    """Also if the channel has had a copy, which counts for no rule itself."""
    [with_copy] = await database.run(add_routed, DEFAULT_CHANNEL, role=Role.COPY)
    await database.run(send)
    await database.run(add_routed, "U1", rule="Champions", job_change_id=with_copy)
    await database.run(add_routed, "U1", rule=EVERYTHING_ELSE, now=SOMEDAY)

    claims = await database.run(claim)
    await database.run(settle, [Moved(each, SOMEDAY, legacy("U1 left."), "left") for each in claims])
    await database.run(send, SOMEDAY + 5_000)

    counted = {"Champions": RuleFigures(1), EVERYTHING_ELSE: RuleFigures(1)}
    assert await last_30_days(database) == counted


async def test_figures_are_those_of_the_window_and_the_workspace(database):
    """By the time at which a message was sent."""
    await database.run(sent, "U1", rule="Champions", now=SOMEDAY - 60 * DAY)
    await database.run(sent, "U1", rule="Champions", now=SOMEDAY)
    await database.run(add_workspace, "T2")

    figures = await database.run(scorecard.figures, "T1", SOMEDAY)

    assert {days: found.sent for days, found in figures["Champions"].items()} == {30: 1, 90: 2}
    assert await database.run(scorecard.figures, "T2", SOMEDAY) == {}
    assert await database.run(scorecard.figures, "T1", SOMEDAY + 91 * DAY) == {}
