"""The SOQL queries for details of the accounts and contacts that were found: opportunities, teams, and parents."""

from __future__ import annotations

from collections.abc import Collection

from services.salesforce.queries.rows import opportunities_by
from services.salesforce.queries.soql import format_soql, ids_of, url_lists
from services.salesforce.queries.statements import OWNER_FIELDS, RecordQuery, named_fields
from services.salesforce.records import RequiredRecords

PARENT = "ParentId"
PARENTS = tuple(f"{'Parent.' * level}{PARENT}" for level in range(6))
"""A query can go up five levels:
https://developer.salesforce.com/docs/platform/soql-and-sosl/guide/sforce-api-calls-soql-relationships-query-limits"""


def account_queries(
    account_ids: Collection[str], required: RequiredRecords, contact_ids: Collection[str] = ()
) -> list[RecordQuery]:
    """Return queries for opportunities, teams and parents of accounts, and for open opportunities of contacts."""
    lists = list(url_lists(ids_of("Account", account_ids)))
    fields = ("Id", "Name", "CloseDate", *OWNER_FIELDS, *named_fields(required, "Opportunity"))
    queries: list[RecordQuery] = []
    if required.opportunities:
        queries += [
            RecordQuery(kind, "Account", fields, "Id", tuple(values), by_id=True, children=children, is_extra=True)
            for kind, children in opportunities_by(required.open_choice).items()
            for values in lists
        ]
    if required.account_roles:
        queries += [_team_query("Account", values, required.account_roles) for values in lists]
    if required.ultimate_parents:
        queries += [
            RecordQuery("Parents", "Account", ("Id", *PARENTS), "Id", tuple(values), by_id=True, is_extra=True)
            for values in lists
        ]
    if required.contact_opportunities:
        paths = (*fields, "CreatedDate", *(("Amount",) if required.open_choice == "largest" else ()))
        selected = ("ContactId", *dict.fromkeys(f"Opportunity.{path}" for path in paths))
        condition = "Opportunity.IsClosed = false"
        role = "OpportunityContactRole"
        queries += [
            RecordQuery(role, role, selected, "ContactId", tuple(values), condition=condition, is_extra=True)
            for values in url_lists(ids_of("Contact", contact_ids))
        ]
    return queries


def chosen_queries(
    opportunity_ids: Collection[str], parent_ids: Collection[str], required: RequiredRecords
) -> list[RecordQuery]:
    """Return queries for the teams of the opportunities that were chosen, and for the topmost accounts."""
    queries = []
    if required.opportunity_roles:
        lists = url_lists(ids_of("Opportunity", opportunity_ids))
        queries += [_team_query("Opportunity", values, required.opportunity_roles) for values in lists]
    fields = ("Id", "Name", *OWNER_FIELDS)
    return queries + [
        RecordQuery("Ultimate", "Account", fields, "Id", tuple(values), by_id=True, is_extra=True)
        for values in url_lists(ids_of("Account", parent_ids))
    ]


def _team_query(of: str, ids: list[str], roles: frozenset[str]) -> RecordQuery:
    sobject = f"{of}TeamMember"
    fields = (f"{of}Id", "UserId", "TeamMemberRole", "User.Name", "User.Email", "User.IsActive", "CreatedDate")
    condition = format_soql("TeamMemberRole IN {}", sorted(roles))
    return RecordQuery(
        sobject, sobject, fields, f"{of}Id", tuple(ids), condition=condition, is_limited=True, is_extra=True
    )
