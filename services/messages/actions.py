"""What people do about the job changes they received: every action is checked, stored once and traced."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from domain.decision.reasons import ReasonCode
from domain.delivery import Delivery, NewDelivery
from domain.errors import PermanentError, TransientError
from domain.job_change.model import JobChange
from domain.people import BOT, DEACTIVATED, GUEST, STRANGER
from domain.states import DEFAULT_CHANNEL, HandlingState, Role, is_person
from services.messages.available_actions import (
    DELETED,
    ERASED,
    LONGEST_COMMENT,
    ActionableDelivery,
    ActionKind,
    refusal,
)
from services.messages.button_values import ButtonPress, ButtonSigner
from services.messages.redraws import Redrawer, RedrawResult
from services.messages.snooze import SnoozeOption, snooze_ends_at
from services.slack.api import Slack
from services.slack.directory import member_of
from services.slack.shapes import SlackUser
from store.database import Database, DatabaseUnavailableError
from store.home import member_preferences
from store.messages import actions
from store.ownership import muting
from store.slack import workspaces

log = logging.getLogger(__name__)

CANNOT_BE_MUTED = "These notifications are required by your admins, so they cannot be muted."
ONLY_MEMBERS = "Only members of this workspace can do that."
CLAIMED = "You're on it. To finish or reassign it, open *Assigned to you* in the app's Home."
TRY_AGAIN = "Slack did not respond, so nothing was changed. Please try again in a minute."
PRIVACY_MS = 10 * 60_000
"""For how long it is remembered whether a channel is private."""

_SAVED = {
    RedrawResult.NOW: None,
    RedrawResult.LATER: "Saved. The message will be updated in a moment.",
    RedrawResult.NEVER: "Saved, but a message about it can no longer be updated.",
}
_PROBLEMS = {
    DEACTIVATED: "this account is deactivated",
    BOT: "this is an app",
    GUEST: "guests are not notified of job changes",
    STRANGER: "they belong to another workspace",
}


@dataclass(frozen=True)
class ActionRequest:
    """
    The Slack user `actor`, as Slack signed it, wants to act on a delivery.

    `sees_message` means that Slack has shown them a message with this delivery: then they may read it.
    """

    workspace_id: str
    delivery_id: int
    actor: str
    sees_message: bool = False


@dataclass(frozen=True)
class ActionResult:
    """
    The result of an action. `text` is for the person, in mrkdwn; None means that the message itself shows the result.

    `job_change_id` is None if nothing was changed; else the messages about it have to be updated. If `can_choose_again`
    is true, the person's choice was refused, and `text` is plain text.
    """

    text: str | None = None
    job_change_id: str | None = None
    can_choose_again: bool = False

    @property
    def done(self) -> bool:
        return self.job_change_id is not None


@dataclass(frozen=True)
class DeliveryActions:
    """
    The actions on a delivery.

    Whether the person may act is checked against our rows each time. A job change has one state in all of its messages:
    the first person who takes it has it.
    """

    database: Database
    slack: Slack
    redrawer: Redrawer
    signer: ButtonSigner
    now: Callable[[], int]
    privacy: dict[tuple[str, str], tuple[int, bool]] = field(default_factory=dict, repr=False)
    """Whether a channel is private, and until when that is used."""

    async def pressed(self, workspace_id: str, press: ButtonPress, actor: str) -> ActionRequest:
        """
        Return the request of a button in a message. Its delivery is 0, which none has, if the app did not offer it.

        The value of the button has to be signed, unless Slack says that it is in a message that carries the delivery:
        messages of version 0.2 have unsigned values, and a signature is not valid any more once its key was removed.
        """
        posts = await self.database.run(actions.posts_of, workspace_id, press.delivery_id)
        if any(post.is_at(press.message) for post in posts):
            return ActionRequest(workspace_id, press.delivery_id, actor, sees_message=True)
        is_signed = any(self.signer.is_signed(press, workspace_id, post.id) for post in posts)
        return ActionRequest(workspace_id, press.delivery_id if is_signed else 0, actor)

    async def find(self, request: ActionRequest, kind: ActionKind) -> ActionableDelivery | str:
        """The delivery, if `actor` may do this; else why not, in mrkdwn."""
        workspace_id, actor = request.workspace_id, request.actor
        delivery = await self.database.run(actions.find, workspace_id, request.delivery_id)
        reason = refusal(delivery, kind, actor)
        if reason is not None or delivery is None:
            return reason or ""
        change = JobChange.if_readable(delivery.payload)
        if change is None:
            return ERASED
        is_in_channel = not is_person(delivery.destination)
        if is_in_channel and (reason := await self._cannot_see(delivery, request)):
            return reason
        if kind not in {ActionKind.MUTE, ActionKind.WHY}:
            return ActionableDelivery(delivery, change)
        muted = await self.database.run(muting.muted, workspace_id, actor, self.now())
        return ActionableDelivery(delivery, change, muted, await self.database.run(muting.required, workspace_id))

    async def take(self, request: ActionRequest) -> ActionResult:
        actionable = await self.find(request, ActionKind.TAKE)
        if isinstance(actionable, str):
            return ActionResult(actionable)
        delivery = actionable.delivery
        if await self.database.run(actions.take, delivery, request.actor, self.now()):
            return ActionResult(None if is_person(delivery.destination) else CLAIMED, delivery.job_change_id)
        return await self._too_late(delivery, request.actor, ActionKind.TAKE)

    async def finish(self, request: ActionRequest, kind: ActionKind) -> ActionResult:
        """Mark it as done or as not relevant, or reopen it: `kind` is DONE, NOT_RELEVANT or REOPEN."""
        actionable = await self.find(request, kind)
        if isinstance(actionable, str):
            return ActionResult(actionable)
        delivery, actor, now = actionable.delivery, request.actor, self.now()
        if kind is ActionKind.REOPEN:
            finished = await self.database.run(actions.reopen, delivery, actor, now)
        else:
            state = HandlingState.DONE if kind is ActionKind.DONE else HandlingState.NOT_RELEVANT
            finished = await self.database.run(actions.finish, delivery, actor, state, now)
        if finished:
            return ActionResult(job_change_id=delivery.job_change_id)
        return await self._too_late(delivery, actor, kind)

    async def reassign(self, request: ActionRequest, to: str | None, comment: str) -> ActionResult:
        """Reassign it to the Slack user `to`, or return it to the channel if that is None."""
        actionable = await self.find(request, ActionKind.REASSIGN)
        if isinstance(actionable, str):
            return ActionResult(actionable)
        delivery, actor = actionable.delivery, request.actor
        if problem := await self._reassign_problem(delivery, actor, to):
            return ActionResult(problem, can_choose_again=True)
        user: SlackUser | None = None
        with suppress(TransientError, PermanentError):  # the action also works without the name
            user = await self.slack.user(request.workspace_id, actor)
        name = (user and user.name) or "A colleague"
        comment = comment.strip()[:LONGEST_COMMENT]
        if to is None:
            channel = delivery.destination
            if is_person(channel):
                workspace = await self.database.run(workspaces.find, delivery.workspace_id)
                channel = workspace.channel_of(actionable.job_change.signal) if workspace else DEFAULT_CHANNEL
            reason = ReasonCode.RETURNED.of(person=name, comment=comment)
            new = NewDelivery(delivery.job_change_id, channel, Role.FALLBACK, (reason,), delivery.side)
            reassigned = await self.database.run(actions.return_to_channel, delivery, actor, new, self.now())
        else:
            reason = ReasonCode.REASSIGNED.of(person=name, comment=comment)
            new = NewDelivery(delivery.job_change_id, to, Role.DRI, (reason,), delivery.side)
            reassigned = await self.database.run(actions.reassign, delivery, actor, to, new, self.now())
        if reassigned:
            return ActionResult(job_change_id=delivery.job_change_id)
        return await self._too_late(delivery, actor, ActionKind.REASSIGN)

    async def snooze(self, request: ActionRequest, option: SnoozeOption) -> ActionResult:
        """It is sent again in the morning by the actor's clock, or later if their preferences hold it back then."""
        actionable = await self.find(request, ActionKind.SNOOZE)
        if isinstance(actionable, str):
            return ActionResult(actionable)
        workspace_id, actor = request.workspace_id, request.actor
        try:
            user = await self.slack.user(workspace_id, actor)
        except TransientError:
            return ActionResult(TRY_AGAIN)
        except PermanentError:
            user = None  # without the permission to read their time zone, it is UTC
        ends_at = snooze_ends_at(option, self.now(), user.tz if user else None)
        hours = await self.database.run(member_preferences.find, workspace_id, actor)
        due_at = hours.held_until(ends_at, ends_at)
        await self.database.run(actions.snooze, actionable.delivery, actor, due_at, self.now())
        return ActionResult(job_change_id=actionable.delivery.job_change_id)

    async def report(self, request: ActionRequest, kind: str, comment: str) -> ActionResult:
        """Report wrong data. `kind` is one of WRONG_DATA_KINDS."""
        actionable = await self.find(request, ActionKind.WRONG_DATA)
        if isinstance(actionable, str):
            return ActionResult(actionable)
        text = comment.strip()[:LONGEST_COMMENT] or None
        await self.database.run(actions.report, actionable.delivery, request.actor, kind, text, self.now())
        return ActionResult(job_change_id=actionable.delivery.job_change_id)

    async def mute(self, request: ActionRequest, choice: str, *, muted: bool = True) -> ActionableDelivery | str:
        """
        Mute (or unmute) job changes like this one for `actor`. Returns its new state, or why that is not possible.

        `choice` is the signal or the change type of the job change.
        """
        actionable = await self.find(request, ActionKind.MUTE)
        if isinstance(actionable, str):
            return actionable
        if choice not in {actionable.job_change.signal, actionable.job_change.change_type}:
            return "That cannot be muted from this message."
        if muted and choice in actionable.required:
            return CANNOT_BE_MUTED
        await self.database.run(muting.mute, actionable.delivery, request.actor, choice, self.now(), muted=muted)
        return await self.find(request, ActionKind.MUTE)

    async def update_messages(self, result: ActionResult) -> str | None:
        """Update the messages about the job change. Returns a text for the person if those do not show everything."""
        if result.job_change_id is None:
            return result.text
        try:
            updated = await self.redrawer.redraw(result.job_change_id)
        except DatabaseUnavailableError:
            updated = RedrawResult.LATER
        return " ".join(filter(None, [result.text, _SAVED[updated]])) or None

    async def catch_up(self) -> bool:
        """Send one snoozed job change that is due, or update some messages. False if nothing was due."""
        return await self.database.run(actions.resume_snoozed, self.now()) or await self.redrawer.catch_up()

    async def _too_late(self, delivery: Delivery, actor: str, kind: ActionKind) -> ActionResult:
        """Someone else was faster, or the same person pressed twice."""
        current = await self.database.run(actions.find, delivery.workspace_id, delivery.id)
        return ActionResult(refusal(current, kind, actor) or TRY_AGAIN)

    async def _reassign_problem(self, delivery: Delivery, actor: str, to: str | None) -> str | None:
        if to is None:
            may_return = is_person(delivery.destination) or delivery.actor == actor
            return None if may_return else "It is already in the channel. Choose a person to reassign it to."
        if to == actor:
            return "That is you. Choose someone else, or leave this empty to return it to the channel."
        try:
            problem = await self._member_problem(delivery.workspace_id, to)
        except TransientError:
            return TRY_AGAIN
        except PermanentError as error:
            return f"The app cannot check in Slack whether they can be notified: {error}."
        return f"They cannot be notified: {problem}." if problem else None

    async def _cannot_see(self, delivery: Delivery, request: ActionRequest) -> str | None:
        """The refusal for a person from another workspace, or outside the private channel. None for all others."""
        try:
            if await self._member_problem(delivery.workspace_id, request.actor):
                return ONLY_MEMBERS
            return None if request.sees_message or await self._can_see_channel(delivery, request.actor) else DELETED
        except TransientError:
            return TRY_AGAIN
        except PermanentError as error:
            return f"The app cannot check in Slack who you are: {error}."

    async def _can_see_channel(self, delivery: Delivery, actor: str) -> bool:
        """
        Whether one of the delivery's messages is in a public channel, or in a private one that `actor` is a member of.

        True, too, if Slack refuses to say who is in the channel, or has not confirmed any message: then the signature
        of the button has to be enough.
        Raises TransientError.
        """
        posts = await self.database.run(actions.posts_of, delivery.workspace_id, delivery.id)
        channel_ids = sorted({post.channel for post in posts if post.channel})
        for channel_id in channel_ids:
            try:
                is_private = await self._is_private(delivery.workspace_id, channel_id)
                if not is_private or await self.slack.is_in_channel(delivery.workspace_id, channel_id, actor):
                    return True
            except PermanentError as error:
                log.warning("members of a channel of workspace %s cannot be read: %s", delivery.workspace_id, error)
                return True
        return not channel_ids

    async def _is_private(self, workspace_id: str, channel_id: str) -> bool:
        """Slack allows about 50 of these calls a minute, and channels rarely become private."""
        until, is_private = self.privacy.get((workspace_id, channel_id), (0, False))
        if self.now() >= until:
            channel = await self.slack.channel(workspace_id, channel_id)
            is_private = channel is not None and channel.is_private
            self.privacy[workspace_id, channel_id] = (self.now() + PRIVACY_MS, is_private)
        return is_private

    async def _member_problem(self, workspace_id: str, user_id: str) -> str | None:
        """Why this user can neither be notified nor take anything. Raises TransientError and PermanentError."""
        user = await self.slack.user(workspace_id, user_id)
        if user is None:
            return "they do not exist in Slack"
        problem = member_of(user).problem
        return _PROBLEMS.get(problem, "they are not a member of this workspace") if problem else None
