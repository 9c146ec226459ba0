"""The courier: composes the post of a claimed lane, sends it to Slack once, and settles how that went."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import random

from domain.decision.reasons import ReasonCode
from domain.errors import (
    DestinationDeadError,
    MessageRefusedError,
    PermanentError,
    TokenRefusedError,
    TransientError,
    UnknownCodeError,
    WorkspaceGoneError,
)
from domain.messages.notices import DEFAULT_CHANNEL_BROKEN
from domain.states import DEFAULT_CHANNEL, Role, is_person
from services.journal import UNCOUNTED, Journal
from services.messages.button_values import ButtonSigner
from services.messages.cards import Card, cards
from services.messages.compose import Message
from services.messages.layouts import Layouts
from services.messages.notices import Notices
from services.retry import MOST_DOUBTS, backoff_ms, is_hopeless
from services.slack.api import Posted, Slack
from store.database import Database
from store.delivery import pauses, posts
from store.delivery.lanes import Claim
from store.delivery.settlements import Failed, InDoubt, Moved, Parked, Postponed, Sent, Settlement
from store.messages import histories
from store.slack import workspaces

LEASE_MS = 30_000
SLACK = "slack"
FAILURES_BEFORE_PAUSE = 3
UNKNOWN_CODE_RETRIES = 2
TOKEN_RETRIES = 10
"""For about four minutes, since Slack's answer may be wrong for a while."""

PLAIN_TEXT = 2
OUTAGE_WAIT_MS = 1_000
LONGEST_CHECK_MS = 30 * 60_000
"""How long a message whose answer was lost waits for chat.postMessage to work."""


