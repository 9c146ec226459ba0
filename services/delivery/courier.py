"""The second half of the way: a claimed lane's post, composed, sent to Slack once, and settled by how that went."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import random

from domain.errors import (
    DestinationDeadError,
    MessageRefusedError,
    PermanentError,
    TransientError,
    WorkspaceGoneError,
)
from domain.states import DEFAULT_CHANNEL, Role, is_person
from services.journal import UNCOUNTED, Journal
from services.messages.cards import cards
from services.messages.compose import Card, compose
from services.messages.notices import Notices
from services.retry import MOST_DOUBTS, backoff_ms, is_hopeless
from services.slack.api import Posted, Slack
from store.database import Database
from store.delivery import pauses, posts
from store.delivery.lanes import Claim
from store.delivery.posts import Doubted, Moved, Parked, PutBack, Sent, Settlement, Undeliverable
from store.messages import histories
from store.slack import workspaces

LEASE_MS = 30_000
CALL_MS = 12_000
"""The longest that one call to Slack may take. With less of the lease left, none is begun."""

SLACK = "slack"
FAILURES_BEFORE_PAUSE = 3
PLAIN_TEXT = 2
SKEW_MS = 300_000
"""How far Slack's clock may be behind ours when we look for a message by its time."""


@dataclass(frozen=True)
class Courier:
    """Brings what waits in a lane to its destination."""

    database: Database
    slack: Slack
    notices: Notices
    now: Callable[[], int]
    journal: Journal = UNCOUNTED

    async def deliver(self, claim: Claim) -> int | None:
        """Attempt a claimed post and settle it. Answers when its lane is due next; None: nothing waits there."""
        settlement = await self._attempt(claim)
        due_at = await self.settle(settlement)
        if isinstance(settlement, Parked):
            await self.notices.default_channel_broken(claim.workspace_id)
        return due_at

    async def settle(self, settlement: Settlement) -> int | None:
        """Record how it went, however long the database takes to come back: only we know it."""
        due_at = await self.database.insist_together(posts.settle, settlement)
        self.journal.settled(settlement)
        return due_at

    def interrupted(self, claim: Claim, reason: str) -> Settlement:
        """The database was away before anything was sent: that is no failure of these deliveries."""
        return self._wait(claim, self.now(), reason)

    def stumbled(self, claim: Claim, reason: str) -> Settlement:
        """A bug of ours met one of these deliveries: each is tried alone, then plainer, then buried."""
        now = self.now()
        if claim.in_doubt:
            return Doubted(claim, now, now + backoff_ms(claim.failures + 1, random()), reason, by_answer=True)  # noqa: S311
        return self._plainer(claim, reason)

    async def _attempt(self, claim: Claim) -> Settlement:
        shown = await self._cards(claim)
        if not shown:
            return Undeliverable(claim, self.now(), "it was erased before it was told")
        try:
            if claim.in_doubt and (known := await self._resolve_doubt(claim)):
                return known
            # A process that was suspended past its lease must not send what another has taken up.
            if self.now() > claim.lease_until - CALL_MS:
                return self._wait(claim, self.now(), "the lease was nearly over")
            posted = await self._post(claim, shown)
        except TransientError as error:
            return await self._failed(claim, error)
        except PermanentError as error:
            return await self._refused(claim, error)
        if claim.slack_is_failing:  # insisted on: whoever fell over here would not know any more that it was sent
            await self.database.insist(pauses.succeeded, claim.workspace_id, SLACK)
        return Sent(claim, self.now(), posted.channel, posted.ts)

    async def _cards(self, claim: Claim) -> list[Card]:
        acted = {member.job_change_id for member in claim.deliveries if member.acted_at is not None}
        known = await self.database.run(histories.histories, acted) if acted else {}
        return cards(claim.deliveries, claim.destination, known)

    async def _post(self, claim: Claim, shown: Sequence[Card]) -> Posted:
        message = compose(shown, plainness=claim.deliveries[0].plainness, digest=claim.digest)
        return await self.slack.post(
            claim.workspace_id, claim.channel, text=message.text, blocks=message.blocks, post_id=claim.post_id
        )

    async def _resolve_doubt(self, claim: Claim) -> Settlement | None:
        try:
            return await self._look_back(claim)
        except TransientError as error:
            # Whatever became of the question, it was no attempt to send.
            raise TransientError(str(error), retry_after=error.retry_after) from error

    async def _look_back(self, claim: Claim) -> Settlement | None:
        """How an earlier attempt went, where that can be learnt; None: send it (again)."""
        workspace = await self.database.run(workspaces.find, claim.workspace_id)
        if workspace and claim.destination != DEFAULT_CHANNEL and "im:history" in workspace.scopes:
            try:
                found = await self.slack.find_post(
                    claim.workspace_id, claim.dm or claim.channel, claim.post_id, claim.begun_at - SKEW_MS
                )
            except WorkspaceGoneError:
                raise
            except PermanentError:
                pass  # the conversation cannot be read, so it is as if we were not allowed to
            else:
                return Sent(claim, self.now(), found.channel, found.ts) if found else None
        if claim.doubts >= MOST_DOUBTS:
            reason = "Slack did not say whether the message arrived, twice; it may have. Replay it to send it again."
            return Undeliverable(claim, self.now(), reason)
        if claim.doubts:  # it is sent once more, so not into the same trouble
            await self.slack.auth_test(claim.workspace_id)
        return None

    async def _failed(self, claim: Claim, error: TransientError) -> Settlement:
        now = self.now()
        if error.retry_after is not None:
            return self._wait(claim, now + round(error.retry_after * 1_000), str(error))
        due_at = now + backoff_ms(claim.failures + 1, random())  # noqa: S311
        await self._count_failure(claim.workspace_id, now, str(error))
        if error.in_doubt or claim.in_doubt:
            return Doubted(claim, now, due_at, str(error), by_answer=error.in_doubt)
        if any(is_hopeless(claim.promised_at(member), now) for member in claim.deliveries):
            return Undeliverable(claim, now, f"it could not be delivered for three days: {error}")
        return PutBack(claim, now, due_at, str(error))

    def _wait(self, claim: Claim, due_at: int, reason: str) -> Settlement:
        """Nothing was sent this time, and nothing has failed; but an earlier doubt stays."""
        if claim.in_doubt:
            return Doubted(claim, self.now(), due_at, reason, by_answer=False)
        return PutBack(claim, self.now(), due_at, reason, is_failure=False)

    async def _count_failure(self, workspace_id: str, now: int, reason: str) -> None:
        failing = await self.database.insist(pauses.failed, workspace_id, SLACK, now, reason)
        if failing.failures >= FAILURES_BEFORE_PAUSE:
            until = now + backoff_ms(failing.failures - FAILURES_BEFORE_PAUSE + 1, random())  # noqa: S311
            await self.database.insist(pauses.pause, workspace_id, SLACK, until, now, reason)

    async def _refused(self, claim: Claim, error: PermanentError) -> Settlement:
        now = self.now()
        if isinstance(error, WorkspaceGoneError):
            await self.database.insist(workspaces.mark_gone, claim.workspace_id, now)
            return self._wait(claim, now, str(error))
        if isinstance(error, MessageRefusedError):
            return self._plainer(claim, str(error))
        if claim.destination == DEFAULT_CHANNEL:
            return Parked(claim, now, str(error))
        return Moved(claim, now, f"{_untold(claim, error)}: {error}.", str(error))

    def _plainer(self, claim: Claim, reason: str) -> Settlement:
        now = self.now()
        if all(member.plainness >= PLAIN_TEXT for member in claim.deliveries):
            return Undeliverable(claim, now, reason)
        return PutBack(claim, now, now, reason, plainer=True)


def _untold(claim: Claim, error: PermanentError) -> str:
    """Who did not get it, as the beginning of why another channel reads it."""
    if is_person(claim.destination):
        return "No DRI could be told" if isinstance(error, DestinationDeadError) else "The DRI could not be told"
    is_the_rules = all(each.role == Role.CHANNEL for each in claim.deliveries)
    whose = "rule's channel" if is_the_rules else "channel chosen for it"
    return f"The {whose} cannot be posted to"
