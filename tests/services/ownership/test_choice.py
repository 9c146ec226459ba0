"""Decisions: the preset scenarios, conditions, sources, skipped candidates, and properties that always hold."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.decision.sentences import candidate_result, for_reader
from domain.job_change.parts import ChangeType
from domain.people import BOT, DEACTIVATED, GUEST, NOT_IN_SLACK, STRANGER, UNKNOWN, Member
from domain.states import Role
from domain.workspace import Workspace
from services.ownership.choice.availability import Absence, Availability, BatchState, Matching, MissingLookups
from services.ownership.choice.case import sides_of
from services.ownership.choice.conditions import PreparedRules
from services.ownership.choice.decide import Choice, decide
from services.ownership.choice.delivery_plan import plan_deliveries
from services.ownership.rules.presets import presets
from services.ownership.rules.rule_set import CATCH_ALL, RuleSet
from services.salesforce.records import PersonRecords
from tests.services.ownership.cases import (
    ADA,
    BO,
    DANA,
    DEAL,
    GLOBEX,
    INITECH,
    KIM,
    LEAD,
    OMAR,
    RECORDS,
    SLACK,
    SUE,
    USERS,
    availability,
    case,
    chosen,
    job_change,
    missing,
    notified,
    owner,
    rule,
    rules,
    user,
)

SCENARIOS = PreparedRules.of(RuleSet(rules=presets()))
PROMOTED = {"change_type": "promotion", "previous": {}}


def at(past=INITECH, current=GLOBEX, **changes):
    contact = replace(ADA, account=past)
    records = PersonRecords(contact=contact, contacts=(contact,), past_account=past, current_account=current)
    return case(records, **changes)


NEUTRAL = replace(INITECH, fields={"type": "Partner"})
OPEN = replace(NEUTRAL, open=DEAL)


@pytest.mark.parametrize(
    ("scenario", "job", "side", "rule_name", "recipient"),
    [
        ("leaves a customer", at(current=NEUTRAL), "past", "Leaves a customer", "Bo Chen"),
        ("joins a customer", at(NEUTRAL, INITECH), "current", "Joins a customer", "Bo Chen"),
        ("leaves an open opportunity", at(OPEN, NEUTRAL), "past", "Leaves an open opportunity", "Bo Chen"),
        ("joins an open opportunity", at(NEUTRAL, OPEN), "current", "Joins an open opportunity", "Bo Chen"),
        ("joins a target", at(NEUTRAL), "current", "Joins a target account", "Sue Park"),
        ("leaves a target", at(GLOBEX, NEUTRAL), "past", "Leaves a target account", "Sue Park"),
        (
            "joins a closed-lost account",
            at(NEUTRAL, replace(NEUTRAL, last_lost=DEAL)),
            "current",
            "Joins a closed-lost account",
            "Bo Chen",
        ),
        ("promotion at a customer", at(**PROMOTED), "current", "A new hire or promotion at a customer", "Bo Chen"),
        (
            "new hire at a target",
            at(change_type="new_hire", previous={}),
            "current",
            "A new hire or promotion at a target account",
            "Sue Park",
        ),
        (
            "joins a company that is not in Salesforce",
            at(NEUTRAL, None),
            "current",
            "Joins a company that is not in Salesforce",
            "Kim Lee",
        ),
        ("anything else", at(NEUTRAL, NEUTRAL, change_type="lateral"), "current", "Anything else", "Dana Reyes"),
    ],
)
def test_each_preset_matches_its_scenario(scenario, job, side, rule_name, recipient):
    """Each preset rule matches on its side and chooses the right person."""
    if scenario == "promotion at a customer":
        job = at(current=INITECH, **PROMOTED)
    choice = next(choice for choice in chosen(job, SCENARIOS).choices if choice.side == side)
    assert (choice.rule.name, choice.name) == (rule_name, recipient)


@pytest.mark.parametrize(
    ("change_type", "sides"),
    [
        ("new_company", ("past", "current")),
        ("promotion", ("current",)),
        ("lateral", ("current",)),
        ("additional_role", ("current",)),
        ("new_hire", ("past", "current")),
        ("departure", ("past", "current")),
    ],
)
def test_the_sides_of_a_job_change(change_type, sides):
    """A promotion has no past side; a departure has a current side only if the next company is known."""
    assert sides_of(job_change(change_type=change_type)) == sides
    assert sides_of(job_change(change_type="departure", current={})) == ("past",)


@pytest.mark.parametrize(
    ("when", "matches"),
    [
        ({}, True),
        ({"signal": ["contact_tracking"]}, True),
        ({"signal": ["custom"]}, False),
        ({"change_type": ["promotion", "new_company"]}, True),
        ({"relationship": ["champion"]}, True),
        ({"relationship": ["User"]}, False),
        ({"persona": ["ECONOMIC BUYER"]}, True),
        ({"title_contains": ["cro"]}, True),
        ({"title_contains": ["VP"]}, False),
        ({"title_contains": ["cro"], "title_lacks": ["C"]}, False),
        ({"min_score": 87}, True),
        ({"min_score": 87.5}, False),
        ({"segment": ["target"]}, True),
        ({"segment": ["customer", "none"]}, False),
        ({"fields": [{"field": "Account.Type", "test": "equals", "values": ["target"]}]}, True),
        ({"fields": [{"field": "Account.Type", "test": "contains", "values": ["arg"]}]}, True),
        ({"fields": [{"field": "Account.Type", "values": ["arg"]}]}, False),
        ({"fields": [{"field": "Account.Revenue__c", "values": ["1234567.5"]}]}, True),
        ({"fields": [{"field": "Account.Revenue__c", "test": "at_least", "values": ["1234567.5"]}]}, True),
        ({"fields": [{"field": "Account.Revenue__c", "test": "at_least", "values": ["1234568"]}]}, False),
        ({"fields": [{"field": "Account.Revenue__c", "test": "at_most", "values": ["2e6"]}]}, True),
        ({"fields": [{"field": "Account.Type", "test": "at_most", "values": ["9"]}]}, False),
        ({"fields": [{"field": "Account.Nothing__c", "test": "at_most", "values": ["9"]}]}, False),
        ({"fields": [{"field": "Account.Nothing__c", "values": ["x"]}]}, False),
        ({"fields": [{"field": "Opportunity.Name", "values": ["x"]}]}, False),
    ],
)
def test_conditions(when, matches):
    """All conditions that are set must hold. Case is ignored, and an unknown value does not match."""
    prepared = rules(rule(owner("account"), when={"side": "current", **when}))
    assert notified(case(), prepared) == ({"current": "Omar Diaz"} if matches else {None: "Dana Reyes"})


def test_the_first_matching_rule_of_each_side_applies():
    """Rules that are turned off are skipped, and the sides are independent."""
    prepared = rules(
        rule(owner("lead"), name="off", enabled=False),
        rule(owner("account"), name="past", when={"side": "past"}),
        rule(owner("contact"), name="both"),
        rule(owner("account"), name="late", when={"side": "current"}),
    )
    assert [(choice.side, choice.rule.name) for choice in chosen(case(), prepared).choices] == [
        ("past", "past"),
        ("current", "both"),
    ]


@pytest.mark.parametrize(
    ("tell", "recipients", "silent"),
    [
        ([owner("contact")], {"past": "Dana Reyes", "current": None}, ["current"]),
        ([owner("account")], {"past": "Kim Lee", "current": None}, ["current"]),
        (
            [{"source": "field", "field": "Account.SDR__c"}, owner("account")],
            {"past": None, "current": "Sue Park"},
            ["past"],
        ),
        ([owner("contact", side="past")], {"past": "Dana Reyes", "current": "Dana Reyes"}, []),
        ([owner("lead")], {"past": None, "current": None}, []),
    ],
)
def test_a_rule_for_both_sides_sends_one_message(tell, recipients, silent):
    """The source that stands first in the chain decides, then the company left. The other side is silent."""
    prepared = rules(rule(*tell))
    decision = chosen(case(), prepared)
    assert notified(case(), prepared) == recipients
    assert [choice.side for choice in decision.choices if choice.is_silent] == silent
    (delivery,) = plan_deliveries("jc", decision, WORKSPACE, "contact_tracking").deliveries
    assert (delivery.role is Role.FALLBACK) is not any(recipients.values())
    names = {row.name for choice in decision.choices for row in choice.considered if row.is_notified}
    assert names == set(filter(None, recipients.values()))


@pytest.mark.parametrize(
    ("source", "name", "why"),
    [
        (owner("contact", side="past"), "Dana Reyes", "You own Ada Smith in Salesforce."),
        (owner("lead"), "Sue Park", "You own the lead Ada Smith in Salesforce."),
        (owner("account"), "Omar Diaz", "You own Globex in Salesforce."),
        (owner("account", side="past"), "Kim Lee", "You own Initech in Salesforce."),
        ({"source": "field", "field": "Account.SDR__c"}, "Sue Park", "You are the SDR of Globex in Salesforce."),
        (
            {"source": "field", "field": "Account.CSM__c", "side": "past"},
            "Bo Chen",
            "You are the CSM of Initech in Salesforce.",
        ),
        ({"source": "user", "user": "kim@acme.example"}, "kim@acme.example", "The rule “One” notifies you."),
        ({"source": "user", "user": KIM.id}, "Kim Lee", "The rule “One” notifies you."),
        (
            {"source": "mapped", "table": "T", "of": owner("account")},
            "Dana Reyes",
            "The mapping T has you as the recipient for Omar Diaz. Omar Diaz owns Globex in Salesforce.",
        ),
    ],
)
def test_owner_sources_and_their_reasons(source, name, why):
    """Each source finds its person, and the reason says why."""
    prepared = rules(rule(source, when={"side": "current"}), mappings={"T": {OMAR.id: DANA.id}})
    (choice,) = chosen(case(replace(RECORDS, lead=LEAD)), prepared).choices
    assert (choice.name, for_reader(choice.reasons)) == (name, why)


@pytest.mark.parametrize(
    ("source", "result"),
    [
        (owner("contact"), "Salesforce has no contact for Ada Smith at Globex"),
        (owner("lead"), "Salesforce has no lead for Ada Smith"),
        (owner("parent_account"), "Salesforce has no parent account for Globex"),
        ({"source": "opportunity_owner"}, "Salesforce has no open opportunity for Globex"),
        ({"source": "field", "field": "Account.CSM__c"}, "is not set"),
        ({"source": "field", "field": "Account.Type"}, "is not a user that the app can see in Salesforce"),
        ({"source": "field", "field": "Account.Queue__c"}, "is a queue"),
        ({"source": "field", "field": "Account.Hidden__c"}, "cannot be read in Salesforce"),
        ({"source": "team", "of": "account", "role": "CSM"}, "is not set or not visible to the app"),
        ({"source": "mapped", "table": "T", "of": owner("account")}, "is not in the mapping T"),
        ({"source": "manager", "of": owner("account")}, "is not set or not visible to the app"),
        ({"source": "user", "user": "005000000000999AAA"}, "is not a Salesforce user that the app can see"),
        ({"source": "sender"}, "did not name a DRI"),
    ],
)
def test_a_source_without_a_person_is_skipped_with_a_reason(source, result):
    """The next person in the chain is notified."""
    globex = replace(GLOBEX, fields={**GLOBEX.fields, "queue__c": "00G000000000001AAA", "csm__c": None})
    hidden = replace(case(replace(RECORDS, current_account=globex)), unreadable=frozenset({"account.hidden__c"}))
    prepared = rules(rule(source, owner("account"), when={"side": "current"}), mappings={"T": {}})
    (choice,) = chosen(hidden, prepared).choices
    assert [candidate_result(row).partition(" (")[0] for row in choice.considered] == [result, "notified"]


def test_a_candidate_from_a_mapping_is_shown_with_the_name_of_the_mapping():
    """Also if the mapping does not have the owner."""
    mapped = {"source": "mapped", "table": "T", "of": owner("account")}
    prepared = rules(rule(mapped, owner("account"), when={"side": "current"}), mappings={"T": {}})
    (choice,) = chosen(case(), prepared).choices
    assert choice.considered[0].source == "T"


@pytest.mark.parametrize(
    ("source", "unreadable"),
    [
        ({"source": "opportunity_owner"}, "opportunity"),
        ({"source": "opportunity_owner", "of": "contact"}, "opportunitycontactrole"),
        ({"source": "team", "of": "account", "role": "CSM"}, "accountteammember"),
        ({"source": "queue"}, "groupmember"),
    ],
)
def test_an_object_that_the_app_may_not_read_is_the_reason(source, unreadable):
    """It is not said that there is no such record: nobody knows."""
    queue = user("Inbound", kind="queue", email=None)
    job = replace(case(replace(RECORDS, lead=replace(LEAD, owner=queue))), unreadable=frozenset({unreadable}))
    (choice,) = chosen(job, rules(rule(source, owner("account"), when={"side": "current"}))).choices
    assert [candidate_result(row).partition(" (")[0] for row in choice.considered] == [
        "cannot be read in Salesforce",
        "notified",
    ]


def test_the_owner_of_an_opportunity_who_cannot_be_notified_is_named_by_it():
    """The trace names the source, and the message the record."""
    job = case(replace(RECORDS, current_account=replace(GLOBEX, open=DEAL)))
    prepared = rules(rule({"source": "opportunity_owner"}, when={"side": "current"}))
    (choice,) = chosen(job, prepared, missing(BO.email)).choices
    assert [row.source for row in choice.considered] == ["open opportunity owner"]
    assert "the owner of Big deal, Bo Chen, is not in Slack" in for_reader(choice.reasons)


@pytest.mark.parametrize(
    ("named", "notified_owner"),
    [(GLOBEX.id[:15], "Omar Diaz"), ("001000000000009", "Kim Lee"), (None, "Kim Lee")],
)
def test_the_account_left_is_the_contacts_unless_the_source_names_another_by_its_id(named, notified_owner):
    """An id of a different account, or a name alone, does not take precedence."""
    previous = {"company": {"name": "Globex", "salesforce_id": named}}
    job = case(replace(RECORDS, past_account=GLOBEX, current_account=None), previous=previous)
    assert notified(job, rules(rule(owner("account"), when={"side": "past"}))) == {"past": notified_owner}


@pytest.mark.parametrize(
    ("changes", "result"),
    [
        ({"is_active": False}, "is inactive in Salesforce"),
        ({"email": None}, "has no email address in Salesforce"),
        ({"kind": "queue"}, "is a queue"),
        ({"email": NOT_IN_SLACK}, "is not in Slack, or is deactivated there"),
        ({"email": DEACTIVATED}, "is deactivated in Slack"),
        ({"email": BOT}, "is a bot in Slack"),
        ({"email": GUEST}, "is a guest in Slack"),
        ({"email": STRANGER}, "belongs to another Slack workspace"),
    ],
)
def test_a_person_who_cannot_be_notified_is_skipped_with_a_reason(changes, result):
    """The reason comes from Salesforce or Slack, and the next person in the chain is notified."""
    members = dict(SLACK)
    if changes.get("email"):
        problem, changes = changes["email"], {"email": "x@acme.example"}
        members["x@acme.example"] = Member(None if problem == NOT_IN_SLACK else "UX", problem)
    globex = replace(GLOBEX, owner=replace(OMAR, id="005000000000888AAA", **changes))
    prepared = rules(rule(owner("account"), owner("account", side="past"), when={"side": "current"}))
    (choice,) = chosen(case(replace(RECORDS, current_account=globex)), prepared, availability(members=members)).choices
    assert [candidate_result(row).partition(" (")[0] for row in choice.considered] == [result, "notified"]


def test_a_manager_is_that_of_the_nearest_person_above():
    """The manager of a person who was skipped is notified, with that person's reason."""
    omar = replace(OMAR, is_active=False, manager=KIM)
    globex = replace(GLOBEX, owner=omar)
    prepared = rules(rule(owner("account"), {"source": "manager"}, when={"side": "current"}))
    job = replace(case(replace(RECORDS, current_account=globex)), users={**USERS, OMAR.id[:15]: omar})
    (choice,) = chosen(job, prepared).choices
    assert choice.name == "Kim Lee"
    assert for_reader(choice.reasons) == "You manage Omar Diaz in Salesforce. Omar Diaz owns Globex in Salesforce."


