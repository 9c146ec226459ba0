"""Finds a Slack user's manager: Salesforce knows the reporting line, Slack the account."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from domain.errors import PermanentError, TransientError
from domain.people import UNKNOWN, OwnerMatching
from services.ownership.choice.availability import Matching
from services.ownership.choice.candidates import Candidate
from services.salesforce.queries.describe import SalesforceDescribe
from services.salesforce.queries.rows import users
from services.salesforce.queries.statements import format_soql
from services.salesforce.records import SalesforceUser
from services.slack.directory import Directory
from store.database import Database
from store.ownership import owners

log = logging.getLogger(__name__)

_FIELDS = ("Id", "Name", "Email", "IsActive", *(f"Manager.{name}" for name in ("Id", "Name", "Email", "IsActive")))


@dataclass(frozen=True)
class Manager:
    """A Slack user who can be notified."""

    user_id: str
    name: str = field(repr=False)


@dataclass(frozen=True)
class Managers:
    database: Database
    describe: SalesforceDescribe
    directory: Directory

    async def find(self, workspace_id: str, user_id: str, email: str | None) -> Manager | None:
        """
        The manager of a Slack user with this email address.

        None if they have none who can be notified, or if Salesforce or Slack refuses to answer. Raises TransientError.
        """
        matching = await self.database.run(owners.matching, workspace_id)
        identities = _salesforce_identities(matching, user_id, email)
        try:
            manager = await self._in_salesforce(workspace_id, identities, matching.email_field)
            return await self._in_slack(workspace_id, manager, matching) if manager and manager.is_active else None
        except PermanentError as error:  # Salesforce is not connected, or a permission is missing
            log.info("the manager of %s in workspace %s cannot be looked up: %s", user_id, workspace_id, error)
            return None

    async def _in_salesforce(
        self, workspace_id: str, identities: list[str], email_field: str | None
    ) -> SalesforceUser | None:
        if not identities:
            return None
        other_fields = (email_field, f"Manager.{email_field}") if email_field else ()
        ids = [identity for identity in identities if "@" not in identity]
        conditions = [f"{name} IN {{identities}}" for name in ("Email", *other_fields[:1])]
        condition = " OR ".join([*conditions, "Id IN {ids}"] if ids else conditions)
        fields = ", ".join((*_FIELDS, *other_fields))
        soql = f"SELECT {fields} FROM User WHERE IsActive = true AND ({condition}) LIMIT 5"  # noqa: S608
        page = await self.describe.page(workspace_id, format_soql(soql, identities=identities, ids=ids))
        return next((user.manager for user in users(page.rows, email_field).values() if user.manager), None)

    async def _in_slack(self, workspace_id: str, manager: SalesforceUser, rules: OwnerMatching) -> Manager | None:
        matching = Matching(rules.links, rules.email_field, rules.alias_domains)
        addresses = matching.addresses(Candidate("manager", "", user=manager))
        members = await self.directory.find(workspace_id, addresses)
        for address in addresses:
            member = members[address]
            if member.problem == UNKNOWN:
                raise TransientError("Slack cannot look up the manager now", retry_after=member.retry_after)
            if member.user_id and member.problem is None:
                return Manager(member.user_id, manager.name)
        return None


def _salesforce_identities(matching: OwnerMatching, user_id: str, email: str | None) -> list[str]:
    """
    The email addresses and user ids that a Slack user may have in Salesforce.

    This applies the matching of owners in the opposite direction.
    """
    linked = [owner for owner, linked_user in matching.links.items() if linked_user == user_id]
    if email is None:
        return linked
    local, _, slack_domain = email.rpartition("@")
    aliases = [f"{local}@{domain}" for domain, alias in matching.alias_domains.items() if alias == slack_domain]
    return [*linked, email, *aliases]
