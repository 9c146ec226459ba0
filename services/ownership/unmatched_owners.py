"""Owners whom Slack does not know by their e-mail address: linking them, and telling them what they missed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

from domain.audit import AuditEntry
from domain.errors import PermanentError
from domain.job_change.field_types import long_salesforce_id
from domain.people import UNKNOWN, OwnerMatching, UnmatchedOwner
from domain.rule_versions import ACTION
from services.ownership.choice.availability import SLACK_PROBLEMS
from services.ownership.org_schema import OrgShapes
from services.ownership.rules.owner_sources import is_salesforce_user, is_slack_user
from services.slack.directory import Directory
from store import audit
from store.database import Database
from store.ownership import owners

AT_ONCE = 200
"""Job changes that are told after all in one transaction."""

_DOMAIN = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+")
_FIELD = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}")


@dataclass(frozen=True)
class Linked:
    """What came of it. *waiting*: how many job changes could be told to this owner after all."""

    stored: bool
    text: str
    waiting: int = 0


@dataclass(frozen=True)
class UnmatchedOwners:
    """Whether somebody may change anything is for the caller to check. *actor*: a Slack user id, or audit.OPERATOR."""

    database: Database
    directory: Directory
    shapes: OrgShapes
    wake: Callable[[], None]
    now: Callable[[], int]

    async def page(self, workspace_id: str, after: str = "") -> list[UnmatchedOwner]:
        """A page of owners without a Slack user, from the one *after* on, each with what waits for them."""
        return await self.database.run(owners.unmatched, workspace_id, after=after)

    async def how_matched(self, workspace_id: str) -> OwnerMatching:
        return await self.database.run(owners.how_matched, workspace_id)

    async def link(self, workspace_id: str, actor: str, owner: str, user_id: str) -> Linked:
        """*owner*: an e-mail address, or the id of a Salesforce user. Raises PermanentError as Slack does."""
        key = owner_key(owner)
        if key is None or not is_slack_user(user_id):
            return Linked(False, "An owner is an e-mail address or the id of a Salesforce user.")
        member = (await self.directory.find(workspace_id, {user_id}))[user_id.lower()]
        if member.problem == UNKNOWN:
            return Linked(False, "Slack did not answer just now, so nothing was saved. Please try again in a minute.")
        if member.problem is not None:
            return Linked(False, f"<@{user_id}> {SLACK_PROBLEMS.get(member.problem, member.problem)}.")
        change = AuditEntry(self.now(), actor, f"{ACTION}: linked an owner", f"with {user_id}")
        await self.database.run(owners.link, workspace_id, key, user_id, change)
        waiting = await self.database.run(owners.waiting, workspace_id, key)
        return Linked(True, f"Saved: it is <@{user_id}> from now on.", len(waiting))

    async def unlink(self, workspace_id: str, actor: str, owner: str) -> bool:
        """False: there was no such link."""
        change = AuditEntry(self.now(), actor, f"{ACTION}: unlinked an owner", "")
        return await self.database.run(owners.unlink, workspace_id, owner_key(owner) or owner, change)

    async def match_by(
        self, workspace_id: str, actor: str, email_field: str | None, alias_domains: Mapping[str, str]
    ) -> Linked:
        """For all owners: another field of Salesforce's User to find an address in, and domains that mean the same."""
        aliases = {one.strip().lower(): other.strip().lower() for one, other in alias_domains.items()}
        if wrong := [domain for pair in aliases.items() for domain in pair if not _DOMAIN.fullmatch(domain)]:
            return Linked(False, f"Not a domain: {', '.join(wrong)}.")
        if email_field and (problem := await self._field_problem(workspace_id, email_field)):
            return Linked(False, problem)
        detail = f"e-mail field {email_field or 'Email'}, {len(aliases)} alias domains"
        change = AuditEntry(self.now(), actor, f"{ACTION}: matching changed", detail)
        await self.database.run(owners.match_by, workspace_id, email_field, aliases, change)
        return Linked(True, "Saved.")

    async def tell_after_all(self, workspace_id: str, actor: str, owner: str) -> int:
        """Promise a linked owner what they missed; how many job changes."""
        key, told, some = owner_key(owner) or owner, 0, cast("int | None", 0)
        while some is not None:
            told += some
            some = await self.database.run(owners.tell_after_all, workspace_id, key, self.now(), AT_ONCE)
        if told:
            self.wake()
            await self._record(workspace_id, actor, "told an owner what they missed", told)
        return told

    async def forget(self, workspace_id: str, actor: str, owner: str) -> int:
        """What they missed is not offered any more; how many job changes it was."""
        forgotten = await self.database.run(owners.forget, workspace_id, owner_key(owner) or owner)
        if forgotten:
            await self._record(workspace_id, actor, "let go what an owner missed", forgotten)
        return forgotten

    async def _record(self, workspace_id: str, actor: str, what: str, job_changes: int) -> None:
        change = AuditEntry(self.now(), actor, f"{ACTION}: {what}", f"{job_changes:,} job changes")
        await self.database.run(audit.record, workspace_id, change)

    async def _field_problem(self, workspace_id: str, email_field: str) -> str | None:
        if not _FIELD.fullmatch(email_field):
            return f"{email_field} is not the name of a field."
        try:
            readable = await self.shapes.readable(workspace_id, ["User"])
        except PermanentError as error:
            return f"Salesforce could not be asked: {error}."
        if "User" in readable and email_field.lower() not in readable["User"]:
            return f"User.{email_field} does not exist in Salesforce, or we may not read it."
        return None


def owner_key(owner: str) -> str | None:
    """As owners are stored: an e-mail address in lower case, or a Salesforce user id of 18 characters."""
    text = owner.strip()
    if is_salesforce_user(text):
        return long_salesforce_id(text)
    return text.lower() if "@" in text and not is_slack_user(text) else None
