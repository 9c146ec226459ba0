"""What people do about what they were told, each checked against our rows, done once, and traced."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from domain.delivery import Delivery, NewDelivery
from domain.errors import PermanentError, TransientError
from domain.job_change.model import JobChange
from domain.people import BOT, DEACTIVATED, GUEST, STRANGER
from domain.states import DEFAULT_CHANNEL, Role, is_person
from services.messages.available_actions import ERASED, LONGEST_COMMENT, ActionableDelivery, ActionKind, refusal
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

CANNOT_BE_MUTED = "Your admins want everybody to hear about these, so they cannot be muted."
ONLY_MEMBERS = "Only members of this workspace can do that."
TRY_AGAIN = "Slack did not answer just now, so nothing was changed. Please try again in a minute."
_NOTED = {
    RedrawResult.NOW: None,
    RedrawResult.LATER: "Noted: the message will show it in a moment.",
    RedrawResult.NEVER: "Noted, though a message of it cannot be changed any more.",
}
_PROBLEMS = {
    DEACTIVATED: "that account is deactivated",
    BOT: "that is an app",
    GUEST: "guests are not told of job changes",
    STRANGER: "they belong to another workspace",
}


@dataclass(frozen=True)
class ActionResult:
    """
    What came of it. *text*: what the person reads, in mrkdwn; None: the message itself shows it.

    *job_change_id*: whose messages are to be drawn again, see `Acting.show`; None: nothing has changed.
    *can_choose_again*: it was what they chose that cannot be; *text* then is plain.
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
    Who presses is who Slack says, in a request that it signed; whether they may is read from our rows, each time.

    Every method takes the workspace, the delivery and the Slack user who acts. The first who takes something has it.
    """

    database: Database
    slack: Slack
    redrawer: Redrawer
    now: Callable[[], int]

    async def find(self, workspace_id: str, delivery_id: int, actor: str, verb: ActionKind) -> ActionableDelivery | str:
        """The delivery, if *actor* may do this to it; else why not, in mrkdwn."""
        delivery = await self.database.run(actions.find, workspace_id, delivery_id)
        refused = refusal(delivery, verb, actor)
        if refused is not None or delivery is None:
            return refused or ""
        change = JobChange.if_readable(delivery.payload)
        if change is None:
            return ERASED
        if not is_person(delivery.destination) and (stranger := await self._is_stranger(workspace_id, actor)):
            return stranger
        if verb not in {ActionKind.MUTE, ActionKind.WHY}:
            return ActionableDelivery(delivery, change)
        muted = await self.database.run(muting.muted, workspace_id, actor, self.now())
        return ActionableDelivery(delivery, change, muted, await self.database.run(muting.required, workspace_id))

    async def take(self, workspace_id: str, delivery_id: int, actor: str) -> ActionResult:
        """*actor* is on it; in a channel, the first one is."""
        reached = await self.find(workspace_id, delivery_id, actor, ActionKind.TAKE)
        if isinstance(reached, str):
            return ActionResult(reached)
        if await self.database.run(actions.take, reached.delivery, actor, self.now()):
            return ActionResult(job_change_id=reached.delivery.job_change_id)
        return await self._too_late(reached.delivery, actor, ActionKind.TAKE)

    async def reassign(
        self, workspace_id: str, delivery_id: int, actor: str, to: str | None, words: str
    ) -> ActionResult:
        """Give it to the Slack user *to*, or (None) back to the channel; *words*: why, for whoever gets it."""
        reached = await self.find(workspace_id, delivery_id, actor, ActionKind.REASSIGN)
        if isinstance(reached, str):
            return ActionResult(reached)
        if problem := await self._cannot_get_it(reached.delivery, actor, to):
            return ActionResult(problem, can_choose_again=True)
        name = await self._name(workspace_id, actor)
        delivery, said = reached.delivery, f": “{words.strip()[:LONGEST_COMMENT]}”" if words.strip() else "."
        if to is None:
            channel = await self._channel_of(reached) if is_person(delivery.destination) else delivery.destination
            new = _promise(delivery, channel, Role.FALLBACK, f"{name} says that it is not theirs{said}")
            handed_on = await self.database.run(actions.return_to_channel, delivery, actor, new, self.now())
        else:
            new = _promise(delivery, to, Role.DRI, f"{name} gave it to you{said}")
            handed_on = await self.database.run(actions.reassign, delivery, actor, to, new, self.now())
        if handed_on:
            return ActionResult(job_change_id=delivery.job_change_id)
        return await self._too_late(delivery, actor, ActionKind.REASSIGN)

    async def snooze(self, workspace_id: str, delivery_id: int, actor: str, when: SnoozeOption) -> ActionResult:
        """It comes back in the morning, by *actor*'s clock; later where their preferences would keep it then."""
        reached = await self.find(workspace_id, delivery_id, actor, ActionKind.SNOOZE)
        if isinstance(reached, str):
            return ActionResult(reached)
        try:
            user = await self.slack.user(workspace_id, actor)
        except TransientError:
            return ActionResult(TRY_AGAIN)
        except PermanentError:
            user = None  # we may not know where they are: then it is UTC
        due_at = snooze_ends_at(when, self.now(), user.tz if user else None)
        hours = await self.database.run(member_preferences.find, workspace_id, actor)
        back_at = hours.held_until(due_at, due_at)
        await self.database.run(actions.snooze, reached.delivery, actor, back_at, self.now())
        return ActionResult(job_change_id=reached.delivery.job_change_id)

    async def report(self, workspace_id: str, delivery_id: int, actor: str, fault: str, words: str) -> ActionResult:
        """Something is wrong with it: one of FAULTS, and *words* of their own."""
        reached = await self.find(workspace_id, delivery_id, actor, ActionKind.WRONG_DATA)
        if isinstance(reached, str):
            return ActionResult(reached)
        said = words.strip()[:LONGEST_COMMENT] or None
        await self.database.run(actions.report, reached.delivery, actor, fault, said, self.now())
        return ActionResult(job_change_id=reached.delivery.job_change_id)

    async def mute(
        self, workspace_id: str, delivery_id: int, actor: str, what: str, *, muted: bool = True
    ) -> ActionableDelivery | str:
        """
        *actor* is not told of such job changes any more, or (*muted* False) is again; else why not.

        *what*: the signal or the change type of this one.
        """
        reached = await self.find(workspace_id, delivery_id, actor, ActionKind.MUTE)
        if isinstance(reached, str):
            return reached
        if what not in {reached.job_change.signal, reached.job_change.change_type}:
            return "That cannot be muted from this message."
        if muted and what in reached.unmutable:
            return CANNOT_BE_MUTED
        turn = muting.mute if muted else muting.unmute
        await self.database.run(turn, reached.delivery, actor, what, self.now())
        return await self.find(workspace_id, delivery_id, actor, ActionKind.MUTE)

    async def update_messages(self, acted: ActionResult) -> str | None:
        """Draw every message of it anew; what the person reads, in mrkdwn, where the messages do not say it all."""
        if acted.job_change_id is None:
            return acted.text
        try:
            return _NOTED[await self.redrawer.redraw(acted.job_change_id)]
        except DatabaseUnavailableError:
            return _NOTED[RedrawResult.LATER]

    async def catch_up(self) -> bool:
        """A bit of what is due: bring back what was put off until now, or draw what could not be drawn before."""
        return await self.database.run(actions.resume_snoozed, self.now()) or await self.redrawer.catch_up()

    async def _channel_of(self, reached: ActionableDelivery) -> str:
        """Where job changes of this signal are read that have no DRI."""
        workspace = await self.database.run(workspaces.find, reached.delivery.workspace_id)
        return workspace.channel_of(reached.job_change.signal) if workspace else DEFAULT_CHANNEL

    async def _too_late(self, delivery: Delivery, actor: str, verb: ActionKind) -> ActionResult:
        """Somebody was faster, or the same person pressed twice."""
        now = await self.database.run(actions.find, delivery.workspace_id, delivery.id)
        return ActionResult(refusal(now, verb, actor) or TRY_AGAIN)

    async def _cannot_get_it(self, delivery: Delivery, actor: str, to: str | None) -> str | None:
        if to is None:
            may_go_back = is_person(delivery.destination) or delivery.actor == actor
            return None if may_go_back else "It is in the channel already. Choose a colleague to give it to."
        if to == actor:
            return "That is you. Choose a colleague, or nobody to give it back to the channel."
        try:
            problem = await self._problem(delivery.workspace_id, to)
        except TransientError:
            return TRY_AGAIN
        except PermanentError as error:
            return f"Slack does not let us look whether they can be told: {error}."
        return f"They cannot be told: {problem}." if problem else None

    async def _is_stranger(self, workspace_id: str, actor: str) -> str | None:
        """What somebody reads who looks at a channel of this workspace from outside; None: they are of it."""
        try:
            return ONLY_MEMBERS if await self._problem(workspace_id, actor) else None
        except TransientError:
            return TRY_AGAIN
        except PermanentError as error:
            return f"Slack does not let us look who you are: {error}."

    async def _problem(self, workspace_id: str, user_id: str) -> str | None:
        """Why this person can neither be told nor take anything; None: they can. Raises as Slack's methods do."""
        user = await self.slack.user(workspace_id, user_id)
        if user is None:
            return "Slack does not know them"
        problem = member_of(user, workspace_id).problem
        return _PROBLEMS.get(problem, "they are not a member of this workspace") if problem else None

    async def _name(self, workspace_id: str, user_id: str) -> str:
        user: SlackUser | None = None
        with suppress(TransientError, PermanentError):  # a nicety
            user = await self.slack.user(workspace_id, user_id)
        return (user and user.name) or "A colleague"


def _promise(delivery: Delivery, destination: str, role: Role, reason: str) -> NewDelivery:
    return NewDelivery(delivery.job_change_id, destination, role, reason, delivery.side)
