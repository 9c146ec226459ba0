"""The JSON format of rules, all errors with their paths, and what rules require of Salesforce."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from domain.people import OwnerMatching, PersonKey
from services.ownership.choice.case import lookup_of
from services.ownership.choice.required_records import combine, required_records, with_currency, without_unreadable
from services.ownership.rulebook import parse
from services.ownership.rules.issues import InvalidRulesError
from services.ownership.rules.presets import presets
from services.ownership.rules.rule_set import MOST_RULES, RuleSet
from services.ownership.rules.unreachable import unreachable
from services.salesforce.records import NOTHING_REQUIRED, CompanyLookup, PersonLookup, RequiredRecords
from tests.services.ownership.cases import job_change, owner, rule

GOOD = {
    "rules": [
        {
            "name": "Champions",
            "when": {
                "side": "current",
                "signal": ["contact_tracking"],
                "change_type": ["new_company"],
                "relationship": ["Champion"],
                "min_score": 50,
                "segment": ["target"],
                "fields": [{"field": "Account.Industry", "test": "contains", "values": ["bank"]}],
            },
            "tell": [
                {"source": "field", "field": "Account.SDR__c"},
                {"source": "mapped", "table": "AE to SDR", "of": {"source": "owner", "of": "account"}},
                {"source": "pool", "pool": "SDRs"},
                {"source": "manager"},
            ],
            "deliver": {"to": "dri_and_channel", "channel": "C0123456789"},
            "fallback": {"source": "user", "user": "U0123456789"},
        }
    ],
    "mappings": {"AE to SDR": {"AE@acme.example": "005000000000001"}},
    "pools": {"SDRs": {"members": [{"user": "sue@acme.example", "weight": 2}], "sticky": False}},
    "guards": {"excluded": ["bot@acme.example"], "daily_cap": 20},
}


def issues(raw: object) -> dict[str, str]:
    with pytest.raises(InvalidRulesError) as refused:
        RuleSet.parse(raw)
    return {issue.path: issue.message for issue in refused.value.issues}


@pytest.mark.parametrize("rules", [RuleSet.parse(GOOD), RuleSet(rules=presets()), RuleSet()])
def test_rules_are_read_back_unchanged(rules):
    """The JSON format contains everything."""
    assert RuleSet.parse(json.loads(rules.to_json(indent=2))) == rules
    assert RuleSet.from_stored(rules.to_json()) == rules


def test_people_are_normalized():
    """Email addresses are in lower case, and Salesforce ids have 18 characters."""
    assert RuleSet.parse(GOOD).mappings == {"AE to SDR": {"ae@acme.example": "005000000000001AAA"}}


LIMITS = [
    {"field": "Account.Revenue__c", "test": "at_least", "values": ["much"]},
    {"field": "Account.Revenue__c", "test": "at_most", "values": ["1", "2"]},
]


def test_all_errors_are_reported_at_once():
    """Each error has its path and a message."""
    assert issues(
        {
            "rules": [
                {
                    "name": "",
                    "when": {"side": "x", "signal": ["q"], "sement": ["target"], "segment": [], "fields": LIMITS},
                    "tell": [
                        {"source": "field", "field": "SDR__c"},
                        {"source": "nope"},
                        {"source": "pool", "pool": "Nobody's"},
                        {"source": "mapped", "table": "None", "of": {"source": "owner", "of": "q"}},
                        {},
                    ],
                },
                {"name": "notifies nobody"},
                {"name": "no channel", "deliver": {"to": "channel"}},
                {"name": "manager of nobody", "tell": [{"source": "manager"}]},
                {"name": "odd", "deliver": {"to": "nobody"}, "fallback": {"source": "channel", "channel": "#sales"}},
            ],
            "pools": {"P": {"members": []}, "Q": {"members": [{"user": "Sue", "weight": 0}]}},
            "mappings": {"T": {"nobody": "sue@acme.example"}},
            "guard": {},
        }
    ) == {
        "rules.0.name": "must not be empty",
        "rules.0.when.side": "must be one of past, current",
        "rules.0.when.signal.0": "must be one of contact_tracking, new_hires_promotions, custom",
        "rules.0.when.sement": "is not a known key",
        "rules.0.when.segment": "has no values",
        "rules.0.when.fields.0": "needs one number",
        "rules.0.when.fields.1": "needs one number",
        "rules.0.tell.0.field": "must be an object and a field, such as Account.SDR__c, of Contact, Lead, Account or"
        " Opportunity",
        "rules.0.tell.1.source": "must be one of owner, opportunity_owner, field, team, mapped, pool, queue, manager,"
        " sender, user, user_group, channel",
        "rules.0.tell.2.pool": "there is no pool named Nobody's",
        "rules.0.tell.3.of.of": "must be one of contact, lead, account, parent_account, ultimate_parent_account",
        "rules.0.tell.3.table": "there is no mapping named None",
        "rules.0.tell.4": "needs a source",
        "rules.1": "needs someone to notify",
        "rules.2.deliver": "needs a channel",
        "rules.3": "needs a person above it, or 'of'",
        "rules.4.fallback.channel": "must be a channel's id, such as C0123456789",
        "pools.P.members": "needs at least one member",
        "pools.Q.members.0.user": "must be an email address, a Slack user id or a Salesforce user id",
        "pools.Q.members.0.weight": "must be at least 1",
        "mappings.T.nobody": "must be an email address, a Slack user id or a Salesforce user id",
        "guard": "is not a known key",
    }


@pytest.mark.parametrize("count", [MOST_RULES + 1, 5_000])
def test_a_rule_set_of_500_rules_is_refused(count):
    """The limit is 499."""
    raw_rules = [{"name": str(number), "deliver": {"to": "nobody"}} for number in range(count)]
    assert list(issues({"rules": raw_rules})) == ["rules"]
    assert len(RuleSet.parse({"rules": raw_rules[:MOST_RULES]}).rules) == MOST_RULES


@pytest.mark.parametrize("raw", [None, [], "rules", 7, {"rules": 7}, {"rules": [7]}, {"rules": [{"name": "\ud800"}]}])
def test_anything_but_a_rule_set_is_refused(raw):
    """Every other JSON value is an error."""
    assert issues(raw)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '{"rules": NaN}', '"\\ud800"'])
def test_invalid_json_is_refused(text):
    """The error is returned, not raised."""
    assert isinstance(parse(text), InvalidRulesError)


def test_the_documented_rules_are_valid():
    """The examples in the documentation, a rule set and single rules, can be imported as they are."""
    text = (Path(__file__).parents[3] / "docs" / "ownership.md").read_text(encoding="utf-8")
    whole, *single = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    for example in (whole, *(f'{{"rules": [{one}]}}' for one in single)):
        rules = parse(example)
        assert isinstance(rules, RuleSet)
        assert unreachable(rules.rules) == []


USER = "005000000000001AAA"
SEGMENT_FIELDS = {"Account": frozenset({"Type"})}


def fields_of(sobject: str, *names: str) -> dict[str, frozenset[str]]:
    return {sobject: frozenset(names)}


@pytest.mark.parametrize(
    ("raw_rule", "required"),
    [
        (rule({"source": "sender"}), {}),
        (rule({"source": "user", "user": "sue@acme.example"}), {}),
        (rule({"source": "user", "user": USER}), {"user_ids": frozenset({USER})}),
        (rule(owner("lead")), {"companies": True}),
        (rule(owner("parent_account")), {"companies": True, "parents": True}),
        (rule(owner("ultimate_parent_account")), {"companies": True, "ultimate_parents": True}),
        (rule({"source": "opportunity_owner"}), {"companies": True, "opportunities": True}),
        (rule({"source": "opportunity_owner", "of": "contact"}), {"companies": True, "contact_opportunities": True}),
        (
            rule({"source": "field", "field": "Account.SDR__c"}),
            {
                "companies": True,
                "fields": fields_of("Account", "SDR__c"),
                "user_fields": frozenset({"account.sdr__c"}),
            },
        ),
        (
            rule({"source": "field", "field": "Opportunity.SE__c"}),
            {
                "companies": True,
                "opportunities": True,
                "fields": fields_of("Opportunity", "SE__c"),
                "user_fields": frozenset({"opportunity.se__c"}),
            },
        ),
        (
            rule({"source": "team", "of": "account", "role": "CSM"}),
            {"companies": True, "account_roles": frozenset({"CSM"})},
        ),
        (
            rule({"source": "team", "of": "opportunity", "role": "SE"}),
            {"companies": True, "opportunities": True, "opportunity_roles": frozenset({"SE"})},
        ),
        (
            rule({"source": "manager", "of": {"source": "user", "user": USER}}),
            {"managers": True, "user_ids": frozenset({USER})},
        ),
        (rule({"source": "sender"}, {"source": "manager"}), {"managers": True}),
        (rule({"source": "queue"}), {"queues": True}),
        (rule({"source": "pool", "pool": "P"}), {"companies": True, "user_ids": frozenset({USER})}),
        (rule({"source": "mapped", "table": "T", "of": {"source": "sender"}}), {"user_ids": frozenset({USER})}),
        (rule({"source": "sender"}, fallback={"source": "user", "user": USER}), {"user_ids": frozenset({USER})}),
        (rule({"source": "sender"}, also_notify=[owner("parent_account")]), {"companies": True, "parents": True}),
        (
            rule({"source": "sender"}, also_notify=[{"source": "mapped", "table": "T", "of": {"source": "sender"}}]),
            {"user_ids": frozenset({USER})},
        ),
        (
            rule({"source": "sender"}, also_notify=[{"source": "channel_field", "field": "Account.Room__c"}]),
            {"companies": True, "fields": fields_of("Account", "Room__c")},
        ),
        (rule({"source": "sender"}, when={"segment": ["customer"]}), {"companies": True, "fields": SEGMENT_FIELDS}),
        (rule({"source": "sender"}, when={"segment": ["target"]}), {"companies": True, "fields": SEGMENT_FIELDS}),
        (
            rule({"source": "sender"}, when={"segment": ["none"]}),
            {"companies": True, "fields": SEGMENT_FIELDS, "opportunities": True},
        ),
        (rule({"source": "sender"}, when={"segment": ["closed_lost"]}), {"companies": True, "opportunities": True}),
        (rule({"source": "sender"}, when={"segment": ["not_in_salesforce"]}), {"companies": True}),
        (
            rule({"source": "sender"}, when={"fields": [{"field": "Contact.Level__c", "values": ["x"]}]}),
            {"companies": True, "fields": fields_of("Contact", "Level__c")},
        ),
        (rule({"source": "sender"}, when={"contact_has_open_opportunity": False}), {"contact_opportunities": True}),
    ],
)
def test_rules_require_only_the_records_that_they_use(raw_rule, required):
    """Everything else is not queried, nor is what only a rule needs that is turned off."""
    raw = {
        "rules": [raw_rule],
        "pools": {"P": {"members": [{"user": USER}, {"user": "sue@acme.example"}]}},
        "mappings": {"T": {"sue@acme.example": USER}, "Unused": {"sue@acme.example": "005000000000002AAA"}},
    }
    assert required_records(RuleSet.parse(raw)) == RequiredRecords(**required)
    off = required_records(RuleSet.parse({**raw, "rules": [{**raw_rule, "enabled": False}]}))
    assert off == NOTHING_REQUIRED


EVERYTHING_REQUIRED = RequiredRecords(
    fields={"Account": frozenset({"Type", "ARR__c"}), "Contact": frozenset({"Level__c"})},
    companies=True,
    parents=True,
    opportunities=True,
    contact_opportunities=True,
    ultimate_parents=True,
    open_choice="largest",
    account_roles=frozenset({"CSM"}),
    opportunity_roles=frozenset({"SE"}),
    user_fields=frozenset({"account.sdr__c"}),
    managers=True,
    queues=True,
    user_ids=frozenset({USER}),
    email_field="Work__c",
    slack_id_field="Slack__c",
    person_keys=(PersonKey("Contact", "Id__c", "custom.person_id"),),
    domain_field="Host__c",
)


def test_two_rule_sets_require_what_each_of_them_requires():
    """A draft is compared with the rules in force on the same records. How people are found is the same for both."""
    shared = {name: getattr(EVERYTHING_REQUIRED, name) for name in ("open_choice", "person_keys", "domain_field")}
    nothing = RequiredRecords(**shared)
    assert combine(EVERYTHING_REQUIRED, nothing) == combine(nothing, EVERYTHING_REQUIRED) == EVERYTHING_REQUIRED
    assert combine(nothing, nothing) == nothing
    more = RequiredRecords(
        fields={"Account": frozenset({"Tier__c"})},
        account_roles=frozenset({"AE"}),
        opportunity_roles=frozenset({"SE2"}),
    )
    both = combine(EVERYTHING_REQUIRED, more)
    assert both.fields["Account"] == {"Type", "ARR__c", "Tier__c"}
    assert (both.account_roles, both.opportunity_roles) == ({"CSM", "AE"}, {"SE", "SE2"})


def test_a_workspace_has_its_own_fields_for_matching_and_mutes():
    """Segments that a member has muted are looked up, too."""
    matching = OwnerMatching(email_field="Work__c", slack_id_field="Slack__c", domain_field="Host__c", person_keys=())
    context = RuleSet.parse({"context_fields": ["Opportunity.Amount"], "open_opportunity": "largest"})
    assert required_records(context, matching, ["customer"]) == RequiredRecords(
        fields={"Account": frozenset({"Type"}), "Opportunity": frozenset({"Amount"})},
        companies=True,
        opportunities=True,
        open_choice="largest",
        email_field="Work__c",
        slack_id_field="Slack__c",
        person_keys=(),
        domain_field="Host__c",
    )


def test_fields_that_the_app_cannot_read_are_left_out_by_name():
    """Those of an object that could not be described are kept: the query will say what is wrong."""
    readable = {"Account": frozenset({"type"}), "User": frozenset({"work__c"})}
    kept, hidden = without_unreadable(EVERYTHING_REQUIRED, readable)
    fields = {"Account": frozenset({"Type"}), "Contact": frozenset({"Level__c"})}
    assert kept == replace(EVERYTHING_REQUIRED, fields=fields, slack_id_field=None)
    assert hidden == {"Account.ARR__c", "User.Slack__c"}
    kept, hidden = without_unreadable(EVERYTHING_REQUIRED, {"User": frozenset()})
    assert kept == replace(EVERYTHING_REQUIRED, email_field=None, slack_id_field=None)
    assert hidden == {"User.Work__c", "User.Slack__c"}
    assert without_unreadable(EVERYTHING_REQUIRED, {}) == (EVERYTHING_REQUIRED, frozenset())
    assert without_unreadable(NOTHING_REQUIRED, {"User": frozenset()}) == (NOTHING_REQUIRED, frozenset())


def test_the_currency_of_a_record_is_read_with_the_fields_on_cards():
    """In orgs with several currencies only, and only for the records whose fields are shown."""
    several = {"Account": frozenset({"currencyisocode"}), "Contact": frozenset({"currencyisocode"})}
    fields = with_currency(EVERYTHING_REQUIRED, ["Account.ARR__c"], several).fields
    assert fields == {"Account": {"Type", "ARR__c", "CurrencyIsoCode"}, "Contact": {"Level__c"}}
    for shown, readable in ((["Account.ARR__c"], {"Account": frozenset({"arr__c"})}), ([], several)):
        assert with_currency(EVERYTHING_REQUIRED, shown, readable) is EVERYTHING_REQUIRED


def test_a_lookup_has_what_rules_and_keys_need():
    """Companies by their names only if rules need accounts, and fields of the sender only if they are keys."""
    kinds = ("custom.person_id", "custom.number", "custom.empty", "custom.score", "custom.missing", "email")
    keys = tuple(PersonKey("Contact", f"F{number}__c", kind) for number, kind in enumerate(kinds))
    change = job_change(
        person={"full_name": "Ada", "emails": ["ada@globex.com"], "linkedin_url": "https://www.linkedin.com/in/ada"},
        previous={"company": {"name": "Initech", "domain": "initech.com", "salesforce_id": "001000000000001AAA"}},
        current={},
        change_type="departure",
        salesforce={
            "contact_id": "003000000000001AAA",
            "lead_id": "00Q000000000001EAA",
            "past_contact_id": "003000000000002AAA",
        },
        custom={"person_id": "P1", "number": 7, "empty": "", "score": 1.5, "other": "x"},
    )
    lookup = PersonLookup(
        "jc",
        contact_id="003000000000001AAA",
        lead_id="00Q000000000001EAA",
        emails=("ada@globex.com",),
        linkedin_url=change.person.linkedin_url,
        custom={"custom.person_id": "P1", "custom.number": "7"},
        past_contact_id="003000000000002AAA",
        past=CompanyLookup("001000000000001AAA"),
    )
    required = RequiredRecords(person_keys=keys)
    assert lookup_of("jc", change, required) == lookup
    whole = CompanyLookup("001000000000001AAA", "initech.com", "Initech")
    assert lookup_of("jc", change, replace(required, companies=True)) == replace(lookup, past=whole)
    assert lookup_of("jc", change, NOTHING_REQUIRED) == replace(lookup, custom={})
