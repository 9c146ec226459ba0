"""Where job changes are found in Salesforce: what could be chosen, what it would tell, and starting it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection

from domain.audit import AuditEntry
from domain.errors import PermanentError
from domain.job_change.model import JobChange
from domain.job_change.validation import InvalidJobChangeError
from domain.salesforce import NewSource, Preview, PreviewLine, Source
from services.intake.salesforce.presets import USERGEMS, Proposal, proposals
from services.intake.salesforce.query import Cursor, SourceQuery
from services.salesforce.queries.describe import SalesforceDescribe
from services.salesforce.queries.statements import Row
from store import audit
from store.database import Database
from store.salesforce import sources

SKEW_MS = 60 * 60_000
"""How far our clock and Salesforce's may be apart."""

PREVIEWED = 5
MOST_BACKFILL_DAYS = 365
DAY_MS = 24 * 60 * 60_000


@dataclass(frozen=True)
class SalesforceSources:
    """Whether somebody may change anything is for the caller to check."""

    database: Database
    describe: SalesforceDescribe
    now: Callable[[], int]

    async def candidates(self, workspace_id: str) -> list[Proposal]:
        """
        What could be chosen, the likeliest first: UserGems' object, contacts, leads, then other custom objects.

        A custom object's definition is empty until it is chosen, see `propose`. Raises PermanentError, TransientError.
        """
        objects = await self.describe.objects(workspace_id)
        custom = sorted((name for name in objects if name.endswith("__c")), key=lambda name: objects[name].lower())
        theirs = [Proposal(name, name, objects[name], {}) for name in custom if name.startswith(USERGEMS)]
        others = [Proposal(name, name, objects[name], {}) for name in custom if not name.startswith(USERGEMS)]
        people: list[Proposal] = []
        for name in ("Contact", "Lead"):
            described = await self.describe.object(workspace_id, name) if name in objects else None
            people += proposals(described) if described else []
        return [*theirs, *people, *others]

    async def propose(self, workspace_id: str, name: str) -> Proposal | None:
        """A definition to begin with, of what can be read; None: there is no such thing."""
        described = await self.describe.object(workspace_id, name.partition(":")[0])
        found = next((each for each in proposals(described) if each.name == name), None) if described else None
        if found is None:
            return None
        unreadable = await self.describe.unreadable(workspace_id, found.sobject, list(found.definition["map"]))
        readable = {path: field for path, field in found.definition["map"].items() if path not in unreadable}
        return Proposal(found.name, found.sobject, found.label, found.definition | {"map": readable})

    async def preview(
        self, workspace_id: str, sobject: str, definition: object, backfill_days: int | None = None
    ) -> Preview:
        """
        The last five records as they would be told, and how many a back-fill would tell.

        Raises InvalidJobChangeError, PermanentError, TransientError.
        """
        query = SourceQuery.parse(sobject, definition)
        unreadable = await checked(self.describe, workspace_id, query)
        query = query.without(unreadable)
        rows = (await self.describe.page(workspace_id, query.newest(PREVIEWED))).rows
        count = None
        if backfill_days is not None:
            start = self.now() - min(backfill_days, MOST_BACKFILL_DAYS) * DAY_MS
            count = await self.describe.count(workspace_id, query.count(start=start))
        return Preview([_line(query, row) for row in rows], count, unreadable)

    async def start(self, workspace_id: str, actor: str, proposal: Proposal, backfill_days: int | None = None) -> None:
        """
        Look there from now on. *backfill_days*: also tell what changed so long ago; None: start from now.

        Raises InvalidJobChangeError, PermanentError, TransientError.
        """
        query = SourceQuery.parse(proposal.sobject, proposal.definition)
        query = query.without(await checked(self.describe, workspace_id, query))
        connection = await self.describe.salesforce.sessions.connection_of(workspace_id)
        now, days = self.now(), min(backfill_days or 0, MOST_BACKFILL_DAYS)
        since = now - days * DAY_MS if days else await self._from_now(workspace_id, query)
        new = NewSource(
            workspace_id=workspace_id,
            name=proposal.name,
            sobject=proposal.sobject,
            definition=proposal.definition,
            org_id=connection.org_id if connection else None,
            since=since,
            made_by=actor,
            made_at=now,
        )
        detail = f"{proposal.name}, from {f'{days} days ago' if days else 'now'}"
        await self.database.run(_start, new, AuditEntry(now, actor, "salesforce_source", detail))

    async def _from_now(self, workspace_id: str, query: SourceQuery) -> int:
        """Behind the newest record there is, by Salesforce's clock: ours may be wrong."""
        newest = (await self.describe.page(workspace_id, query.newest(1))).rows
        return Cursor.of(newest[0]).moment + 1 if newest else self.now() - SKEW_MS

    async def set_state(self, workspace_id: str, actor: str, name: str, state: str | None) -> bool:
        """Pause a source, let it go on, or with None remove it; False: there is no such source."""
        done = AuditEntry(self.now(), actor, "salesforce_source", f"{name}: {state or 'removed'}")
        return await self.database.run(_set_state, workspace_id, name, state, done)

    async def all_of(self, workspace_id: str) -> list[Source]:
        return await self.database.run(sources.all_of, workspace_id)


async def checked(describe: SalesforceDescribe, workspace_id: str, query: SourceQuery) -> dict[str, str]:
    """The paths that may not be read, and can be left out. Raises PermanentError for one that cannot."""
    unreadable = await describe.unreadable(workspace_id, query.sobject, query.paths)
    for path in sorted(query.indispensable & unreadable.keys()):
        raise PermanentError(f"{unreadable[path]}: let the user we connect as read it, in Salesforce's Setup")
    return unreadable


def _line(query: SourceQuery, row: Row) -> PreviewLine:
    record_id = str(row.get("Id"))
    try:
        change = JobChange.parse(query.read(row))
    except InvalidJobChangeError as error:
        return PreviewLine(record_id, None, str(error))
    return PreviewLine(record_id, change, None)


def _start(connection: Connection, new: NewSource, done: AuditEntry) -> None:
    sources.save(connection, new)
    audit.record(connection, new.workspace_id, done)


def _set_state(connection: Connection, workspace_id: str, name: str, state: str | None, done: AuditEntry) -> bool:
    if state is None:
        changed = sources.remove(connection, workspace_id, name)
    else:
        changed = sources.set_state(connection, workspace_id, name, state, done.at)
    if changed:
        audit.record(connection, workspace_id, done)
    return changed
