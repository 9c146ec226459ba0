"""Whose manager somebody in Slack is, as Salesforce has it."""

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
    """A Slack user who can be told."""

    user_id: str
    name: str = field(repr=False)


@dataclass(frozen=True)
class Managers:
    """Whom somebody reports to in Salesforce, as a person in Slack."""

    database: Database
    describe: SalesforceDescribe
    directory: Directory

    async def find(self, workspace_id: str, user_id: str, email: str | None) -> Manager | None:
        """
        The manager of a Slack user with this e-mail address; None: they have none who can be told, or Salesforce or
        Slack does not tell. Raises TransientError.
        """
        how = await self.database.run(owners.matching, workspace_id)
        try:
            manager = await self._in_salesforce(workspace_id, _known_as(how, user_id, email), how.email_field)
            return await self._in_slack(workspace_id, manager, how) if manager and manager.is_active else None
        except PermanentError as error:  # not connected, or not allowed to read that
            log.info("the manager of %s in %s cannot be looked up: %s", user_id, workspace_id, error)
            return None

    async def _in_salesforce(
        self, workspace_id: str, known_as: list[str], email_field: str | None
    ) -> SalesforceUser | None:
        if not known_as:
            return None
        other = (email_field, f"Manager.{email_field}") if email_field else ()
        by = " OR ".join(f"{name} IN {{names}}" for name in ("Email", *other[:1]))
        ids = [one for one in known_as if "@" not in one]
        by = f"{by} OR Id IN {{ids}}" if ids else by
        soql = f"SELECT {', '.join((*_FIELDS, *other))} FROM User WHERE IsActive = true AND ({by}) LIMIT 5"  # noqa: S608
        page = await self.describe.page(workspace_id, format_soql(soql, names=known_as, ids=ids))
        found = users(page.rows, email_field).values()
        return next((user.manager for user in found if user.manager), None)

    async def _in_slack(self, workspace_id: str, manager: SalesforceUser, how: OwnerMatching) -> Manager | None:
        matching = Matching(how.links, how.email_field, how.alias_domains)
        addresses = matching.addresses(Candidate("manager", "", "", manager))
        members = await self.directory.find(workspace_id, addresses)
        for address in addresses:
            member = members[address]
            if member.problem == UNKNOWN:
                raise TransientError("Slack does not tell now who the manager is", retry_after=member.retry_after)
            if member.user_id and member.problem is None:
                return Manager(member.user_id, manager.name)
        return None


def _known_as(how: OwnerMatching, user_id: str, email: str | None) -> list[str]:
    """Addresses and ids under which Salesforce may know a Slack user: the other way round than owners are found."""
    linked = [owner for owner, linked_to in how.links.items() if linked_to == user_id]
    if email is None:
        return linked
    local, _, domain = email.rpartition("@")
    aliases = [f"{local}@{theirs}" for theirs, in_slack in how.alias_domains.items() if in_slack == domain]
    return [*linked, email, *aliases]
