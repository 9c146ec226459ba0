"""Edits of the draft: the result of each edit, and that nobody's changes are overwritten."""

from __future__ import annotations

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ownership.draft_editor import DraftEditor, presets_for
from services.ownership.rulebook import CHANGED_BY_OTHERS, Rulebook
from services.ownership.rules.check import OrgField, OrgSchema
from services.ownership.rules.edits import (
    DELETE,
    SWITCH,
    UP,
    added,
    changes,
    find,
    is_reordered,
    mark_of,
    moved,
    place_for_new,
    removed,
    replaced,
    toggled,
    with_distinct_keys,
    with_known_keys,
    with_named,
    with_settings,
    without_named,
)
from services.ownership.rules.issues import InvalidRulesError
from services.ownership.rules.owner_sources import Mapped, Owner, Pool
from services.ownership.rules.presets import plays, presets
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
        (toggled(ABC, 1), "ABC"),
    ],
)
def test_an_edit_keeps_the_order_of_the_other_rules(rules, order):
    """No rule is lost or duplicated."""
    assert names(rules) == order


@given(st.data())
def test_any_sequence_of_edits_leaves_valid_rules(data):
    """The rules can be stored and read back, and only deleted rules are missing."""
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
                rules = toggled(rules, number)
            case "delete":
                expected.discard(rules.rules[number].name)
                rules = removed(rules, number)
    assert set(names(rules)) == expected
    assert RuleSet.from_stored(rules.to_json()) == rules


def test_a_rule_keeps_its_key_when_it_is_renamed_and_stored():
    """The scorecard goes on counting it, also after other edits."""
    renamed = replaced(ABC, 0, named("Champions", min_score=9.0), 2)
    twice = replaced(renamed, 2, named("Fans"), 0)
    settled = with_settings(toggled(twice, 0), {}, {}, "newest", ())

    stored = RuleSet.from_stored(settled.to_json(), settled.original_names)

    assert [(rule.name, rule.key) for rule in stored.rules] == [("Fans", "A"), ("B", "B"), ("C", "C")]
    assert [change.before and change.before.name for change in changes(ABC, stored)] == ["A"]
    assert replaced(stored, 0, named("A"), 0).original_names is None
    assert "Champions" not in str(settled.original_names)


def test_a_new_rule_does_not_continue_the_figures_of_a_renamed_one():
    """It has the original name of that one."""
    renamed = replaced(ABC, 0, named("Champions"), 0)

    rules = with_distinct_keys(added(renamed, [named("A")], 3))

    assert [rule.key for rule in rules.rules] == ["A", "B", "C", "A (2)"]
    assert with_distinct_keys(rules) == rules


def test_rules_from_json_are_known_again_by_their_name_or_all_else():
    """JSON does not hold the keys."""
    known = replaced(ABC, 0, named("Champions", min_score=9.0), 0)
    imported = RuleSet.parse(json.loads(added(known, [named("New", min_score=9.0)], 3).to_json()))
    other_name = RuleSet(rules=(named("Fans", min_score=9.0), named("C")))

    assert [rule.key for rule in with_known_keys(imported, known).rules] == ["A", "B", "C", "New"]
    assert [rule.key for rule in with_known_keys(other_name, known).rules] == ["A", "C"]


def test_toggling_twice_changes_nothing():
    """A rule is turned off, and on again."""
    assert not toggled(ABC, 1).rules[1].enabled
    assert toggled(toggled(ABC, 1), 1) == ABC


def test_a_rule_is_found_by_its_mark_after_it_was_moved():
    """A rule that was changed is not found."""
    mark = mark_of(ABC.rules[0])
    assert find(moved(ABC, 0, 2), mark) == 2
    assert find(toggled(ABC, 0), mark) is None


def test_a_new_rule_comes_before_rules_that_match_everything():
    """After them it would be unreachable."""
    rules = RuleSet(rules=(named("A", min_score=1.0), named("B"), named("C", min_score=2.0), named("D"), CATCH_ALL))
    assert place_for_new(rules) == 3
    assert place_for_new(RuleSet()) == 0


def org(**labels: str) -> OrgSchema:
    users = {f"account.{name}".lower(): OrgField(f"Account.{name}", label, ("User",)) for name, label in labels.items()}
    return OrgSchema(frozenset({"account"}), {**users, "account.industry": OrgField("Account.Industry", "Industry")})


@pytest.mark.parametrize("rule", [*plays(), *plays(None, None)], ids=lambda rule: rule.name)
def test_no_play_informs_the_person_it_notifies_first(rule):
    """An org without a field for customer success managers is offered sensible sentences, too."""
    assert rule.tell[0] not in (rule.also_notify or ())


