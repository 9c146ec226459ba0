"""Rule sets, pools and unmatched owners as rows."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import select

from domain.audit import AuditEntry
from domain.day_counts import DAY_MS
from domain.decision.reasons import ReasonCode, legacy
from domain.delivery import MissedJobChange, NewDelivery
from domain.rule_versions import PoolAssignment
from domain.states import Outcome, Role
from store.delivery import lanes
from store.delivery.deliveries import add_deliveries
from store.delivery.failed import retry
from store.delivery.posts import settle
from store.delivery.settlements import Failed, Moved, Sent
from store.ownership import choice_state, owners, rule_sets
from store.schema import deliveries, job_changes
from tests.conftest import SOMEDAY
from tests.store.sample_rows import LEASE_MS, add_job_change, add_workspace, delivery_states, outcome_of

CHANGE = AuditEntry(SOMEDAY, "U1", "ownership: published", "x")


async def test_a_published_version_is_never_changed(database):
    """A new version is added beside it."""
    await database.run(add_workspace)
    assert await database.run(rule_sets.publish, "T1", "{}", 0, CHANGE) == 1
    assert await database.run(rule_sets.publish, "T1", "[]", 1, CHANGE) == 2
    assert await database.run(rule_sets.publish, "T1", "no", 1, CHANGE) is None
    assert await database.run(rule_sets.publish, "T_NONE", "no", None, CHANGE) is None

    assert (await database.run(rule_sets.in_force, "T1")).rules == "[]"
    assert (await database.run(rule_sets.version, "T1", 1)).rules == "{}"
    assert await database.run(rule_sets.version, "T1", 3) is None


async def test_the_state_of_pools_is_stored(database):
    """Whose turn it is and who has which account. The latest state counts."""
    await database.run(add_workspace)
    await database.run(
        choice_state.advance,
        "T1",
        {"P": "1"},
        [PoolAssignment("P", "001", "a"), PoolAssignment("P", "002", "b")],
        SOMEDAY,
    )
    await database.run(choice_state.advance, "T1", {"P": "2", "Q": "1"}, [PoolAssignment("P", "002", "c")], SOMEDAY)

    state = await database.run(choice_state.load, "T1", SOMEDAY, count_recent=False)
    wanted = [("P", "001"), ("P", "002"), ("P", "003"), ("Q", "001")]
    assert state.pools == {"P": "2", "Q": "1"}
    assert await database.run(choice_state.accounts, "T1", wanted) == {("P", "001"): "a", ("P", "002"): "c"}


async def test_absences_and_mutes_end(database):
    """At their time, or when someone ends them."""
    await database.run(add_workspace)
    await database.run(choice_state.set_absence, "T1", "U1", SOMEDAY, SOMEDAY + 10, "U2")
    await database.run(choice_state.set_absence, "T1", "U3", SOMEDAY, None, None)
    await database.run(choice_state.mute, "T1", "U1", "*", SOMEDAY + 10)

    def at(moment):
        return database.run(choice_state.load, "T1", moment, count_recent=False)

    assert (await at(SOMEDAY - 1)).delegates == {}
    assert (await at(SOMEDAY + 9)).delegates == {"U1": "U2", "U3": None}
    assert (await at(SOMEDAY + 9)).muted == {("U1", "*")}
    assert (await at(SOMEDAY + 10)).delegates == {"U3": None}
    assert (await at(SOMEDAY + 10)).muted == frozenset()
    await database.run(choice_state.end_absence, "T1", "U3")
    assert (await at(SOMEDAY + 10)).delegates == {}


async def test_deliveries_are_counted_for_a_day(database):
    """Those to a DRI."""
    await database.run(add_workspace)
    for role, destination in ((Role.DRI, "U1"), (Role.DRI, "U1"), (Role.CHANNEL, "C1")):
        job_change_id = await database.run(add_job_change, due_at=None)
        await database.run(add_deliveries, "T1", [NewDelivery(job_change_id, destination, role, legacy("x"))], SOMEDAY)

    counted = await database.run(choice_state.load, "T1", SOMEDAY + 1, count_recent=True)
    after = await database.run(choice_state.load, "T1", SOMEDAY + DAY_MS, count_recent=True)
    assert (counted.recent_counts, after.recent_counts) == ({"U1": 2}, {})


def both_sides(connection, current="U_DANA"):
    """A job change that tells Kim of the past side, and of the current one Dana or a channel."""
    add_workspace(connection)
    job_change_id = add_job_change(connection, due_at=None)
    role = Role.DRI if current.startswith("U") else Role.FALLBACK
    new = [
        NewDelivery(job_change_id, "U_KIM", Role.DRI, legacy("past"), "past"),
        NewDelivery(job_change_id, current, role, legacy("current"), "current"),
    ]
    add_deliveries(connection, "T1", new, SOMEDAY)
    return job_change_id, lanes.claim(connection, SOMEDAY, LEASE_MS, 8)


def of(claims, destination):
    return next(claim for claim in claims if claim.destination == destination)


async def test_a_failed_side_is_not_hidden_by_the_other_side(database):
    """In either order the outcome is failed, and a retry sends only what was not delivered."""
    job_change_id, claims = await database.run(both_sides)
    kim, dana = of(claims, "U_KIM"), of(claims, "U_DANA")
    assert [member.side for member in kim.deliveries + dana.deliveries] == ["past", "current"]

    await database.run(settle, [Sent(kim, SOMEDAY, "D1", "1.1")])
    assert await database.run(outcome_of, job_change_id) == ("delivered", "dri", "past")
    await database.run(settle, [Failed(dana, SOMEDAY, "refused")])
    assert await database.run(outcome_of, job_change_id) == (Outcome.FAILED, None, "refused")

    assert await database.run(retry, [job_change_id], SOMEDAY) == [job_change_id]
    assert await database.run(delivery_states, job_change_id) == ["delivered", "pending"]


async def test_the_outcome_says_that_a_dri_was_notified(database):
    """Also if a channel got the other side before."""
    job_change_id, claims = await database.run(both_sides, "C_SALES")
    await database.run(settle, [Sent(of(claims, "C_SALES"), SOMEDAY, "C_SALES", "1.1")])
    assert (await database.run(outcome_of, job_change_id))[:2] == ("delivered", "channel")
    await database.run(settle, [Sent(of(claims, "U_KIM"), SOMEDAY, "D1", "1.2")])
    assert await database.run(outcome_of, job_change_id) == ("delivered", "dri", "past")


async def test_a_delivery_that_moves_to_the_default_channel_keeps_its_side(database):
    """The reason to reach out is the same for another reader."""
    job_change_id, claims = await database.run(both_sides)
    await database.run(settle, [Moved(of(claims, "U_KIM"), SOMEDAY, legacy("gone"), "gone")])

    rows = await database.run(
        lambda connection: connection.execute(
            select(deliveries.c.role, deliveries.c.side).where(deliveries.c.job_change_id == job_change_id)
        ).all()
    )
    assert (Role.FALLBACK, "past") in {tuple(row) for row in rows}


async def test_what_an_owner_missed_is_listed_and_delivered_once(database):
    """After they were matched. What they have read meanwhile is not sent again."""
    await database.run(add_workspace)
    ids = [await database.run(add_job_change, due_at=None) for _ in range(3)]
    missed = [
        MissedJobChange("dana@x.example", each, "Dana", ReasonCode.NOT_IN_SLACK.of(), legacy("You own it."), None)
        for each in ids
    ]
    other = replace(missed[0], owner="kim@x.example", name="Kim")
    await database.run(owners.add_missed, "T1", [*missed, other, missed[0]], SOMEDAY)
    await database.run(add_deliveries, "T1", [NewDelivery(ids[0], "U_DANA", Role.DRI, legacy("x"))], SOMEDAY)

    listed = await database.run(owners.unmatched, "T1")
    assert [(one.owner, one.name, one.waiting) for one in listed] == [
        ("dana@x.example", "Dana", 3),
        ("kim@x.example", "Kim", 1),
    ]
    assert [one.owner for one in await database.run(owners.unmatched, "T1", after="dana@x.example")] == [
        "kim@x.example"
    ]
    assert await database.run(owners.send_missed, "T1", "dana@x.example", SOMEDAY, 2) is None
    await database.run(owners.link, "T1", "dana@x.example", "U_DANA", CHANGE)
    assert await database.run(owners.waiting, "T1", "dana@x.example") == ids
    counts = [await database.run(owners.send_missed, "T1", "dana@x.example", SOMEDAY, 2) for _ in range(3)]
    assert counts == [1, 1, None]  # one of the first two had been delivered already
    assert [await database.run(delivery_states, each) for each in ids] == [["pending"]] * 3
    assert await database.run(owners.dismiss, "T1", "kim@x.example") == 1
    assert await database.run(owners.unmatched, "T1") == []


async def test_an_erased_job_change_is_not_listed_as_missed(database):
    """Nothing of it remains."""
    await database.run(add_workspace)
    job_change_id = await database.run(add_job_change, due_at=None)
    missed = MissedJobChange(
        "dana@x.example", job_change_id, "Dana", ReasonCode.NOT_IN_SLACK.of(), legacy("You own it."), None
    )
    await database.run(owners.add_missed, "T1", [missed], SOMEDAY)
    await database.run(lambda connection: connection.execute(job_changes.delete()))
    assert await database.run(owners.unmatched, "T1") == []
