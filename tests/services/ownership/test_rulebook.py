"""Keeping rules: drafts, publishing, rolling back, and what is refused."""

from __future__ import annotations

import pytest

from domain.audit import OPERATOR, AuditEntry
from domain.rule_versions import SeenVersion
from sandbox.salesforce.schema import lookup
from services.ownership.rulebook import FASTER, GONE, NO_DRAFT, Rulebook
from services.ownership.rules.owner_sources import Owner, UserField
from services.ownership.rules.presets import presets
from services.ownership.rules.rule_set import Rule, RuleSet
from store.ownership import rule_sets

RULES = RuleSet(rules=(Rule(name="One", tell=(Owner(of="account"),)),))
OTHER = RuleSet(rules=(Rule(name="Two", tell=(Owner(of="contact"),)),))


@pytest.fixture
def book(world):
    return Rulebook(world.database, world.worker.router.deciding.shapes, world.clock)


async def test_a_draft_is_not_in_force_until_it_is_published(world, book):
    """What is being changed and what routes are two things."""
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
async def test_nobody_overwrites_what_they_have_not_seen(world, book):
    """Neither a draft nor what was published meanwhile."""
    where = world.workspace_id
    await book.save_draft(where, "U1", RULES, SeenVersion(0), "added One")
    drafted = (await book.read(where)).seen
    assert (await book.save_draft(where, "U2", OTHER, SeenVersion(0), "added Two")).text == FASTER
    assert (await book.publish_draft(where, "U2", SeenVersion(0))).text == FASTER
    await book.publish(where, "U3", OTHER, None)
    assert (await book.publish_draft(where, "U1", drafted)).text == NO_DRAFT
    assert (await book.publish(where, "U1", RULES, 0)).text == FASTER
    assert (await book.read(where)).rules == OTHER


async def test_a_draft_starts_from_the_version_that_was_seen(world, book):
    """Whoever began before others published must not take back what those decided."""
    where = world.workspace_id
    await book.publish(where, "U1", RULES, 0)
    began = (await book.read(where)).seen
    await book.publish(where, "U2", OTHER, 1)

    assert (await book.save_draft(where, "U1", RULES, began, "moved One up")).text == FASTER
    assert (await book.read(where)).draft is None


async def test_a_draft_that_was_changed_meanwhile_is_neither_published_nor_dropped(world, book):
    """It is looked at in the transaction that would do it, not before."""
    where = world.workspace_id
    await book.save_draft(where, "U1", RULES, SeenVersion(0), "added One")
    seen = (await book.read(where)).seen
    await book.save_draft(where, "U2", OTHER, seen, "added Two")
    change = AuditEntry(world.clock(), "U1", "ownership: published", "")

    assert await world.database.run(rule_sets.publish_draft, where, seen, change) is None
    assert not await world.database.run(rule_sets.drop_draft, where, seen, change)
    assert (await book.read(where)).shown == OTHER


@pytest.mark.both_databases
async def test_rolling_back_publishes_the_old_rules_anew(world, book):
    """History only grows, and says who did what."""
    where = world.workspace_id
    await book.publish(where, "U1", RULES, 0)
    world.clock.advance(seconds=1)
    await book.publish(where, "U1", OTHER, 1, "better")
    rolled = await book.roll_back(where, "U2", 1, 2)

    assert (rolled.number, (await book.read(where)).rules) == (3, RULES)
    assert [(one.version, one.published_by) for one in await book.versions(where)] == [(3, "U2"), (2, "U1"), (1, "U1")]
    history = await book.history(where)
    assert [(one.actor, one.action, one.detail) for one in history] == [
        ("U2", "ownership: published", "rolled back to version 1"),
        ("U1", "ownership: published", "better"),
        ("U1", "ownership: published", "1 rule in force"),
    ]
    assert history[0].at > history[2].at
    assert (await book.roll_back(where, "U2", 9, 3)).text == GONE


async def test_a_draft_may_be_dropped(world, book):
    """And what is in force stays."""
    await book.publish(world.workspace_id, "U1", RULES, 0)
    await book.save_draft(world.workspace_id, "U1", OTHER, None, "x")
    seen = (await book.read(world.workspace_id)).seen
    assert await book.discard_draft(world.workspace_id, "U1", seen)
    assert not await book.discard_draft(world.workspace_id, "U1", seen)
    assert (await book.read(world.workspace_id)).shown == RULES


async def test_rules_that_the_org_cannot_follow_are_refused_with_every_fault(world, book):
    """A field that it has not, one that holds no user: the published rules are untouched."""
    await book.publish(world.workspace_id, "U1", RULES, 0)
    wrong = Rule(name="x", tell=(UserField(field="Account.Nope__c"), UserField(field="Account.Industry")))

    kept = await book.publish(world.workspace_id, "U1", RuleSet(rules=(wrong,)), 1)

    assert (kept.stored, kept.text) == (False, "Nothing was published: 2 faults to mend first.")
    assert [fault.path for fault in kept.faults] == ["rules.0.tell.0.field", "rules.0.tell.1.field"]
    assert (await book.read(world.workspace_id)).rules == RULES


async def test_fields_and_roles_come_from_the_orgs_own_describe(world, book):
    """The presets are fine where the org has what they name, and are told where it has not."""
    before = await book.check(world.workspace_id, RuleSet(rules=presets()))
    for name in ("CSM__c", "SDR__c"):
        world.salesforce.org.add_field("Account", lookup(name, "User"))
    after = await book.check(world.workspace_id, RuleSet(rules=presets()))
    shape = await book.org(world.workspace_id)

    assert {fault.message.split(" ")[0] for fault in before} == {"Account.CSM__c", "Account.SDR__c"}
    assert after == []
    assert "account.sdr__c" in shape.user_fields
    assert "Customer Success Manager" in shape.roles["account"]


async def test_what_can_never_be_reached_is_a_warning(world, book):
    """It is published all the same, and said."""
    twice = RuleSet(rules=(*RULES.rules, Rule(name="Two", tell=(Owner(of="lead"),))))
    kept = await book.publish(world.workspace_id, "U1", twice, 0)
    assert kept.stored
    assert "“Two” can never be reached" in kept.faults[0].message


async def test_salesforce_that_does_not_answer_is_a_warning(world, book):
    """Rules can be published while it is down; fields that it lacks are passed over when they route."""
    world.salesforce.faults.add("*", status=503, times=None)
    kept = await book.publish(world.workspace_id, "U1", RULES, 0)
    assert kept.stored
    assert "could not be checked against Salesforce" in kept.faults[0].message


async def test_json_goes_out_and_comes_in(world, book):
    """The same rules; with a fault, nothing of it."""
    await book.publish(world.workspace_id, "U1", RULES, 0)
    text = await book.hand_out(world.workspace_id)
    refused = await book.bring_in(world.workspace_id, OPERATOR, text.replace("account", "acount"))
    taken = await book.bring_in(world.workspace_id, OPERATOR, text.replace("One", "Uno"))

    assert (refused.stored, refused.text) == (False, "Nothing was imported: 1 fault to mend first.")
    assert (taken.stored, taken.number) == (True, 2)
    assert (await book.read(world.workspace_id)).rules.rules[0].name == "Uno"


async def test_a_workspace_that_is_not_there_keeps_nothing(book):
    """Nothing is stored for strangers."""
    assert not (await book.publish("T_NOBODY", "U1", RULES, None)).stored
    assert not (await book.save_draft("T_NOBODY", "U1", RULES, None, "x")).stored
