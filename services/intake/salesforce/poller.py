"""Imports job changes from Salesforce: polls each source, so that no record is skipped or delivered twice."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import random

from sqlalchemy import Connection

from domain.errors import PermanentError, TransientError
from domain.job_change.moves import plain_name
from domain.job_change.validation import InvalidJobChangeError
from domain.salesforce import SalesforceConnection, Source
from services.intake.intake import Intake
from services.intake.salesforce.query import Cursor, SourceQuery
from services.intake.salesforce.sources import CLOCK_SKEW_MS, find_unreadable, typed
from services.intake.senders.sender import part
from services.retry import wait_ms
from services.salesforce.queries.describe import NOT_CONNECTED, SalesforceDescribe
from services.salesforce.queries.statements import Row
from services.salesforce.refusals import LIMIT_RETRY_SECONDS
from store.database import Database
from store.delivery import pauses
from store.salesforce import imported, sources
from store.salesforce.sources import SourceLease
from store.slack import workspaces

PAGE = 2_000
"""Records per query, the most that Salesforce returns at once. https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta"""

EVERY_MS = 60_000
LEASE_MS = 30_000
"""It is extended while sources are read, so that another replica takes over half a minute after a crash."""

OVERLAP_MS = 10 * 60_000
"""The time that is read again: a change is visible only after its transaction, which may take ten minutes."""

RETRY_MS = 15 * 60_000
OUR_PART, ORG_PART = 0.8, 0.95
"""
The import pauses when this part of the app's daily API limit, or of the org's limit, is used up.