def test_presets_use_the_fields_of_the_org():
    """Fields are found by name or label. If there are none, the chains start with the next source."""
    assert presets_for(None) == presets(None, None)
    assert presets_for(org()) == presets(None, None)
    rules = presets_for(org(Success__c="Customer Success Owner", BDR__c="BDR"))
    assert rules == presets("Account.Success__c", "Account.BDR__c")


def test_rules_use_the_new_name_of_a_renamed_pool_or_mapping():
    """A pool or mapping that a rule uses cannot be deleted."""
    bare = with_named(RuleSet(), "pools", None, "SDRs", {"members": [{"user": "ann@acme.example"}]})
    bare = with_named(bare, "mappings", None, "Pairs", {"ann@acme.example": "bob@acme.example"})
    chain = (Pool(pool="SDRs"), Mapped(table="Pairs", of=Owner(of="account")))
    both = bare.model_copy(update={"rules": (Rule(name="A", tell=chain),)})
    renamed = with_named(both, "pools", "SDRs", "Reps", {"members": [{"user": "ann@acme.example"}]})
    renamed = with_named(renamed, "mappings", "Pairs", "Twins", {"ann@acme.example": "bob@acme.example"})
    assert renamed.rules[0].tell == (Pool(pool="Reps"), Mapped(table="Twins", of=Owner(of="account")))
    assert (list(renamed.pools), list(renamed.mappings)) == (["Reps"], ["Twins"])
    for kind, name in (("pools", "Reps"), ("mappings", "Twins")):
        with pytest.raises(InvalidRulesError, match=f"named {name}"):
            without_named(renamed, kind, name)
    assert without_named(bare, "pools", "SDRs").pools == {}


def test_a_new_pool_does_not_replace_one_of_the_same_name():
    """The edit is refused."""
    bare = with_named(RuleSet(), "pools", None, "SDRs", {"members": [{"user": "ann@acme.example"}]})
    with pytest.raises(InvalidRulesError, match="already used"):
        with_named(bare, "pools", None, "SDRs", {"members": [{"user": "bob@acme.example"}]})


def test_all_errors_of_settings_are_reported():
    """Each error has its path."""
    with pytest.raises(InvalidRulesError) as raised:
        with_settings(RuleSet(), {"customer": {"field": "Type", "values": []}}, {"daily_cap": 0}, "newest", ())
    assert {issue.path for issue in raised.value.issues} == {
        "segments.customer.field",
        "segments.customer.values",
        "guards.daily_cap",
    }


@pytest.fixture
def editing(world):
    return DraftEditor(Rulebook(world.database, world.worker.router.decider.schemas, world.clock))


async def test_only_one_of_several_simultaneous_edits_is_saved(world, editing):
    """The others read that another admin changed the rules."""
    await editing.rulebook.publish(world.workspace_id, "operator", ABC, None)
    seen = (await editing.rulebook.read(world.workspace_id)).seen
    steps = [(UP, 2), (DELETE, 0), (SWITCH, 1), (DELETE, 2)]

    done = await asyncio.gather(*(editing.step(world.workspace_id, "U1", seen, *step) for step in steps))

    assert sorted(result.stored for result in done) == [False, False, False, True]
    assert {result.text for result in done if not result.stored} == {CHANGED_BY_OTHERS}
    assert (await editing.rulebook.read(world.workspace_id)).draft.revision == 1


@pytest.mark.both_databases
async def test_rules_that_are_added_at_the_same_time_are_all_saved(world, editing):
    """Adding overwrites nothing, so it is repeated on the changed rules."""
    done = await asyncio.gather(*(editing.add(world.workspace_id, "U1", [named(f"R{n}")], 0) for n in range(4)))
    assert all(result.stored for result in done)
    rules = (await editing.rulebook.read(world.workspace_id)).shown.rules
    assert sorted(rule.name for rule in rules) == ["R0", "R1", "R2", "R3"]


async def test_an_edit_of_a_missing_rule_changes_nothing(world, editing):
    """A forged payload can have any index."""
    seen = (await editing.rulebook.read(world.workspace_id)).seen
    assert (await editing.step(world.workspace_id, "U1", seen, DELETE, 7)).text == CHANGED_BY_OTHERS


def test_rules_that_are_added_or_deleted_do_not_reorder_the_others():
    """An admin who publishes is notified only if rules that were there before have changed places."""
    one, two, three = named("One"), named("Two"), named("Three")
    published = RuleSet(rules=(one, two))
    assert is_reordered(published, RuleSet(rules=(two, one)))
    assert not is_reordered(published, RuleSet(rules=(three, one, two)))
    assert not is_reordered(published, RuleSet(rules=(two,)))
