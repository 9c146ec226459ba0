"""Round robin: turns are shared by weight, nobody has to catch up, and a batch says what has to be stored of it."""

from __future__ import annotations

import json
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from domain.people import NOT_IN_SLACK, UNKNOWN, Member
from domain.preferences import SEGMENT
from domain.rule_versions import PoolAssignment
from services.ownership.choice.availability import BatchState, MissingLookups
from services.ownership.choice.decide import (
    WaitingForSlack,
    batch_decision,
    decide_batch,
    parse_pool_state,
    sticky_accounts,
    waiting_for_slack,
)
from services.ownership.choice.pools import STEP, PoolState
from services.ownership.rules.rule_set import Pool, PoolMember
from tests.services.ownership.cases import (
    DANA,
    GLOBEX,
    INITECH,
    KIM,
    OMAR,
    availability,
    case,
    chosen,
    owner,
    rule,
    rules,
)


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


STATED = {
    "P": {"members": [{"user": str(DANA.email)}, {"user": str(KIM.email), "weight": 2}]},
    "Q": {"members": [{"user": str(KIM.email)}], "sticky": False},
    "Unused": {"members": [{"user": str(KIM.email)}]},
}
OF_SIDES = rules(
    rule({"source": "pool", "pool": "P"}, name="A", when={"side": "past"}),
    rule({"source": "pool", "pool": "Q"}, name="B", when={"side": "current", "segment": ["target"]}),
    rule(owner("account"), name="C", when={"side": "current"}, deliver={"to": "channel", "channel": "C111"}),
    rule({"source": "pool", "pool": "Unused"}, name="D", enabled=False),
    pools=STATED,
    guards={"daily_cap": 3},
)


def test_a_batch_says_what_has_to_be_stored_of_it():
    """The pools in which a turn was taken, and the accounts that have a new holder."""
    before = BatchState(
        pools={"P": PoolState(0, {KIM.email: 5}), "Other": PoolState(1, {})},
        sticky={("P", "001000000000009"): KIM.email},
    )
    elsewhere = {"company": {"name": "Hooli", "domain": "hooli.com"}}
    cases = {"one": case(), "two": case(None, previous=elsewhere), "three": case(), "waits": case()}

    choices, lookups, after = decide_batch(cases, OF_SIDES, availability(), before, {"waits"})
    decision = batch_decision({**choices, "waits": WaitingForSlack(2.0)}, before, after)

    assert lookups == {}
    assert list(choices) == ["one", "two", "three"]
    assert [choice.name for decided in choices.values() for choice in decided.choices] == [
        *(DANA.email, KIM.email),
        *(KIM.email, None),
        *(DANA.email, KIM.email),
    ]
    assert {name: json.loads(state) for name, state in decision.pools.items()} == {
        "P": {"at": STEP, "places": {DANA.email: 2 * STEP, KIM.email: 5 + STEP // 2}},
        "Q": {"at": STEP, "places": {KIM.email: 2 * STEP}},
    }
    assert {name: parse_pool_state(state) for name, state in decision.pools.items()} == {
        name: after.pools[name] for name in ("P", "Q")
    }
    assert decision.assignments == (
        PoolAssignment("P", INITECH.id[:15], DANA.email),
        PoolAssignment("P", "hooli.com", KIM.email),
    )
    assert list(decision.choices) == ["one", "two", "three", "waits"]
    assert after.counts == {"UDANA": 2, "UKIM": 3}


def test_what_a_channel_receives_does_not_count_towards_the_limit_of_a_person():
    """A state without turns and recipients stays the same."""
    to_channel = rules(rule(owner("account"), when={"side": "current"}, deliver={"to": "channel", "channel": "C111"}))
    before = BatchState(counts={"UOMAR": 1})
    choices, _, after = decide_batch({"one": case()}, to_channel, availability(), before, ())
    assert choices["one"].choices[0].name == OMAR.name
    assert after is before
    assert before.after((), frozenset({"UOMAR"})).counts == {"UOMAR": 2}


def test_accounts_are_looked_up_for_sticky_pools_that_a_rule_uses():
    """Without one, no account is."""
    cases = [case(), case(None, previous={"company": {"name": "HOOLI"}}, current={"company": {"name": "Globex"}})]
    accounts = (INITECH.id[:15], GLOBEX.id[:15], "hooli", "globex")
    assert sticky_accounts(cases, OF_SIDES.rule_set) == {("P", account) for account in accounts}
    assert sticky_accounts(cases, rules(rule({"source": "pool", "pool": "Q"}), pools=STATED).rule_set) == set()


def test_job_changes_wait_as_long_as_slack_asks_for_one_of_their_people():
    """Those whose people are known by now do not wait."""
    members = {
        "a@x.example": Member(None, UNKNOWN, retry_after=30.0),
        "b@x.example": Member(None, UNKNOWN),
        "c@x.example": Member(None, NOT_IN_SLACK, retry_after=90.0),
    }
    lookups = {
        "both": MissingLookups(frozenset({"a@x.example", "b@x.example", "c@x.example"})),
        "soon": MissingLookups(frozenset({"b@x.example"})),
        "known": MissingLookups(frozenset({"c@x.example"})),
        "group": MissingLookups(groups=frozenset({"S1"})),
    }
    assert waiting_for_slack(lookups, members) == {"both": WaitingForSlack(30.0), "soon": WaitingForSlack(1.0)}
