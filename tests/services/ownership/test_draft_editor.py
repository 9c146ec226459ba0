"""Steps from one draft of the ownership rules to the next: what each makes of them, and that nobody is overwritten."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ownership.draft_editor import OwnershipEditing, presets_for
from services.ownership.rulebook import FASTER, Rulebook
from services.ownership.rules.check import OrgField, OrgShape
from services.ownership.rules.edits import (
    DELETE,
    SWITCH,
    UP,
    added,
    find,
    mark_of,
    moved,
    place_for_new,
    removed,
    replaced,
    switched,
    with_named,
    with_settings,
    without_named,
)
from services.ownership.rules.faults import InvalidRulesError
from services.ownership.rules.owner_sources import Mapped, Owner, Pool
from services.ownership.rules.presets import presets
from services.ownership.rules.rule_set import CATCH_ALL, Conditions, Rule, RuleSet


def named(name: str, **when: object) -> Rule:
    return Rule(name=name, when=Conditions(**when), tell=(Owner(of="account"),))


def names(rules: RuleSet) -> str:
    return "".join(rule.name for rule in rules.rules)


ABC = RuleSet(rules=tuple(named(name) for name in "ABC"))
D = named("D")


@pytest.mark.parametrize(
    ("rules", "order"),
    [
        (moved(ABC, 0, 1), "BAC"),
        (moved(ABC, 2, -1), "ACB"),
        (moved(ABC, 0, -1), "ABC"),
        (moved(ABC, 2, 9), "ABC"),
        (removed(ABC, 1), "AC"),
        (added(ABC, [D], 0), "DABC"),
        (added(ABC, [D, D], 1), "ADDBC"),
        (added(ABC, [D], 99), "ABCD"),
        (replaced(ABC, 0, D, 0), "DBC"),
        (replaced(ABC, 0, D, 2), "BCD"),
        (replaced(ABC, 2, D, 99), "ABD"),
        (switched(ABC, 1), "ABC"),
    ],
)
def test_each_step_keeps_the_others_in_their_order(rules, order):
    """Nothing is lost, nothing comes twice."""
    assert names(rules) == order


@given(st.data())
def test_any_steps_leave_rules_that_can_be_stored_and_read_back(data):
    """Whatever is pressed in whatever order: a valid set, with all rules but those deleted."""
    rules, expected = ABC, {"A", "B", "C"}
    for _ in range(data.draw(st.integers(0, 12))):
        if not rules.rules:
            break
        number = data.draw(st.integers(0, len(rules.rules) - 1))
        match data.draw(st.sampled_from(["up", "down", "switch", "delete"])):
            case "up":
                rules = moved(rules, number, -1)
            case "down":
                rules = moved(rules, number, 1)
            case "switch":
                rules = switched(rules, number)
            case "delete":
                expected.discard(rules.rules[number].name)
                rules = removed(rules, number)
    assert set(names(rules)) == expected
    assert RuleSet.from_stored(rules.to_json()) == rules


def test_switching_twice_changes_nothing():
    """Off, and on again."""
    assert not switched(ABC, 1).rules[1].enabled
    assert switched(switched(ABC, 1), 1) == ABC


def test_a_rule_is_found_by_its_mark_wherever_it_was_moved():
    """As long as nobody changed it."""
    mark = mark_of(ABC.rules[0])
    assert find(moved(ABC, 0, 2), mark) == 2
    assert find(switched(ABC, 0), mark) is None


def test_new_rules_stand_before_those_that_take_everything():
    """Behind them they could never be reached."""
    some = RuleSet(rules=(named("A", min_score=1.0), named("B"), named("C", min_score=2.0), named("D"), CATCH_ALL))
    assert place_for_new(some) == 3
    assert place_for_new(RuleSet()) == 0


def org(**labels: str) -> OrgShape:
    users = {f"account.{name}".lower(): OrgField(f"Account.{name}", label, ("User",)) for name, label in labels.items()}
    return OrgShape(frozenset({"account"}), {**users, "account.industry": OrgField("Account.Industry", "Industry")})


def test_scenarios_name_the_fields_that_the_org_has():
    """By their names or labels; where there are none, the chains begin with what comes next."""
    assert presets_for(None) == presets(None, None)
    assert presets_for(org()) == presets(None, None)
    found = presets_for(org(Success__c="Customer Success Owner", BDR__c="BDR"))
    assert found == presets("Account.Success__c", "Account.BDR__c")


def test_rules_follow_a_pool_or_a_mapping_to_its_new_name():
    """And what a rule names cannot be deleted."""
    bare = with_named(RuleSet(), "pools", None, "SDRs", {"members": [{"user": "ann@acme.example"}]})
    bare = with_named(bare, "mappings", None, "Pairs", {"ann@acme.example": "bob@acme.example"})
    chain = (Pool(pool="SDRs"), Mapped(table="Pairs", of=Owner(of="account")))
    both = bare.model_copy(update={"rules": (Rule(name="A", tell=chain),)})
    renamed = with_named(both, "pools", "SDRs", "Reps", {"members": [{"user": "ann@acme.example"}]})
    renamed = with_named(renamed, "mappings", "Pairs", "Twins", {"ann@acme.example": "bob@acme.example"})
    assert renamed.rules[0].tell == (Pool(pool="Reps"), Mapped(table="Twins", of=Owner(of="account")))
    assert (list(renamed.pools), list(renamed.mappings)) == (["Reps"], ["Twins"])
    for kind, name in (("pools", "Reps"), ("mappings", "Twins")):
        with pytest.raises(InvalidRulesError, match=f"called {name}"):
            without_named(renamed, kind, name)
    assert without_named(bare, "pools", "SDRs").pools == {}


def test_a_pool_does_not_take_the_place_of_another_of_its_name():
    """It is said that there is one."""
    bare = with_named(RuleSet(), "pools", None, "SDRs", {"members": [{"user": "ann@acme.example"}]})
    with pytest.raises(InvalidRulesError, match="there is one of this name already"):
        with_named(bare, "pools", None, "SDRs", {"members": [{"user": "bob@acme.example"}]})


def test_settings_are_checked_whole():
    """Every fault of them."""
    with pytest.raises(InvalidRulesError) as raised:
        with_settings(RuleSet(), {"customer": {"field": "Type", "values": []}}, {"daily_cap": 0})
    assert {fault.path for fault in raised.value.faults} == {
        "segments.customer.field",
        "segments.customer.values",
        "guards.daily_cap",
    }


@pytest.fixture
def editing(world):
    return OwnershipEditing(Rulebook(world.database, world.worker.router.deciding.shapes, world.clock))


async def test_of_two_who_step_at_once_one_is_told_so(world, editing):
    """On both databases: one draft, with one of the two steps, never both mixed."""
    await editing.rulebook.publish(world.workspace_id, "operator", ABC, None)
    seen = (await editing.rulebook.read(world.workspace_id)).seen
    steps = [(UP, 2), (DELETE, 0), (SWITCH, 1), (DELETE, 2)]

    done = await asyncio.gather(*(editing.step(world.workspace_id, "U1", seen, *step) for step in steps))

    assert sorted(kept.stored for kept in done) == [False, False, False, True]
    assert {kept.text for kept in done if not kept.stored} == {FASTER}
    assert (await editing.rulebook.read(world.workspace_id)).draft.revision == 1


@pytest.mark.both_databases
async def test_rules_that_are_added_at_once_are_not_lost(world, editing):
    """Adding overwrites nothing, so whoever was overtaken adds to what stands there then."""
    done = await asyncio.gather(*(editing.add(world.workspace_id, "U1", [named(f"R{n}")], 0) for n in range(4)))
    assert all(kept.stored for kept in done)
    rules = (await editing.rulebook.read(world.workspace_id)).shown.rules
    assert sorted(rule.name for rule in rules) == ["R0", "R1", "R2", "R3"]


async def test_a_number_that_is_not_there_changes_nothing(world, editing):
    """A forged payload, say."""
    seen = (await editing.rulebook.read(world.workspace_id)).seen
    assert (await editing.step(world.workspace_id, "U1", seen, DELETE, 7)).text == FASTER
