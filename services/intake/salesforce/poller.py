"""Finding job changes in Salesforce: reading each source again and again, so that nothing is skipped or told twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import random

from domain.errors import PermanentError, TransientError
from domain.job_change.validation import InvalidJobChangeError
from domain.salesforce import SalesforceConnection, Source
from services.intake.intake import Intake
from services.intake.salesforce.query import Cursor, SourceQuery
from services.intake.salesforce.sources import SKEW_MS, checked
from services.retry import backoff_ms
from services.salesforce.queries.describe import NOT_CONNECTED, SalesforceDescribe
from services.salesforce.queries.statements import Row
from services.salesforce.refusals import LIMIT_RETRY_SECONDS
from store.database import Database
from store.delivery import pauses
from store.salesforce import sources
from store.salesforce.sources import SourceLease
from store.slack import workspaces

PAGE = 2_000
"""Records a query: what Salesforce answers at once. https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta"""

EVERY_MS = 60_000
LEASE_MS = 30_000
"""Renewed while sources are being read, so that a dead process is followed within half a minute."""

OVERLAP_MS = 10 * 60_000
"""What is read once more: a change is seen when its transaction ends, and Salesforce lets one last ten minutes."""

TROUBLE_MS = 15 * 60_000
OUR_PART, THEIR_PART = 0.8, 0.95
"""
Of our own share of the day's API calls, and of the org's limit, the part from which on we stop looking for job changes:
the rest is for telling those that are known.
"""

_TOLD_AT_ONCE = 500


@dataclass(frozen=True)
class SalesforcePoller:
    """What it finds is taken in like what any sender posts."""

    database: Database
    describe: SalesforceDescribe
    intake: Intake
    now: Callable[[], int]
    page_size: int = PAGE

    async def find_due(self) -> bool:
        """Read the due sources of one workspace to their end; False: none is due, or others are at them."""
        lease = await self.database.run(sources.claim, self.now(), LEASE_MS)
        if lease is None:
            return False
        keep_alive = asyncio.create_task(self._keep_lease(lease))
        try:
            for source in lease.sources:
                await self._look(lease, source)
        finally:
            keep_alive.cancel()
            await self.database.run(sources.release, lease)
        return True

    async def _keep_lease(self, lease: SourceLease) -> None:
        while True:
            await asyncio.sleep(LEASE_MS / 3_000)
            await self.database.run_until_available(sources.extend, lease, self.now() + LEASE_MS)

    async def _look(self, lease: SourceLease, source: Source) -> None:
        if wait := await self._wait(source):
            due_at, why = wait
            await self.database.run(sources.postpone, source, due_at, why, failed=False)
            return
        try:
            await self._read(lease, source)
        except TransientError as error:
            await self._postpone(source, error)
        except PermanentError as error:
            due_at = self.now() + TROUBLE_MS
            await self.database.run(sources.postpone, source, due_at, str(error), failed=True)

    async def _wait(self, source: Source) -> tuple[int, str] | None:
        """Until when not to look, and why; None: look."""
        now = self.now()
        paused = await self.database.run(pauses.paused_until, source.workspace_id, "salesforce", now)
        if paused is not None:
            return paused, "Salesforce asked us to wait"
        connection = await self.describe.salesforce.sessions.connection_of(source.workspace_id)
        workspace = await self.database.run(workspaces.find, source.workspace_id)
        if connection is None or workspace is None:
            return now + TROUBLE_MS, NOT_CONNECTED
        if why := _reason_to_wait(source, connection, workspace.salesforce_daily_calls, now):
            return now + TROUBLE_MS, why
        return None

    async def _read(self, lease: SourceLease, source: Source) -> None:
        query, problem = SourceQuery.parse(source.sobject, source.definition), None
        began, after = self.now(), None
        start = max(source.since, source.mark - OVERLAP_MS)
        while True:
            asked = query.page(start=start, since=source.since, after=after, most=self.page_size)
            try:
                page = await self.describe.page(source.workspace_id, asked)
            except PermanentError:
                if problem is not None:
                    raise
                query, problem = await self._readable(source, query)
                continue
            places = [Cursor.of(row) for row in page.rows]
            refused = await self._take_in(source, query, page.rows)
            if refused is None:
                return
            if places:
                after = places[-1]
                if not await self._advance(lease, source, after, len(page.rows), refused):
                    return
            if page.is_all and len(page.rows) < self.page_size:
                break
        due_at = self.now() + EVERY_MS
        seen_to = began - SKEW_MS
        await self.database.run(sources.finish, source, seen_to=seen_to, now=self.now(), due_at=due_at, problem=problem)

    async def _advance(self, lease: SourceLease, source: Source, place: Cursor, rows: int, refused: list[str]) -> bool:
        """Only once its records are taken in: whoever dies before that reads them again, and nothing is told twice."""
        until = self.now() + LEASE_MS
        return await self.database.run(
            sources.advance, lease, source, mark=place.moment, found=rows - len(refused), refused=refused, until=until
        )

    async def _take_in(self, source: Source, query: SourceQuery, rows: Sequence[Row]) -> list[str] | None:
        """Accept them like any sender's; why some were refused. None: the workspace is gone."""
        refused: list[str] = []
        for at in range(0, len(rows), _TOLD_AT_ONCE):
            some = rows[at : at + _TOLD_AT_ONCE]
            answers = await self.intake.accept_all(source.workspace_id, [query.read(row) for row in some])
            for row, answer in zip(some, answers, strict=True):
                if answer is None:
                    return None
                if isinstance(answer, InvalidJobChangeError):
                    refused.append(f"{row['Id']}: {answer}"[:300])
        return refused

    async def _readable(self, source: Source, query: SourceQuery) -> tuple[SourceQuery, str]:
        """What is left of the query when some of it may not be read (any more), and what may not."""
        unreadable = await checked(self.describe, source.workspace_id, query)
        return query.without(unreadable), f"we may not read {', '.join(sorted(unreadable))}" if unreadable else ""

    async def _postpone(self, source: Source, error: TransientError) -> None:
        now = self.now()
        wait = round(error.retry_after * 1_000) if error.retry_after else backoff_ms(source.failures + 1, random())  # noqa: S311
        if error.retry_after and error.retry_after >= LIMIT_RETRY_SECONDS:
            # Being asked to wait is told to everybody: telling job changes would meet the same limit.
            await self.database.run(pauses.pause, source.workspace_id, "salesforce", now + wait, now, str(error))
        await self.database.run(sources.postpone, source, now + wait, str(error), failed=error.retry_after is None)


def _reason_to_wait(source: Source, connection: SalesforceConnection, share: int, now: int) -> str | None:
    if source.org_id and connection.org_id and source.org_id[:15] != connection.org_id[:15]:
        return "Salesforce is connected to another org now: choose this source once more"
    if connection.our_calls_on(now) >= share * OUR_PART:
        return f"most of our share of {share:,} API calls a day is used up"
    if _is_nearly_used_up(connection, now):
        return "the org's daily limit of API calls is nearly reached"
    return None


def _is_nearly_used_up(connection: SalesforceConnection, now: int) -> bool:
    """As far as we were told lately: looking now and then is how we learn that it is not so any more."""
    used, limit, told_at = connection.api_used, connection.api_limit, connection.last_success_at
    if used is None or limit is None or told_at is None:
        return False
    return used >= limit * THEIR_PART and now - told_at < TROUBLE_MS
