"""Unmatched owners: Salesforce owners without a Slack user. Links them, and sends them what they missed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from domain.audit import AuditEntry
from domain.day_counts import counted
from domain.decision.sentences import for_reader
from domain.errors import PermanentError
from domain.job_change.field_types import long_salesforce_id
from domain.people import UNKNOWN, OwnerLink, OwnerMatching, UnmatchedOwner
from domain.rule_versions import ACTION
from services.ownership.choice.availability import slack_problem
from services.ownership.org_schema import OrgSchemas
from services.ownership.rules.owner_sources import is_salesforce_user, is_slack_user
from services.slack.directory import Directory
from store import audit
from store.database import Database
from store.ownership import owners

BATCH_SIZE = 200
"""Missed job changes that are sent in one transaction."""

_DOMAIN = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+")
_FIELD = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}")


@dataclass(frozen=True)
class LinkResult:
    """
    The result of a change. `waiting` is the number of missed job changes that can be sent to this owner.

    `field` is the setting of OwnerMatching that was refused, None if it was another.
    """

    stored: bool
    text: str
    waiting: int = 0
    field: str | None = None


@dataclass(frozen=True)
class UnmatchedOwners:
    """The caller checks permissions. `actor` is a Slack user id or audit.OPERATOR."""

    database: Database
    directory: Directory
    schemas: OrgSchemas
    wake: Callable[[], None]
    now: Callable[[], int]

    async def page(self, workspace_id: str, after: str = "") -> list[UnmatchedOwner]:
        """A page of owners without a Slack user, in order, after the owner `after`."""
        return await self.database.run(owners.unmatched, workspace_id, after=after)

    async def links(self, workspace_id: str) -> list[tuple[OwnerLink, int]]:
        """Every link, with the number of job changes that can still be sent to that owner."""
        return await self.database.run(owners.links, workspace_id)

    async def matching(self, workspace_id: str) -> OwnerMatching:
        return await self.database.run(owners.matching, workspace_id)

    async def link(self, workspace_id: str, actor: str, owner: str, user_id: str) -> LinkResult:
        """Link an owner, who is an email address or a Salesforce user id. Raises PermanentError if Slack refuses."""
        key = owner_key(owner)
        if key is None or not is_slack_user(user_id):
            return LinkResult(False, "An owner is an email address or the id of a Salesforce user.")
        member = (await self.directory.find(workspace_id, {user_id}))[user_id.lower()]
        if member.problem == UNKNOWN:
            return LinkResult(False, "Slack did not answer, so nothing was saved. Try again in a minute.")
        if member.problem is not None:
            return LinkResult(False, f"<@{user_id}> {for_reader([slack_problem(member)])}.")
        change = AuditEntry(self.now(), actor, f"{ACTION}: linked an owner", f"with {user_id}")
        await self.database.run(owners.link, workspace_id, key, user_id, change)
        waiting = await self.database.run(owners.waiting, workspace_id, key)
        return LinkResult(True, f"Saved. New job changes of this owner go to <@{user_id}>.", len(waiting))

    async def unlink(self, workspace_id: str, actor: str, owner: str) -> bool:
        """Returns False if there was no such link."""
        change = AuditEntry(self.now(), actor, f"{ACTION}: unlinked an owner", "")
        return await self.database.run(owners.unlink, workspace_id, owner_key(owner) or owner, change)

    async def match_by(
        self,
        workspace_id: str,
        actor: str,
        email_field: str | None,
        alias_domains: Mapping[str, str],
        slack_id_field: str | None = None,
    ) -> LinkResult:
        """Set how all owners are matched: a field of User with a Slack user id or email address, and alias domains."""
        aliases = {domain.strip().lower(): alias.strip().lower() for domain, alias in alias_domains.items()}
        if invalid := [domain for pair in aliases.items() for domain in pair if not _DOMAIN.fullmatch(domain)]:
            return LinkResult(False, f"Not a domain: {', '.join(invalid)}.", field="alias_domains")
        for setting, name in (("slack_id_field", slack_id_field), ("email_field", email_field)):
            if name and (problem := await self._field_problem(workspace_id, name)):
                return LinkResult(False, problem, field=setting)
        detail = f"email field {email_field or 'Email'}, {counted(len(aliases), 'alias domain')}"
        detail += f", Slack user ID in {slack_id_field}" if slack_id_field else ""
        change = AuditEntry(self.now(), actor, f"{ACTION}: matching changed", detail)
        await self.database.run(owners.match_by, workspace_id, email_field, aliases, slack_id_field, change)
        return LinkResult(True, "Saved.")

    async def send_missed(self, workspace_id: str, actor: str, owner: str) -> int:
        """Send a linked owner what they missed. Returns the number of job changes."""
        key, total = owner_key(owner) or owner, 0
        while (
            sent := await self.database.run(owners.send_missed, workspace_id, key, self.now(), BATCH_SIZE)
        ) is not None:
            total += sent
        if total:
            self.wake()
            await self._record(workspace_id, actor, "sent an owner what they missed", total)
        return total

    async def dismiss(self, workspace_id: str, actor: str, owner: str) -> int:
        """Dismiss what an owner missed. Returns the number of job changes."""
        dismissed = await self.database.run(owners.dismiss, workspace_id, owner_key(owner) or owner)
        if dismissed:
            await self._record(workspace_id, actor, "dismissed what an owner missed", dismissed)
        return dismissed

    async def _record(self, workspace_id: str, actor: str, action: str, job_changes: int) -> None:
        change = AuditEntry(self.now(), actor, f"{ACTION}: {action}", counted(job_changes, "job change"))
        await self.database.run(audit.record, workspace_id, change)

    async def _field_problem(self, workspace_id: str, name: str) -> str | None:
        if not _FIELD.fullmatch(name):
            return f"{name} is not the name of a field."
        try:
            readable = await self.schemas.readable(workspace_id, ["User"])
        except PermanentError as error:
            return f"Salesforce did not answer: {error}."
        if "User" in readable and name.lower() not in readable["User"]:
            return f"User.{name} does not exist in Salesforce, or the app may not read it."
        return None


def owner_key(owner: str) -> str | None:
    """The key of an owner as stored: an email address in lower case, or a Salesforce user id of 18 characters."""
    text = owner.strip()
    if is_salesforce_user(text):
        return long_salesforce_id(text)
    return text.lower() if "@" in text and not is_slack_user(text) else None
