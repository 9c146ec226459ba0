"""The first half of the way: accepted job changes, a workspace's batch at a time, to deliveries with a destination."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import random

from sqlalchemy import Connection

from domain.delivery import MissedJobChange
from domain.errors import PermanentError, TransientError
from domain.job_change.model import JobChange
from domain.job_change.validation import InvalidJobChangeError
from domain.states import DEFAULT_CHANNEL
from domain.workspace import Workspace
from services.journal import UNCOUNTED, Journal
from services.messages.notices import Notices
from services.ownership.choice.case import Case, segments_of
from services.ownership.choice.decide import BatchDecision, Decision, WaitingForSlack
from services.ownership.choice.delivery_plan import decision_trace, missed_job_changes, plan_deliveries
from services.ownership.decider import Decider, Rules, case_of
from services.ownership.rules.owner_sources import Side
from services.retry import backoff_ms
from services.salesforce.records import BatchRecords, PersonRecords
from store.database import Database
from store.delivery import pauses, routing
from store.delivery.routing import Batch, Claimed, Routed, RoutingPostponed
from store.ownership import choice_state, owners

LEASE_MS = 30_000
"""Renewed while a batch is being routed, so that a dead process is followed within half a minute."""

SALESFORCE = "salesforce"
AWAY = "the owner could not be looked up in Salesforce, which could not be asked for a while"


@dataclass(frozen=True)
class Parsed:
    """A job change of the batch that can be read."""

    claimed: Claimed
    change: JobChange


@dataclass(frozen=True)
class Facts:
    """
    What Salesforce said for the batch. *trouble*: that nobody could be looked up, as the reason that people read;
    *why*: what has failed, for the trace.
    """

    found: BatchRecords | None
    unreadable: frozenset[str] = frozenset()
    trouble: str | None = None
    why: str | None = None

    @property
    def base_url(self) -> str | None:
        """Of links into the org; None: it was not asked."""
        return self.found.base_url if self.found else None

    @property
    def is_an_answer(self) -> bool:
        """Whether Salesforce works, or none is connected; not so where there was nothing to ask it about."""
        return self.trouble is None and (self.found is None or self.base_url is not None)

    @property
    def notes(self) -> list[str]:
        """For the trace: what a decision was made without, a sentence each, without its full stop."""
        unreadable = sorted(f"{name} cannot be read in Salesforce" for name in self.unreadable)
        return [*unreadable, *([f"Salesforce could not be asked: {self.why}"] if self.why else [])]


@dataclass(frozen=True)
class NotYet:
    """Salesforce cannot be asked now; when to ask again, in milliseconds, and why."""

    due_at: int
    reason: str


@dataclass(frozen=True)
class Settled:
    """All that is stored of a batch, in one transaction."""

    routed: Sequence[Routed]
    postponed: Sequence[RoutingPostponed]
    decided: BatchDecision | None = None
    missed: Sequence[MissedJobChange] = ()
    salesforce_answered: bool = False


@dataclass(frozen=True)
class Router:
    """Decides, for each accepted job change, whom to tell."""

    database: Database
    decider: Decider
    notices: Notices
    now: Callable[[], int]
    journal: Journal = UNCOUNTED

    async def route(self, batch: Batch) -> bool:
        """Decide and settle a claimed batch; True if there are deliveries to post now."""
        workspace, rules = await self.decider.workspace_and_rules(batch.workspace_id)
        if workspace is None:
            return False
        parsed, unreadable = _parse(batch)
        if batch.salesforce_away is None:
            facts = await self._look_up(workspace, parsed, rules)
        else:
            facts = Facts(None, trouble=AWAY, why=batch.salesforce_away)
        if isinstance(facts, NotYet):
            settled = Settled((), [RoutingPostponed(each.claimed.id, facts.due_at, facts.reason) for each in parsed])
        else:
            settled = await self._decide(workspace, parsed, rules, facts)
        routed = [*unreadable, *settled.routed]
        if await self.database.run_until_available(_settle, batch, routed, settled, self.now()):
            self.journal.routed(workspace.id, routed, len(settled.postponed))
        destinations = {delivery.destination for each in routed for delivery in each.deliveries}
        if DEFAULT_CHANNEL in destinations and workspace.default_channel_id is None:
            await self.notices.default_channel_missing(workspace.id)
        return bool(destinations)

    async def _look_up(self, workspace: Workspace, parsed: Sequence[Parsed], rules: Rules) -> Facts | NotYet:
        """The records of the whole batch; or when to ask again, while our patience with Salesforce lasts."""
        changes = {each.claimed.id: each.change for each in parsed}
        try:
            found, unreadable = await self.decider.find_records(workspace.id, changes, rules)
        except (TransientError, PermanentError) as error:
            return await self._salesforce_failed(workspace, error)
        return Facts(found, unreadable)

    async def _salesforce_failed(self, workspace: Workspace, error: TransientError | PermanentError) -> Facts | NotYet:
        """The pause is everybody's; while it lasts, batches wait until our patience ends, and then go without."""
        now, reason = self.now(), str(error)
        failing = await self.database.run(pauses.record_failure, workspace.id, SALESFORCE, now, reason)
        asked_to_wait = error.retry_after if isinstance(error, TransientError) else None
        wait = round(asked_to_wait * 1_000) if asked_to_wait else backoff_ms(failing.failures, random())  # noqa: S311
        until = now + wait
        await self.database.run(pauses.pause, workspace.id, SALESFORCE, until, now, reason)
        patience_ends = failing.since + workspace.salesforce_patience_minutes * 60_000
        if now < patience_ends:
            return NotYet(min(until, patience_ends), reason)
        return Facts(None, trouble=AWAY, why=reason)

    async def _decide(self, workspace: Workspace, parsed: Sequence[Parsed], rules: Rules, facts: Facts) -> Settled:
        cases = {
            each.claimed.id: case_of(each.claimed.id, each.change, facts.found, facts.unreadable, facts.trouble)
            for each in parsed
        }
        decided = await self.decider.decide(workspace.id, cases, rules)
        routed, postponed, unmatched = list[Routed](), list[RoutingPostponed](), list[MissedJobChange]()
        for each in parsed:
            choice = decided.choices[each.claimed.id]
            if isinstance(choice, WaitingForSlack):
                due_at = self.now() + round(choice.retry_after * 1_000)
                postponed.append(RoutingPostponed(each.claimed.id, due_at, "waiting to look the owner up in Slack"))
            else:
                routed.append(_routed(each.claimed.id, cases[each.claimed.id], choice, workspace, rules, facts))
                unmatched += missed_job_changes(each.claimed.id, choice)
        return Settled(routed, postponed, decided, unmatched, salesforce_answered=facts.is_an_answer)


