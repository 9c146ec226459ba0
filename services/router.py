"""The first half of the way: accepted job changes, a workspace's batch at a time, to deliveries with a destination."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import random

from services.directory import Directory
from services.errors import PermanentError, TransientError, WorkspaceGoneError
from services.job_changes import InvalidJobChangeError, JobChange
from services.notices import Notices
from services.ownership import Candidate, Choice, candidates, choose, next_to_look_up
from services.records import PersonLookup, PersonRecords
from services.retry import backoff_ms
from services.salesforce import Salesforce
from store import pauses, routing, workspaces
from store.database import Database
from store.deliveries import COPY, DRI, FALLBACK, NewDelivery
from store.members import UNKNOWN, Member
from store.routing import Batch, Claimed, Postponed, Routed
from store.schema import DEFAULT_CHANNEL
from store.workspaces import Workspace

LEASE_MS = 30_000
"""Renewed while a batch is being routed, so that a dead process is followed within half a minute."""

SALESFORCE = "salesforce"
ROUNDS = 6
"""How many candidates of one job change are looked up in Slack; there are never more in the chain."""


@dataclass(frozen=True)
class Parsed:
    """A job change of the batch that can be read."""

    claimed: Claimed
    change: JobChange


@dataclass(frozen=True)
class Found:
    """What Salesforce said for the batch. *trouble*: why nobody could be looked up; *base_url*: where records open."""

    records: Mapping[str, PersonRecords] | None
    base_url: str | None = None
    trouble: str | None = None


@dataclass(frozen=True)
class NotYet:
    """Salesforce cannot be asked now; when to ask again, in milliseconds, and why."""

    due_at: int
    reason: str


@dataclass(frozen=True)
class Router:
    """Decides, for each accepted job change, whom to tell."""

    database: Database
    salesforce: Salesforce
    directory: Directory
    notices: Notices
    now: Callable[[], int]

    async def route(self, batch: Batch) -> bool:
        """Decide and settle a claimed batch; True if there are deliveries to post now."""
        workspace = await self.database.run(workspaces.find, batch.workspace_id)
        if workspace is None:
            return False
        parsed, unreadable = _parse(batch)
        found = await self._look_up(workspace, parsed)
        routed, postponed = list(unreadable), list[Postponed]()
        if isinstance(found, NotYet):
            postponed = [Postponed(each.claimed.id, found.due_at, found.reason) for each in parsed]
        else:
            decided, postponed = await self._decide(workspace, parsed, found)
            routed += decided
        await self.database.insist(routing.settle, batch, routed, postponed, self.now())
        promised = [delivery.destination for each in routed for delivery in each.deliveries]
        if DEFAULT_CHANNEL in promised and workspace.default_channel_id is None:
            await self.notices.default_channel_missing(workspace.id)
        return bool(promised)

    async def _look_up(self, workspace: Workspace, parsed: Sequence[Parsed]) -> Found | NotYet:
        """The records of the whole batch; or when to ask again, while our patience with Salesforce lasts."""
        lookups = [_lookup(each) for each in parsed]
        try:
            records = await self.salesforce.find_people(workspace.id, lookups)
        except (TransientError, PermanentError) as error:
            return await self._salesforce_failed(workspace, parsed, error)
        await self.database.run(pauses.succeeded, workspace.id, SALESFORCE)
        if records is None:
            return Found(None)
        connection = await self.salesforce.auth.connection_of(workspace.id)
        return Found(records, connection.instance_url if connection else None)

    async def _salesforce_failed(
        self, workspace: Workspace, parsed: Sequence[Parsed], error: TransientError | PermanentError
    ) -> Found | NotYet:
        now, reason = self.now(), str(error)
        failing = await self.database.run(pauses.failed, workspace.id, SALESFORCE, now, reason)
        asked_to_wait = error.retry_after if isinstance(error, TransientError) else None
        wait = round(asked_to_wait * 1_000) if asked_to_wait else backoff_ms(failing.failures, random())  # noqa: S311
        until = now + wait
        await self.database.run(pauses.pause, workspace.id, SALESFORCE, until, now, reason)
        patience = workspace.salesforce_patience_minutes * 60_000
        if until - failing.since <= patience or not parsed:
            return NotYet(until, reason)
        return Found(None, trouble="the owner could not be looked up in Salesforce, which has not answered for a while")

    async def _decide(
        self, workspace: Workspace, parsed: Sequence[Parsed], found: Found
    ) -> tuple[list[Routed], list[Postponed]]:
        chains = {each.claimed.id: _candidates(each, found) for each in parsed}
        members = await self._find_members(workspace.id, [chain for chain, _ in chains.values()])
        routed, postponed = [], []
        for each in parsed:
            chain, nobody = chains[each.claimed.id]
            if wait := _must_wait(chain, members):
                due_at = self.now() + round((wait.retry_after or 1.0) * 1_000)
                postponed.append(Postponed(each.claimed.id, due_at, "waiting to look the owner up in Slack"))
            else:
                routed.append(_routed(each, choose(chain, members, nobody), workspace, found))
        return routed, postponed

    async def _find_members(self, workspace_id: str, chains: Sequence[Sequence[Candidate]]) -> dict[str, Member]:
        """Look up in Slack only whom the choice depends on: the first of each chain, then the next of those in vain."""
        members: dict[str, Member] = {}
        for _ in range(ROUNDS):
            wanted = {email for chain in chains if (email := next_to_look_up(chain, members))}
            if not wanted:
                break
            members |= await self._ask(workspace_id, wanted)
        return members

    async def _ask(self, workspace_id: str, emails: set[str]) -> dict[str, Member]:
        try:
            return await self.directory.find(workspace_id, emails)
        except WorkspaceGoneError:
            raise
        except PermanentError as error:  # a missing scope, say: the default channel is told, and why
            return {email: Member(None, f"cannot be looked up in Slack: {error}") for email in emails}


def _parse(batch: Batch) -> tuple[list[Parsed], list[Routed]]:
    parsed, unreadable = [], []
    for claimed in batch.job_changes:
        try:
            parsed.append(Parsed(claimed, JobChange.from_stored(claimed.payload or "")))
        except InvalidJobChangeError as error:
            # Erased meanwhile, or stored by another version: nothing can be told of it any more.
            unreadable.append(Routed(claimed.id, {}, (), outcome="buried", reason=f"it cannot be read: {error}"))
    return parsed, unreadable


def _lookup(parsed: Parsed) -> PersonLookup:
    ids = parsed.change.salesforce
    return PersonLookup(
        key=parsed.claimed.id,
        contact_id=ids.contact_id,
        lead_id=ids.lead_id,
        emails=tuple(parsed.change.person.emails),
    )


def _candidates(parsed: Parsed, found: Found) -> tuple[list[Candidate], str | None]:
    records = None if found.records is None else found.records.get(parsed.claimed.id, PersonRecords())
    chain, nobody = candidates(parsed.change, records)
    return chain, (found.trouble or nobody) if not chain or found.trouble else None


def _must_wait(chain: Sequence[Candidate], members: Mapping[str, Member]) -> Member | None:
    """The answer of Slack's that the choice still lacks; None: it can be made."""
    for candidate in chain:
        if candidate.problem or not candidate.email:
            continue
        member = members.get(candidate.email.lower())
        if member is None or member.problem == UNKNOWN:
            return member or Member(None, UNKNOWN)
        if member.problem is None:
            return None
    return None


