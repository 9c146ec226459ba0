"""Accepting job changes: understood, stored, and only then yes; many requests share one commit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from services.faults import InvalidJobChangeError
from services.job_changes import JobChange
from store import job_changes
from store.database import Database
from store.job_changes import Added, FoundJobChange, NewJobChange

MOST_IN_ONE_BATCH = 1_000
READ_AT_ONCE = 50
"""How many job changes are read between two looks at what else waits: some 2 ms."""


@dataclass(frozen=True)
class Intake:
    """
    Where job changes come in. `wake` is called after a commit with something to route.

    Its methods raise DatabaseUnavailableError: then nothing was accepted.
    """

    database: Database
    now: Callable[[], int]
    wake: Callable[[], None]

    async def accept(self, workspace_id: str, raw: object) -> Added | None:
        """
        Accept one job change, as decoded JSON; None when there is no such workspace.

        Raises InvalidJobChangeError.
        """
        row = _row(workspace_id, JobChange.parse(raw), self.now())
        added = await self.database.gather(job_changes.add, row)
        self._wake_for([added])
        return added

    async def accept_all(
        self, workspace_id: str, raws: Sequence[object]
    ) -> Sequence[Added | InvalidJobChangeError | None]:
        """One answer an item, in order: those that can be read are accepted in one commit, the others told why not."""
        read: list[JobChange | InvalidJobChangeError] = []
        for some in _chunks(raws):
            read += [_parsed(raw) for raw in some]
            await asyncio.sleep(0)
        added = iter(await self.accept_read(workspace_id, [each for each in read if isinstance(each, JobChange)]))
        return [next(added) if isinstance(each, JobChange) else each for each in read]

    async def accept_read(self, workspace_id: str, changes: Sequence[JobChange]) -> Sequence[Added | None]:
        """The same for job changes that are read already."""
        if not changes:
            return []
        now = self.now()
        added = await self.database.run(job_changes.add, [_row(workspace_id, change, now) for change in changes])
        self._wake_for(added)
        return added

    async def find(self, workspace_id: str, job_change_id: str) -> FoundJobChange | None:
        """What became of one; None also when it belongs to another workspace."""
        return await self.database.run(job_changes.find, workspace_id, job_change_id)

    def _wake_for(self, added: Sequence[Added | None]) -> None:
        if any(each and each.is_new for each in added):
            self.wake()


def _parsed(raw: object) -> JobChange | InvalidJobChangeError:
    try:
        return JobChange.parse(raw)
    except InvalidJobChangeError as error:
        return error


def _row(workspace_id: str, change: JobChange, now: int) -> NewJobChange:
    return NewJobChange(workspace_id, change.key(_day(now)), change.source, change.to_stored(), now)


def _day(now: int) -> date:
    return datetime.fromtimestamp(now / 1_000, UTC).date()


def _chunks(raws: Sequence[object]) -> Iterator[Sequence[object]]:
    return (raws[start : start + READ_AT_ONCE] for start in range(0, len(raws), READ_AT_ONCE))