def _settle(connection: Connection, batch: Batch, routed: Sequence[Routed], settled: Settled, now: int) -> bool:
    """Deliveries, traces and whose turn it is next, together; False, and nothing stored, if the lease was lost."""
    if not routing.settle(connection, batch, routed, settled.postponed, now):
        return False
    if settled.decided:
        choice_state.advance(connection, batch.workspace_id, settled.decided.pools, settled.decided.assignments, now)
    owners.add_missed(connection, batch.workspace_id, settled.missed, now)
    if settled.salesforce_answered:
        pauses.record_success(connection, batch.workspace_id, SALESFORCE)
    return True


def _parse(batch: Batch) -> tuple[list[Parsed], list[Routed]]:
    parsed, unreadable = [], []
    for claimed in batch.job_changes:
        try:
            parsed.append(Parsed(claimed, JobChange.from_stored(claimed.payload or "")))
        except InvalidJobChangeError as error:
            # Erased meanwhile, or stored by another version: nothing can be told of it any more.
            unreadable.append(Routed(claimed.id, {}, (), outcome="buried", reason=f"it cannot be read: {error}"))
    return parsed, unreadable


def _routed(
    job_change_id: str, case: Case, decision: Decision, workspace: Workspace, rules: Rules, facts: Facts
) -> Routed:
    promise = plan_deliveries(job_change_id, decision, workspace, case.change.signal)
    trace = decision_trace(decision, promise, rules.version, facts.notes)
    sides = [told | {"segments": _segments(case, told["side"], rules)} for told in trace["sides"]]
    trace |= {"sides": sides, "links": _links(case.records or PersonRecords(), facts.base_url)}
    return Routed(job_change_id, trace, promise.deliveries, promise.outcome, promise.reason)


def _segments(case: Case, side: Side | None, rules: Rules) -> list[str]:
    """Those that this side's account is in, as far as somebody asks for them."""
    if case.records is None:
        return []
    return sorted(segments_of(case.views[side].account, rules.prepared.rule_set.segments) & rules.segments)


def _links(records: PersonRecords, base_url: str | None) -> dict[str, str | None]:
    contact = records.contact
    account = contact.account if contact else records.current_account
    lead = None if contact else records.lead
    return {
        "contact": f"{base_url}/{contact.id}" if base_url and contact else None,
        "lead": f"{base_url}/{lead.id}" if base_url and lead else None,
        "account": f"{base_url}/{account.id}" if base_url and account else None,
    }
