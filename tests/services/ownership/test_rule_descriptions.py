"""Descriptions of rules in plain English, unreachable rules, and checks against the org's schema."""

from __future__ import annotations

import pytest

from services.ownership.rules.check import OrgField, OrgSchema, check
from services.ownership.rules.descriptions import DisplayNames, describe_rule
from services.ownership.rules.presets import presets
from services.ownership.rules.rule_set import CATCH_ALL, Rule, RuleSet
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
            "When someone changes jobs, where the opportunity's Amount is at least 50000, notify the account owner",
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


@pytest.mark.parametrize(
    ("above", "below"),
    [
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
    ],
)
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
