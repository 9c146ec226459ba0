"""The JSON format of rules: it is read back unchanged, and all errors are reported with their paths."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from services.ownership.rulebook import parse
from services.ownership.rules.issues import InvalidRulesError
from services.ownership.rules.presets import presets
from services.ownership.rules.rule_set import MOST_RULES, RuleSet
from services.ownership.rules.unreachable import unreachable

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
    for example in (whole, *(f'{{"rules": [{rule}]}}' for rule in single)):
        rules = parse(example)
        assert isinstance(rules, RuleSet)
        assert unreachable(rules.rules) == []
