"""The ownership dialogs at their largest: Slack accepts them, and text of others is escaped."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from domain.audit import AuditEntry
from domain.decision.reasons import legacy
from domain.decision.record import Decision
from domain.delivery import NewDelivery
from domain.job_change.model import JobChange
from domain.people import OwnerLink, OwnerMatching, UnmatchedOwner
from domain.rule_versions import DraftRules, PublishedRules
from domain.states import Role
from listeners.ownership.effects.simulate_view import (
    SimulationForm,
    comparison_blocks,
    option_label,
    simulate_view,
    simulated_blocks,
)
from listeners.ownership.history_view import history_view
from listeners.ownership.pools_view import advanced_view, mapping_view, pool_view
from listeners.ownership.rule_editor import NEW_RULE
from listeners.ownership.rule_form.choices import (
    A_CHANNEL,
    A_GROUP,
    A_PERSON,
    MOST_OPTIONS,
    Slot,
    choices_of,
    groups_of,
)
from listeners.ownership.rule_form.fields import rule_form_of
from listeners.ownership.rule_form.form import RuleForm
from listeners.ownership.rule_form.rule_view import begin_view, needs_other_fields, rule_view
from listeners.ownership.rule_list_view import ListContext, list_view
from listeners.ownership.unmatched_owners_view import UnmatchedOwnersPage, read_aliases, unmatched_owners_view
from sandbox.slack.block_kit.blocks import check_view
from sandbox.slack.block_kit.inputs import values_of
from services.ownership.rules.check import OrgField, OrgSchema
from services.ownership.rules.current_rules import CurrentRules
from services.ownership.rules.issues import RuleIssue
from services.ownership.rules.presets import plays, presets
from services.ownership.rules.rule_set import NO_RULES, RuleSet
from services.ownership.simulation_report import Difference, SimulatedJobChange, SimulationReport
from tests.conftest import SOMEDAY
from tests.world import sample_job_change

LIVE = "<!channel> *x* <@U1> <https://evil.example|here> " * 2
NAME = LIVE[:80]
ORG = OrgSchema(
    objects=frozenset({"account"}),
    fields={
        f"account.lookup_{number:03}__c": OrgField(f"Account.Lookup_{number:03}__c", f"{LIVE}{number}", ("User",))
        for number in range(300)
    },
    roles={"account": frozenset(f"{LIVE[:70]}{n}" for n in range(50)), "opportunity": frozenset()},
)
WIDE = {
    "name": NAME,
    "when": {
        "relationship": [LIVE] * 200,
        "title_contains": [LIVE] * 200,
        "fields": [{"field": "Account.Name", "values": [LIVE] * 200}] * 20,
    },
    "tell": [{"source": "user", "user": f"{'x' * 300}@acme.example"}] * 12,
    "deliver": {"to": "dri_and_channel", "channel": "C0123456789"},
    "fallback": {"source": "user", "user": "vp@acme.example"},
}
SMALL = RuleSet.parse(
    {
        "rules": [WIDE],
        "pools": {f"{number:02}{NAME[2:]}": {"members": [{"user": "U0123456789"}] * 200} for number in range(50)},
        "mappings": {f"{number:02}{NAME[2:]}": {"ann@acme.example": "bob@acme.example"} for number in range(50)},
        "guards": {"excluded": ["U0123456789"] * 100 + ["x@acme.example"] * 100},
    }
)
FULL = SMALL.model_copy(update={"rules": SMALL.rules * 499})  # one rule 499 times: parsed apart they fill 440 MB
DRAFT = DraftRules(3, "", SOMEDAY, "U0123456789")
BOOK = CurrentRules(2, FULL, DRAFT, FULL)
CHANGE = JobChange.parse(sample_job_change(person={"full_name": LIVE, "emails": ["ada@initech.example"]}))


def checked(view: dict[str, object]) -> str:
    """The text of a view, after checking that Slack accepts it and that no foreign markup is active."""
    assert check_view(view, "modal") == []
    assert len(json.dumps(view, ensure_ascii=False).encode()) < 250_000
    texts = str(list(mrkdwn_in(view["blocks"])))
    assert "<!channel>" not in texts
    assert "<https" not in texts
    return str(view)


def mrkdwn_in(value: object) -> list[str]:
    if isinstance(value, list):
        return [text for item in value for text in mrkdwn_in(item)]
    if not isinstance(value, dict):
        return []
    own = [value["text"]] if value.get("type") == "mrkdwn" else []
    return own + [text for item in value.values() for text in mrkdwn_in(item)]


@pytest.mark.parametrize("page", [0, 7, 24, 99])
def test_the_list_of_rules(page):
    """There are 499 rules, all with issues, in pages."""
    issues = [RuleIssue(f"rules.{n}.tell.{m}", LIVE) for n in range(499) for m in range(5)] + [RuleIssue("", LIVE)] * 30
    view = list_view(BOOK, ListContext(issues, ORG, LIVE), page, "Saved.")
    assert "Everything else" in checked(view)


def test_the_list_of_unreadable_rules():
    """No rules can be added."""
    view = list_view(CurrentRules(2, RuleSet(), None, None, LIVE), ListContext())
    assert "ownership_add" not in checked(view)


def test_the_rule_form():
    """The rule has twelve sources; the org has three hundred lookups and fifty roles."""
    form = RuleForm.of(FULL.rules[0], 498)
    slots = form.tell.slots
    choices = choices_of(FULL, ORG, len(slots) + len(form.also.slots))
    assert "so unchanged" in checked(rule_view(form, choices, ORG, is_new=False))
    for slot in slots:
        groups = groups_of(choices, slot, form.original.tell)
        assert sum(map(len, groups.values())) <= MOST_OPTIONS
    assert choices.more_fields > 200


def test_the_rule_form_with_everything_that_it_can_show():
    """Twenty conditions, twelve sources and five who are informed, in an org with a thousand fields."""
    fields = {
        f"account.{LIVE[2:9]}_{number:03}__c": OrgField(
            f"Account.Field_{number:03}__c", LIVE, (), "picklist", (LIVE[:90],) * 9
        )
        for number in range(1_000)
    }
    org = replace(ORG, fields={**ORG.fields, **fields})
    tests = [{"field": f"Account.Field_{number:03}__c", "values": ["x" * 150] * 9} for number in range(20)]
    sources = [{"source": "user_group", "group": "S0123456789"}] * 12
    raw = {"name": NAME, "when": {"fields": tests}, "tell": sources, "also_notify": sources}
    rule_set = RuleSet.parse({"rules": [raw]})
    handles = {f"S{number:010}": f"{number}{'x' * 20}" for number in range(99)}

    view = rule_view(RuleForm.of(rule_set.rules[0], 0), choices_of(FULL, org, 17, handles), org, is_new=False)

    assert "so unchanged" in checked(view)


@pytest.mark.parametrize("rule", [*plays(), *presets()], ids=lambda rule: rule.name)
def test_the_rule_form_of_each_preset(rule):
    """No Salesforce is connected."""
    checked(begin_view(plays(), presets(), {}))
    assert rule.name in checked(rule_view(RuleForm.of(rule, 0), choices_of(RuleSet(), None), None, is_new=True))


texts = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=12)
awkward = st.sampled_from(
    ["VP, Sales", 'Chief "of" Staff', "a = b", "two words", "two\nlines", "a\u2028b", '"', ",", "…", "x" * 200]
)
words = st.lists(texts | awkward, min_size=1, max_size=5) | st.just(["x" * 199] * 50)
sides = st.none() | st.sampled_from(["past", "current"])


def some_of(*values):
    return st.lists(st.sampled_from(values), min_size=1, max_size=4)


def with_or_without(**strategies):
    """An object with any of these keys."""
    return st.fixed_dictionaries({}, optional=strategies)


tests = st.fixed_dictionaries(
    {
        "field": st.sampled_from(
            ["Account.Name", "Account.Tier__c", "Contact.IsVip__c", "Lead.Tags__c", "Account.No__c"]
        ),
        "test": st.sampled_from(["in", "equals", "contains"]),
        "values": words | st.just(["true"]) | st.just(["Gold"]),
    }
) | st.fixed_dictionaries(
    {
        "field": st.sampled_from(["Account.Name", "Account.Tier__c", "Opportunity.Amount", "Account.No__c"]),
        "test": st.sampled_from(["at_least", "at_most"]),
        "values": st.sampled_from([["50000"], ["-0.5"], ["1e6"], [" 7"], ["0.0000001"]]),
    }
)
conditions = with_or_without(
    side=sides,
    signal=some_of("contact_tracking", "new_hires_promotions", "custom"),
    change_type=some_of("new_company", "departure", "promotion"),
    segment=some_of("customer", "target", "none"),
    relationship=words,
    persona=words,
    title_contains=words,
    title_lacks=words,
    min_score=st.integers(-5, 100) | st.just(7.5),
    contact_has_open_opportunity=st.booleans(),
    fields=st.lists(tests, min_size=1, max_size=20),
)
WHICH = st.sampled_from(["open", "last_won", "last_lost"])
one_person = st.one_of(
    st.fixed_dictionaries({"source": st.just("owner"), "of": st.sampled_from(["contact", "lead", "parent_account"])}),
    st.fixed_dictionaries({"source": st.just("opportunity_owner"), "which": WHICH, "side": sides}),
    st.fixed_dictionaries({"source": st.just("team"), "of": st.just("account"), "role": texts, "side": sides}),
    st.fixed_dictionaries({"source": st.just("field"), "field": st.just("Opportunity.Rep__c"), "which": WHICH}),
    st.sampled_from([{"source": "user", "user": "U0123456789"}, {"source": "user", "user": "ann@acme.example"}]),
    st.just({"source": "sender"}),
)
informed = st.one_of(
    one_person,
    st.fixed_dictionaries({"source": st.just("manager"), "of": one_person}),
    st.fixed_dictionaries({"source": st.just("mapped"), "table": st.just("AE"), "of": one_person}),
    st.fixed_dictionaries({"source": st.just("channel_field"), "field": st.just("Account.Room__c"), "side": sides}),
    st.sampled_from(
        [{"source": "user_group", "group": "S0123456789"}, {"source": "channel", "channel": "C0123456789"}]
    ),
)
sources = informed.filter(lambda source: source["source"] != "channel_field") | st.sampled_from(
    [{"source": "pool", "pool": "SDRs"}, {"source": "queue"}, {"source": "queue", "members": "everyone"}]
)
rules = st.fixed_dictionaries(
    {"name": texts, "enabled": st.booleans(), "tell": st.lists(sources, min_size=1, max_size=12)},
    optional={
        "when": conditions,
        "also_notify": st.lists(informed, min_size=1, max_size=12),
        "deliver": st.sampled_from(
            [{"to": "nobody"}, {"to": "dri"}]
            + [{"to": to, "channel": "C0123456789"} for to in ("dri_and_channel", "channel")]
        ),
        "fallback": st.sampled_from(
            [
                {"source": "user", "user": "U0123456789"},
                {"source": "user", "user": "vp@acme.example"},
                {"source": "channel", "channel": "C0123456789"},
            ]
        ),
    },
)
TYPED_ORG = OrgSchema(
    objects=frozenset({"account", "contact", "lead"}),
    fields={
        field.name.lower(): field
        for field in (
            OrgField("Account.Name", "Account Name"),
            OrgField("Account.Tier__c", "Tier", (), "picklist", ("Gold", "Silver")),
            OrgField("Contact.IsVip__c", "VIP", (), "boolean"),
            OrgField("Lead.Tags__c", "Tags", (), "multipicklist", ("A", "B")),
            OrgField("Opportunity.Amount", "Amount", (), "currency"),
        )
    },
)


def as_slack_sends_it(blocks):
    """The values of a view. An input of one line has no line breaks."""
    states = values_of(blocks, {})
    for inputs in states.values():
        for state in inputs.values():
            if state["type"] == "plain_text_input" and state["value"]:
                state["value"] = " ".join(state["value"].splitlines())
    return states


TEST_OF_ANOTHER_TYPE = {"field": "Contact.IsVip__c", "test": "contains", "values": ["true"]}


@example(
    raw={"name": "A", "when": {"fields": [TEST_OF_ANOTHER_TYPE]}, "tell": [{"source": "sender"}]},
    place=0,
    org=TYPED_ORG,
)
@example(
    raw={
        "name": "A",
        "when": {"persona": ["two\nlines", "a"], "segment": ["customer", "target", "customer"]},
        "tell": [{"source": "sender"}],
    },
    place=0,
    org=None,
)
@given(raw=rules, place=st.integers(0, 498), org=st.sampled_from([None, TYPED_ORG]))
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_saving_any_rule_without_changes_keeps_it(raw, place, org):
    """Whatever the JSON form accepts: the dialog shows every value of a rule, or leaves it unchanged."""
    pools, mappings = {"SDRs": {"members": [{"user": "U0123456789"}]}}, {"AE": {}}
    rule_set = RuleSet.parse({"rules": [raw], "pools": pools, "mappings": mappings})
    (rule,) = rule_set.rules
    form = RuleForm.of(rule, place)
    view = rule_view(form, choices_of(rule_set, org, 17), org, is_new=False)
    assert check_view(view, "modal") == []
    states = as_slack_sends_it(view["blocks"])
    typed = form.typed(rule_form_of(states).read({"state": {"values": states}}), states, 0).resolved(org)

    assert not needs_other_fields(typed, states)
    assert typed.read(rule_set, None) == (rule, place)


def test_the_pool_and_mapping_dialogs():
    """The largest number of pools and mappings fits."""
    assert "And 30 more" in checked(advanced_view(BOOK, "Saved."))
    checked(pool_view(BOOK, next(iter(FULL.pools))))
    checked(mapping_view(BOOK, next(iter(FULL.mappings))))
    checked(pool_view(BOOK, None))
    checked(mapping_view(BOOK, None))


def test_a_mapping_that_is_too_long_for_a_dialog_is_not_cut_off():
    """The dialog says to use JSON instead."""
    table = {f"person-{number}@acme.example": "bob@acme.example" for number in range(500)}
    book = CurrentRules(1, RuleSet.parse({"mappings": {"Long": table}}), None, None)
    assert "Export the rules as JSON" in checked(mapping_view(book, "Long"))


@pytest.mark.parametrize(("score", "shown"), [(7.5, "7.5"), (9, "9"), (1_234_567.25, "1234567.25"), (1e6, "1000000")])
def test_a_score_is_shown_with_all_digits(score, shown):
    """Missing digits would be lost when the rule is saved."""
    (rule,) = RuleSet.parse(
        {"rules": [{"name": "A", "when": {"min_score": score}, "tell": [{"source": "sender"}]}]}
    ).rules
    assert RuleForm.of(rule, 0).rows[0].values == (shown,)


def test_long_issues_are_shown_as_far_as_they_fit():
    """The list has to open, so that the issues can be fixed."""
    issues = [RuleIssue(f"mappings.{NAME} {number}", LIVE * 4) for number in range(20)]
    assert "…" in checked(list_view(BOOK, ListContext(issues)))


def test_a_pool_that_is_too_long_for_a_dialog_is_not_cut_off():
    """Missing members would be lost when the pool is saved."""
    members = [{"user": f"firstname.lastname-{number}@acme.example"} for number in range(150)]
    book = CurrentRules(1, RuleSet.parse({"pools": {"Long": {"members": members}}}), None, None)
    assert "Export the rules as JSON" in checked(pool_view(book, "Long"))


def test_all_alias_domains_are_shown():
    """Missing domains would be lost when the settings are saved."""
    matching = OwnerMatching(None, {f"{number:04}.example": "acme.example" for number in range(110)})
    text = "\n".join(f"{domain}={alias}" for domain, alias in matching.alias_domains.items())
    assert len(text) < 3_000
    blocks = unmatched_owners_view(UnmatchedOwnersPage([], [], matching))["blocks"]
    [shown] = [block["element"]["initial_value"] for block in blocks if block.get("block_id") == "alias_domains"]
    assert read_aliases(shown) == matching.alias_domains


def test_the_history():
    """There are fifty versions and a hundred changes."""
    versions = [PublishedRules(50 - n, "", SOMEDAY, "U0123456789", LIVE) for n in range(50)]
    changes = [AuditEntry(SOMEDAY, "U0123456789", "ownership: drafted", LIVE * 3)] * 100
    checked(history_view(versions, changes))
    assert "No version has been published yet" in checked(history_view([], []))


def test_the_unmatched_owners():
    """There are a hundred owners and a hundred links."""
    owners = [UnmatchedOwner(f"{n}{'x' * 250}@acme.example", LIVE, LIVE, 3, SOMEDAY) for n in range(100)]
    links = [(OwnerLink(f"{n}@acme.example", "U0123456789", "operator"), n) for n in range(100)]
    matching = OwnerMatching("Slack_Email__c", {f"{'x' * 60}{n}.example": "acme.example" for n in range(100)})
    shown = checked(unmatched_owners_view(UnmatchedOwnersPage(owners, links, matching, "a", LIVE.replace("<", ""))))
    assert "99 job changes that were sent to a channel" in shown
    assert read_aliases("acme.com = acme.io\n\n b.com=b.io ") == {"acme.com": "acme.io", "b.com": "b.io"}


def test_a_company_that_somebody_stays_at_is_named_once():
    """A promotion has the same company before and after."""
    globex = {"company": {"name": "Globex"}}
    promotion = sample_job_change(change_type="promotion", previous=globex, current=globex)
    assert option_label(JobChange.parse(promotion)).endswith(": Globex")


def test_the_simulation():
    """There are long reasons, many candidates and many differences."""
    considered = [{"side": "past", "source": LIVE, "name": LIVE, "email": LIVE, "result": LIVE * 3}] * 40
    sides = [{"side": side, "rule": NAME} for side in ("past", "current", None)]
    decision = Decision.model_validate({"considered": considered, "sides": sides, "notes": [LIVE] * 30})
    deliveries = tuple(NewDelivery("j", f"U01234567{n:02}", Role.DRI, legacy(LIVE * 10), "past") for n in range(40))
    simulated = SimulatedJobChange("j", CHANGE, deliveries, legacy("because"), decision)
    latest = [(f"id-{number}", CHANGE) for number in range(50)]
    results = [
        simulated_blocks(simulated),
        simulated_blocks(SimulatedJobChange("j", CHANGE, waits=True)),
        simulated_blocks(SimulatedJobChange("j", CHANGE, reasons=legacy(LIVE))),
        comparison_blocks(SimulationReport(100, (Difference(simulated, simulated),) * 100)),
        comparison_blocks(SimulationReport(0, ())),
    ]
    for result in results:
        shown = checked(simulate_view(SimulationForm(latest, True, "id-3", "ada@initech.example", "Globex", result)))
        assert "Simulate" in shown


@pytest.mark.parametrize(
    ("kind", "error"),
    [(A_PERSON, "Choose a person."), (A_GROUP, "Choose a user group."), (A_CHANNEL, "Choose a channel.")],
)
def test_a_picker_left_empty_says_what_to_choose(kind, error):
    """It is no malformed id."""
    form = RuleForm.of(NEW_RULE, 0)
    form = replace(form, tell=replace(form.tell, slots=(Slot(kind, None),)))

    assert form.read(NO_RULES, None) == {f"more-0-{kind}": error}
