"""Accepting job changes: understood, stored, and only then yes; many requests share one commit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from domain.delivery import JobChangeRecord
from domain.job_change.model import JobChange
from domain.job_change.validation import InvalidJobChangeError
from services.intake.senders import senders
from services.intake.senders.row_mapping import RowMapping
from services.journal import UNCOUNTED, Journal
from store.database import Database
from store.intake import job_changes, mappings
from store.intake.job_changes import Added, NewJobChange

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
    journal: Journal = UNCOUNTED

    async def accept(self, workspace_id: str, raw: object, sender: str | None = None) -> Added | None:
        """
        Accept one job change, as decoded JSON; None when there is no such workspace.

        *sender*: whose row it is, where the row need not say so itself. Raises InvalidJobChangeError.
        """
        change = _parsed(raw, sender, await self._own_mappings(workspace_id, [raw], sender))
        if isinstance(change, InvalidJobChangeError):
            self.journal.refused(workspace_id, 1)
            raise change
        added = await self.database.gather(job_changes.add, _row(workspace_id, change, self.now()))
        self._took_in(workspace_id, [added])
        return added

    async def accept_all(
        self, workspace_id: str, raws: Sequence[object], sender: str | None = None
    ) -> Sequence[Added | InvalidJobChangeError | None]:
        """One answer an item, in order: those that can be read are accepted in one commit, the others told why not."""
        own = await self._own_mappings(workspace_id, raws, sender)
        read: list[JobChange | InvalidJobChangeError] = []
        for some in _chunks(raws):
            read += [_parsed(raw, sender, own) for raw in some]
            await asyncio.sleep(0)
        changes = [each for each in read if isinstance(each, JobChange)]
        added = iter(await self.accept_read(workspace_id, changes))
        self.journal.refused(workspace_id, len(read) - len(changes))
        return [next(added) if isinstance(each, JobChange) else each for each in read]

    async def accept_read(self, workspace_id: str, changes: Sequence[JobChange]) -> Sequence[Added | None]:
        """The same for job changes that are read already."""
        if not changes:
            return []
        now = self.now()
        added = await self.database.run(job_changes.add, [_row(workspace_id, change, now) for change in changes])
        self._took_in(workspace_id, added)
        return added

    async def find(self, workspace_id: str, job_change_id: str) -> JobChangeRecord | None:
        """What became of one; None also when it belongs to another workspace."""
        return await self.database.run(job_changes.find, workspace_id, job_change_id)

    def _took_in(self, workspace_id: str, added: Sequence[Added | None]) -> None:
        self.journal.added(workspace_id, added)
        if any(each and each.is_new for each in added):
            self.wake()

    async def _own_mappings(
        self, workspace_id: str, raws: Sequence[object], sender: str | None
    ) -> Mapping[str, RowMapping]:
        """By source; none are looked for where every row is in our own form already."""
        if sender is None and all(map(senders.is_ours, raws)):
            return {}
        stored = await self.database.run(mappings.all_of, workspace_id)
        return {source: RowMapping.parse(definition) for source, definition in stored.items()}


def _parsed(raw: object, sender: str | None, own: Mapping[str, RowMapping]) -> JobChange | InvalidJobChangeError:
    try:
        mapping = own.get(sender or senders.source_of(raw) or "") if own else None
        return JobChange.parse(senders.read(raw, sender, mapping))
    except InvalidJobChangeError as error:
        return error


def _row(workspace_id: str, change: JobChange, now: int) -> NewJobChange:
    return NewJobChange(workspace_id, change.key(_day(now)), change.source, change.to_stored(), now)


def _day(now: int) -> date:
    return datetime.fromtimestamp(now / 1_000, UTC).date()


def _chunks(raws: Sequence[object]) -> Iterator[Sequence[object]]:
    return (raws[start : start + READ_AT_ONCE] for start in range(0, len(raws), READ_AT_ONCE))