def test_a_delegate_is_notified_in_place_of_an_absent_person():
    """The reason names the absent person. If the delegate is not available either, the chain continues."""
    prepared = rules(rule(owner("account"), owner("contact", side="past"), when={"side": "current"}))
    members = {**SLACK, "ukim": Member("UKIM")}
    away = availability(members=members, absences={"UOMAR": Absence("UKIM")})
    (choice,) = chosen(case(), prepared, away).choices
    assert choice.recipients == ("UKIM",)
    assert (
        for_reader(choice.reasons)
        == "Omar Diaz is out of office and named you as their delegate. They own Globex in Salesforce."
    )
    both = replace(away, absences={"UOMAR": Absence("UKIM"), "UKIM": Absence("UOMAR")})
    assert notified(case(), prepared, both) == {"current": "Dana Reyes"}


def test_a_link_takes_precedence_over_the_address():
    """Owners can be linked by Salesforce user id or email address."""
    members = {**SLACK, "ulinked": Member("ULINKED")}
    for key in (OMAR.id, OMAR.email):
        linked = availability(members=members, matching=Matching(links={key: "ULINKED"}))
        (choice,) = chosen(case(), rules(rule(owner("account"), when={"side": "current"})), linked).choices
        assert choice.recipients == ("ULINKED",)


