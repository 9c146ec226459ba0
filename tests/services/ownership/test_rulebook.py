"""Drafts, publishing, rolling back, and what is refused."""

from __future__ import annotations

import pytest

from domain.audit import OPERATOR, AuditEntry
from domain.rule_versions import EVERYTHING_ELSE, RuleFigures, SeenVersion
from sandbox.salesforce.schema import lookup
from services.ownership.draft_editor import DraftEditor
from services.ownership.rulebook import CHANGED_BY_OTHERS, NO_DRAFT, NO_VERSION, Rulebook
from services.ownership.rules.current_rules import CurrentRules, SaveResult
from services.ownership.rules.edits import mark_of
from services.ownership.rules.owner_sources import Owner, UserField
from services.ownership.rules.presets import presets
from services.ownership.rules.rule_set import Rule, RuleSet
from services.ownership.rules.scorecard import NO_FIGURES, Scorecard
from store.ownership import rule_sets

RULES = RuleSet(rules=(Rule(name="One", tell=(Owner(of="account"),)),))
OTHER = RuleSet(rules=(Rule(name="Two", tell=(Owner(of="contact"),)),))


@pytest.fixture
def book(world):
    return Rulebook(world.database, world.worker.router.decider.schemas, world.clock)


async def test_a_draft_is_not_in_force_until_it_is_published(world, book):
    """The published rules stay in force while a draft is changed."""
    where = world.workspace_id
    saved = await book.save_draft(where, "U1", RULES, SeenVersion(0), "added One")
    drafted = await book.read(where)
    published = await book.publish_draft(where, "U2", drafted.seen, "first rules")
    after = await book.read(where)

    assert (saved.stored, saved.number) == (True, 1)
    assert (drafted.version, drafted.rules, drafted.shown) == (0, RuleSet(), RULES)
    assert (published.stored, published.number) == (True, 1)
    assert (after.version, after.rules, after.draft) == (1, RULES, None)


@pytest.mark.both_databases
async def test_unseen_changes_are_not_overwritten(world, book):
    """A change based on an older draft or version is refused."""
    where = world.workspace_id
    await book.save_draft(where, "U1", RULES, SeenVersion(0), "added One")
    drafted = (await book.read(where)).seen
    assert (await book.save_draft(where, "U2", OTHER, SeenVersion(0), "added Two")).text == CHANGED_BY_OTHERS
    assert (await book.publish_draft(where, "U2", SeenVersion(0))).text == CHANGED_BY_OTHERS
    await book.publish(where, "U3", OTHER, None)
    assert (await book.publish_draft(where, "U1", drafted)).text == NO_DRAFT
    assert await book.publish(where, "U1", RULES, 0) == SaveResult(False, CHANGED_BY_OTHERS)
    assert (await book.read(where)).rules == OTHER


async def test_a_draft_starts_from_the_version_that_was_seen(world, book):
    """A draft must not undo what another admin published in the meantime."""
    where = world.workspace_id
    await book.publish(where, "U1", RULES, 0)
    began = (await book.read(where)).seen
    await book.publish(where, "U2", OTHER, 1)

    assert (await book.save_draft(where, "U1", RULES, began, "moved One up")).text == CHANGED_BY_OTHERS
    assert (await book.read(where)).draft is None


async def test_a_draft_that_others_changed_is_neither_published_nor_discarded(world, book):
    """The version is checked in the same transaction."""
    where = world.workspace_id
    await book.save_draft(where, "U1", RULES, SeenVersion(0), "added One")
    seen = (await book.read(where)).seen
    await book.save_draft(where, "U2", OTHER, seen, "added Two")
    change = AuditEntry(world.clock(), "U1", "ownership: published", "")

    assert await world.database.run(rule_sets.publish_draft, where, seen, change) is None
    assert not await world.database.run(rule_sets.drop_draft, where, seen, change)
    assert (await book.read(where)).shown == OTHER


