"""Looking up the Salesforce records of a batch, and keeping them while its job changes wait for Slack."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from random import random

from domain.decision.reasons import Reason, ReasonCode, Reasons
from domain.errors import PermanentError, TransientError
from domain.job_change.model import JobChange
from domain.workspace import Workspace
from services.ownership.decider import Decider, Rules
from services.retry import wait_ms
from services.salesforce.queries.objects import FieldInfo
from services.salesforce.records import BatchRecords, RequiredRecords
from store.database import Database
from store.delivery import pauses
from store.salesforce import connections

SALESFORCE = "salesforce"
KEPT_MS = 10 * 60_000
"""How old records may be when a job change is decided with them. The first listing of all members takes as long."""


@dataclass(frozen=True)
class LookUp:
    """
    What Salesforce returned for the batch.

    `trouble` is the reason that people read if nothing could be looked up. `error` is what failed, for the decision.
    `described` has the fields that rules name, by keys such as `account.sdr__c`. `kept_until` is set if Salesforce was
    not queried now, but for an earlier batch.
    """

    found: BatchRecords | None
    trouble: Reason | None = None
    error: str | None = None
    described: Mapping[str, FieldInfo] = field(default_factory=dict)
    kept_until: int | None = None

    @property
    def base_url(self) -> str | None:
        """Return the start of links into the org, or None if no org was queried."""
        return self.found.base_url if self.found else None

    @property
    def was_called(self) -> bool:
        """Return whether the org was queried now."""
        return self.base_url is not None and self.kept_until is None

    @property
    def has_succeeded(self) -> bool:
        """Return whether Salesforce answered now, or is not connected. False if there was nothing to query."""
        return self.trouble is None and (self.found is None or self.was_called)

    @property
    def notes(self) -> Reasons:
        """Return what the decisions were made without."""
        texts = sorted(self.found.unreadable.values()) if self.found else []
        notes = [ReasonCode.LEFT_OUT.of(error=text) for text in texts]
        return (*notes, *([ReasonCode.SALESFORCE_UNAVAILABLE.of(error=self.error)] if self.error else []))


@dataclass(frozen=True)
class LookUpPostponed:
    """Salesforce cannot be queried now. `due_at` is when to try again, in milliseconds."""

    due_at: int
    reason: str


@dataclass(frozen=True)
class _Kept:
    looked_up: LookUp = field(repr=False)
    until: int
    job_change_ids: frozenset[str]
    required: RequiredRecords
    connected_at: int | None


@dataclass(frozen=True)
class LookUps:
    """Looks up the records of batches. Another replica, or this process after a restart, asks again."""

    database: Database
    decider: Decider
    now: Callable[[], int]
    _kept: dict[str, _Kept] = field(default_factory=dict, init=False, repr=False)

    async def look_up(
        self, workspace: Workspace, changes: Mapping[str, JobChange], rules: Rules, problem: str | None
    ) -> LookUp | LookUpPostponed:
        """
        Look up the records of the whole batch, or postpone it while the workspace is willing to wait.

        If there is a `problem` with Salesforce, it is not queried.
        """
        if kept := await self._take_kept(workspace.id, changes, rules):
            return kept
        if problem is not None:
            return LookUp(None, trouble=ReasonCode.SALESFORCE_DOWN.of(), error=problem)
        try:
            records = await self.decider.find_records(workspace.id, changes, rules)
            return LookUp(records, described=self.decider.schemas.described(workspace.id, rules.required.fields))
        except (TransientError, PermanentError) as error:
            return await self._after_error(workspace, error)

    async def keep(self, workspace_id: str, job_change_ids: Collection[str], rules: Rules, looked_up: LookUp) -> None:
        """Keep the records of job changes that wait for Slack, so that Salesforce is not asked for them again."""
        now = self.now()
        for ended in [key for key, kept in self._kept.items() if kept.until <= now]:
            del self._kept[ended]
        if looked_up.base_url is not None:
            until = looked_up.kept_until or now + KEPT_MS
            self._kept[workspace_id] = _Kept(
                replace(looked_up, kept_until=until),
                until,
                frozenset(job_change_ids),
                rules.required,
                await self._connected_at(workspace_id),
            )

    async def _take_kept(self, workspace_id: str, changes: Mapping[str, JobChange], rules: Rules) -> LookUp | None:
        kept = self._kept.get(workspace_id)
        if kept is None or kept.until <= self.now() or kept.required != rules.required:
            return None
        if not changes.keys() <= kept.job_change_ids or await self._connected_at(workspace_id) != kept.connected_at:
            return None
        return self._kept.pop(workspace_id).looked_up

    async def _connected_at(self, workspace_id: str) -> int | None:
        status = await self.database.run(connections.status_of, workspace_id)
        return status.connected_at if status else None

    async def _after_error(
        self, workspace: Workspace, error: TransientError | PermanentError
    ) -> LookUp | LookUpPostponed:
        """
        Pause Salesforce for every replica.

        Batches wait until `salesforce_patience_minutes` have passed since the first failure. Then they are decided
        without Salesforce.
        """
        now, reason = self.now(), str(error)
        failing = await self.database.run(pauses.record_failure, workspace.id, SALESFORCE, now, reason)
        until = now + wait_ms(error, failing.failures, random())  # noqa: S311
        await self.database.run(pauses.pause, workspace.id, SALESFORCE, until, now, reason)
        patience_ends = failing.since + workspace.salesforce_patience_minutes * 60_000
        if now < patience_ends:
            return LookUpPostponed(min(until, patience_ends), reason)
        return LookUp(None, trouble=ReasonCode.SALESFORCE_DOWN.of(), error=reason)
