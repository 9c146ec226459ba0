"""The router: turns the accepted job changes of a workspace into deliveries, a batch at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import random

from sqlalchemy import Connection

from domain.decision.reasons import ReasonCode, Reasons
from domain.decision.record import Decision, RecordLinks
from domain.decision.sentences import for_reader
from domain.delivery import MissedJobChange
from domain.errors import PermanentError, TransientError
from domain.job_change.model import JobChange
from domain.job_change.validation import InvalidJobChangeError
from domain.messages.notices import NO_DEFAULT_CHANNEL
from domain.salesforce import CallsMade
from domain.states import DEFAULT_CHANNEL, Outcome
from domain.workspace import Workspace
from services.delivery.lookups import KeptLookup, KeptLookups, Lookup, LookupPostponed
from services.journal import UNCOUNTED, Journal
from services.messages.notices import Notices
from services.ownership.choice.case import Case
from services.ownership.choice.context_fields import context_values
from services.ownership.choice.decide import BatchDecision, Choice, WaitingForSlack
from services.ownership.choice.delivery_plan import decision_of, missed_job_changes, plan_deliveries
from services.ownership.choice.person_notes import person_notes
from services.ownership.decider import Decider, Rules, case_of
from services.retry import wait_ms
from services.salesforce.call_budget import CallBudget
from services.salesforce.records import PersonRecords
from store.database import Database
from store.delivery import pauses, routing
from store.delivery.routing import Batch, Routed, RoutingPostponed
from store.ownership import choice_state, owners
from store.salesforce import connections

READ_AT_ONCE = 20
"""Job changes that are read before other tasks may run: at most 40 ms, if they are of the largest size."""

LEASE_MS = 30_000
"""Renewed while a batch is being routed, so that another process takes over within half a minute after a crash."""

SALESFORCE = "salesforce"


@dataclass(frozen=True)
class ReadableJobChange:
    """A job change of the batch whose payload can be read. `gathered_ms` is how long it waited to save API calls."""

    id: str
    change: JobChange
    gathered_ms: int = 0


@dataclass(frozen=True)
class BatchResult:
    """Everything that is stored for a batch in one transaction."""

    routed: Sequence[Routed]
    postponed: Sequence[RoutingPostponed]
    decided: BatchDecision | None = None
    missed: Sequence[MissedJobChange] = ()
    salesforce_answered: bool = False
    salesforce_calls: CallsMade | None = None


@dataclass(frozen=True)
class Router:
    """Decides where each accepted job change is delivered."""

    database: Database
    decider: Decider
    notices: Notices
    now: Callable[[], int]
    journal: Journal = UNCOUNTED
    _kept: KeptLookups = field(default_factory=KeptLookups, init=False, repr=False)

    async def route(self, batch: Batch) -> bool:
        """Decide a claimed batch and store the result. Return whether there are deliveries to post now."""
        began_at = self.now()
        workspace, rules = await self.decider.workspace_and_rules(batch.workspace_id)
        if workspace is None:
            return False
        readable, unreadable = await _read(batch, self.now())
        changes = {item.id: item.change for item in readable}
        looked_up = await self._look_up(workspace, changes, rules, batch.salesforce_problem)
        if isinstance(looked_up, LookupPostponed):
            result = BatchResult(
                (), [RoutingPostponed(item.id, looked_up.due_at, looked_up.reason) for item in readable]
            )
        else:
            result = await self._decide(workspace, readable, rules, looked_up)
            if waiting := [item.job_change_id for item in result.postponed]:
                connected_at = await self._connected_at(workspace.id)
                kept = KeptLookup(looked_up, frozenset(waiting), rules.required, connected_at)
                self._kept.keep(workspace.id, kept, self.now())
        routed = [*unreadable, *result.routed]
        daily_limit = workspace.salesforce_daily_calls
        if await self.database.run_until_available(_settle, batch, routed, result, daily_limit, self.now()):
            request_ids = {item.id: item.request_id for item in batch.job_changes}
            self.journal.routed(workspace.id, routed, len(result.postponed), began_at, request_ids)
        destinations = {delivery.destination for item in routed for delivery in item.deliveries}
        if DEFAULT_CHANNEL in destinations and workspace.default_channel_id is None:
            await self.notices.default_channel_unusable(workspace.id, NO_DEFAULT_CHANNEL)
        return bool(destinations)

    async def _look_up(
        self, workspace: Workspace, changes: Mapping[str, JobChange], rules: Rules, problem: str | None
    ) -> Lookup | LookupPostponed:
        """
        Look up the records of the whole batch, or postpone it while the workspace is willing to wait.

        If there is a `problem` with Salesforce, it is not queried.
        """
        kept = self._kept.take(workspace.id, changes.keys(), rules.required, self.now())
        if kept is not None and kept.connected_at == await self._connected_at(workspace.id):
            return kept.looked_up
        if problem is not None:
            return Lookup(None, trouble=ReasonCode.SALESFORCE_DOWN.of(), error=problem)
        try:
            records = await self.decider.find_records(workspace.id, changes, rules)
            return Lookup(records, described=self.decider.schemas.described(workspace.id, rules.required.fields))
        except (TransientError, PermanentError) as error:
            return await self._after_error(workspace, error)

    async def _connected_at(self, workspace_id: str) -> int | None:
        status = await self.database.run(connections.status_of, workspace_id)
        return status.connected_at if status else None

    async def _after_error(
        self, workspace: Workspace, error: TransientError | PermanentError
    ) -> Lookup | LookupPostponed:
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
            return LookupPostponed(min(until, patience_ends), reason)
        return Lookup(None, trouble=ReasonCode.SALESFORCE_DOWN.of(), error=reason)

    async def _decide(
        self, workspace: Workspace, readable: Sequence[ReadableJobChange], rules: Rules, looked_up: Lookup
    ) -> BatchResult:
        cases = {item.id: case_of(item.id, item.change, looked_up.records, looked_up.trouble) for item in readable}
        decided = await self.decider.decide(workspace.id, cases, rules)
        routed, postponed, unmatched = list[Routed](), list[RoutingPostponed](), list[MissedJobChange]()
        gathered_seconds = {item.id: round(item.gathered_ms / 1_000) for item in readable}
        for job_change_id, case in cases.items():
            choice = decided.choices[job_change_id]
            if isinstance(choice, WaitingForSlack):
                due_at = self.now() + round(choice.retry_after * 1_000)
                postponed.append(RoutingPostponed(job_change_id, due_at, "waiting to look up the owner in Slack"))
            else:
                notes = looked_up.notes
                if (seconds := gathered_seconds[job_change_id]) > 0:
                    notes = (*notes, ReasonCode.GATHERED.of(limit=seconds))
                routed.append(_routed(job_change_id, case, choice, workspace, rules, looked_up, notes))
                unmatched += missed_job_changes(job_change_id, choice)
        return BatchResult(
            routed,
            postponed,
            decided,
            unmatched,
            salesforce_answered=looked_up.has_succeeded,
            salesforce_calls=looked_up.calls,
        )


def _settle(
    connection: Connection, batch: Batch, routed: Sequence[Routed], result: BatchResult, daily_limit: int, now: int
) -> bool:
    """
    Store deliveries, decisions and turns of pools together. Return False and store none of it if the lease was lost.

    `daily_limit` is the most API calls a day that the workspace allows. If they are being used up quickly, the next
    batch waits, so that more job changes share its calls.
    """
    calls_today = None
    if result.salesforce_calls:
        calls_today = connections.note_answer(connection, batch.workspace_id, now, result.salesforce_calls)
    if not routing.settle(connection, batch, routed, result.postponed, now):
        return False
    if result.decided:
        choice_state.advance(connection, batch.workspace_id, result.decided.pools, result.decided.assignments, now)
    owners.add_missed(connection, batch.workspace_id, result.missed, now)
    if result.salesforce_answered:
        pauses.record_success(connection, batch.workspace_id, SALESFORCE)
    if calls_today is not None and (next_batch_at := CallBudget(calls_today, daily_limit).next_batch_at(now)):
        reason = "job changes are gathered to save API calls"
        pauses.pause(connection, batch.workspace_id, routing.GATHERING, next_batch_at, now, reason)
    return True


async def _read(batch: Batch, now: int) -> tuple[list[ReadableJobChange], list[Routed]]:
    readable, unreadable, gathered_until = [], [], min(batch.gathered_until or 0, now)
    for number, claimed in enumerate(batch.job_changes):
        if number % READ_AT_ONCE == 0:
            await asyncio.sleep(0)
        try:
            change = JobChange.from_stored(claimed.payload or "")
            readable.append(ReadableJobChange(claimed.id, change, gathered_until - claimed.accepted_at))
        except InvalidJobChangeError as error:
            # It was erased meanwhile, or another version stored it.
            unreadable.append(
                Routed(claimed.id, Decision(), (), outcome=Outcome.FAILED, reason=f"it cannot be read: {error}")
            )
    return readable, unreadable


def _routed(
    job_change_id: str,
    case: Case,
    choice: Choice,
    workspace: Workspace,
    rules: Rules,
    looked_up: Lookup,
    notes: Reasons,
) -> Routed:
    plan = plan_deliveries(job_change_id, choice, workspace, case.change.signal)
    decision = decision_of(choice, plan, rules.version, [*notes, *person_notes(case)])
    shown = rules.rule_set.context_fields or ()
    tests, used_segments = rules.prepared.segment_tests, rules.segments  # those that a rule or a mute refers to
    decision = decision.with_records(
        [tuple(sorted(case.segments(side.side, tests) & used_segments)) for side in choice.choices],
        [context_values(case, side.side, shown, looked_up.described) for side in choice.choices],
        _links(case.records or PersonRecords(), looked_up.base_url),
    )
    return Routed(job_change_id, decision, plan.deliveries, plan.outcome, for_reader(plan.reasons) or None)


def _links(records: PersonRecords, base_url: str | None) -> RecordLinks:
    contact = records.contact
    account = contact.account if contact else records.current_account
    lead = None if contact else records.lead
    return RecordLinks(
        contact=f"{base_url}/{contact.id}" if base_url and contact else None,
        lead=f"{base_url}/{lead.id}" if base_url and lead else None,
        account=f"{base_url}/{account.id}" if base_url and account else None,
    )