def _routed(parsed: Parsed, choice: Choice, workspace: Workspace, found: Found) -> Routed:
    records = (found.records or {}).get(parsed.claimed.id, PersonRecords())
    decision = choice.as_trace() | {"links": _links(records, found.base_url)}
    return Routed(parsed.claimed.id, decision, tuple(promises(parsed.claimed.id, choice, workspace)))


def promises(job_change_id: str, choice: Choice, workspace: Workspace) -> list[NewDelivery]:
    """Whom to tell, given who was chosen and what the workspace prefers."""
    if choice.user_id is None:
        return [NewDelivery(job_change_id, DEFAULT_CHANNEL, FALLBACK, choice.reason)]
    if not workspace.tell_dris:
        reason = f"The DRI is {choice.name}. This workspace tells DRIs here, not in person."
        return [NewDelivery(job_change_id, DEFAULT_CHANNEL, FALLBACK, reason)]
    told = [NewDelivery(job_change_id, choice.user_id, DRI, choice.reason)]
    if workspace.channel_gets == "everything" and workspace.default_channel_id:
        told.append(NewDelivery(job_change_id, DEFAULT_CHANNEL, COPY, f"{choice.name} was told in person."))
    return told


def _links(records: PersonRecords, base_url: str | None) -> dict[str, str | None]:
    contact = records.contact
    account = contact.account if contact else None
    lead = None if contact else records.lead
    return {
        "contact": f"{base_url}/{contact.id}" if base_url and contact else None,
        "lead": f"{base_url}/{lead.id}" if base_url and lead else None,
        "account": f"{base_url}/{account.id}" if base_url and account else None,
    }
