"""
choose: the CPU time to choose the recipients of one job change with 100 rules, in milliseconds.

Pure work on plain data without a database, as the router does it for a batch of 200: rules that match late or never,
chains of three sources, and all owners matched to Slack users. The baseline is the catch-all without rules.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from statistics import median

from bench.kit.databases import SQLITE, Databases
from bench.kit.samples import job_change, owner_email
from bench.table import Row, at_most
from domain.job_change.model import JobChange
from domain.people import Member
from services.ownership.choice.availability import Availability, BatchState
from services.ownership.choice.case import Case
from services.ownership.choice.conditions import PreparedRules
from services.ownership.choice.decide import Choice, decide
from services.ownership.rules.rule_set import NO_RULES, RuleSet
from services.salesforce.records import Account, Contact, PersonRecords, SalesforceUser

DATABASES = (SQLITE,)
BATCH, ROUNDS, RULES = 200, 15, 100


async def measure(_: Databases, kind: str) -> list[Row]:
    baseline = _milliseconds(PreparedRules.of(NO_RULES))
    milliseconds = _milliseconds(PreparedRules.of(_rules()))
    return [Row("choose: one job change, 100 rules", kind, milliseconds, "ms", baseline, at_most(0.08))]


def _milliseconds(rules: PreparedRules) -> float:
    """Time per job change, the median of several batches. Each batch has new cases, because a case caches results."""
    availability = Availability(members={owner_email(number): Member(f"U{number}") for number in range(BATCH)})
    times = []
    for _ in range(ROUNDS):
        cases = [_case(number) for number in range(BATCH)]
        began = time.thread_time()
        _decide_all(cases, rules, availability)
        times.append((time.thread_time() - began) * 1_000 / BATCH)
    return median(times)


def _decide_all(cases: Sequence[Case], rules: PreparedRules, availability: Availability) -> None:
    batch = BatchState()
    for case in cases:
        decision = decide(case, rules, availability, batch)
        if not isinstance(decision, Choice):
            raise TypeError("every owner is matched, so a decision was expected")
        batch = batch.after(decision.turns, decision.direct_recipients)


def _case(number: int) -> Case:
    owner = SalesforceUser(f"005{number:012}AAA", f"Owner {number}", owner_email(number), is_active=True)
    fields = {"type": "Customer" if number % 2 else "Prospect", "industry": "Banking", "sdr__c": None}
    past = Account(f"001{number:012}AAA", "Initech", "initech.example", owner, fields)
    current = Account(f"001{number:09}999AAA", "Globex", "globex.example", owner, fields)
    contact = Contact(f"003{number:012}AAA", f"Sample {number}", None, past, owner)
    records = PersonRecords(contact=contact, contacts=(contact,), past_account=past, current_account=current)
    return Case(JobChange.parse(job_change(number)), records, {owner.id[:15]: owner})


def _rules() -> RuleSet:
    """Rules of every kind. The last one matches half of the job changes on one side; no rule matches the others."""
    conditions: list[dict[str, object]] = [
        {"segment": ["open_opportunity", "closed_lost"]},
        {"side": "current", "segment": ["customer"], "relationship": ["User"]},
        {"relationship": ["Champion"], "persona": ["Technical buyer"], "min_score": 90},
        {"title_contains": ["Director", "Head of", "VP"], "title_lacks": ["Assistant", "VP"]},
        {"fields": [{"field": "Account.Industry", "test": "contains", "values": ["insurance", "retail"]}]},
    ]
    chain = [
        {"source": "field", "field": "Account.SDR__c"},
        {"source": "opportunity_owner"},
        {"source": "owner", "of": "account"},
    ]
    some = [{"name": f"Rule {n}", "when": conditions[n % len(conditions)], "tell": chain} for n in range(RULES - 1)]
    last = {"name": "Last", "when": {"segment": ["customer"], "relationship": ["champion"]}, "tell": chain}
    return RuleSet.parse({"rules": [*some, last]})