@pytest.mark.parametrize(
    ("address", "matching", "match"),
    [
        ("omar@acme.example", Matching(), "matched by email"),
        ("ulinked", Matching(links={OMAR.id: "ULINKED"}), "linked by hand"),
        (
            "omar@slack.example",
            Matching(alias_domains={"acme.example": "slack.example"}),
            "matched by the alias domain slack.example",
        ),
        ("o.diaz@else.example", Matching(email_field="Other__c"), "matched by the other email field"),
    ],
)
def test_the_trace_says_how_a_recipient_was_matched(address, matching, match):
    """Each way of matching has its own text, which does not contain the address."""
    omar = replace(OMAR, alternate="o.diaz@else.example")
    job = replace(case(), users={**USERS, OMAR.id[:15]: omar})
    prepared = rules(rule(owner("account"), when={"side": "current"}))
    unknown = dict.fromkeys(
        ("omar@acme.example", "omar@slack.example", "o.diaz@else.example"), Member(None, NOT_IN_SLACK)
    )
    slack = availability(members={**unknown, address: Member("UX")}, matching=matching)
    (choice,) = chosen(job, prepared, slack).choices
    assert [candidate_result(row) for row in choice.considered] == [f"notified ({match})"]


def test_a_recipient_named_by_a_slack_id_has_no_match():
    """Nothing had to be matched."""
    slack = availability(members={**SLACK, "ukim": Member("UKIM")})
    (choice,) = chosen(case(), rules(rule({"source": "user", "user": "UKIM"}, when={"side": "current"})), slack).choices
    assert [candidate_result(row) for row in choice.considered] == ["notified"]


