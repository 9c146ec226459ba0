"""Accepting job changes: each is validated and stored before it is acknowledged. Requests share commits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

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
"""How many job changes are parsed before other tasks may run, which takes about 2 ms."""


@dataclass(frozen=True)
class Intake:
    """
    Accepts job changes. `wake` is called after a commit with something to route.

    Its methods raise DatabaseUnavailableError if nothing was accepted.
    """

    database: Database
    now: Callable[[], int]
    wake: Callable[[], None]
    journal: Journal = UNCOUNTED

    async def accept(self, workspace_id: str, raw: object, sender: str | None = None) -> Added | None:
        """
        Accept a job change from decoded JSON. Return None if there is no such workspace.

        `sender` is the sender of the row if it is not named in the row itself. Raises InvalidJobChangeError.
        """
        change = _parsed(raw, sender, await self._field_mappings(workspace_id, [raw], sender))
        if isinstance(change, InvalidJobChangeError):
            self.journal.refused(workspace_id, 1)
            raise change
        added = await self.database.gather(job_changes.add, _row(workspace_id, change, self.now()))
        self._finish(workspace_id, [added])
        return added

    async def accept_all(
        self, workspace_id: str, raws: Sequence[object], sender: str | None = None
    ) -> Sequence[Added | InvalidJobChangeError | None]:
        """Accept the valid items in one commit. Return a result or an error for each item, in order."""
        own = await self._field_mappings(workspace_id, raws, sender)
        items: list[JobChange | InvalidJobChangeError] = []
        for chunk in (raws[start : start + READ_AT_ONCE] for start in range(0, len(raws), READ_AT_ONCE)):
            items += [_parsed(raw, sender, own) for raw in chunk]
            await asyncio.sleep(0)
        changes = [item for item in items if isinstance(item, JobChange)]
        added = iter(await self.accept_parsed(workspace_id, changes))
        self.journal.refused(workspace_id, len(items) - len(changes))
        return [next(added) if isinstance(item, JobChange) else item for item in items]

    async def accept_parsed(self, workspace_id: str, changes: Sequence[JobChange]) -> Sequence[Added | None]:
        """Accept job changes that are already parsed. Return a result for each, in order."""
        if not changes:
            return []
        now = self.now()
        added = await self.database.run(job_changes.add, [_row(workspace_id, change, now) for change in changes])
        self._finish(workspace_id, added)
        return added

    async def find(self, workspace_id: str, job_change_id: str) -> JobChangeRecord | None:
        """Return a job change with its history, or None if this workspace has none with this id."""
        return await self.database.run(job_changes.find, workspace_id, job_change_id)

    def _finish(self, workspace_id: str, added: Sequence[Added | None]) -> None:
        self.journal.added(workspace_id, added)
        if any(item and item.is_new for item in added):
            self.wake()

    async def _field_mappings(
        self, workspace_id: str, raws: Sequence[object], sender: str | None
    ) -> Mapping[str, RowMapping]:
        """Return the mappings by source. They are not read if every row has our own format."""
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
    return NewJobChange(
        workspace_id,
        change.key(datetime.fromtimestamp(now / 1_000, UTC).date()),
        change.source,
        change.to_stored(),
        now,
    )
