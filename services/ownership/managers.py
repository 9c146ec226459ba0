"""Finds a Slack user's manager: Salesforce knows the reporting line, Slack the account."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from domain.errors import PermanentError, TransientError
from domain.people import OwnerMatching
from services.ownership.choice.availability import Availability, Matching, MissingLookupsError
from services.ownership.choice.candidates import Candidate
from services.salesforce.queries.lookup import Salesforce
from services.salesforce.queries.rows import OF_SANDBOX, users
from services.salesforce.queries.statements import RecordQuery, user_fields
from services.salesforce.records import SalesforceUser
from services.slack.directory import Directory
from store.database import Database
from store.ownership import owners

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Manager:
    """A Slack user who can be notified."""

    user_id: str
    name: str = field(repr=False)


@dataclass(frozen=True)
class Managers:
    database: Database
    salesforce: Salesforce
    directory: Directory

    async def find(self, workspace_id: str, user_id: str, email: str | None) -> Manager | None:
        """
        The manager of a Slack user with this email address.

        None if they have none who can be notified, or if Salesforce or Slack refuses to answer. Raises TransientError.
        """
        matching = await self.database.run(owners.matching, workspace_id)
        try:
            manager = await self._in_salesforce(workspace_id, matching, user_id, email)
            return await self._in_slack(workspace_id, manager, matching) if manager and manager.is_active else None
        except PermanentError as error:  # Salesforce is not connected, or a permission is missing
            log.info("the manager of %s in workspace %s cannot be looked up: %s", user_id, workspace_id, error)
            return None

    async def _in_salesforce(
        self, workspace_id: str, matching: OwnerMatching, user_id: str, email: str | None
    ) -> SalesforceUser | None:
        queries = report_queries(matching, user_id, email)
        rows = await self.salesforce.read(workspace_id, lambda client: client.rows(queries)) if queries else None
        reports = [
            user
            for query in queries
            for user in users((rows or {}).get(query.kind, ()), matching.email_field, matching.slack_id_field).values()
        ]
        return next((user.manager for user in reports if user.is_active and user.manager), None)

    async def _in_slack(self, workspace_id: str, manager: SalesforceUser, stored: OwnerMatching) -> Manager | None:
        matching, candidate = Matching.of(stored), Candidate("manager", "", user=manager)
        members = await self.directory.find(workspace_id, matching.addresses(candidate))
        try:
            user_id = Availability(matching, members).resolve(candidate).user_id
        except MissingLookupsError as error:
            waits = [member.retry_after for member in members.values() if member.retry_after is not None]
            raise TransientError(
                "Slack cannot look up the manager now", retry_after=max(waits, default=None)
            ) from error
        return Manager(user_id, manager.name) if user_id else None


def report_queries(matching: OwnerMatching, user_id: str, email: str | None) -> list[RecordQuery]:
    """Return the queries for the user whom a Slack user may be in Salesforce, in the order in which they are tried."""
    # These are the rules for matching owners with Slack users, in the opposite direction.
    identities = [owner for owner, linked_user in matching.links.items() if linked_user == user_id]
    if email is not None:
        local, _, slack_domain = email.rpartition("@")
        aliases = [f"{local}@{domain}" for domain, alias in matching.alias_domains.items() if alias == slack_domain]
        identities += [email, *aliases]
    addresses = [identity for identity in identities if "@" in identity]
    addresses += [f"{address}{OF_SANDBOX}" for address in addresses]
    compared = {
        "Id": [identity for identity in identities if "@" not in identity],
        matching.slack_id_field: [user_id],
        "Email": addresses,
        matching.email_field: addresses,
    }
    fields = user_fields(matching.email_field, matching.slack_id_field, managers=True)
    return [
        RecordQuery(by, "User", fields, by, tuple(values), by_id=by == "Id", is_limited=True)
        for by, values in compared.items()
        if by and values
    ]