def test_only_missing_lookups_are_requested():
    """A decision returns the lookups that it needs next; for a pool, those of all members at once."""
    first = rules(rule(owner("account"), owner("contact", side="past"), when={"side": "current"}))
    assert decide(case(), first, Availability(), BatchState()) == MissingLookups(frozenset({"omar@acme.example"}))
    unknown = Availability(members={"omar@acme.example": Member(None, UNKNOWN)})
    assert decide(case(), first, unknown, BatchState()) == MissingLookups(frozenset({"omar@acme.example"}))
    pool = {"members": [{"user": "a@x.example"}, {"user": "b@x.example"}]}
    pooled = rules(rule({"source": "pool", "pool": "P"}), pools={"P": pool})
    assert decide(case(), pooled, Availability(), BatchState()) == MissingLookups(
        frozenset({"a@x.example", "b@x.example"})
    )


def test_rules_work_without_salesforce():
    """Conditions on the job change itself still match. Candidates of records are skipped."""
    prepared = rules(
        rule(owner("account"), name="segment", when={"segment": ["none"]}),
        rule(owner("account"), {"source": "user", "user": "kim@acme.example"}, when={"persona": ["economic buyer"]}),
    )
    choices = chosen(case(None), prepared).choices
    assert {choice.recipients for choice in choices} == {("UKIM",)}
    assert candidate_result(choices[0].considered[0]) == "Salesforce is not connected"


