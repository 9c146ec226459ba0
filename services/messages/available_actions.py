"""What somebody may do about a delivery, and what they read when they may not. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from domain.delivery import Delivery
from domain.job_change.model import JobChange
from domain.states import HandlingState, Role, is_person
from services.messages.wording import slack_time

MOST_IN_A_MENU = 5
"""https://docs.slack.dev/reference/block-kit/block-elements/overflow-menu-element"""

FAULTS = {
    "not_moved": "Did not change jobs",
    "wrong_person": "Not the person we know",
    "wrong_job": "Wrong company or title",
    "old_news": "Old news",
    "other": "Something else",
}
"""What may be wrong with the data of a job change."""

DELETED = "This job change is not kept any more, so there is nothing left to do about it."
ERASED = "This message is too old to act on: what it told of has been erased since. Nothing was changed."
NOT_YOURS = "This was told to somebody else, so only they can do that."


class ActionKind(StrEnum):
    """What can be done about a delivery."""

    TAKE = "take"
    REASSIGN = "hand_on"
    SNOOZE = "later"
    WRONG_DATA = "wrong_data"
    WHY = "why"
    MUTE = "mute"


@dataclass(frozen=True)
class MessageAction:
    """Something to press. *is_primary*: what most will want."""

    kind: ActionKind
    label: str
    is_primary: bool = False


@dataclass(frozen=True)
class AvailableActions:
    """*buttons* stand in the message, *menu* behind the three dots beside them."""

    buttons: tuple[MessageAction, ...]
    menu: tuple[MessageAction, ...]

    @property
    def in_one_menu(self) -> tuple[MessageAction, ...]:
        """Where there is no room for buttons. What does not fit is offered in the answer to *Why me?*, too."""
        return (*self.buttons, *self.menu)[:MOST_IN_A_MENU]


_WRONG_DATA = MessageAction(ActionKind.WRONG_DATA, "Wrong data…")
_WHY_ME = MessageAction(ActionKind.WHY, "Why me?")
_WHY_HERE = MessageAction(ActionKind.WHY, "Why here?")
_MUTE = MessageAction(ActionKind.MUTE, "Mute messages like this…")
_NOT_MINE = MessageAction(ActionKind.REASSIGN, "Not mine…")
_SNOOZE = MessageAction(ActionKind.SNOOZE, "Later…")


def available_actions(role: str, state: str, *, in_person: bool) -> AvailableActions:
    """What the message of a delivery in this *state* offers."""
    if in_person:
        menu = (_WHY_ME, _WRONG_DATA, _MUTE)
        if state == HandlingState.OPEN:
            return AvailableActions(
                (MessageAction(ActionKind.TAKE, "I'm on it", is_primary=True), _NOT_MINE), (_SNOOZE, *menu)
            )
        return (
            AvailableActions((_NOT_MINE,), (_SNOOZE, *menu))
            if state == HandlingState.TAKEN
            else AvailableActions((), menu)
        )
    if role == Role.COPY:
        return AvailableActions((), (_WHY_HERE, _WRONG_DATA))
    if state == HandlingState.OPEN:
        give = MessageAction(ActionKind.REASSIGN, "Give to a colleague…")
        return AvailableActions(
            (MessageAction(ActionKind.TAKE, "Claim", is_primary=True),), (give, _WHY_HERE, _WRONG_DATA)
        )
    return AvailableActions((_NOT_MINE,) if state == HandlingState.TAKEN else (), (_WHY_HERE, _WRONG_DATA))


def refusal(delivery: Delivery | None, verb: ActionKind, actor: str) -> str | None:
    """Why *actor* may not do this now, in mrkdwn; None: they may."""
    if delivery is None:
        return DELETED
    in_person = is_person(delivery.destination)
    if in_person and delivery.destination != actor:
        return NOT_YOURS
    if delivery.payload is None:
        return ERASED
    if verb in {ActionKind.WHY, ActionKind.WRONG_DATA} or (verb is ActionKind.MUTE and in_person):
        return None
    if delivery.role == Role.COPY or (verb in {ActionKind.SNOOZE, ActionKind.MUTE} and not in_person):
        return "This was told to the channel, not to you, so you cannot do that here."
    return _spoken_for(delivery, verb, actor)


def _spoken_for(delivery: Delivery, verb: ActionKind, actor: str) -> str | None:
    """What somebody has made of it already, where that leaves nothing to do."""
    if delivery.state == HandlingState.OPEN or delivery.at is None:
        return None
    mine, when = delivery.actor == actor, slack_time(delivery.at)
    who = "You" if mine else f"<@{delivery.actor}>"
    if delivery.state == HandlingState.REASSIGNED:
        return f"{who} gave it to <@{delivery.given_to}> · {when}. Nothing was changed."
    if delivery.state != HandlingState.TAKEN:
        return f"{who} gave it back to the channel · {when}. Nothing was changed."
    if not mine:
        return f"{who} is on it · {when}. Nothing was changed."
    return f"You are on it already · {when}." if verb is ActionKind.TAKE else None


LONGEST_COMMENT = 300
"""Characters that somebody may write about it."""


@dataclass(frozen=True)
class ActionableDelivery:
    """A delivery that somebody may act on, and what it tells of. *unmutable*: what nobody in the workspace may mute."""

    delivery: Delivery
    job_change: JobChange
    muted: frozenset[str] = frozenset()
    unmutable: frozenset[str] = frozenset()
