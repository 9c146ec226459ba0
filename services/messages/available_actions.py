"""The actions that a message offers, and why a person may not take one of them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from domain.delivery import Delivery
from domain.job_change.model import JobChange
from domain.states import FINISHED, HELD, HandlingState, Role, is_person
from services.messages.wording import slack_time

MOST_IN_A_MENU = 5
"""https://docs.slack.dev/reference/block-kit/block-elements/overflow-menu-element"""

WRONG_DATA_KINDS = {
    "not_moved": "Did not change jobs",
    "wrong_person": "Wrong person",
    "wrong_job": "Wrong company or title",
    "old_news": "Out of date",
    "other": "Something else",
}
"""What a person can report as wrong data, with its label."""

LONGEST_COMMENT = 300
"""Characters."""

DELETED = "This job change has been deleted, so no action is possible."
NOT_FINISHED = "It is open. Nothing was changed."
ERASED = "This message is too old to act on: its job change has been erased. Nothing was changed."
NOT_YOURS = "This message was sent to someone else, so only they can do that."
CHANNEL_ONLY = "This message was sent to the channel, not to you, so you cannot do that here."


class ActionKind(StrEnum):
    """The values are in the buttons of messages that were sent long ago, so they must not change."""

    TAKE = "take"
    REASSIGN = "hand_on"
    SNOOZE = "later"
    WRONG_DATA = "wrong_data"
    WHY = "why"
    MUTE = "mute"
    DONE = "done"
    NOT_RELEVANT = "not_relevant"
    REOPEN = "reopen"


@dataclass(frozen=True)
class MessageAction:
    """A button or an entry of a menu. At most one action of a message is primary."""

    kind: ActionKind
    label: str
    is_primary: bool = False


@dataclass(frozen=True)
class AvailableActions:
    """The actions of a message: as buttons, and in the overflow menu next to them."""

    buttons: tuple[MessageAction, ...]
    menu: tuple[MessageAction, ...]

    @property
    def in_one_menu(self) -> tuple[MessageAction, ...]:
        """The actions of a message without room for buttons. The *Why me?* dialog has the actions that do not fit."""
        return (*self.buttons, *self.menu)[:MOST_IN_A_MENU]


@dataclass(frozen=True)
class ActionableDelivery:
    """A delivery that a person may act on. `muted` and `required` are only filled for the dialogs that show them."""

    delivery: Delivery
    job_change: JobChange
    muted: frozenset[str] = frozenset()
    required: frozenset[str] = frozenset()


_WRONG_DATA = MessageAction(ActionKind.WRONG_DATA, "Wrong data…")
_WHY_ME = MessageAction(ActionKind.WHY, "Why me?")
_WHY_HERE = MessageAction(ActionKind.WHY, "Why here?")
_MUTE = MessageAction(ActionKind.MUTE, "Mute messages like this…")
_NOT_MINE = MessageAction(ActionKind.REASSIGN, "Not mine…")
_REASSIGN = MessageAction(ActionKind.REASSIGN, "Reassign…")
_SNOOZE = MessageAction(ActionKind.SNOOZE, "Snooze…")
_TAKE = MessageAction(ActionKind.TAKE, "I'm on it", is_primary=True)
_CLAIM = MessageAction(ActionKind.TAKE, "Claim", is_primary=True)
_DONE = MessageAction(ActionKind.DONE, "Done", is_primary=True)
_NOT_RELEVANT = MessageAction(ActionKind.NOT_RELEVANT, "Not relevant")
_REOPEN = MessageAction(ActionKind.REOPEN, "Reopen")


def available_actions(role: str, state: str, *, in_person: bool, is_own: bool = True) -> AvailableActions:
    """
    What everybody who sees the message may do, so that a channel offers nothing that only one person may.

    `state` is the HandlingState of the delivery. `in_person` is true for a direct message and in Home; `is_own` then
    says whether the reader themselves brought it into that state.
    """
    why = _WHY_ME if in_person else _WHY_HERE
    if not in_person:
        menu: tuple[MessageAction, ...] = (why, _WRONG_DATA)
        if role == Role.COPY or state != HandlingState.OPEN:
            return AvailableActions((), menu)
        return AvailableActions((_CLAIM,), (_REASSIGN, _NOT_RELEVANT, *menu))
    menu = (why, _WRONG_DATA, _MUTE)
    if role == Role.COPY:
        return AvailableActions((), menu)
    if state == HandlingState.OPEN:
        return AvailableActions((_TAKE, _NOT_MINE), (_SNOOZE, _NOT_RELEVANT, *menu))
    if state == HandlingState.TAKEN and is_own:
        return AvailableActions((_DONE, _NOT_MINE), (_SNOOZE, _NOT_RELEVANT, *menu))
    return AvailableActions((_REOPEN,) if state in FINISHED and is_own else (), menu)


def claimed_actions(state: str) -> AvailableActions:
    """What Home offers the person who claimed a job change in a channel."""
    if state in FINISHED:
        return AvailableActions((_REOPEN,), (_WRONG_DATA, _WHY_HERE))
    return AvailableActions((_DONE, _NOT_MINE), (_NOT_RELEVANT, _WRONG_DATA, _WHY_HERE))


def refusal(delivery: Delivery | None, kind: ActionKind, actor: str) -> str | None:
    """Why `actor` may not do this now, in mrkdwn. None means that they may."""
    if delivery is None:
        return DELETED
    in_person = is_person(delivery.destination)
    if in_person and delivery.destination != actor:
        return NOT_YOURS
    if delivery.payload is None:
        return ERASED
    if kind in {ActionKind.WHY, ActionKind.WRONG_DATA} or (kind is ActionKind.MUTE and in_person):
        return None
    if delivery.role == Role.COPY or (kind in {ActionKind.SNOOZE, ActionKind.MUTE} and not in_person):
        return CHANNEL_ONLY
    return _refusal_in_state(delivery, kind, actor)


_STILL_POSSIBLE = {
    HandlingState.TAKEN: {ActionKind.DONE, ActionKind.NOT_RELEVANT, ActionKind.REASSIGN, ActionKind.SNOOZE},
    HandlingState.DONE: {ActionKind.NOT_RELEVANT, ActionKind.REOPEN},
    HandlingState.NOT_RELEVANT: {ActionKind.DONE, ActionKind.REOPEN},
}
"""What the person who is on it or has finished it may still do."""


def _refusal_in_state(delivery: Delivery, kind: ActionKind, actor: str) -> str | None:
    if delivery.state == HandlingState.OPEN:
        return NOT_FINISHED if kind is ActionKind.REOPEN else None
    if delivery.state in HELD and delivery.actor == actor and kind in _STILL_POSSIBLE[HandlingState(delivery.state)]:
        return None
    is_own, time = delivery.actor == actor, slack_time(delivery.at or 0)
    name = "You" if is_own else f"<@{delivery.actor}>"
    if delivery.state == HandlingState.TAKEN:
        return f"You're already on it · {time}." if is_own else f"{name} is on it · {time}. Nothing was changed."
    if delivery.state == HandlingState.REASSIGNED:
        return f"{name} reassigned it to <@{delivery.given_to}> · {time}. Nothing was changed."
    if delivery.state in FINISHED:
        result = "done" if delivery.state == HandlingState.DONE else "not relevant"
        return f"{name} marked it as {result} · {time}. Nothing was changed."
    return f"{name} returned it to the channel · {time}. Nothing was changed."