WORKSPACE = Workspace(
    id="T1",
    enterprise_id=None,
    is_enterprise_install=False,
    name="Acme",
    state="active",
    installer_user_id=None,
    bot_user_id=None,
    scopes=frozenset(),
    installed_at=0,
    gone_at=None,
    version=0,
    default_channel_id="C_DEFAULT",
    default_channel_name=None,
    default_channel_problem=None,
    channel_gets="unmatched",
    tell_dris=True,
    posts_per_minute=300,
    salesforce_patience_minutes=15,
    salesforce_daily_calls=5000,
)

sources = st.one_of(
    st.builds(owner, st.sampled_from(["contact", "lead", "account", "parent_account"])),
    st.builds(lambda side: owner("account", side=side), st.sampled_from(["past", "current"])),
    st.just({"source": "field", "field": "Account.SDR__c"}),
    st.just({"source": "opportunity_owner"}),
    st.just({"source": "team", "of": "account", "role": "CSM"}),
    st.just({"source": "sender"}),
    st.just({"source": "pool", "pool": "P"}),
    st.just({"source": "manager", "of": owner("account")}),
    st.just({"source": "user", "user": "kim@acme.example"}),
    st.just({"source": "channel", "channel": "C111"}),
)
conditions = st.fixed_dictionaries(
    {},
    optional={
        "side": st.sampled_from(["past", "current"]),
        "change_type": st.lists(
            st.sampled_from([str(change_type) for change_type in ChangeType]), min_size=1, max_size=3
        ),
        "relationship": st.lists(st.sampled_from(["Champion", "User"]), min_size=1),
        "segment": st.lists(st.sampled_from(["customer", "target", "none", "closed_lost"]), min_size=1),
        "min_score": st.integers(0, 100),
    },
)
delivers = st.sampled_from(
    [
        {"to": "dri"},
        {"to": "nobody"},
        {"to": "channel", "channel": "C222"},
        {"to": "dri_and_channel", "channel": "C222"},
    ]
)
some_rules = st.lists(
    st.builds(
        lambda tell, when, deliver, enabled: {"tell": tell, "when": when, "deliver": deliver, "enabled": enabled},
        st.lists(
            sources,
            min_size=1,
            max_size=5,
            unique_by=lambda source: (source["source"], source.get("of", "") if source["source"] == "owner" else ""),
        ),
        conditions,
        delivers,
        st.booleans(),
    ),
    max_size=6,
).map(lambda raw_rules: [{**raw, "name": f"Rule {number}"} for number, raw in enumerate(raw_rules)])
some_users = st.one_of(
    st.none(),
    st.builds(
        user,
        st.sampled_from(["Dana Reyes", "Kim Lee", "Nobody Known"]),
        is_active=st.booleans(),
        email=st.sampled_from([None, "kim@acme.example", "dana@acme.example", "gone@acme.example"]),
        kind=st.sampled_from(["user", "queue"]),
    ),
)
some_accounts = st.one_of(
    st.none(),
    st.builds(
        lambda owner, kind: replace(GLOBEX, owner=owner, fields={"type": kind}),
        some_users,
        st.sampled_from([None, "Customer", "Target"]),
    ),
)
some_records = st.one_of(
    st.none(),
    st.builds(
        lambda owner, account, past, current: PersonRecords(
            contact=replace(ADA, owner=owner, account=account), past_account=past, current_account=current
        ),
        some_users,
        some_accounts,
        some_accounts,
        some_accounts,
    ),
)
MEMBERS = {
    **SLACK,
    "gone@acme.example": Member(None, NOT_IN_SLACK),
    "nobody@acme.example": Member(None, NOT_IN_SLACK),
    "dri@acme.example": Member(None, NOT_IN_SLACK),
}
POOL = {"P": {"members": [{"user": "dana@acme.example"}, {"user": "gone@acme.example"}]}}


