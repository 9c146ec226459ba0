"""The progress of job changes and refused requests, as log lines with ids only, as counts and as traces."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from domain.day_counts import counted
from domain.states import Outcome, Role
from services.measures import ACCEPT, DELIVER, ROUTE, UNMEASURED, UNTRACED, Attributes, Measures, Traces
from store.delivery.routing import Routed
from store.delivery.settlements import Failed, InDoubt, Moved, Parked, Postponed, Sent, Settlement
from store.intake.job_changes import Added

EVERY_MS = 60_000
MOST_KEYS = 1_000
"""Workspaces and statuses that are counted separately. Anyone can cause refusals, so memory and log are limited."""

log = logging.getLogger(__name__)

_RESULTS = {Sent: "delivered", Failed: "failed", Moved: "moved", Parked: "parked"}


@dataclass(frozen=True)
class Journal:
    """
    Logs, counts and traces what happens to job changes.

    The id of a job change links its log lines up to its post. The id of the post is in the metadata of the message.
    Reasons are not logged, because they name people; `python app.py explain` shows them.
    """

    measures: Measures = UNMEASURED
    traces: Traces = UNTRACED

    def added(
        self, workspace_id: str, added: Sequence[Added | None], began_at: int = 0, request_id: str | None = None
    ) -> None:
        """
        Record job changes from a sender or an import. None stands for one whose workspace removed the app.

        `began_at` is when they had been read, in milliseconds. `request_id` is that of the HTTP request, if any.
        """
        stored = [item for item in added if item is not None]
        new = [item for item in stored if item.is_new]
        for result, count in (("accepted", len(new)), ("duplicate", len(stored) - len(new))):
            if count:
                self.measures.received(result, count)
        attributes = _attributes(workspace_id, request_id=request_id)
        for item in new:
            self.traces.record(ACCEPT, item.id, began_at, attributes)
        if log.isEnabledFor(logging.INFO):
            for item in stored:
                _log("accepted" if item.is_new else "duplicate", workspace_id, item.id)

    def not_added(self, workspace_id: str, *, refused: int, skipped: int = 0) -> None:
        """Count what senders posted that was refused, and what was skipped because it is not a job change."""
        for result, count in (("refused", refused), ("skipped", skipped)):
            if count:
                self.measures.received(result, count)
                log.info("%d %s", count, result, extra={"workspace": workspace_id})

    def routed(
        self,
        workspace_id: str,
        routed: Sequence[Routed],
        postponed: int,
        began_at: int = 0,
        request_ids: Mapping[str, str | None] = MappingProxyType({}),
    ) -> None:
        """
        Record one batch, whose routing began at this time in milliseconds.

        `postponed` is the number of job changes that could not be routed yet. `request_ids` are by job change.
        """
        outcomes = {decision.job_change_id: _outcome(decision) for decision in routed}
        for outcome, count in (Counter(outcomes.values()) | Counter(postponed=postponed)).items():
            self.measures.routed(outcome, count)
        for job_change_id, outcome in outcomes.items():
            attributes = _attributes(workspace_id, request_id=request_ids.get(job_change_id), outcome=outcome)
            self.traces.record(ROUTE, job_change_id, began_at, attributes, has_failed=outcome == "failed")
        if log.isEnabledFor(logging.INFO):
            for job_change_id, outcome in outcomes.items():
                _log(f"routed: {outcome}", workspace_id, job_change_id)
            if postponed:
                log.info("%d postponed", postponed, extra={"workspace": workspace_id})

    def settled(self, settlement: Settlement, began_at: int = 0) -> None:
        """Record one delivery attempt for each job change in its message, begun at this time in milliseconds."""
        claim, result = settlement.claim, _result(settlement)
        self.measures.settled(result, len(claim.deliveries))
        if isinstance(settlement, Sent):
            for delivery in claim.deliveries:
                self.measures.sent(max(0, settlement.at - claim.sendable_since(delivery)) / 1_000)
        for delivery in claim.deliveries:
            attributes = _attributes(
                claim.workspace_id, request_id=delivery.request_id, post=claim.post_id, result=result
            )
            has_failed = result not in {"delivered", "postponed"}
            self.traces.record(DELIVER, delivery.job_change_id, began_at, attributes, has_failed=has_failed)
        if log.isEnabledFor(logging.INFO):
            for delivery in claim.deliveries:
                _log(result, claim.workspace_id, delivery.job_change_id, claim.post_id)


UNCOUNTED = Journal()


def _attributes(workspace_id: str, **others: str | None) -> Attributes:
    return {"workspace": workspace_id} | {name: value for name, value in others.items() if value is not None}


def _log(event: str, workspace_id: str, job_change_id: str, post_id: str | None = None) -> None:
    log.info(event, extra={"workspace": workspace_id, "job_change": job_change_id, "post": post_id})


def _outcome(routed: Routed) -> str:
    if routed.outcome is not None:
        return "failed" if routed.outcome == Outcome.FAILED else routed.outcome
    roles = {delivery.role for delivery in routed.deliveries}
    return next((str(role) for role in (Role.DRI, Role.CHANNEL) if role in roles), "default_channel")


def _result(settlement: Settlement) -> str:
    if isinstance(settlement, Postponed):
        if settlement.simplify:
            return "simplified"
        return "retried" if settlement.is_failure else "postponed"
    if isinstance(settlement, InDoubt):
        return "in_doubt" if settlement.by_answer else "postponed"
    return _RESULTS[type(settlement)]


@dataclass
class _Repeated:
    count: int = 0
    logged_at: int | None = None


@dataclass(frozen=True)
class Repetitions:
    """Counts what someone else can cause, so that each kind is logged once a minute. `now` returns milliseconds."""

    now: Callable[[], int]
    _repeated: dict[Hashable, _Repeated] = field(default_factory=dict, init=False, repr=False)

    def count(self, kind: Hashable) -> int:
        """Count one more. Returns how many there were since the last log line, 0 if it is too early for the next."""
        repeated, now = self._repeated.setdefault(kind, _Repeated()), self.now()
        repeated.count += 1
        if repeated.logged_at is not None and 0 <= now - repeated.logged_at < EVERY_MS:
            return 0
        count, repeated.count, repeated.logged_at = repeated.count, 0, now
        return count

    def has_room_for(self, kind: Hashable) -> bool:
        return kind in self._repeated or len(self._repeated) < MOST_KEYS


@dataclass(frozen=True)
class RefusalLog:
    """Refusals of one endpoint, such as "the intake"."""

    endpoint: str
    repetitions: Repetitions

    def record(self, status: int, workspace_id: str | None = None) -> None:
        """`workspace_id` is None if nothing shows that the workspace exists: anyone can write anything there."""
        key = (workspace_id, status)
        if not self.repetitions.has_room_for(key):
            key = (None, status)
        if count := self.repetitions.count(key):
            requests = counted(count, "request")
            log.warning("Refused %s to %s with HTTP %d", requests, self.endpoint, status, extra={"workspace": key[0]})
