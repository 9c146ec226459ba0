"""Accepting job changes: each is validated and stored before it is acknowledged. Requests share commits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pydantic_core import to_json

from domain.delivery import JobChangeRecord
from domain.job_change.model import JobChange
from domain.job_change.new import NewJobChange, check_size
from domain.job_change.validation import Fault, InvalidJobChangeError
from services.intake.mapping.row_mapping import RowMapping
from services.intake.senders import registry
from services.journal import UNCOUNTED, Journal
from store.database import Database
from store.intake import job_changes, mappings, refused_payloads
from store.intake.job_changes import Added
from store.intake.refused_payloads import NewRefusal
from store.intake.senders import Receipt

MOST_IN_ONE_BATCH = 1_000
READ_AT_ONCE = 50
"""How many job changes are parsed before other tasks may run, which takes about 2 ms."""

LARGEST_JOB_CHANGE = 64 * 1024
"""The default of JOB_CHANGE_KIB, in bytes."""

MANY_REQUESTS = 8
"""More than the senders of a busy hour cause at a time, since a request takes a few milliseconds."""

SMALL = 32 * 1024
"""Bytes up to which a request is parsed right away. Larger ones are parsed in a thread, one at a time."""


@dataclass(frozen=True)
class Skipped:
    """A part of a payload that is not a job change, and why. Its sender need not know."""

    reason: str

    def __str__(self) -> str:
        return self.reason


Result = Added | InvalidJobChangeError | Skipped | None
"""What became of a person in a payload. None: there is no such workspace."""


@dataclass(frozen=True)
class Received:
    """What became of a payload: one result for each person. A test is read and checked, but not stored."""

    results: Sequence[Result]
    is_test: bool = False


@dataclass
class Requests:
    """How many requests are being accepted in this process."""

    count: int = 0

    @property
    def are_many(self) -> bool:
        return self.count >= MANY_REQUESTS

    def __enter__(self) -> None:
        self.count += 1

    def __exit__(self, *_: object) -> None:
        self.count -= 1


@dataclass(frozen=True)
class Intake:
    """
    Accepts job changes. `wake` is called after a commit with something to route.

    `largest` is the size of a job change in bytes, as JSON. `spent` is called with a workspace and the milliseconds
    that parsing its job changes took. `size` is that of a request in bytes, None if it is not known. `request_id` is
    kept with what a request brought.

    Its methods raise DatabaseUnavailableError if nothing was accepted.
    """

    database: Database
    now: Callable[[], int]
    wake: Callable[[], None]
    journal: Journal = UNCOUNTED
    largest: int = LARGEST_JOB_CHANGE
    spent: Callable[[str, float], None] = lambda _workspace_id, _milliseconds: None
    requests: Requests = field(default_factory=Requests, init=False)
    _large: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1), init=False, repr=False)

    async def accept(self, workspace_id: str, raw: object, sender: str | None = None) -> Added | None:
        """
        Accept one job change from decoded JSON. Return None if there is no such workspace.

        `sender` is the sender of the row if it is not named in the row itself. Raises InvalidJobChangeError.
        """
        result = (await self.receive(workspace_id, raw, sender)).results[0]
        if isinstance(result, InvalidJobChangeError):
            raise result
        if isinstance(result, Skipped):
            raise InvalidJobChangeError([Fault("", f"is not a job change: {result.reason}")])
        return result

    async def receive(
        self,
        workspace_id: str,
        raw: object,
        sender: str | None = None,
        size: int | None = None,
        request_id: str | None = None,
    ) -> Received:
        """Accept what a sender has posted in one payload. Requests with one job change share a commit."""
        with self.requests:
            (payload,) = await self._parse(workspace_id, [raw], sender, size)
            changes = [item for item in payload.items if isinstance(item, JobChange)]
            if len(changes) != 1 or payload.is_test:
                return (await self._add_all(workspace_id, [payload], sender, request_id))[0]
            row = NewJobChange.of(workspace_id, changes[0], self.now(), sender, request_id)
            added = await self.database.gather(job_changes.add, row)
        received = _received(payload, iter([added]))
        self._count(workspace_id, [received], row.accepted_at, request_id)
        await self._note(workspace_id, received, payload, sender)
        return received

    async def accept_all(
        self,
        workspace_id: str,
        raws: Sequence[object],
        sender: str | None = None,
        size: int | None = None,
        request_id: str | None = None,
    ) -> Sequence[Received]:
        """Accept the valid items of a batch in one commit. Return what became of each item, in order."""
        with self.requests:
            payloads = await self._parse(workspace_id, raws, sender, size)
            return await self._add_all(workspace_id, payloads, sender, request_id)

    async def _parse(
        self, workspace_id: str, raws: Sequence[object], sender: str | None, size: int | None
    ) -> list[_Parsed]:
        """Parse payloads so that other tasks can run meanwhile."""
        own: Mapping[str, RowMapping] = {}
        if sender is not None or not all(map(registry.is_ours, raws)):  # our own format needs no mappings
            stored = await self.database.run(mappings.all_of, workspace_id)
            own = {source: RowMapping.parse(definition) for source, definition in stored.items()}
        largest = None if size is not None and size <= self.largest else self.largest
        payloads: list[_Parsed] = []
        milliseconds = 0.0
        for chunk in (raws[start : start + READ_AT_ONCE] for start in range(0, len(raws), READ_AT_ONCE)):
            if size is None or size <= SMALL:
                # Not the CPU clock of the thread: a system call, which costs as much as parsing on a busy machine.
                parsed, cost = _parsed_chunk(chunk, sender, own, largest, time.perf_counter)
                if len(raws) > READ_AT_ONCE:
                    await asyncio.sleep(0)
            else:
                async with self._large:
                    parsed, cost = await asyncio.to_thread(_parsed_chunk, chunk, sender, own, largest, time.thread_time)
            payloads += parsed
            milliseconds += cost
        self.spent(workspace_id, milliseconds)
        return payloads

    async def _add_all(
        self, workspace_id: str, payloads: Sequence[_Parsed], sender: str | None, request_id: str | None
    ) -> list[Received]:
        now = self.now()
        rows = [
            NewJobChange.of(workspace_id, item, now, sender, request_id)
            for payload in payloads
            for item in payload.items
            if isinstance(item, JobChange) and not payload.is_test
        ]
        added = iter(await self.database.run(job_changes.add, rows) if rows else ())
        received = [_received(payload, added) for payload in payloads]
        self._count(workspace_id, received, now, request_id)
        if sender is not None:
            pairs = zip(received, payloads, strict=True)
            await asyncio.gather(*(self._note(workspace_id, result, payload, sender) for result, payload in pairs))
        return received

    async def _note(self, workspace_id: str, received: Received, payload: _Parsed, sender: str | None) -> None:
        """Count what was refused, skipped or a test in the figures of a named sender, and keep what was refused."""
        if sender is None:
            return
        refused = [result for result in received.results if isinstance(result, InvalidJobChangeError)]
        skipped = sum(isinstance(result, Skipped) for result in received.results)
        if not (refused or skipped):
            return
        receipt = Receipt(workspace_id, sender, self.now())
        if received.is_test:
            receipt = replace(receipt, test="; ".join(map(str, received.results)))
        else:
            reason = str(refused[0]) if refused else None
            receipt = replace(receipt, refused=len(refused), skipped=skipped, refusal=reason)
        kept = to_json(payload.raw).decode() if refused and not received.is_test else None
        await self.database.gather(refused_payloads.note, NewRefusal(receipt, kept))

    def _count(self, workspace_id: str, received: Sequence[Received], began_at: int, request_id: str | None) -> None:
        """Record what became of payloads, except of tests."""
        results = [result for payload in received if not payload.is_test for result in payload.results]
        stored = [result for result in results if result is None or isinstance(result, Added)]
        self.announce(workspace_id, stored, began_at, request_id)
        if len(stored) < len(results):
            refused = sum(isinstance(result, InvalidJobChangeError) for result in results)
            self.journal.not_added(workspace_id, refused=refused, skipped=len(results) - len(stored) - refused)

    async def find(self, workspace_id: str, job_change_id: str) -> JobChangeRecord | None:
        """Return a job change with its history, or None if this workspace has none with this id."""
        return await self.database.read(job_changes.find, workspace_id, job_change_id)

    def announce(
        self, workspace_id: str, added: Sequence[Added | None], began_at: int, request_id: str | None = None
    ) -> None:
        """Record what was added, and wake the router. `began_at` is when it had been read, in milliseconds."""
        self.journal.added(workspace_id, added, began_at, request_id)
        if any(item and item.is_new for item in added):
            self.wake()


@dataclass(frozen=True)
class _Parsed:
    """The people of a payload, which is `raw`."""

    raw: object = field(repr=False)
    items: Sequence[JobChange | InvalidJobChangeError | Skipped]
    is_test: bool = False


def _received(payload: _Parsed, added: Iterator[Added | None]) -> Received:
    """Return the results of a payload. `added` has those of its valid job changes, in order."""
    if payload.is_test:
        read = [Skipped(_summary(item)) if isinstance(item, JobChange) else item for item in payload.items]
        return Received(read, is_test=True)
    return Received([next(added) if isinstance(item, JobChange) else item for item in payload.items])


def _parsed_chunk(
    raws: Sequence[object],
    sender: str | None,
    own: Mapping[str, RowMapping],
    largest: int | None,
    clock: Callable[[], float],
) -> tuple[list[_Parsed], float]:
    """Return the payloads with the milliseconds that they took by this clock, which is in seconds."""
    before = clock()
    return [_parsed(raw, sender, own, largest) for raw in raws], (clock() - before) * 1_000


def _parsed(raw: object, sender: str | None, own: Mapping[str, RowMapping], largest: int | None) -> _Parsed:
    """`largest` None means that the job changes are known to be small enough."""
    mapping = own.get(sender or registry.source_of(raw) or "") if own else None
    try:
        reading = registry.read(raw, sender, mapping)
    except InvalidJobChangeError as error:
        return _Parsed(raw, [error])
    skipped = [Skipped(reason) for reason in reading.skipped]
    return _Parsed(raw, [*(_checked(item, largest) for item in reading.job_changes), *skipped], reading.is_test)


def _checked(raw: object, largest: int | None) -> JobChange | InvalidJobChangeError:
    try:
        if largest is not None:
            check_size(raw, largest)
        return JobChange.parse(raw)
    except InvalidJobChangeError as error:
        return error


def _summary(change: JobChange) -> str:
    companies = [job.company.label if job.company else "?" for job in (change.previous, change.current)]
    return f"reads as {change.change_type}: {change.person.name}, {' to '.join(companies)}"
