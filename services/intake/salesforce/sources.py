"""Sources of job changes in Salesforce: proposing objects, previewing, starting and pausing an import."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

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
from store.salesforce import imported, sources

CLOCK_SKEW_MS = 60 * 60_000
"""The largest difference between our clock and Salesforce's."""

PREVIEWED_RECORDS = 5
KNOWN_PAGE = 2_000
MOST_BACKFILL_DAYS = 365
DAY_MS = 24 * 60 * 60_000


@dataclass(frozen=True)
class SalesforceSources:
    """Manages sources. Callers check that the user is an admin."""

    database: Database
    describe: SalesforceDescribe
    now: Callable[[], int]

    async def candidates(self, workspace_id: str) -> list[Proposal]:
        """
        Return the objects that could be added: those of UserGems, contacts, leads, then other custom objects.

        The definition of a custom object is empty; `propose` returns it. Raises PermanentError, TransientError.
        """
        objects = await self.describe.objects(workspace_id)
        custom = sorted((name for name in objects if name.endswith("__c")), key=lambda name: objects[name].lower())
        usergems = [Proposal(name, name, objects[name], {}) for name in custom if name.startswith(USERGEMS)]
        others = [Proposal(name, name, objects[name], {}) for name in custom if not name.startswith(USERGEMS)]
        people: list[Proposal] = []
        for name in ("Contact", "Lead"):
            described = await self.describe.object(workspace_id, name) if name in objects else None
            people += proposals(described) if described else []
        return [*usergems, *people, *others]

    async def propose(self, workspace_id: str, name: str) -> Proposal | None:
        """Return a definition of the fields that can be read, or None if the object does not exist."""
        described = await self.describe.object(workspace_id, name.partition(":")[0])
        matches = [proposal for proposal in proposals(described) if proposal.name == name] if described else []
        if not matches:
            return None
        proposal = matches[0]
        unreadable = await self.describe.unreadable(workspace_id, proposal.sobject, list(proposal.definition["map"]))
        readable = {path: field for path, field in proposal.definition["map"].items() if path not in unreadable}
        return replace(proposal, definition=proposal.definition | {"map": readable})

    async def preview(
        self, workspace_id: str, sobject: str, definition: object, backfill_days: int | None = None
    ) -> Preview:
        """
        Return the latest five records as job changes, and how many records a backfill would import.

        Raises InvalidJobChangeError, PermanentError, TransientError.
        """
        query = SourceQuery.parse(sobject, definition)
        unreadable = await find_unreadable(self.describe, workspace_id, query)
        query = await typed(self.describe, workspace_id, query.without(unreadable))
        rows = (await self.describe.page(workspace_id, query.newest(PREVIEWED_RECORDS))).rows
        count = None
        if backfill_days is not None:
            start = self.now() - min(backfill_days, MOST_BACKFILL_DAYS) * DAY_MS
            count = await self.describe.count(workspace_id, query.count(start=start))
        return Preview([_line(query, row) for row in rows], count, unreadable)

    async def start(self, workspace_id: str, actor: str, proposal: Proposal, backfill_days: int | None = None) -> None:
        """
        Start to import an object. `backfill_days` is how far to go back; None means from now on.

        Raises InvalidJobChangeError, PermanentError, TransientError.
        """
        query = SourceQuery.parse(proposal.sobject, proposal.definition)
        query = query.without(await find_unreadable(self.describe, workspace_id, query))
        query = await typed(self.describe, workspace_id, query)
        connection = await self.describe.salesforce.sessions.connection_of(workspace_id)
        now, days = self.now(), min(backfill_days or 0, MOST_BACKFILL_DAYS)
        if days:
            since = now - days * DAY_MS
        else:  # the time after the newest record, by Salesforce's clock, since ours may be wrong
            newest = (await self.describe.page(workspace_id, query.newest(1))).rows
            since = Cursor.of(newest[0]).moment + 1 if newest else now - CLOCK_SKEW_MS
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
        matched_before = await self._matching_before(workspace_id, query, since) if query.is_dated_by_match else []
        await self.database.run(_start, new, matched_before, AuditEntry(now, actor, "salesforce_source", detail))

    async def _matching_before(self, workspace_id: str, query: SourceQuery, since: int) -> list[str]:
        """Return what identifies the job changes of the records that matched before `since`."""
        event_ids: list[str] = []
        rows: Sequence[Row] = ()
        while not event_ids or len(rows) == KNOWN_PAGE:
            after = str(rows[-1].get("Id")) if rows else ""
            soql = query.matching_before(since, after=after, most=KNOWN_PAGE)
            rows = (await self.describe.page(workspace_id, soql)).rows
            event_ids += map(query.event_id, rows)
            if not rows:
                break
        return event_ids

    async def set_state(self, workspace_id: str, actor: str, name: str, state: str | None) -> bool:
        """Pause or resume a source, or remove it if `state` is None. False means that it does not exist."""
        entry = AuditEntry(self.now(), actor, "salesforce_source", f"{name}: {state or 'removed'}")
        if state is None:
            return await self.database.run(audit.recorded, workspace_id, entry, sources.remove, name)
        return await self.database.run(audit.recorded, workspace_id, entry, sources.set_state, name, state, entry.at)

    async def all_of(self, workspace_id: str) -> list[Source]:
        return await self.database.run(sources.all_of, workspace_id)


async def find_unreadable(describe: SalesforceDescribe, workspace_id: str, query: SourceQuery) -> dict[str, str]:
    """Return the optional paths that cannot be read, with reasons. Raises PermanentError for an essential one."""
    unreadable = await describe.unreadable(workspace_id, query.sobject, query.paths, query.filtered_paths)
    for path in sorted(query.essential_paths & unreadable.keys()):
        raise PermanentError(f"{unreadable[path]}. Grant access to it in Salesforce Setup")
    return unreadable


async def typed(describe: SalesforceDescribe, workspace_id: str, query: SourceQuery) -> SourceQuery:
    """Return the query with dates and times as the org needs them. Raises PermanentError, TransientError."""
    return query.typed(await describe.types(workspace_id, query.sobject, query.timed_paths))


def _line(query: SourceQuery, row: Row) -> PreviewLine:
    record_id = str(row.get("Id"))
    try:
        change = JobChange.parse(query.read(row))
    except InvalidJobChangeError as error:
        return PreviewLine(record_id, None, str(error))
    return PreviewLine(record_id, change, None)


def _start(connection: Connection, new: NewSource, matched_before: Sequence[str], entry: AuditEntry) -> None:
    imported.add_known(connection, sources.save(connection, new), matched_before)
    audit.record(connection, new.workspace_id, entry)