@pytest.mark.both_databases
async def test_rolling_back_publishes_the_old_rules_as_a_new_version(world, book):
    """The history keeps every version, with the person and the reason."""
    where = world.workspace_id
    await book.publish(where, "U1", RULES, 0)
    world.clock.advance(seconds=1)
    await book.publish(where, "U1", OTHER, 1, "better")
    rolled = await book.roll_back(where, "U2", 1, 2)

    assert (rolled.number, (await book.read(where)).rules) == (3, RULES)
    assert [(version.version, version.published_by) for version in await book.versions(where)] == [
        (3, "U2"),
        (2, "U1"),
        (1, "U1"),
    ]
    history = await book.history(where)
    assert [(entry.actor, entry.action, entry.detail) for entry in history] == [
        ("U2", "ownership: published", "rolled back to version 1"),
        ("U1", "ownership: published", "better"),
        ("U1", "ownership: published", "1 rule in force"),
    ]
    assert history[0].at > history[2].at
    assert (await book.roll_back(where, "U2", 9, 3)).text == NO_VERSION


async def test_a_draft_can_be_discarded(world, book):
    """The published rules stay."""
    await book.publish(world.workspace_id, "U1", RULES, 0)
    await book.save_draft(world.workspace_id, "U1", OTHER, None, "x")
    seen = (await book.read(world.workspace_id)).seen
    assert await book.discard_draft(world.workspace_id, "U1", seen)
    assert not await book.discard_draft(world.workspace_id, "U1", seen)
    assert (await book.read(world.workspace_id)).shown == RULES


async def test_rules_with_unknown_fields_are_refused_with_all_errors(world, book):
    """A field that does not exist and one that holds no user are errors. The published rules stay."""
    await book.publish(world.workspace_id, "U1", RULES, 0)
    wrong = Rule(name="x", tell=(UserField(field="Account.Nope__c"), UserField(field="Account.Industry")))

    result = await book.publish(world.workspace_id, "U1", RuleSet(rules=(wrong,)), 1)

    assert result.stored is False
    assert "Fix 2 errors" in result.text
    assert [issue.path for issue in result.issues] == ["rules.0.tell.0.field", "rules.0.tell.1.field"]
    await book.save_draft(world.workspace_id, "U1", RuleSet(rules=(wrong,)), None, "x")
    seen = (await book.read(world.workspace_id)).seen
    assert await book.publish_draft(world.workspace_id, "U1", seen) == result
    assert (await book.read(world.workspace_id)).rules == RULES


async def test_rules_are_checked_against_the_orgs_schema(world, book):
    """Fields of the presets that the org does not have are errors."""
    before = await book.check(world.workspace_id, RuleSet(rules=presets()))
    for name in ("CSM__c", "SDR__c"):
        world.salesforce.org.add_field("Account", lookup(name, "User"))
    after = await book.check(world.workspace_id, RuleSet(rules=presets()))
    schema = await book.org(world.workspace_id)

    assert {issue.message.split(" ")[0] for issue in before} == {"Account.CSM__c", "Account.SDR__c"}
    assert after == []
    assert "account.sdr__c" in schema.user_fields
    assert "Customer Success Manager" in schema.roles["account"]


async def test_an_unreachable_rule_is_a_warning(world, book):
    """The rules are published anyway."""
    twice = RuleSet(rules=(*RULES.rules, Rule(name="Two", tell=(Owner(of="lead"),))))
    result = await book.publish(world.workspace_id, "U1", twice, 0)
    assert result.stored
    assert "“Two” is unreachable" in result.issues[0].message


async def test_rules_can_be_published_while_salesforce_is_down(world, book):
    """That they could not be checked is a warning."""
    world.salesforce.faults.add("*", status=503, times=None)
    result = await book.publish(world.workspace_id, "U1", RULES, 0)
    assert result.stored
    assert "could not be checked against Salesforce" in result.issues[0].message


async def test_rules_are_exported_and_imported_as_json(world, book):
    """An import with an error changes nothing."""
    await book.publish(world.workspace_id, "U1", RULES, 0)
    text = await book.export_json(world.workspace_id)
    refused = await book.import_json(world.workspace_id, OPERATOR, text.replace("account", "acount"))
    imported = await book.import_json(world.workspace_id, OPERATOR, text.replace("One", "Uno"))

    assert refused.stored is False
    assert "Fix 1 error" in refused.text
    assert (imported.stored, imported.number) == (True, 2)
    assert (await book.read(world.workspace_id)).rules.rules[0].name == "Uno"


async def test_nothing_is_stored_for_an_unknown_workspace(book):
    """Publishing and saving a draft both fail."""
    assert not (await book.publish("T_NOBODY", "U1", RULES, None)).stored
    assert not (await book.save_draft("T_NOBODY", "U1", RULES, None, "x")).stored


