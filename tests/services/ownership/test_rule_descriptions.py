"""
Descriptions of rules in plain English, unreachable rules, and checks against the org's schema.

`REGENERATE_GOLDEN=1 python -m pytest tests/services/ownership/test_rule_descriptions.py` writes the texts again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.ownership.rules.check import OrgField, OrgSchema, check
from services.ownership.rules.descriptions import DisplayNames, describe_rule
from services.ownership.rules.issues import InvalidRulesError
from services.ownership.rules.presets import plays, presets
from services.ownership.rules.rule_set import CATCH_ALL, MOST_CHARACTERS, SEGMENTS, Rule, RuleSet
from services.ownership.rules.unreachable import unreachable

OWNER = {"source": "owner", "of": "account"}


def rules(*raw_rules: dict[str, object], **parts: object) -> tuple[Rule, ...]:
    named = [{"name": f"Rule {number}", "tell": [OWNER], **raw} for number, raw in enumerate(raw_rules, 1)]
    return RuleSet.parse({"rules": named, **parts}).rules


JOINS = {"side": "current", "change_type": ["new_company"]}


@pytest.mark.parametrize(
    ("raw_rule", "description"),
    [
        (
            {
                "when": {**JOINS, "relationship": ["Champion"], "segment": ["target"]},
                "tell": [{"source": "field", "field": "Account.SDR__c"}, OWNER],
            },
            "When a champion joins a target account, notify the account's SDR, else the account owner",
        ),
        ({}, "When someone changes jobs, notify the account owner"),
        (
            {"when": {"side": "past", "segment": ["customer", "open_opportunity"]}},
            "When someone leaves a customer or an account with an open opportunity, notify the account owner",
        ),
        (
            {"when": {"change_type": ["promotion", "lateral"], "title_contains": ["VP", "Chief"]}},
            (
                "When someone whose title contains “VP” or “Chief” is promoted at or changes roles at a company, notify"
                " the account owner"
            ),
        ),
        (
            {"when": {**JOINS, "persona": ["Economic buyer"], "title_lacks": ["Assistant"], "min_score": 80}},
            (
                "When someone (economic buyer) whose title does not contain “Assistant” joins a company, with a score"
                " of at least 80, notify the account owner"
            ),
        ),
        (
            {"when": {"signal": ["custom"], "fields": [{"field": "Account.Region__c", "values": ["EMEA"]}]}},
            (
                "When someone changes jobs, on a custom signal, where the account's Region is “EMEA”, notify the"
                " account owner"
            ),
        ),
        (
            {"when": {"fields": [{"field": "Opportunity.Amount", "test": "at_least", "values": ["50000"]}]}},
            "When someone changes jobs, where the opportunity's Amount is at least 50,000, notify the account owner",
        ),
        ({"when": JOINS, "deliver": {"to": "nobody"}}, "When someone joins a company, notify nobody"),
        (
            {"when": JOINS, "deliver": {"to": "channel", "channel": "C123"}},
            "When someone joins a company, notify <C123>",
        ),
        (
            {"deliver": {"to": "dri_and_channel", "channel": "C123"}, "fallback": {"source": "user", "user": "U123"}},
            "When someone changes jobs, notify the account owner, else <U123>, and also <C123>",
        ),
        (
            {
                "tell": [
                    {"source": "owner", "of": "contact", "side": "past"},
                    {"source": "opportunity_owner", "which": "last_won"},
                    {"source": "team", "of": "opportunity", "role": "Sales Rep", "side": "current"},
                    {"source": "mapped", "table": "AE to SDR", "of": OWNER},
                    {"source": "pool", "pool": "SDRs"},
                    {"source": "manager"},
                    {"source": "manager", "of": OWNER},
                    {"source": "sender"},
                    {"source": "user_group", "group": "S123"},
                    {"source": "field", "field": "Contact.Account_Exec2__c"},
                    {"source": "channel", "channel": "C123"},
                ]
            },
            (
                "When someone changes jobs, notify the past contact owner, else the owner of the account's last won"
                " opportunity, else the Sales Rep on the new opportunity team, else the recipient in AE to SDR for the"
                " account owner, else the next member of the pool SDRs, else that person's manager, else the manager of"
                " the account owner, else the person named by the source, else everyone in <S123>, else the contact's"
                " Second AE, else <C123>"
            ),
        ),
    ],
)
def test_a_rule_is_described_in_a_sentence(raw_rule, description):
    """People, channels and fields are shown by their names in Slack and the org."""
    names = DisplayNames(show=lambda slack_id: f"<{slack_id}>", labels={"contact.account_exec2__c": "Second AE"})
    (rule,) = rules(
        raw_rule,
        pools={"SDRs": {"members": [{"user": "a@b.example"}]}},
        mappings={"AE to SDR": {}},
    )
    assert describe_rule(rule, names) == description


def test_the_catch_all_is_described_without_conditions():
    """It has no "when", and ends with the default channel."""
    assert describe_rule(CATCH_ALL) == (
        "Notify the contact owner, else the account owner, else the lead owner, else the person named by the source,"
        " else the default channel"
    )


UNREACHABLE: list[tuple[list[dict[str, object]], dict[str, object]]] = [
    ([{}], {"side": "past"}),
    ([{"side": "current"}], {"side": "current", "segment": ["target"]}),
    ([{"segment": ["target", "none"]}], {"segment": ["not_in_salesforce"]}),
    ([{"side": "past"}, {"side": "current"}], {"relationship": ["User"]}),
    ([{"change_type": ["promotion"]}, {"change_type": ["lateral"]}], {"change_type": ["lateral", "promotion"]}),
    ([{"relationship": ["champion", "user"]}], {"relationship": ["Champion"]}),
    ([{"min_score": 50}], {"min_score": 50}),
    ([{"title_contains": ["VP"]}], {"title_contains": ["SVP Sales", "evp"]}),
    ([{"title_lacks": ["assistant"]}], {"title_lacks": ["assist"]}),
    (
        [{"fields": [{"field": "Account.Type", "values": ["A", "B"]}]}],
        {"fields": [{"field": "account.type".replace("account", "Account"), "test": "equals", "values": ["a"]}]},
    ),
    (
        [{"fields": [{"field": "Account.Type", "test": "contains", "values": ["cust"]}]}],
        {"fields": [{"field": "Account.Type", "values": ["Customer"]}]},
    ),
    (
        [{"fields": [{"field": "Opportunity.Amount", "test": "at_least", "values": ["50000"]}]}],
        {"fields": [{"field": "Opportunity.Amount", "test": "at_least", "values": ["1e5"]}]},
    ),
    ([], {"side": "past", "change_type": ["promotion"]}),
    ([], {"title_contains": ["VP Sales"], "title_lacks": ["vp"]}),
    ([], {"segment": ["not_in_salesforce"], "fields": [{"field": "Account.Type", "values": ["x"]}]}),
]


@pytest.mark.parametrize(("above", "below"), UNREACHABLE)
def test_an_unreachable_rule_is_a_warning(above, below):
    """Rules above match everything, alone or together, or the conditions cannot hold."""
    listed = rules(*({"when": when} for when in [*above, below]))
    (issue,) = unreachable(listed)
    assert issue.path == f"rules.{len(above)}"
    assert issue.is_warning
    assert f"“Rule {len(above) + 1}” is unreachable" in issue.message


@pytest.mark.parametrize(
    ("above", "below"),
    [
        ([{"side": "past"}], {}),
        ([{"side": "past"}, {"side": "current", "relationship": ["User"]}], {}),
        ([{"segment": ["target"]}], {"segment": ["target", "customer"]}),
        ([{"segment": ["not_in_salesforce"]}], {"segment": ["none"]}),
        ([{"relationship": ["Champion"]}], {"persona": ["Champion"]}),
        ([{"min_score": 50}], {"min_score": 49}),
        ([{"min_score": 50}], {}),
        ([{"title_contains": ["SVP"]}], {"title_contains": ["VP"]}),
        ([{"title_lacks": ["assist"]}], {"title_lacks": ["assistant"]}),
        ([{"fields": [{"field": "Account.Type", "values": ["A"]}]}], {}),
        (
            [{"fields": [{"field": "Account.Type", "values": ["A"]}]}],
            {"fields": [{"field": "Account.Type", "test": "contains", "values": ["A"]}]},
        ),
        (
            [{"fields": [{"field": "Opportunity.Amount", "test": "at_least", "values": ["50000"]}]}],
            {"fields": [{"field": "Opportunity.Amount", "test": "at_most", "values": ["100000"]}]},
        ),
        ([], {"title_contains": ["VP"], "title_lacks": ["Assistant VP"]}),
    ],
)
def test_a_reachable_rule_has_no_warning(above, below):
    """At least one job change reaches it."""
    assert unreachable(rules(*({"when": when} for when in [*above, below]))) == []


def test_a_rule_that_is_turned_off_is_ignored():
    """It covers no other rule, and is not reported itself."""
    assert unreachable(rules({"enabled": False}, {"when": {"side": "past"}}, {"enabled": False})) == []


def test_no_preset_is_unreachable():
    """All presets can be used together."""
    assert unreachable(presets()) == []


ORG = OrgSchema(
    objects=frozenset({"account", "accountteammember"}),
    fields={
        "account.type": OrgField("Account.Type", "Type"),
        "account.sdr__c": OrgField("Account.SDR__c", "SDR", ("User",)),
        "account.parentid": OrgField("Account.ParentId", "Parent", ("Account",)),
    },
    roles={"account": frozenset({"Sales Rep"})},
)


def test_rules_are_checked_against_the_org():
    """Missing fields and roles, fields that hold no users, and teams that are turned off are errors."""
    tell = [
        {"source": "field", "field": "Account.sdr__C"},
        {"source": "field", "field": "Account.Nope__c"},
        {"source": "manager", "of": {"source": "field", "field": "Account.Type"}},
        {"source": "field", "field": "Account.ParentId"},
        {"source": "team", "of": "account", "role": "sales rep"},
        {"source": "team", "of": "account", "role": "King"},
        {"source": "team", "of": "opportunity", "role": "King"},
    ]
    when = {"segment": ["target"], "fields": [{"field": "Lead.Status", "values": ["x"]}]}
    rule_set = RuleSet.parse(
        {
            "rules": [{"name": "One", "tell": tell, "when": when}],
            "segments": {"target": {"field": "Account.Tier__c", "values": ["1"]}},
        }
    )
    assert {issue.path: issue.message for issue in check(rule_set, ORG)} == {
        "rules.0.when.fields.0.field": "Lead cannot be read in Salesforce",
        "rules.0.tell.1.field": "Account.Nope__c does not exist in Salesforce, or the app may not read it",
        "rules.0.tell.2.of.field": "Account.Type is not a lookup to a user",
        "rules.0.tell.3.field": "Account.ParentId is not a lookup to a user",
        "rules.0.tell.5.role": "account teams have no role King; available roles: Sales Rep",
        "rules.0.tell.6.of": "opportunity teams are turned off in Salesforce, or the app may not read them",
        "segments.target.field": "Account.Tier__c does not exist in Salesforce, or the app may not read it",
    }
    assert check(rule_set, None) == []
    assert ORG.user_fields == ["account.sdr__c"]


GOLDEN = Path(__file__).parent / "golden"
PARTS: dict[str, object] = {"pools": {"SDRs": {"members": [{"user": "a@b.example"}]}}, "mappings": {"AE to SDR": {}}}
CHANGE_TYPES = ("new_company", "new_hire", "promotion", "lateral", "departure", "additional_role")
SIGNALS = ("contact_tracking", "new_hires_promotions", "custom")
OWNERS = ("contact", "lead", "account", "parent_account", "ultimate_parent_account")
EACH_SOURCE: tuple[dict[str, object], ...] = (
    *({"source": "owner", "of": of, "side": side} for of in OWNERS for side in ("past", "current")),
    *({"source": "opportunity_owner", "which": which} for which in ("open", "last_won", "last_lost")),
    {"source": "opportunity_owner", "of": "contact", "side": "past"},
    {"source": "field", "field": "Opportunity.ns__Sales_Engineer__c", "side": "current"},
    {"source": "field", "field": "Lead.PartnerManagerId"},
    {"source": "field", "field": "Contact.Id"},
    {"source": "team", "of": "account", "role": "CSM", "side": "past"},
    {"source": "mapped", "table": "AE to SDR", "of": {"source": "field", "field": "Account.AE__c"}},
    {"source": "queue", "members": "everyone"},
    {"source": "queue", "members": "in_turn"},
    {"source": "pool", "pool": "SDRs"},
    {"source": "manager"},
    {"source": "manager", "of": OWNER},
    {"source": "sender"},
    {"source": "user", "user": "U123"},
    {"source": "user_group", "group": "S123"},
    {"source": "channel", "channel": "C123"},
)
CHANNEL_FIELD = {"source": "channel_field", "field": "Account.Slack_Channel__c", "side": "past"}
NUMBER = {"field": "Opportunity.Amount", "test": "at_most", "values": ["50000"]}
EACH_RULE: tuple[dict[str, object], ...] = (
    *({"when": {"side": side}} for side in ("past", "current")),
    *({"when": {"side": side, "segment": [segment]}} for segment in SEGMENTS for side in ("past", "current")),
    *({"when": {"segment": [segment]}} for segment in SEGMENTS[:1]),
    *({"when": {"change_type": [name]}} for name in CHANGE_TYPES),
    *({"when": {"side": side, "change_type": [name]}} for side in ("past", "current") for name in CHANGE_TYPES),
    {"when": {"side": "current", "change_type": ["new_company", "new_hire", "departure", "promotion"]}},
    {"when": {"side": "current", "change_type": ["new_hire", "lateral"]}},
    *({"when": {"signal": [signal]}} for signal in SIGNALS),
    {"when": {"signal": ["contact_tracking", "custom"], "min_score": 12.5}},
    {"when": {"relationship": ["Champion", "CFO", "Executive Sponsor"], "persona": ["VIP", "Economic buyer"]}},
    {"when": {"relationship": ["User"], "title_contains": ["VP", "Chief", "Head"], "title_lacks": ["Assistant"]}},
    {"when": {"title_lacks": ["Intern", "Assistant"], "contact_has_open_opportunity": True}},
    {"when": {"contact_has_open_opportunity": False, "fields": [NUMBER, {**NUMBER, "test": "at_least"}]}},
    {"when": {"fields": [{"field": "Contact.Level__c", "test": "contains", "values": ["C", "VP"]}]}},
    {"when": {"fields": [{"field": "Account.Region__c", "values": ["EMEA"]}]}},
    *({"tell": [OWNER, source]} for source in EACH_SOURCE),
    {"deliver": {"to": "nobody"}, "tell": []},
    {"deliver": {"to": "channel", "channel": "C123"}, "also_notify": [OWNER, CHANNEL_FIELD, {"source": "sender"}]},
    {"deliver": {"to": "dri_and_channel", "channel": "C123"}, "also_notify": [CHANNEL_FIELD]},
    {"fallback": {"source": "channel", "channel": "C123"}},
)


def described() -> Iterator[str]:
    """A sentence for each rule."""
    names = DisplayNames(show=lambda slack_id: f"<{slack_id}>", labels={"account.ae__c": "Account Executive"})
    for rule in rules(*EACH_RULE, **PARTS):
        yield describe_rule(rule, names)
    yield describe_rule(CATCH_ALL)


def warned() -> Iterator[str]:
    """Why rules are unreachable."""
    for above, below in UNREACHABLE:
        yield from map(str, unreachable(rules(*({"when": when} for when in [*above, below]))))
    values = [f"value {number}" for number in range(200)]
    tests = [{"field": f"Account.F{number}__c", "values": values} for number in range(20)]
    many = rules(*({"when": {"fields": tests}} for _ in range(5)), *({} for _ in range(95)))
    yield from map(str, unreachable(many)[:1])
    yield from map(str, unreachable((*many, many[0]))[:1])


def refused() -> Iterator[str]:
    """Why rules are refused, by their form and by the org."""
    long, name = "x" * 201, {"name": "A", "tell": [OWNER]}
    for raw in (
        [],
        {"rules": [{**name, "name": "x" * 81}, {**name, "name": 7}, {**name, "enabled": "yes"}, {"tell": {}}, 7]},
        {"rules": [{**name, "when": {"min_score": "high", "title_contains": [long], "persona": ["x"] * 201}}]},
        {"rules": [{**name, "tell": [OWNER] * 13, "also_notify": []}, {**name, "fallback": {"source": "pool"}}]},
        {"rules": [{**name, "tell": [{"source": "user_group", "group": "sales"}, {"source": "user", "user": "me"}]}]},
        {"rules": [{**name, "tell": [{"source": "opportunity_owner", "of": "contact", "which": "last_won"}]}]},
        {"rules": [{**name, "also_notify": [{"source": "mapped", "table": "T", "of": OWNER}]}]},
        {"pools": {"P": {"members": [{"user": "a@b.example", "weight": 101}], "sticky": 1}}, "mappings": {"T": []}},
        {"pools": {"P": {"members": [{"user": "a@b.example", "weight": 1.5}]}}, "guards": {"daily_cap": 0}},
        {"rules": [name], "open_opportunity": "oldest", "context_fields": ["Lead.Status"] * 5},
        {"rules": [{**name, "when": {"fields": [{"field": "Account.A", "test": "at_least", "values": ["inf"]}]}}]},
        {"rules": [name, {**name, "tell": [{"source": "pool", "pool": "P"}], "when": 7}, {"tell": 7}], "pools": {}},
        {"rules": [name], "mappings": {"T": {"a@b.example": "x" * MOST_CHARACTERS}}},
        {
            "rules": [
                {**name, "when": {"fields": [{"field": f"Account.F{n}", "values": ["x"] * 200} for n in range(20)]}}
            ]
            * 6
        },
    ):
        with pytest.raises(InvalidRulesError) as caught:
            RuleSet.parse(raw)
        yield from map(str, caught.value.issues)
        yield ""
    test = {"field": "Account.ARR__c", "values": ["12", "many"]}
    tell = [{"source": "manager", "of": OWNER}, {"source": "owner", "of": "parent_account"}]
    checked = {
        **name,
        "tell": tell,
        "when": {"fields": [test]},
        "also_notify": [{**CHANNEL_FIELD, "field": "Account.No"}],
    }
    context = ["Account.ARR__c", "Account.SDR__c", "Contact.Level"]
    org = OrgSchema(
        objects=frozenset({"account", "user", "accountteammember"}),
        fields={**ORG.fields, "account.arr__c": OrgField("Account.ARR__c", "ARR", type="currency")},
        roles={"account": frozenset()},
    )
    team = {**name, "tell": [{"source": "team", "of": "account", "role": "King"}]}
    rule_set = RuleSet.parse({"rules": [checked, team, name, name], "context_fields": context})
    yield from map(str, check(rule_set, org))


def proposed() -> Iterator[str]:
    """The rules to start from, in an org with fields for customer success managers and SDRs, and in one without."""
    for fields in (("Account.Success__c", "Account.BDR__c"), (None, None)):
        for kind, propose in (("presets", presets), ("plays", plays)):
            yield f"# {kind} with the fields {fields}"
            yield from (rule.model_dump_json(exclude_none=True) for rule in propose(*fields))


@pytest.mark.parametrize(
    ("name", "lines"),
    [("descriptions", described), ("unreachable", warned), ("refused", refused), ("proposed_rules", proposed)],
)
def test_what_is_said_about_rules_equals_its_golden_text(name, lines):
    """Wording, and the rules that are proposed, only change on purpose."""
    path, text = GOLDEN / f"{name}.txt", [*lines()]
    if "REGENERATE_GOLDEN" in os.environ:
        path.write_text("".join(f"{line}\n" for line in text), encoding="utf-8")

    assert text == path.read_text(encoding="utf-8").splitlines()
