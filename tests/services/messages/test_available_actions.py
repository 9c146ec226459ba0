"""What is actions, and what is refused with which words."""

from __future__ import annotations

from itertools import product

import pytest

from domain.delivery import Delivery
from domain.states import HandlingState, Role
from services.messages.available_actions import (
    DELETED,
    ERASED,
    MOST_IN_A_MENU,
    NOT_YOURS,
    ActionKind,
    available_actions,
    refusal,
)

STATES = (HandlingState.OPEN, HandlingState.TAKEN, HandlingState.REASSIGNED, HandlingState.RETURNED)


def delivery(destination="U1", role=Role.DRI, state=HandlingState.OPEN, actor=None, **changes):
    values = {"reason": "", "side": None, "payload": "{}", "decision": None, "at": 1 if actor else None}
    who = {"given_to": "U3" if state == HandlingState.REASSIGNED else None, "actor": actor}
    given = {"id": 7, "workspace_id": "T1", "job_change_id": "jc", "destination": destination, "role": role}
    return Delivery(**given | values | {"state": state} | who | changes)


@pytest.mark.parametrize(
    ("role", "state", "in_person"),
    [*product((Role.DRI, Role.FALLBACK, Role.CHANNEL, Role.COPY), STATES, (True, False))],
)
def test_a_phone_shows_one_line_of_buttons(role, state, in_person):
    """Two at most, one of them green, and a menu that Slack takes."""
    actions = available_actions(role, state, in_person=in_person)

    assert len(actions.buttons) <= 2
    assert sum(action.is_primary for action in actions.buttons) == (
        state == HandlingState.OPEN and (in_person or role != Role.COPY)
    )
    assert 1 <= len(actions.menu) <= MOST_IN_A_MENU
    assert 1 <= len(actions.in_one_menu) <= MOST_IN_A_MENU


@pytest.mark.parametrize(("role", "state", "in_person"), [*product((Role.DRI, Role.FALLBACK), STATES, (True, False))])
def test_what_is_offered_is_not_refused(role, state, in_person):
    """To whom it is about: the reader of a direct message, or who acted on it in the channel."""
    actions = available_actions(role, state, in_person=in_person)
    found = delivery("U1" if in_person else "C1", role, state, None if state == HandlingState.OPEN else "U1")

    assert [refusal(found, action.kind, "U1") for action in (*actions.buttons, *actions.menu)] == [None] * (
        len(actions.buttons) + len(actions.menu)
    )


@pytest.mark.parametrize(
    ("found", "verb", "said"),
    [
        (None, ActionKind.TAKE, DELETED),
        (delivery("U2"), ActionKind.WHY, NOT_YOURS),
        (delivery("U2", payload=None), ActionKind.WHY, NOT_YOURS),
        (delivery(payload=None), ActionKind.WHY, ERASED),
        (delivery("C1", Role.FALLBACK, payload=None), ActionKind.TAKE, ERASED),
        (
            delivery("C1", Role.COPY),
            ActionKind.TAKE,
            "This was told to the channel, not to you, so you cannot do that here.",
        ),
        (
            delivery("C1", Role.FALLBACK),
            ActionKind.MUTE,
            "This was told to the channel, not to you, so you cannot do that here.",
        ),
        (
            delivery("C1", Role.FALLBACK, HandlingState.TAKEN, "U2"),
            ActionKind.REASSIGN,
            "<@U2> is on it · {then}. Nothing was changed.",
        ),
        (delivery("C1", Role.FALLBACK, HandlingState.TAKEN, "U1"), ActionKind.TAKE, "You are on it already · {then}."),
        (
            delivery("C1", Role.FALLBACK, HandlingState.REASSIGNED, "U2"),
            ActionKind.TAKE,
            "<@U2> gave it to <@U3> · {then}. Nothing was changed.",
        ),
        (
            delivery("U1", Role.DRI, HandlingState.REASSIGNED, "U1"),
            ActionKind.SNOOZE,
            "You gave it to <@U3> · {then}. Nothing was changed.",
        ),
        (
            delivery("U1", Role.DRI, HandlingState.RETURNED, "U1"),
            ActionKind.TAKE,
            "You gave it back to the channel · {then}. Nothing was changed.",
        ),
    ],
)
def test_who_may_not_reads_why(found, verb, said):
    """Short, and what has become of it instead."""
    then = "<!date^0^{date_short_pretty} at {time}|1970-01-01 00:00 UTC>"

    assert refusal(found, verb, "U1") == said.replace("{then}", then)


def test_later_is_refused_to_nobody_who_is_on_it():
    """On it, and reminded: that is no contradiction."""
    assert refusal(delivery("U1", Role.DRI, HandlingState.TAKEN, "U1"), ActionKind.SNOOZE, "U1") is None
