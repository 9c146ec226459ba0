"""Round robin: turns are shared by weight, and nobody has to catch up."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from domain.people import Member
from domain.preferences import SEGMENT
from services.ownership.choice.availability import BatchState
from services.ownership.choice.pools import PoolState
from services.ownership.rules.rule_set import Pool, PoolMember
from tests.services.ownership.cases import DANA, GLOBEX, KIM, availability, case, chosen, rule, rules


def pool(*weights: int) -> Pool:
    return Pool(members=tuple(PoolMember(user=f"m{n}@x.example", weight=w) for n, w in enumerate(weights)))


def turns(of: Pool, count: int, state: PoolState, without: frozenset[str] = frozenset()) -> tuple[list[str], PoolState]:
    taken = []
    for _ in range(count):
        user = next(member.user for member in state.in_turn(of) if member.user not in without)
        taken.append(user)
        state = state.after_turn(of, user)
    return taken, state


@given(st.lists(st.integers(1, 10), min_size=1, max_size=6), st.integers(1, 200))
def test_turns_are_shared_by_weight(weights, count):
    """At any time, the turns of a member match their share of the weights."""
    taken, _ = turns(pool(*weights), count, PoolState())
    counts = Counter(taken)
    for number, weight in enumerate(weights):
        share = count * weight / sum(weights)
        assert abs(counts[f"m{number}@x.example"] - share) <= len(weights)
    if len(set(weights)) == 1:
        assert max(counts.values()) - min(counts[f"m{n}@x.example"] for n in range(len(weights))) <= 1


@given(st.integers(2, 5), st.integers(1, 50), st.integers(1, 20))
def test_a_member_who_was_away_does_not_catch_up(members, away, back):
    """After an absence, a member gets an equal share of the next turns."""
    of = pool(*[1] * members)
    _, state = turns(of, away, PoolState(), frozenset({"m0@x.example"}))
    taken, _ = turns(of, back, state)
    assert Counter(taken)["m0@x.example"] <= -(-back // members) + 1


def test_a_new_member_does_not_catch_up():
    """A new member starts at the position of the others."""
    _, state = turns(pool(1, 1), 100, PoolState())
    taken, _ = turns(pool(1, 1, 1), 9, state)
    assert Counter(taken) == {"m0@x.example": 3, "m1@x.example": 3, "m2@x.example": 3}


def test_one_job_change_takes_one_turn():
    """A member who is chosen on both sides gets one message, and the next member gets the next job change."""
    members = [{"user": f"m{n}@x.example"} for n in range(3)]
    prepared = rules(rule({"source": "pool", "pool": "P"}), pools={"P": {"members": members, "sticky": False}})
    slack = availability(members={f"m{n}@x.example": Member(f"U{n}") for n in range(3)})
    batch, recipients = BatchState(), []
    for _ in range(4):
        decision = chosen(case(), prepared, slack, batch)
        assert len(decision.choices) == 2
        recipients.append(decision.direct_recipients)
        batch = batch.after(decision.turns, decision.direct_recipients)
    assert recipients == [{"U0"}, {"U1"}, {"U2"}, {"U0"}]


def test_each_member_is_considered_once_for_a_side():
    """Also one who took the turn for the other side and has the account of this one, but has muted it."""
    pools = {"P": {"members": [{"user": person.email} for person in (DANA, KIM)]}}
    of_side = [rule({"source": "pool", "pool": "P"}, name=side, when={"side": side}) for side in ("past", "current")]
    muted = availability(muted=frozenset({("UDANA", f"{SEGMENT}target")}))
    batch = BatchState(sticky={("P", GLOBEX.id[:15]): DANA.email})

    past, current = chosen(case(), rules(*of_side, pools=pools), muted, batch).choices

    assert [row.email for row in past.considered] == [DANA.email]
    assert [row.email for row in current.considered] == [DANA.email, KIM.email]


@given(st.lists(st.integers(0, 6), min_size=1, max_size=40))
def test_a_sticky_account_stays_with_its_member(companies):
    """A later job change at the same company goes to the same member."""
    members = [{"user": f"m{n}@x.example"} for n in range(3)]
    prepared = rules(rule({"source": "pool", "pool": "P"}, when={"side": "current"}), pools={"P": {"members": members}})
    slack = availability(members={f"m{n}@x.example": Member(f"U{n}") for n in range(3)})
    batch, members_by_company = BatchState(), {}
    for company in companies:
        job = case(None, current={"company": {"name": f"Company {company}"}})
        decision = chosen(job, prepared, slack, batch)
        batch = batch.after(decision.turns, decision.direct_recipients)
        (choice,) = decision.choices
        assert members_by_company.setdefault(company, choice.name) == choice.name
