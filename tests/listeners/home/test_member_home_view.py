"""What My Home and its dialogs look like: within Slack's limits whatever is in them, and nothing foreign at work."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from domain.delivery import Handling, History, Snooze
from domain.job_change.model import JobChange
from domain.notification_hours import WEEKLY, HeldBack, NotificationHours
from domain.people import Absence
from domain.preferences import EVERYTHING
from domain.states import HandlingState
from listeners.home.app_home_view import home_view
from listeners.home.member_dialogs_view import (
    away_view,
    chosen_in,
    days_in,
    hours_in,
    lately_view,
    limits_view,
    mutes_view,
    not_me_view,
    offered_in,
    reading_view,
)
from listeners.home.member_home_view import mute_limits_blocks, my_blocks
from sandbox.slack.block_kit.blocks import check_view
from services.home.home_state import (
    A_PAGE,
    SHOWN_AT_ONCE,
    MemberHome,
    RecentDeliveries,
    RecentDelivery,
    SalesforceIdentity,
)
from services.home.member_home import MOST_OWNERS, known_as
from services.home.mute_options import ALL, CHANGES, SEGMENTS, SIGNALS
from tests.conftest import SOMEDAY
from tests.listeners.home.home_states import member_state, trouble_state
from tests.world import sample_job_change

NASTY = "<!channel> *b* `c` & " * 20


def told(number=1, history=None, name="Ada Smith", **changes):
    person = {"full_name": name, "emails": ["ada@initech.example"]}
    change = JobChange.parse(sample_job_change(person=person, **changes))
    return RecentDelivery(number, SOMEDAY, None, change, history or History())


FULL = MemberHome(
    user_id="U_MO",
    hours=NotificationHours(WEEKLY, 1_439, 6, 0, 1_439, True, "America/Argentina/ComodRivadavia"),
    waiting=HeldBack(12_345, SOMEDAY - 1, SOMEDAY + 1),
    lately=RecentDeliveries(tuple(told(number, name=NASTY[:300]) for number in range(SHOWN_AT_ONCE)), 0, True),
    muted=frozenset(ALL),
    unmutable=frozenset(ALL) - {EVERYTHING},
    absence=Absence(SOMEDAY, SOMEDAY + 1, "U_KIM"),
    known_as=tuple(
        SalesforceIdentity(f"{number}{NASTY[:240]}@x", NASTY[:200], "U_DANA") for number in range(MOST_OWNERS)
    ),
    denied=tuple(f"{number}{NASTY[:240]}@x" for number in range(40)),
    shown_at=SOMEDAY,
)
EMPTY = MemberHome(user_id="U_MO", shown_at=SOMEDAY)


@pytest.mark.parametrize("mine", [EMPTY, FULL])
def test_my_part_of_home_is_what_slack_takes_and_short(mine):
    """It shares a hundred blocks with all that admins see."""
    blocks = [*my_blocks(mine), *mute_limits_blocks(mine.unmutable)]

    assert check_view({"type": "home", "blocks": blocks}, "home") == []
    assert len(my_blocks(mine)) <= 16
    assert "<!channel>" not in str(blocks)


@pytest.mark.parametrize("state", [trouble_state("C1", ["U_DANA"]), member_state("C1")])
def test_it_fits_beside_everything_else(state):
    """A hundred blocks, and 250 KB: https://docs.slack.dev/reference/methods/views.publish"""
    view = home_view(replace(state, mine=FULL), "Saved.")

    assert check_view(view, "home") == []
    assert len(json.dumps(view).encode()) < 250_000


@pytest.mark.parametrize("mine", [EMPTY, FULL])
@pytest.mark.parametrize("view", [reading_view, mutes_view, away_view, not_me_view])
def test_every_dialog_is_what_slack_takes(view, mine):
    """With nothing in it, and with too much."""
    assert check_view(view(mine), "modal") == []


def test_a_page_of_what_came_is_what_slack_takes():
    """With a way to newer and to older ones; those that were erased have no reason any more."""
    full = RecentDeliveries(
        (*(told(number, name=NASTY[:300]) for number in range(A_PAGE)), RecentDelivery(99, SOMEDAY, None, None)),
        15,
        True,
    )

    for page in (full, RecentDeliveries(), RecentDeliveries(skipped=15)):
        assert check_view(lately_view(page, "U_MO"), "modal") == []
    assert str(lately_view(full, "U_MO")).count("Why me?") == A_PAGE


def test_the_limits_are_ticked_as_they_stand():
    """All of them fit."""
    view = limits_view(FULL.unmutable)

    assert check_view(view, "modal") == []
    assert offered_in(view) == SIGNALS.keys() | CHANGES.keys() | SEGMENTS.keys()


@pytest.mark.parametrize(
    ("history", "said"),
    [
        (History(), "⚪ Open"),
        (History(handled=(Handling(1, HandlingState.TAKEN, "U_MO", SOMEDAY, None),)), "✅ You are on it"),
        (History(handled=(Handling(2, HandlingState.TAKEN, "U_KIM", SOMEDAY, None),)), "✅ <@U_KIM> is on it"),
        (
            History(handled=(Handling(1, HandlingState.REASSIGNED, "U_MO", SOMEDAY, "U_KIM"),)),
            "↪️ You gave it to <@U_KIM>",
        ),
        (
            History(handled=(Handling(1, HandlingState.RETURNED, "U_MO", SOMEDAY, None),)),
            "↩️ You gave it back to the channel",
        ),
        (History(later=(Snooze(1, "U_MO", SOMEDAY, None),)), "⏰ Comes back <!date^"),
        (History(later=(Snooze(1, "U_MO", None, SOMEDAY),)), "⚪ Open"),
        (History(later=(Snooze(2, "U_KIM", SOMEDAY, None),)), "⚪ Open"),
    ],
)
def test_each_line_says_what_has_become_of_it(history, said):
    """By me, by somebody else who was told, or nothing yet."""
    mine = MemberHome(user_id="U_MO", lately=RecentDeliveries((told(history=history),)), shown_at=SOMEDAY)

    assert said in str(my_blocks(mine))


def test_what_is_on_its_way_is_not_said_to_be_kept():
    """Only preferences keep anything."""
    mine = MemberHome(user_id="U_MO", waiting=HeldBack(1, SOMEDAY, None), shown_at=SOMEDAY)

    assert "One job change waits for you and will be with you in a moment." in str(my_blocks(mine))


def test_nothing_filled_in_is_nothing_chosen():
    """As Slack sends a dialog whose fields are empty, or of an older version of it."""
    empty = {"state": {"values": {}}, "blocks": []}

    assert hours_in(empty) == NotificationHours()
    assert chosen_in(empty) == frozenset()
    assert days_in(empty) == (None, None)


def test_their_own_address_counts_unless_they_are_not_its_owner():
    """It is what owners are matched by, whether or not anybody asked lately."""
    known = [SalesforceIdentity("sales@acme.example", None, "U_DANA")]

    assert [each.owner for each in known_as("mo@acme.example", known, [])] == ["sales@acme.example", "mo@acme.example"]
    assert [each.owner for each in known_as("mo@acme.example", known, ["mo@acme.example"])] == ["sales@acme.example"]
    assert known_as(None, [], []) == ()
