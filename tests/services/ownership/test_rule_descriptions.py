"""Rules in plain English, those that can never be reached, and those that an org cannot follow."""

from __future__ import annotations

import pytest

from services.ownership.rules.check import OrgField, OrgShape, check
from services.ownership.rules.descriptions import Names, sentence
from services.ownership.rules.presets import presets
from services.ownership.rules.rule_set import CATCH_ALL, Rule, RuleSet
from services.ownership.rules.unreachable import unreachable

OWNER = {"source": "owner", "of": "account"}


def rules(*some: dict[str, object], **parts: object) -> tuple[Rule, ...]:
    given = [{"name": f"Rule {n}", "tell": [OWNER], **one} for n, one in enumerate(some, 1)]
    return RuleSet.parse({"rules": given, **parts}).rules


JOINS = {"side": "current", "change_type": ["new_company"]}


@pytest.mark.parametrize(
    ("given", "reads"),
    [
        (
            {
                "when": {**JOINS, "relationship": ["Champion"], "segment": ["target"]},
                "tell": [{"source": "field", "field": "Account.SDR__c"}, OWNER],
            },
            "When a champion joins a target account, tell the account's SDR, else the account owner",
        ),
        ({}, "When somebody changes jobs, tell the account owner"),
        (
            {"when": {"side": "past", "segment": ["customer", "open_opportunity"]}},
            "When somebody leaves a customer or an account with an open opportunity, tell the account owner",
        ),
        (
            {"when": {"change_type": ["promotion", "lateral"], "title_contains": ["VP", "Chief"]}},
            (
                "When somebody whose title contains “VP” or “Chief” is promoted at or changes roles at a company, tell"
                " the account owner"
            ),
        ),
        (
            {"when": {**JOINS, "persona": ["Economic buyer"], "title_lacks": ["Assistant"], "min_score": 80}},
            (
                "When somebody (economic buyer) whose title does not contain “Assistant” joins a company, with a score"
                " of at least 80, tell the account owner"
            ),
        ),
        (
            {"when": {"signal": ["custom"], "fields": [{"field": "Account.Region__c", "values": ["EMEA"]}]}},
            (
                "When somebody changes jobs, on a custom signal, where the account's Region is “EMEA”, tell the account"
                " owner"
            ),
        ),
        ({"when": JOINS, "deliver": {"to": "nobody"}}, "When somebody joins a company, tell nobody"),
        (
            {"when": JOINS, "deliver": {"to": "channel", "channel": "C123"}},
            "When somebody joins a company, tell <C123>",
        ),
        (
            {"deliver": {"to": "dri_and_channel", "channel": "C123"}, "fallback": {"source": "user", "user": "U123"}},
            "When somebody changes jobs, tell the account owner, else <U123>, and <C123> too",
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
                "When somebody changes jobs, tell the past contact owner, else the owner of the account's last won"
                " opportunity, else the Sales Rep on the new opportunity team, else whom AE to SDR names for the"
                " account owner, else the next one of the pool SDRs, else that person's manager, else the manager of"
                " the account owner, else whom the sender names, else everybody in <S123>, else the contact's Second"
                " AE, else <C123>"
            ),
        ),
    ],
)
def test_a_rule_reads_as_a_sentence(given, reads):
    """What an admin sees in place of JSON; people, channels and fields as Slack and the org show them."""
    names = Names(show=lambda one: f"<{one}>", labels={"contact.account_exec2__c": "Second AE"})
    (one,) = rules(
        given,
        pools={"SDRs": {"members": [{"user": "a@b.example"}]}},
        mappings={"AE to SDR": {}},
    )
    assert sentence(one, names) == reads


def test_the_catch_all_reads_as_what_it_is():
    """It stands last in every list."""
    assert sentence(CATCH_ALL) == (
        "Tell the contact owner, else the account owner, else the lead owner, else whom the sender names, else the"
        " default channel"
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
        ([], {"side": "past", "change_type": ["promotion"]}),
        ([], {"title_contains": ["VP Sales"], "title_lacks": ["vp"]}),
        ([], {"segment": ["not_in_salesforce"], "fields": [{"field": "Account.Type", "values": ["x"]}]}),
    ],
)
def test_rules_that_can_never_be_reached_are_named(above, below):
    """Others take all of it, alone or together, or it cannot happen."""
    listed = rules(*({"when": when} for when in [*above, below]))
    (fault,) = unreachable(listed)
    assert fault.path == f"rules.{len(above)}"
    assert fault.is_warning
    assert f"“Rule {len(above) + 1}” can never be reached" in fault.message


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
        ([], {"title_contains": ["VP"], "title_lacks": ["Assistant VP"]}),
    ],
)
def test_rules_that_can_be_reached_are_not(above, below):
    """Something is left to them."""
    assert unreachable(rules(*({"when": when} for when in [*above, below]))) == []


def test_a_rule_that_is_switched_off_hides_nothing():
    """And is not named itself."""
    assert unreachable(rules({"enabled": False}, {"when": {"side": "past"}}, {"enabled": False})) == []


def test_no_preset_hides_another():
    """All of them may be taken as they are."""
    assert unreachable(presets()) == []


ORG = OrgShape(
    objects=frozenset({"account", "accountteammember"}),
    fields={
        "account.type": OrgField("Account.Type", "Type"),
        "account.sdr__c": OrgField("Account.SDR__c", "SDR", ("User",)),
        "account.parentid": OrgField("Account.ParentId", "Parent", ("Account",)),
    },
    roles={"account": frozenset({"Sales Rep"})},
)


def test_rules_are_checked_against_the_org():
    """Fields and roles that it has not, fields that hold no users, teams that are switched off."""
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
    assert {fault.path: fault.message for fault in check(rule_set, ORG)} == {
        "rules.0.when.fields.0.field": "Lead cannot be read in Salesforce",
        "rules.0.tell.1.field": "Account.Nope__c does not exist in Salesforce, or we may not read it",
        "rules.0.tell.2.of.field": "Account.Type is not a lookup to a user",
        "rules.0.tell.3.field": "Account.ParentId is not a lookup to a user",
        "rules.0.tell.5.role": "account teams have no role King; there are: Sales Rep",
        "rules.0.tell.6.of": "opportunity teams are switched off in Salesforce, or we may not read them",
        "segments.target.field": "Account.Tier__c does not exist in Salesforce, or we may not read it",
    }
    assert check(rule_set, None) == []
    assert ORG.user_fields == ["account.sdr__c"]