@dataclass(frozen=True)
class Courier:
    """Sends what is waiting in a lane to its destination."""

    database: Database
    slack: Slack
    notices: Notices
    signer: ButtonSigner
    now: Callable[[], int]
    layouts: Layouts
    journal: Journal = UNCOUNTED

    async def deliver(self, claim: Claim) -> int | None:
        """Attempt a claimed post and settle it. Return when its lane is due next, or None if nothing is waiting."""
        settlement = await self._attempt(claim)
        due_at = await self.settle(settlement)
        if isinstance(settlement, Parked):
            await self.notices.default_channel_unusable(claim.workspace_id, DEFAULT_CHANNEL_BROKEN)
        return due_at

    async def settle(self, settlement: Settlement) -> int | None:
        """Store the settlement. Waits until the database is available, because only this process knows the result."""
        due_at = await self.database.gather_until_available(posts.settle, settlement)
        self.journal.settled(settlement, settlement.claim.lease_until - LEASE_MS)
        return due_at

    def after_outage(self, claim: Claim, reason: str) -> Settlement:
        """Return the settlement when the database failed before anything was sent. It does not count as a failure."""
        return self._wait(claim, self.now() + OUTAGE_WAIT_MS, reason)

    def after_bug(self, claim: Claim, reason: str) -> Settlement:
        """Return the settlement after an exception: each delivery is tried alone, then as plain text, then fails."""
        now = self.now()
        if claim.in_doubt:
            due_at = now + max(backoff_ms(claim.failures + 1, random()), posts.LANE_GAP_MS)  # noqa: S311
            return InDoubt(claim, now, due_at, reason, by_answer=True)
        return self._simplify(claim, reason)

    async def _attempt(self, claim: Claim) -> Settlement:
        acted_on = {delivery.job_change_id for delivery in claim.deliveries if delivery.acted_at is not None}
        by_job_change = await self.database.read(histories.histories, acted_on) if acted_on else {}
        shown = cards(claim.deliveries, claim.destination, by_job_change, claim.buttons)
        if not shown:
            return Failed(claim, self.now(), "the job change was erased before it was delivered")
        try:
            if claim.in_doubt and (settlement := await self._resolve_doubt(claim)):
                return settlement
            posted = await self._post(claim, shown)
        except TransientError as error:
            return await self._after_transient_error(claim, error)
        except PermanentError as error:
            return await self._after_permanent_error(claim, error)
        if claim.slack_is_failing:  # must not raise: the message has been sent, and nothing else knows that
            await self.database.run_until_available(pauses.record_success, claim.workspace_id, SLACK)
        return Sent(claim, self.now(), posted.channel, posted.ts)

    async def _post(self, claim: Claim, shown: Sequence[Card]) -> Posted:
        async def send(message: Message) -> Posted:
            signed = self.signer.signed(message, claim.workspace_id, claim.post_id)
            return await self.slack.post(
                claim.workspace_id,
                claim.channel,
                text=signed.text,
                blocks=signed.blocks,
                post_id=claim.post_id,
                lease_until=claim.lease_until,
            )

        plainness = claim.deliveries[0].plainness
        return await self.layouts.send(claim.workspace_id, shown, send, plainness=plainness, digest=claim.digest)

    async def _resolve_doubt(self, claim: Claim) -> Settlement | None:
        try:
            return await self._look_up(claim)
        except TransientError as error:
            # The lookup was not an attempt to send, so its failure leaves no doubt of its own.
            raise TransientError(str(error), retry_after=error.retry_after) from error

    async def _look_up(self, claim: Claim) -> Settlement | None:
        """Return how an earlier attempt went, if that can be looked up. None means: send the message (again)."""
        workspace = await self.database.read(workspaces.find, claim.workspace_id)
        if workspace and claim.destination != DEFAULT_CHANNEL and "im:history" in workspace.scopes:
            try:
                posted = await self.slack.find_post(
                    claim.workspace_id, claim.dm or claim.channel, claim.post_id, claim.begun_at
                )
            except WorkspaceGoneError:
                raise
            except PermanentError:
                pass  # the conversation cannot be read, as without the scope
            else:
                return Sent(claim, self.now(), posted.channel, posted.ts) if posted else None
        if claim.doubts >= MOST_DOUBTS:
            reason = "Slack failed twice to confirm the message. It may have arrived. Retry to send it again."
            return Failed(claim, self.now(), reason)
        if claim.doubts and self.now() - claim.begun_at < LONGEST_CHECK_MS:
            # It is sent once more, and for the last time, so not before posting works again.
            await self.slack.check_posting(claim.workspace_id)
        return None

    async def _after_transient_error(self, claim: Claim, error: TransientError) -> Settlement:
        now = self.now()
        if isinstance(error, UnknownCodeError | TokenRefusedError) and not claim.in_doubt:
            return await self._after_unknown_code(claim, error)
        if error.retry_after is not None:
            return self._wait(claim, now + round(error.retry_after * 1_000), str(error))
        due_at = now + backoff_ms(claim.failures + 1, random())  # noqa: S311
        await self._count_failure(claim.workspace_id, now, str(error))
        is_in_doubt = error.in_doubt or claim.in_doubt
        if any(is_hopeless(claim.due_since(delivery), now) for delivery in claim.deliveries):
            doubt = ". It may have arrived. Retry to send it again." if is_in_doubt else ""
            return Failed(claim, now, f"it could not be delivered for three days: {str(error).rstrip('.')}{doubt}")
        if is_in_doubt:
            # It may have been posted just now, so the next attempt keeps the pace of the lane.
            due_at = max(due_at, now + posts.LANE_GAP_MS)
            return InDoubt(claim, now, due_at, str(error), by_answer=error.in_doubt)
        return Postponed(claim, now, due_at, str(error))

    def _wait(self, claim: Claim, due_at: int, reason: str) -> Settlement:
        """Return the settlement when nothing was sent and nothing failed. An earlier doubt remains."""
        if claim.in_doubt:
            return InDoubt(claim, self.now(), due_at, reason, by_answer=False)
        return Postponed(claim, self.now(), due_at, reason, is_failure=False)

    async def _count_failure(self, workspace_id: str, now: int, reason: str) -> None:
        failing = await self.database.run_until_available(pauses.record_failure, workspace_id, SLACK, now, reason)
        if failing.failures >= FAILURES_BEFORE_PAUSE:
            until = now + backoff_ms(failing.failures - FAILURES_BEFORE_PAUSE + 1, random())  # noqa: S311
            await self.database.run_until_available(pauses.pause, workspace_id, SLACK, until, now, reason)

    async def _after_permanent_error(self, claim: Claim, error: PermanentError) -> Settlement:
        now = self.now()
        if isinstance(error, WorkspaceGoneError):
            await self.database.run_until_available(workspaces.mark_gone, claim.workspace_id, now, error.code)
            return self._wait(claim, now, str(error))
        is_default_channel = claim.destination == DEFAULT_CHANNEL
        if isinstance(error, MessageRefusedError) and (is_default_channel or not _is_plainest(claim)):
            return self._simplify(claim, str(error), error.code)
        if is_default_channel:
            return Parked(claim, now, str(error), error.code)
        return _moved(claim, now, error, error.code)

    async def _after_unknown_code(self, claim: Claim, error: UnknownCodeError | TokenRefusedError) -> Settlement:
        """
        Try again a few times. Then it counts as permanent for these deliveries only.

        No workspace and no channel has to wait.

        In the default channel it may be the message that Slack does not accept, so plainer ones are tried.
        """
        now = self.now()
        retries = TOKEN_RETRIES if isinstance(error, TokenRefusedError) else UNKNOWN_CODE_RETRIES
        if claim.failures < retries or any(item.last_code != error.code for item in claim.deliveries):
            due_at = now + max(backoff_ms(claim.failures + 1, random()), posts.LANE_GAP_MS)  # noqa: S311
            return Postponed(claim, now, due_at, str(error), code=error.code)
        if claim.destination == DEFAULT_CHANNEL:
            return self._simplify(claim, str(error), error.code)
        return _moved(claim, now, error, error.code)

    def _simplify(self, claim: Claim, reason: str, code: str = "") -> Settlement:
        now = self.now()
        if _is_plainest(claim):
            return Failed(claim, now, reason, code)
        return Postponed(claim, now, now, reason, simplify=True, code=code)


def _is_plainest(claim: Claim) -> bool:
    """Whether nothing is left to leave out of the message."""
    return all(delivery.plainness >= PLAIN_TEXT for delivery in claim.deliveries)


def _moved(claim: Claim, now: int, error: Exception, code: str) -> Moved:
    """Return the settlement that tells the default channel who was not notified."""
    problem = str(error).rstrip(".")
    if is_person(claim.destination):
        is_dead = isinstance(error, DestinationDeadError)
        reason = ReasonCode.NO_DRI_NOTIFIED if is_dead else ReasonCode.DRI_NOT_NOTIFIED
    elif all(delivery.role == Role.CHANNEL for delivery in claim.deliveries):
        reason = ReasonCode.RULE_CHANNEL_UNUSABLE
    else:
        reason = ReasonCode.CHANNEL_UNUSABLE
    return Moved(claim, now, (reason.of(error=problem),), problem, code)
