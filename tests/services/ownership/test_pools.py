"""Round robin: fair by weight, and nobody is given what they missed."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from domain.people import Member
from services.ownership.choice.availability import Ledger
from services.ownership.choice.pools import PoolState
from services.ownership.rules.rule_set import Pool, PoolMember
from tests.services.ownership.cases import case, chosen, rule, rules, standing


def pool(*weights: int) -> Pool:
    return Pool(members=tuple(PoolMember(user=f"m{n}@x.example", weight=w) for n, w in enumerate(weights)))


def turns(of: Pool, count: int, state: PoolState, without: frozenset[str] = frozenset()) -> tuple[list[str], PoolState]:
    taken = []
    for _ in range(count):
        who = next(member.user for member in state.in_turn(of) if member.user not in without)
        taken.append(who)
        state = state.taken(of, who)
    return taken, state


@given(st.lists(st.integers(1, 10), min_size=1, max_size=6), st.integers(1, 200))
def test_turns_are_shared_by_weight(weights, count):
    """At any moment nobody is more than one turn off their share."""
    taken, _ = turns(pool(*weights), count, PoolState())
    counts = Counter(taken)
    for number, weight in enumerate(weights):
        share = count * weight / sum(weights)
        assert abs(counts[f"m{number}@x.example"] - share) <= len(weights)
    if len(set(weights)) == 1:
        assert max(counts.values()) - min(counts[f"m{n}@x.example"] for n in range(len(weights))) <= 1


@given(st.integers(2, 5), st.integers(1, 50), st.integers(1, 20))
def test_who_was_away_is_not_given_what_they_missed(members, away, back):
    """They come back to an equal share, not to a flood."""
    of = pool(*[1] * members)
    _, state = turns(of, away, PoolState(), frozenset({"m0@x.example"}))
    taken, _ = turns(of, back, state)
    assert Counter(taken)["m0@x.example"] <= -(-back // members) + 1


def test_a_new_member_starts_where_the_others_are():
    """Whoever joins late is not made to catch up."""
    _, state = turns(pool(1, 1), 100, PoolState())
    taken, _ = turns(pool(1, 1, 1), 9, state)
    assert Counter(taken) == {"m0@x.example": 3, "m1@x.example": 3, "m2@x.example": 3}


def test_one_job_change_takes_one_turn():
    """Whoever it is told of both sides: one message, and the next job change is the next one's."""
    members = [{"user": f"m{n}@x.example"} for n in range(3)]
    prepared = rules(rule({"source": "pool", "pool": "P"}), pools={"P": {"members": members, "sticky": False}})
    slack = standing(members={f"m{n}@x.example": Member(f"U{n}") for n in range(3)})
    ledger, told = Ledger(), []
    for _ in range(4):
        decision = chosen(case(), prepared, slack, ledger)
        assert len(decision.choices) == 2
        told.append(decision.told)
        ledger = ledger.after(decision.turns, decision.told, prepared.rule_set)
    assert told == [{"U0"}, {"U1"}, {"U2"}, {"U0"}]


@given(st.lists(st.integers(0, 6), min_size=1, max_size=40))
def test_an_account_stays_with_who_has_it(companies):
    """Whatever comes in between; where the pool is not sticky it goes round."""
    members = [{"user": f"m{n}@x.example"} for n in range(3)]
    prepared = rules(rule({"source": "pool", "pool": "P"}, when={"side": "current"}), pools={"P": {"members": members}})
    slack = standing(members={f"m{n}@x.example": Member(f"U{n}") for n in range(3)})
    ledger, had = Ledger(), {}
    for company in companies:
        about = case(None, current={"company": {"name": f"Company {company}"}})
        decision = chosen(about, prepared, slack, ledger)
        ledger = ledger.after(decision.turns, decision.told, prepared.rule_set)
        (choice,) = decision.choices
        assert had.setdefault(company, choice.name) == choice.name
