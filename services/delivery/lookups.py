"""What Salesforce returned for a batch, and keeping it while job changes of the batch wait for Slack."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from domain.decision.reasons import Reason, ReasonCode, Reasons
from domain.salesforce import CallsMade
from services.salesforce.queries.objects import FieldInfo
from services.salesforce.records import BatchRecords, RequiredRecords

KEPT_MS = 10 * 60_000
"""How old records may be when a job change is decided with them. The first listing of all members takes as long."""


@dataclass(frozen=True)
class Lookup:
    """
    What Salesforce returned for the batch.

    `trouble` is the reason that people read if nothing could be looked up. `error` is what failed, for the decision.
    `described` has the fields that rules name, by keys such as `account.sdr__c`. `kept_until` is set if Salesforce was
    not queried now, but for an earlier batch.
    """

    records: BatchRecords | None
    trouble: Reason | None = None
    error: str | None = None
    described: Mapping[str, FieldInfo] = field(default_factory=dict)
    kept_until: int | None = None

    @property
    def base_url(self) -> str | None:
        """Return the start of links into the org, or None if no org was queried."""
        return self.records.base_url if self.records else None

    @property
    def calls(self) -> CallsMade | None:
        """Return the API calls that were made now, which are to be recorded, or None if there were none."""
        return self.records.calls if self.records and self.kept_until is None else None

    def is_valid(self, now: int) -> bool:
        """Return whether job changes may still be decided with it."""
        return self.kept_until is None or now < self.kept_until

    @property
    def has_succeeded(self) -> bool:
        """Return whether Salesforce answered now, or is not connected. False if there was nothing to query."""
        has_answered = self.base_url is not None and self.kept_until is None
        return self.trouble is None and (self.records is None or has_answered)

    @property
    def notes(self) -> Reasons:
        """Return what the decisions were made without."""
        texts = sorted(self.records.unreadable.values()) if self.records else []
        notes = [ReasonCode.LEFT_OUT.of(error=text) for text in texts]
        return (*notes, *([ReasonCode.SALESFORCE_UNAVAILABLE.of(error=self.error)] if self.error else []))


@dataclass(frozen=True)
class LookupPostponed:
    """Salesforce cannot be queried now. `due_at` is when to try again, in milliseconds."""

    due_at: int
    reason: str


@dataclass(frozen=True)
class KeptLookup:
    """What was looked up for job changes that wait for Slack. `connected_at` is when the org was connected."""

    looked_up: Lookup = field(repr=False)
    job_change_ids: frozenset[str]
    required: RequiredRecords
    connected_at: int | None


@dataclass(frozen=True)
class KeptLookups:
    """The latest lookup of each workspace. Another replica, or this process after a restart, asks again."""

    _kept: dict[str, KeptLookup] = field(default_factory=dict, init=False)

    def keep(self, workspace_id: str, kept: KeptLookup, now: int) -> None:
        """Keep the records of job changes, so that Salesforce is not asked for them again."""
        for ended in [key for key, other in self._kept.items() if not other.looked_up.is_valid(now)]:
            del self._kept[ended]
        if kept.looked_up.base_url is not None:
            looked_up = replace(kept.looked_up, kept_until=kept.looked_up.kept_until or now + KEPT_MS)
            self._kept[workspace_id] = replace(kept, looked_up=looked_up)

    def take(
        self, workspace_id: str, job_change_ids: Collection[str], required: RequiredRecords, now: int
    ) -> KeptLookup | None:
        """Return the lookup of a batch, or None if it was not kept for all of it and for the same rules."""
        kept = self._kept.get(workspace_id)
        if kept is None or not kept.looked_up.is_valid(now) or kept.required != required:
            return None
        return self._kept.pop(workspace_id) if kept.job_change_ids.issuperset(job_change_ids) else None