@pytest.mark.parametrize(
    ("source", "sobject", "name"),
    [
        ({"source": "owner", "of": "parent_account"}, "Account", "ParentId"),
        ({"source": "manager", "of": {"source": "owner", "of": "account"}}, "User", "ManagerId"),
    ],
)
async def test_rules_that_follow_a_hidden_lookup_are_not_published(world, book, source, sobject, name):
    """They would find nobody. The error names the field."""
    rules = RuleSet.parse({"rules": [{"name": "One", "tell": [source]}]})
    world.salesforce.org.hide_field(sobject, name)
    result = await book.publish(world.workspace_id, "U1", rules, 0)
    assert not result.stored
    assert [issue.message for issue in result.issues] == [
        f"{sobject}.{name} does not exist in Salesforce, or the app may not read it"
    ]
    world.salesforce.org.show_field(sobject, name)
    assert (await book.publish(world.workspace_id, "U1", rules, 0)).stored


async def test_renamed_rules_keep_their_keys_in_every_later_version(world, book):
    """Published from a draft, rolled back to, and imported as JSON."""
    where = world.workspace_id
    await book.publish(where, "U1", RULES, None)
    editor, rule = DraftEditor(book), RULES.rules[0]
    await editor.change(where, "U1", mark_of(rule), rule.model_copy(update={"name": "First"}), 0)
    await editor.add(where, "U1", [rule])
    await book.publish_draft(where, "U1", (await book.read(where)).seen)
    keys = [[rule.key for rule in (await book.read(where)).rules.rules]]

    await book.import_json(where, OPERATOR, await book.export_json(where))
    keys.append([rule.key for rule in (await book.read(where)).rules.rules])
    await book.roll_back(where, "U1", 1, None)
    await book.roll_back(where, "U1", 2, None)

    assert keys == [["One", "One (2)"]] * 2
    assert [(rule.name, rule.key) for rule in (await book.read(where)).rules.rules] == [
        ("First", "One"),
        ("One", "One (2)"),
    ]


def test_the_scorecard_as_json_has_each_rule_with_its_figures():
    """The published rules in order, then everything else, then deleted rules. Scripts read the names of the fields."""
    off = Rule(name="Off", enabled=False, tell=(Owner(of="account"),))
    rules = RuleSet(rules=(*RULES.rules, off))
    few, many = RuleFigures(4, 1), RuleFigures(12, 5, 2, 1, 60_000)
    figures = {
        "One": {30: few, 90: many},
        "Off": {30: many, 90: many},
        "Gone": {30: RuleFigures(), 90: few},
        EVERYTHING_ELSE: {30: RuleFigures(10, 5), 90: many},
    }

    card = Scorecard.of(CurrentRules(3, rules, None, None), figures)

    nothing = {"sent": 0, "acted_on": 0, "not_mine": 0, "wrong_data": 0, "median_ms": None}
    of_few = {**nothing, "sent": 4, "acted_on": 1}
    of_many = {"sent": 12, "acted_on": 5, "not_mine": 2, "wrong_data": 1, "median_ms": 60_000}

    def row(key: str, number: int | None, state: str, last_30: object, last_90: object, **more: object) -> object:
        values = {"rule": key, "key": key, "number": number, "state": state, "acted_on_less_than_half": False}
        return {**values, "last_30_days": last_30, "last_90_days": last_90, **more}

    assert card.as_dict() == {
        "rules_version": 3,
        "rules": [
            row("One", 1, "on", of_few, of_many, acted_on_less_than_half=True),
            row("Off", 2, "off", of_many, of_many),
            row(
                EVERYTHING_ELSE,
                None,
                "everything_else",
                {**nothing, "sent": 10, "acted_on": 5},
                of_many,
                rule="Everything else",
            ),
            row("Gone", None, "deleted", nothing, of_few),
        ],
    }
    assert [score.name for score in card.ignored] == ["One"]
    assert (card.has_figures, card.has_judged) == (True, True)
    unused = Scorecard.of(CurrentRules(0, rules, None, None), {"One": {**NO_FIGURES, 90: RuleFigures(9)}})
    assert (unused.has_figures, unused.has_judged, unused.ignored) == (True, False, [])
    assert not Scorecard.of(CurrentRules(0, rules, None, None), {}).has_figures