@given(
    some_rules,
    some_records,
    st.sampled_from(list(ChangeType)),
    st.booleans(),
    st.sampled_from(["unmatched", "everything"]),
)
def test_every_job_change_has_an_outcome(raw, records, change_type, tell_dris, channel_gets):
    """For any rules, records and preferences, there is a delivery, or an outcome with a reason."""
    change = job_change(change_type=str(change_type), dri_email="dri@acme.example")
    prepared = PreparedRules.of(RuleSet.parse({"rules": raw, "pools": POOL}))
    decision = decide(replace(case(records), change=change), prepared, Availability(members=MEMBERS), BatchState())
    assert isinstance(decision, Choice)
    workspace = replace(WORKSPACE, tell_dris=tell_dris, channel_gets=channel_gets)
    plan = plan_deliveries("jc", decision, workspace, "contact_tracking")

    assert bool([delivery for delivery in plan.deliveries if delivery.role != Role.COPY]) is (plan.outcome is None)
    destinations = [delivery.destination for delivery in plan.deliveries]
    assert len(destinations) == len(set(destinations))
    assert all(delivery.reasons for delivery in plan.deliveries)
    assert plan.reasons if plan.outcome else True


@given(some_rules, some_records, st.sampled_from(list(ChangeType)))
def test_the_first_match_applies_and_chains_keep_their_order(raw, records, change_type):
    """The rule of a side is the first that matches it on its own. Candidates are in the order of the chain."""
    job = replace(case(records), change=job_change(change_type=str(change_type)))
    people = Availability(members=MEMBERS)

    def matched_sides(raw_rule):
        alone = decide(job, PreparedRules.of(RuleSet.parse({"rules": [raw_rule], "pools": POOL})), people, BatchState())
        return {choice.side for choice in alone.choices if choice.rule is not CATCH_ALL}

    decision = decide(job, PreparedRules.of(RuleSet.parse({"rules": raw, "pools": POOL})), people, BatchState())
    first = {}
    for raw_rule in raw:
        for side in matched_sides(raw_rule) if raw_rule["enabled"] else ():
            first.setdefault(side, raw_rule["name"])

    assert {choice.side: choice.rule.name for choice in decision.choices if choice.rule is not CATCH_ALL} == first
    for choice in decision.choices:
        order = [_place(choice.rule, row.source) for row in choice.considered]
        assert all(before <= after for before, after in pairwise(order))
        assert all(not row.is_notified for row in choice.considered[:-1])


def _place(of, source):
    names = {
        "contact": "contact owner",
        "lead": "lead owner",
        "account": "account owner",
        "parent_account": "parent account owner",
    }
    kinds = {
        "sender": "DRI named by the source",
        "field": "SDR",
        "opportunity_owner": "open opportunity owner",
        "team": "CSM",
        "user": "named user",
    }
    places = [
        number
        for number, one in enumerate(of.tell)
        if source == (names[one.of] if one.source == "owner" else kinds.get(one.source, one.source))
        or (one.source == "sender" and source == "the source")
        or source.startswith(f"{one.source} ")
    ]
    return max(places)


def test_an_unmatched_owner_is_kept_for_linking():
    """The choice has the owner who is not in Slack, and nobody else."""
    alone = rules(rule(owner("account"), when={"side": "current"}))
    (choice,) = chosen(case(), alone, missing("omar@acme.example")).choices
    assert [candidate.name for candidate in choice.unmatched] == ["Omar Diaz"]
    assert DANA.name not in for_reader(choice.reasons)
    assert SUE.name not in for_reader(choice.reasons)
    assert BO.name not in for_reader(choice.reasons)
