"""Edits of the draft: the result of each edit, and that nobody's changes are overwritten."""

from __future__ import annotations

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.audit import AuditEntry
from domain.rule_versions import SeenVersion
from services.ownership.draft_editor import (
    RULE_CHANGED_BY_OTHERS,
    TOO_MANY,
    UNREADABLE,
    DraftEditor,
    plays_for,
    presets_for,
)
from services.ownership.rulebook import CHANGED_BY_OTHERS, NO_DRAFT, Rulebook
from services.ownership.rules.check import OrgField, OrgSchema
from services.ownership.rules.current_rules import SaveResult
from services.ownership.rules.edits import (
    DELETE,
    DOWN,
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
from services.ownership.rules.rule_set import CATCH_ALL, MOST_RULES, Conditions, Rule, RuleSet
from store.ownership import rule_sets


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


@pytest.mark.parametrize(
    ("fields", "csm", "sdr"),
    [
        ({"Success__c": "Customer Success Owner", "BDR__c": "BDR"}, "Success__c", "BDR__c"),
        ({"Helper__c": "CSM", "Hunter__c": "Sales Development Rep"}, "Helper__c", "Hunter__c"),
        ({"Customer_Success__c": "Coach", "Biz__c": "Business development"}, "Customer_Success__c", "Biz__c"),
        ({"A__c": "BDR", "B__c": "SDR", "C__c": "Customer success", "D__c": "csm"}, "D__c", "B__c"),
        ({}, None, None),
    ],
)
def test_presets_use_the_fields_of_the_org(fields, csm, sdr):
    """Fields are found by name or label. If there are none, the chains start with the next source."""
    names = [name and f"Account.{name}" for name in (csm, sdr)]
    schema = org(**fields, Owner2__c="Second owner")
    of_contact = {"contact.csm__c": OrgField("Contact.CSM__c", "CSM", ("User",))}
    schema = OrgSchema(schema.objects, {**of_contact, **schema.fields})
    assert (presets_for(schema), plays_for(schema)) == (presets(*names), plays(*names))
    assert (presets_for(None), plays_for(None)) == (presets(None, None), plays(None, None))


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


def test_settings_replace_only_the_segments_that_are_given():
    """The rules keep their keys. Without fields for cards, none are stored."""
    segment = {"field": "Account.Tier__c", "test": "in", "values": ["1"]}
    renamed = RuleSet(rules=(named("B").keyed("A"),))
    changed = with_settings(renamed, {"customer": segment}, {"daily_cap": 5}, "largest", ["Account.ARR__c"])
    assert changed.rules == renamed.rules
    assert (changed.segments.customer.field, changed.segments.target) == ("Account.Tier__c", RuleSet().segments.target)
    assert (changed.guards.daily_cap, changed.guards.excluded) == (5, ())
    assert (changed.open_opportunity, changed.context_fields) == ("largest", ("Account.ARR__c",))
    assert (
        with_settings(changed, {"customer": RuleSet().segments.customer.model_dump(mode="json")}, {}, "newest", ())
        == renamed
    )


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


async def test_each_edit_of_the_draft_is_in_the_history(world, editing):
    """In a phrase that names the rule. An edit that changes nothing is not stored."""
    where, book = world.workspace_id, editing.rulebook
    await book.publish(where, "operator", ABC, None)

    async def step(step: str, number: int) -> SaveResult:
        return await editing.step(where, "U1", (await book.read(where)).seen, step, number)

    results = [await step(*edit) for edit in ((UP, 1), (DOWN, 1), (SWITCH, 0), (SWITCH, 0), (DELETE, 0))]
    unchanged = [await step(UP, 0), await step(DOWN, 1)]
    added_rules = [await editing.add(where, "U2", [D]), await editing.add(where, "U2", [named("E"), named("F")], 0)]
    mark = mark_of((await book.read(where)).shown.rules[0])
    changed = [await editing.change(where, "U3", mark, rule, 0) for rule in (named("E"), named("G"), named("H"))]
    seen = (await book.read(where)).seen
    saved = await editing.save(where, "U4", seen, ABC, "changed the limits")
    published = await editing.publish(where, "U5", (await book.read(where)).seen)

    drafted = [SaveResult(True, "Saved as a draft.", number=number) for number in range(1, 10)]
    assert results == drafted[:5]
    assert unchanged == [SaveResult(True, "The rule is already there.")] * 2
    assert added_rules == drafted[5:7]
    no_changes, gone = SaveResult(True, "There were no changes."), SaveResult(False, RULE_CHANGED_BY_OTHERS)
    assert changed == [no_changes, drafted[7], gone]
    assert saved == drafted[8]
    assert (published.stored, published.text, published.number) == (True, "Published as version 2.", 2)
    assert [(entry.actor, entry.detail) for entry in reversed(await book.history(where))] == [
        ("operator", "3 rules in force"),
        ("U1", "moved “B” up"),
        ("U1", "moved “A” down"),
        ("U1", "turned “B” off"),
        ("U1", "turned “B” on"),
        ("U1", "deleted “B”"),
        ("U2", "added “D”"),
        ("U2", "added 2 rules"),
        ("U3", "changed “G”"),
        ("U4", "changed the limits"),
        ("U5", "3 rules in force"),
    ]


async def test_an_edit_of_rules_that_another_admin_has_changed_is_refused(world, editing):
    """Nothing is saved, discarded or published."""
    where, other = world.workspace_id, SeenVersion(0)
    await editing.rulebook.publish(where, "operator", ABC, None)
    await editing.add(where, "U1", [D])
    refused = SaveResult(False, CHANGED_BY_OTHERS)

    assert await editing.step(where, "U2", other, UP, 1) == refused
    assert await editing.step(where, "U2", (await editing.rulebook.read(where)).seen, UP, 4) == refused
    assert await editing.save(where, "U2", other, ABC, "x") == refused
    assert await editing.discard(where, "U2", other) == refused
    assert await editing.publish(where, "U2", other) == refused
    assert await editing.rulebook.publish_draft(where, "U2", other) == refused
    too_many = [D] * (MOST_RULES - 3)
    assert await editing.add(where, "U2", too_many) == SaveResult(False, TOO_MANY)
    assert names((await editing.rulebook.read(where)).shown) == "ABCD"
    seen = (await editing.rulebook.read(where)).seen
    assert await editing.discard(where, "U2", seen) == SaveResult(True, "The draft was discarded.")
    assert await editing.discard(where, "U2", SeenVersion(1)) == SaveResult(False, "There was no draft.")
    assert await editing.add(where, "U2", too_many[1:]) == SaveResult(True, "Saved as a draft.", number=1)


@pytest.mark.parametrize("what", ["published", "draft"])
async def test_rules_that_this_version_cannot_read_are_not_changed(world, editing, what):
    """They may be of a later version. It is said what cannot be read, and an earlier version can be published again."""
    where, book = world.workspace_id, editing.rulebook
    await book.publish(where, "operator", ABC, None)
    change = AuditEntry(world.clock(), "U1", "ownership: changed", "")
    if what == "published":
        await world.database.run(rule_sets.publish, where, '{"rules": 7}', None, change)
    else:
        await world.database.run(rule_sets.save_draft, where, '{"rules": 7}', None, change)

    read = await book.read(where)

    assert read.problem == "rules: must be a list"
    assert (read.rules, read.draft, read.draft_rules) == (ABC if what == "draft" else RuleSet(), None, None)
    refused = SaveResult(False, UNREADABLE)
    assert await editing.step(where, "U1", read.seen, DELETE, 0) == refused
    assert await editing.change(where, "U1", mark_of(ABC.rules[0]), D, 0) == refused
    assert await editing.add(where, "U1", [D]) == refused
    assert await editing.save(where, "U1", read.seen, ABC, "x") == refused
    assert await editing.publish(where, "U1", read.seen) == SaveResult(False, NO_DRAFT)
    if what == "published":
        again = await book.roll_back(where, "U1", 2, 2)
        assert (again.stored, again.text) == (False, "This version can no longer be read.")
        assert [str(issue) for issue in again.issues] == ["rules: must be a list"]
        assert (await book.roll_back(where, "U1", 1, 2)).number == 3
