"""What is offered, and what is refused with which words."""

from __future__ import annotations

from itertools import product

import pytest

from domain.delivery import Delivery
from domain.states import HandlingState, Role
from services.messages.available_actions import ERASED, MOST_IN_A_MENU, NOT_KEPT, NOT_YOURS, Verb, offers, refusal

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
    offered = offers(role, state, in_person=in_person)

    assert len(offered.buttons) <= 2
    assert sum(offer.is_primary for offer in offered.buttons) == (
        state == HandlingState.OPEN and (in_person or role != Role.COPY)
    )
    assert 1 <= len(offered.menu) <= MOST_IN_A_MENU
    assert 1 <= len(offered.in_one_menu) <= MOST_IN_A_MENU


@pytest.mark.parametrize(("role", "state", "in_person"), [*product((Role.DRI, Role.FALLBACK), STATES, (True, False))])
def test_what_is_offered_is_not_refused(role, state, in_person):
    """To whom it is about: the reader of a direct message, or who acted on it in the channel."""
    offered = offers(role, state, in_person=in_person)
    found = delivery("U1" if in_person else "C1", role, state, None if state == HandlingState.OPEN else "U1")

    assert [refusal(found, offer.verb, "U1") for offer in (*offered.buttons, *offered.menu)] == [None] * (
        len(offered.buttons) + len(offered.menu)
    )


@pytest.mark.parametrize(
    ("found", "verb", "said"),
    [
        (None, Verb.TAKE, NOT_KEPT),
        (delivery("U2"), Verb.WHY, NOT_YOURS),
        (delivery("U2", payload=None), Verb.WHY, NOT_YOURS),
        (delivery(payload=None), Verb.WHY, ERASED),
        (delivery("C1", Role.FALLBACK, payload=None), Verb.TAKE, ERASED),
        (delivery("C1", Role.COPY), Verb.TAKE, "This was told to the channel, not to you, so you cannot do that here."),
        (
            delivery("C1", Role.FALLBACK),
            Verb.MUTE,
            "This was told to the channel, not to you, so you cannot do that here.",
        ),
        (
            delivery("C1", Role.FALLBACK, HandlingState.TAKEN, "U2"),
            Verb.HAND_ON,
            "<@U2> is on it · {then}. Nothing was changed.",
        ),
        (delivery("C1", Role.FALLBACK, HandlingState.TAKEN, "U1"), Verb.TAKE, "You are on it already · {then}."),
        (
            delivery("C1", Role.FALLBACK, HandlingState.REASSIGNED, "U2"),
            Verb.TAKE,
            "<@U2> gave it to <@U3> · {then}. Nothing was changed.",
        ),
        (
            delivery("U1", Role.DRI, HandlingState.REASSIGNED, "U1"),
            Verb.LATER,
            "You gave it to <@U3> · {then}. Nothing was changed.",
        ),
        (
            delivery("U1", Role.DRI, HandlingState.RETURNED, "U1"),
            Verb.TAKE,
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
    assert refusal(delivery("U1", Role.DRI, HandlingState.TAKEN, "U1"), Verb.LATER, "U1") is None
