"""The actions that a message offers, and the refusals."""

from __future__ import annotations

from itertools import product

import pytest

from domain.delivery import Delivery
from domain.states import HandlingState, Role
from services.messages.available_actions import (
    CHANNEL_ONLY,
    DELETED,
    ERASED,
    MOST_IN_A_MENU,
    NOT_FINISHED,
    NOT_YOURS,
    ActionKind,
    available_actions,
    claimed_actions,
    refusal,
)

STATES = tuple(HandlingState)


def delivery(destination="U1", role=Role.DRI, state=HandlingState.OPEN, actor=None, **changes):
    values = {"reasons": (), "side": None, "payload": "{}", "decision": None, "at": 1 if actor else None}
    who = {"given_to": "U3" if state == HandlingState.REASSIGNED else None, "actor": actor}
    given = {"id": 7, "workspace_id": "T1", "job_change_id": "jc", "destination": destination, "role": role}
    return Delivery(**given | values | {"state": state} | who | changes)


@pytest.mark.parametrize(
    ("role", "state", "in_person"),
    [*product((Role.DRI, Role.FALLBACK, Role.CHANNEL, Role.COPY), STATES, (True, False))],
)
def test_the_buttons_fit_into_one_line_on_a_phone(role, state, in_person):
    """At most two buttons, at most one of them green, and a menu that Slack accepts."""
    actions = available_actions(role, state, in_person=in_person)

    assert len(actions.buttons) <= 2
    assert sum(action.is_primary for action in actions.buttons) <= 1
    assert bool(actions.buttons and actions.buttons[0].kind is ActionKind.TAKE) == (
        state == HandlingState.OPEN and role != Role.COPY
    )
    assert 1 <= len(actions.menu) <= MOST_IN_A_MENU
    assert 1 <= len(actions.in_one_menu) <= MOST_IN_A_MENU


@pytest.mark.parametrize(("role", "state", "in_person"), [*product((Role.DRI, Role.FALLBACK), STATES, (True, False))])
def test_an_offered_action_is_not_refused(role, state, in_person):
    """Neither to the reader of a direct message, nor to anybody in a channel, nor in Home to who claimed it there."""
    for actor in ("U1", "U2"):
        actions = available_actions(role, state, in_person=in_person, is_own=actor == "U1")
        on_screen = delivery("U1" if in_person else "C1", role, state, None if state == HandlingState.OPEN else actor)

        for action in (*actions.buttons, *actions.menu):
            assert refusal(on_screen, action.kind, "U1") is None


@pytest.mark.parametrize("state", [HandlingState.TAKEN, HandlingState.DONE, HandlingState.NOT_RELEVANT])
def test_home_offers_what_the_person_who_claimed_it_may_do(state):
    """The channel cannot, because everybody there sees the same buttons."""
    actions, claimed = claimed_actions(state), delivery("C1", Role.FALLBACK, state, "U1")

    assert [refusal(claimed, action.kind, "U1") for action in (*actions.buttons, *actions.menu)] == [None] * (
        len(actions.buttons) + len(actions.menu)
    )
    assert actions.buttons[0].kind is (ActionKind.DONE if state == HandlingState.TAKEN else ActionKind.REOPEN)


@pytest.mark.parametrize(
    ("target", "kind", "text"),
    [
        (None, ActionKind.TAKE, DELETED),
        (delivery("U2"), ActionKind.WHY, NOT_YOURS),
        (delivery("U2", payload=None), ActionKind.WHY, NOT_YOURS),
        (delivery(payload=None), ActionKind.WHY, ERASED),
        (delivery("C1", Role.FALLBACK, payload=None), ActionKind.TAKE, ERASED),
        (
            delivery("C1", Role.COPY),
            ActionKind.TAKE,
            CHANNEL_ONLY,
        ),
        (
            delivery("C1", Role.FALLBACK),
            ActionKind.MUTE,
            CHANNEL_ONLY,
        ),
        (
            delivery("C1", Role.FALLBACK, HandlingState.TAKEN, "U2"),
            ActionKind.REASSIGN,
            "<@U2> is on it · {then}. Nothing was changed.",
        ),
        (delivery("C1", Role.FALLBACK, HandlingState.TAKEN, "U1"), ActionKind.TAKE, "You're already on it · {then}."),
        (
            delivery("U1", Role.DRI, HandlingState.DONE, "U2"),
            ActionKind.TAKE,
            "<@U2> marked it as done · {then}. Nothing was changed.",
        ),
        (
            delivery("U1", Role.DRI, HandlingState.NOT_RELEVANT, "U1"),
            ActionKind.TAKE,
            "You marked it as not relevant · {then}. Nothing was changed.",
        ),
        (delivery("U1"), ActionKind.REOPEN, NOT_FINISHED),
        (
            delivery("C1", Role.FALLBACK, HandlingState.REASSIGNED, "U2"),
            ActionKind.TAKE,
            "<@U2> reassigned it to <@U3> · {then}. Nothing was changed.",
        ),
        (
            delivery("U1", Role.DRI, HandlingState.REASSIGNED, "U1"),
            ActionKind.SNOOZE,
            "You reassigned it to <@U3> · {then}. Nothing was changed.",
        ),
        (
            delivery("U1", Role.DRI, HandlingState.RETURNED, "U1"),
            ActionKind.TAKE,
            "You returned it to the channel · {then}. Nothing was changed.",
        ),
    ],
)
def test_a_refusal_says_why(target, kind, text):
    """It also says what happened instead."""
    then = "<!date^0^{date_short_pretty} at {time}|1 Jan 1970, 00:00 UTC>"

    assert refusal(target, kind, "U1") == text.replace("{then}", then)


def test_a_person_who_is_on_it_can_snooze_it():
    """They may want a reminder."""
    assert refusal(delivery("U1", Role.DRI, HandlingState.TAKEN, "U1"), ActionKind.SNOOZE, "U1") is None