The rest is kept for looking up the owners of job changes that have been accepted.
"""

_ACCEPTED_AT_ONCE = 500
_WITHIN_COMPANY = {"promotion", "lateral", "additional_role"}


@dataclass(frozen=True)
class SalesforcePoller:
    """Imports records through the same intake as job changes from any sender."""

    database: Database
    describe: SalesforceDescribe
    intake: Intake
    now: Callable[[], int]
    page_size: int = PAGE

    async def poll(self) -> bool:
        """Read the due sources of one workspace to their end. False means that none is due and free."""
        lease = await self.database.run(sources.claim, self.now(), LEASE_MS)
        if lease is None:
            return False
        keep_alive = asyncio.create_task(self._keep_lease(lease))
        try:
            for source in lease.sources:
                await self._poll_source(lease, source)
        finally:
            keep_alive.cancel()
            await self.database.run(sources.release, lease)
        return True

    async def _keep_lease(self, lease: SourceLease) -> None:
        while True:
            await asyncio.sleep(LEASE_MS / 3_000)
            await self.database.run_until_available(sources.extend, lease, self.now() + LEASE_MS)

    async def _poll_source(self, lease: SourceLease, source: Source) -> None:
        if postponement := await self._why_postpone(source):
            due_at, reason = postponement
            await self.database.run(sources.postpone, source, due_at, reason, failed=False)
            return
        try:
            await self._read(lease, source)
        except TransientError as error:
            now = self.now()
            wait = wait_ms(error, source.failures + 1, random())  # noqa: S311
            if error.retry_after and error.retry_after >= LIMIT_RETRY_SECONDS:
                # The pause applies to lookups too, since they would reach the same limit.
                await self.database.run(pauses.pause, source.workspace_id, "salesforce", now + wait, now, str(error))
            await self.database.run(sources.postpone, source, now + wait, str(error), failed=error.retry_after is None)
        except PermanentError as error:
            due_at = self.now() + RETRY_MS
            await self.database.run(sources.postpone, source, due_at, str(error), failed=True)

    async def _why_postpone(self, source: Source) -> tuple[int, str] | None:
        """Return until when the source must wait and why, or None if it can be read now."""
        now = self.now()
        paused = await self.database.run(pauses.paused_until, source.workspace_id, "salesforce", now)
        if paused is not None:
            return paused, "Salesforce asked the app to wait"
        connection = await self.describe.salesforce.sessions.connection_of(source.workspace_id)
        workspace = await self.database.run(workspaces.find, source.workspace_id)
        if connection is None or workspace is None:
            return now + RETRY_MS, NOT_CONNECTED
        if reason := _limit_reached(source, connection, workspace.salesforce_daily_calls, now):
            return now + RETRY_MS, reason
        return None

    async def _read(self, lease: SourceLease, source: Source) -> None:
        query, problem = SourceQuery.parse(source.sobject, source.definition), None
        query = await typed(self.describe, source.workspace_id, query)
        started_at, after = self.now(), None
        start = max(source.since, source.mark - OVERLAP_MS)
        while True:
            soql = query.page(start=start, since=source.since, after=after, most=self.page_size)
            try:
                page = await self.describe.page(source.workspace_id, soql)
            except PermanentError:
                if problem is not None:
                    raise
                unreadable = await find_unreadable(self.describe, source.workspace_id, query)
                query = query.without(unreadable)
                problem = f"the connected user cannot read {', '.join(sorted(unreadable))}" if unreadable else ""
                continue
            cursors = [Cursor.of(row) for row in page.rows]
            refused = await self._accept(source, query, page.rows)
            if refused is None:
                return
            if cursors:
                after = cursors[-1]
                if not await self._advance(lease, source, after, len(page.rows), refused):
                    return
            if page.is_all and len(page.rows) < self.page_size:
                break
        due_at = self.now() + EVERY_MS
        seen_to = started_at - CLOCK_SKEW_MS
        await self.database.run(sources.finish, source, seen_to=seen_to, now=self.now(), due_at=due_at, problem=problem)

    async def _advance(self, lease: SourceLease, source: Source, cursor: Cursor, rows: int, refused: list[str]) -> bool:
        """Store the position, after its records were accepted: after a crash they are read again as duplicates."""
        until = self.now() + LEASE_MS
        return await self.database.run(
            sources.advance, lease, source, mark=cursor.moment, found=rows - len(refused), refused=refused, until=until
        )

    async def _accept(self, source: Source, query: SourceQuery, rows: Sequence[Row]) -> list[str] | None:
        """Accept records, and return why some were refused. None means that the workspace has removed the app."""
        refused: list[str] = []
        for start in range(0, len(rows), _ACCEPTED_AT_ONCE):
            batch = await self._new_rows(source, query, rows[start : start + _ACCEPTED_AT_ONCE])
            results = await self.intake.accept_all(source.workspace_id, [query.read(row) for row in batch])
            for row, received in zip(batch, results, strict=True):
                for result in received.results:
                    if result is None:
                        return None
                    if isinstance(result, InvalidJobChangeError):
                        refused.append(f"{row['Id']}: {result}"[:300])
        return refused

    async def _new_rows(self, source: Source, query: SourceQuery, rows: Sequence[Row]) -> Sequence[Row]:
        """Leave out records that matched before the start, and moves that another object of the org has reported."""
        if query.is_dated_by_match:
            event_ids = [query.event_id(row) for row in rows]
            matched_before = await self.database.run(imported.known_among, source.id, event_ids)
            rows = [row for row, event_id in zip(rows, event_ids, strict=True) if event_id not in matched_before]
        reported = [(row, _move_keys(query.read(row))) for row in rows]
        new = await self.database.run(_new_moves, source, [keys for _, keys in reported], self.now())
        return [row for (row, _), is_new in zip(reported, new, strict=True) if is_new]


def _new_moves(connection: Connection, source: Source, moves: Sequence[Sequence[str]], now: int) -> list[bool]:
    """Whether each move is new in this workspace. New ones are stored as reported by this source."""
    every_key = {key for keys in moves for key in keys}
    reported = imported.other_sources(connection, source.workspace_id, source.name, every_key, now)
    new = [not keys or keys[0] not in reported for keys in moves]
    keys_of_new = {key for keys, is_new in zip(moves, new, strict=True) if is_new for key in keys}
    imported.add_moves(connection, source.workspace_id, source.name, keys_of_new, now)
    return new


def _limit_reached(source: Source, connection: SalesforceConnection, daily_limit: int, now: int) -> str | None:
    if source.org_id and connection.org_id and source.org_id[:15] != connection.org_id[:15]:
        return "Salesforce is now connected to another org. Remove this object and add it again"
    if connection.our_calls_on(now) >= daily_limit * OUR_PART:
        return f"most of the app's daily limit of {daily_limit:,} API calls is used up"
    used, limit, answered_at = connection.api_used, connection.api_limit, connection.last_success_at
    if used is None or limit is None or answered_at is None:
        return None
    # Only another call returns new numbers, so these count for 15 minutes.
    is_nearly_used_up = used >= limit * ORG_PART and now - answered_at < RETRY_MS
    return "the org's daily API limit is almost reached" if is_nearly_used_up else None


def _move_keys(job_change: Mapping[str, object]) -> list[str]:
    """
    Return the keys by which a move is recognized in another object of the org: joining a company, and leaving one.

    The first decides whether it is known already: leaving a company is known if joining the next one is, but not the
    other way round. Without a name there are none, and neither if the person changes roles within a company.
    """
    if job_change.get("change_type") in _WITHIN_COMPANY:
        return []
    person = part(job_change, "person")
    name = person.get("full_name") or f"{person.get('first_name') or ''} {person.get('last_name') or ''}"
    companies = [
        (verb, part(job_change, side, "company").get("name"))
        for verb, side in (("joined", "current"), ("left", "previous"))
    ]
    return [
        hashlib.sha256("|".join((verb, plain_name(str(name)), plain_name(company))).encode()).hexdigest()
        for verb, company in companies
        if isinstance(company, str) and plain_name(company) and plain_name(str(name))
    ]
