"""Every SOQL statement that the app can build, for any rules, imports and previews."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import get_args

from domain.people import DEFAULT_KEYS, LINKEDIN, OwnerMatching, PersonKey
from sandbox.salesforce.ids import new_id
from sandbox.salesforce.schema import STANDARD, Field, SObject
from services.intake.salesforce.presets import proposals
from services.intake.salesforce.query import Cursor, SourceQuery
from services.ownership.choice.required_records import combine, required_records
from services.ownership.managers import report_queries
from services.ownership.rules.owner_sources import OfOpportunity, Owner
from services.ownership.rules.presets import presets
from services.ownership.rules.rule_set import SEGMENTS, RuleSet
from services.salesforce.queries.account_statements import account_queries, chosen_queries
from services.salesforce.queries.describe import ORGANIZATION, user_of_session
from services.salesforce.queries.objects import FieldInfo, ObjectInfo
from services.salesforce.queries.queues import member_queries
from services.salesforce.queries.rows import Row
from services.salesforce.queries.statements import (
    RecordQuery,
    follow_up_queries,
    person_queries,
    user_queries,
)
from services.salesforce.records import CompanyLookup, OpenChoice, PersonLookup, RequiredRecords

USER = new_id("005", 1)
OPEN_CHOICES: tuple[OpenChoice, ...] = ("newest", "largest", "next_to_close")
CUSTOM = {
    "Account": (
        Field("CSM__c", "reference", ("User",), "CSM__r"),
        Field("SDR__c", "reference", ("User",), "SDR__r"),
        Field("Domain__c"),
    ),
    "Contact": (
        Field("Past_Account__c", "reference", ("Account",), "Past_Account__r"),
        Field("No_Longer_at_Company__c", "boolean"),
    ),
    "Lead": (Field("Past_Account__c", "reference", ("Account",), "Past_Account__r"),),
    "User": (Field("Work_Email__c", "email"), Field("Slack_Id__c")),
}
"""Custom fields that the presets of rules and imports look for. Their names differ from org to org."""

MATCHING = OwnerMatching(
    email_field="Work_Email__c",
    slack_id_field="Slack_Id__c",
    person_keys=(
        *DEFAULT_KEYS,
        *(PersonKey(sobject, "LinkedIn__c", LINKEDIN) for sobject in ("Contact", "Lead")),
    ),
    domain_field="Domain__c",
)


LINKED = replace(MATCHING, links={USER: "U0123456789"})


def every_statement(people: int) -> Iterator[str]:
    """Yield the statements for a batch of this many people."""
    for required in every_requirement():
        yield from (query.soql for query in queries_of(required, people))
    yield from (query.soql for query in report_queries(LINKED, "U0123456789", "dana@example.com"))
    yield from import_statements()
    yield ORGANIZATION
    yield user_of_session(USER)


def every_requirement() -> list[RequiredRecords]:
    """What each rule set requires: none, the presets, and every owner source and segment at once."""
    plain = required_records(RuleSet(rules=presets(None, None)))
    custom = required_records(RuleSet(rules=presets()), MATCHING)
    everything = combine(custom, required_records(_all_sources()))
    by_choice = [replace(everything, open_choice=choice) for choice in OPEN_CHOICES]
    return [RequiredRecords(), plain, custom, *by_choice]


def queries_of(required: RequiredRecords, people: int) -> list[RecordQuery]:
    return [query for queries in rounds_of(required, people) for query in queries]


def rounds_of(required: RequiredRecords, people: int) -> list[list[RecordQuery]]:
    """The queries that are sent one after another, because each round needs the answers of the one before."""
    numbers = range(1, people + 1)
    lookups = [
        PersonLookup(
            str(number),
            contact_id=new_id("003", number),
            lead_id=new_id("00Q", number),
            emails=(f"person{number}@example.com",),
            linkedin_url=f"https://www.linkedin.com/in/person-{number}",
            account_ids=(new_id("001", number),),
            opportunity_id=new_id("006", number),
            past=CompanyLookup(domain=f"past-{number}.example.com", name=f"O'Past {number}"),
            current=CompanyLookup(domain=f"current-{number}.example.com", name=f"Current {number}"),
        )
        for number in numbers
    ]
    accounts = [new_id("001", number) for number in numbers]
    users = [new_id("005", number) for number in numbers]
    return [
        person_queries(lookups, required),
        follow_up_queries(lookups, _merged(people), required),
        account_queries(accounts, required, [new_id("003", number) for number in numbers]),
        chosen_queries([new_id("006", number) for number in numbers], accounts, required),
        member_queries([new_id("00G", number) for number in numbers]) if required.queues else [],
        user_queries(users, required) if required.users else [],
    ]


def _merged(people: int) -> dict[str, list[Row]]:
    """Rows of contacts and leads that were merged into others."""
    return {
        sobject: [
            {"Id": new_id(prefix, number), "IsDeleted": True, "MasterRecordId": new_id(prefix, people + number)}
            for number in range(1, people + 1)
        ]
        for sobject, prefix in (("Contact", "003"), ("Lead", "00Q"))
    }


def import_statements() -> Iterator[str]:
    """Yield the statements of every import that is proposed for contacts and leads: pages, previews and counts."""
    for sobject in STANDARD:
        if sobject.name in {"Contact", "Lead"}:
            for proposal in proposals(_described(sobject)):
                query = SourceQuery.parse(proposal.sobject, proposal.definition)
                cursor = Cursor("2026-11-20T09:30:00.000+0000", new_id(sobject.prefix, 1))
                yield query.page(start=0, since=0, after=None, most=2_000)
                yield query.page(start=0, since=0, after=cursor, most=2_000)
                yield query.newest(5)
                yield query.count(start=0)
                yield query.matching_before(0, after=cursor.record_id, most=2_000)


def _all_sources() -> RuleSet:
    account = {"source": "owner", "of": "account"}
    sources = [
        *({"source": "owner", "of": of} for of in get_args(Owner.model_fields["of"].annotation)),
        {"source": "opportunity_owner", "of": "contact"},
        *({"source": "opportunity_owner", "which": which} for which in get_args(OfOpportunity)),
        *({"source": "team", "of": of, "role": "Sales Rep"} for of in ("account", "opportunity")),
    ]
    more = [
        {"source": "field", "field": "Account.SDR__c"},
        {"source": "manager", "of": account},
        {"source": "mapped", "table": "SDRs", "of": account},
        {"source": "pool", "pool": "West"},
        {"source": "queue"},
        {"source": "user", "user": USER},
        {"source": "sender"},
    ]
    tests = [
        {"field": field, "values": ["x"]}
        for field in ("Account.Type", "Contact.Title", "Lead.Status", "Opportunity.StageName")
    ]
    return RuleSet.parse(
        {
            "rules": [
                {"name": "Records", "when": {"segment": SEGMENTS}, "tell": sources},
                {"name": "People", "when": {"fields": tests}, "tell": more},
            ],
            "mappings": {"SDRs": {USER: USER}},
            "pools": {"West": {"members": [{"user": USER}]}},
            "context_fields": ["Account.Type", "Contact.Title", "Opportunity.Amount", "Opportunity.StageName"],
        }
    )


def _described(sobject: SObject) -> ObjectInfo:
    fields = [*sobject.fields, *CUSTOM.get(sobject.name, ())]
    return ObjectInfo(
        sobject.name,
        sobject.label or sobject.name,
        {
            field.name: FieldInfo(
                field.name, field.label or field.name, field.type, field.relationship, field.refers_to, field.values
            )
            for field in fields
            if field.can_be_hidden or not field.name.endswith("__c")
        },
    )
