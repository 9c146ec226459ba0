"""Rules as JSON: read back as they were, and refused with every fault and its place."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from services.ownership.rulebook import parse
from services.ownership.rules.faults import InvalidRulesError
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


def faults(raw: object) -> dict[str, str]:
    with pytest.raises(InvalidRulesError) as refused:
        RuleSet.parse(raw)
    return {fault.path: fault.message for fault in refused.value.faults}


@pytest.mark.parametrize("rules", [RuleSet.parse(GOOD), RuleSet(rules=presets()), RuleSet()])
def test_what_is_written_is_read_back(rules):
    """The JSON form says all of it."""
    assert RuleSet.parse(json.loads(rules.to_json(indent=2))) == rules
    assert RuleSet.from_stored(rules.to_json()) == rules


def test_people_are_written_in_one_way():
    """Addresses in lower case, Salesforce ids of 18 characters: they are compared later."""
    assert RuleSet.parse(GOOD).mappings == {"AE to SDR": {"ae@acme.example": "005000000000001AAA"}}


def test_every_fault_is_named_at_once():
    """With its place, in words for whoever wrote it."""
    assert faults(
        {
            "rules": [
                {
                    "name": "",
                    "when": {"side": "x", "signal": ["q"], "sement": ["target"], "segment": []},
                    "tell": [
                        {"source": "field", "field": "SDR__c"},
                        {"source": "nope"},
                        {"source": "pool", "pool": "Nobody's"},
                        {"source": "mapped", "table": "None", "of": {"source": "owner", "of": "q"}},
                        {},
                    ],
                },
                {"name": "tells nobody"},
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
        "rules.0.when.sement": "is not known here",
        "rules.0.when.segment": "has no values",
        "rules.0.tell.0.field": "must be an object and a field, such as Account.SDR__c, of Contact, Lead, Account or"
        " Opportunity",
        "rules.0.tell.1.source": "must be one of owner, opportunity_owner, field, team, mapped, pool, manager, sender,"
        " user, user_group, channel",
        "rules.0.tell.2.pool": "there is no pool called Nobody's",
        "rules.0.tell.3.of.of": "must be one of contact, lead, account, parent_account",
        "rules.0.tell.3.table": "there is no mapping called None",
        "rules.0.tell.4": "needs a source",
        "rules.1": "needs somebody to tell",
        "rules.2.deliver": "needs a channel",
        "rules.3": "needs somebody above whose manager this is, or 'of'",
        "rules.4.fallback.channel": "must be a channel's id, such as C0123456789",
        "pools.P.members": "has no members",
        "pools.Q.members.0.user": "must be an e-mail address, a Slack user id or a Salesforce user id",
        "pools.Q.members.0.weight": "must be at least 1",
        "mappings.T.nobody": "must be an e-mail address, a Slack user id or a Salesforce user id",
        "guard": "is not known here",
    }


@pytest.mark.parametrize("count", [MOST_RULES + 1, 5_000])
def test_a_rule_set_of_500_rules_is_refused(count):
    """Nobody understands that many; 499 are taken."""
    some = [{"name": str(number), "deliver": {"to": "nobody"}} for number in range(count)]
    assert list(faults({"rules": some})) == ["rules"]
    assert len(RuleSet.parse({"rules": some[:MOST_RULES]}).rules) == MOST_RULES


@pytest.mark.parametrize("raw", [None, [], "rules", 7, {"rules": 7}, {"rules": [7]}, {"rules": [{"name": "\ud800"}]}])
def test_what_is_no_rule_set_is_refused(raw):
    """Whatever it is."""
    assert faults(raw)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '{"rules": NaN}', '"\\ud800"'])
def test_text_that_is_no_json_is_refused(text):
    """With one fault, and nothing raised."""
    assert isinstance(parse(text), InvalidRulesError)


def test_the_documented_rules_are_good():
    """What people copy from the documentation works."""
    text = (Path(__file__).parents[3] / "docs" / "ownership.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    rules = parse(example)
    assert isinstance(rules, RuleSet)
    assert unreachable(rules.rules) == []
