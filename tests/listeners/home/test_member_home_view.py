"""A member's part of Home and its dialogs: within Slack's limits, and without live markup from outside."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from domain.delivery import Handling, History, Report, Snooze
from domain.job_change.model import JobChange
from domain.notification_hours import WEEKLY, HeldBack, NotificationHours
from domain.people import Absence
from domain.preferences import EVERYTHING
from domain.states import AssignedState, HandlingState
from listeners.home.app_home_view import home_view
from listeners.home.assigned_view import assigned_blocks, page_of
from listeners.home.member_dialogs_view import (
    ABSENCE_FORM,
    DELEGATE,
    FIRST,
    HOURS_FORM,
    LAST,
    MUTES_FORM,
    absence_view,
    chosen_options,
    entered_hours,
    hours_view,
    mutes_view,
    not_me_view,
    offered_options,
    required_notifications_view,
)
from listeners.home.member_home_view import preference_blocks
from sandbox.slack.block_kit.blocks import check_view
from services.home.home_state import (
    FILTERS,
    PAGE_SIZE,
    TO_DO,
    Assigned,
    AssignedJobChange,
    AssignedPage,
    HomeNotice,
    MemberHome,
    SalesforceIdentity,
)
from services.home.member_home import MOST_IDENTITIES, with_own_address
from services.home.mute_options import ALL, CHANGES, SEGMENTS, SIGNALS
from services.messages.wording import slack_time
from tests.conftest import SOMEDAY
from tests.listeners.home.home_states import member_state, trouble_state
from tests.world import sample_job_change

LIVE_MARKUP = "<!channel> *b* `c` & " * 20


def delivery(number=1, history=None, name="Ada Smith", **changes):
    person = {"full_name": name, "emails": ["ada@initech.example"]}
    change = JobChange.parse(sample_job_change(person=person, **changes))
    return AssignedJobChange(number, SOMEDAY, None, change, history=history or History(), channel="D1", ts="1.2")


FULL = MemberHome(
    user_id="U_MO",
    hours=NotificationHours(WEEKLY, 1_439, 6, 0, 1_439, True, "America/Argentina/ComodRivadavia"),
    held_back=HeldBack(12_345, SOMEDAY - 1, SOMEDAY + 1),
    assigned=Assigned(
        job_changes=tuple(delivery(number, name=LIVE_MARKUP[:300]) for number in range(PAGE_SIZE)),
        slack_url="https://acme.slack.com",
    ),
    muted=frozenset(ALL),
    required=frozenset(ALL) - {EVERYTHING},
    absence=Absence(SOMEDAY, SOMEDAY + 1, "U_KIM"),
    identities=tuple(
        SalesforceIdentity(f"{number}{LIVE_MARKUP[:240]}@x", LIVE_MARKUP[:200], "U_DANA")
        for number in range(MOST_IDENTITIES)
    ),
    not_me={f"{number}{LIVE_MARKUP[:240]}@x": LIVE_MARKUP for number in range(40)},
    shown_at=SOMEDAY,
)
EMPTY = MemberHome(user_id="U_MO", shown_at=SOMEDAY)


@pytest.mark.parametrize("member", [EMPTY, FULL])
def test_slack_accepts_the_members_part_of_home(member):
    """It is short, because it shares a hundred blocks with everything that admins see."""
    blocks = [*assigned_blocks(member), *preference_blocks(member)]

    assert check_view({"type": "home", "blocks": blocks}, "home") == []
    assert len(blocks) <= 21
    assert "<!channel>" not in str(blocks)


@pytest.mark.parametrize("state", [trouble_state("C1", ["U_DANA"]), member_state("C1")])
def test_the_whole_home_stays_within_slacks_limits(state):
    """A Home has at most a hundred blocks and 250 KB: https://docs.slack.dev/reference/methods/views.publish"""
    view = home_view(replace(state, member=FULL), HomeNotice("Saved."))

    assert check_view(view, "home") == []
    assert len(json.dumps(view).encode()) < 250_000


@pytest.mark.parametrize("member", [EMPTY, FULL])
@pytest.mark.parametrize("view", [hours_view, mutes_view, absence_view, not_me_view])
def test_slack_accepts_every_dialog(view, member):
    """The dialogs pass Slack's checks when they are empty and when they are full."""
    assert check_view(view(member), "modal") == []


def test_slack_accepts_everything_that_is_assigned_to_a_member():
    """Each job change has its actions, and the pages are turned by the buttons below."""
    full = replace(FULL.assigned, page=AssignedPage(TO_DO, 5), counts=dict.fromkeys(AssignedState, 20_000))

    for assigned in (full, *(Assigned(AssignedPage(name)) for name in FILTERS)):
        blocks = [*assigned_blocks(replace(FULL, assigned=assigned))]
        assert check_view({"type": "home", "blocks": blocks}, "home") == []
        assert len(blocks) <= 14
        assert "<!channel>" not in str(blocks)
    text = str([*assigned_blocks(replace(FULL, assigned=full))])
    assert text.count("delivery_menu") == PAGE_SIZE
    assert "'value': '0'" in text
    assert "'value': '10'" in text


@pytest.mark.parametrize(
    ("metadata", "page"),
    [
        ('{"assigned": "done", "skip": 5}', AssignedPage("done", 5)),
        ('{"assigned": "nonsense", "skip": 5}', AssignedPage()),
        ('{"assigned": "done", "skip": -5}', AssignedPage()),
        ('{"version": 7}', AssignedPage()),
        ("[]", AssignedPage()),
        ("not json", AssignedPage()),
        (None, AssignedPage()),
    ],
)
def test_a_home_says_which_page_it_shows(metadata, page):
    """A Home of another version, or none, means the first page."""
    assert page_of({"private_metadata": metadata}) == page


def test_the_dialog_of_required_notifications_offers_every_option():
    """All signals, kinds of change and segments fit into one dialog."""
    view = required_notifications_view(FULL.required)

    assert check_view(view, "modal") == []
    assert offered_options(view) == SIGNALS.keys() | CHANGES.keys() | SEGMENTS.keys()


@pytest.mark.parametrize(
    ("history", "text"),
    [
        (History(), "⚪ Open"),
        (
            History(handlings=(Handling(1, HandlingState.TAKEN, "U_MO", SOMEDAY, None),)),
            f"✅ You're on it · {slack_time(SOMEDAY)}",
        ),
        (History(handlings=(Handling(2, HandlingState.TAKEN, "U_KIM", SOMEDAY, None),)), "✅ <@U_KIM> is on it"),
        (
            History(handlings=(Handling(1, HandlingState.REASSIGNED, "U_MO", SOMEDAY, "U_KIM"),)),
            "↪️ You reassigned it to <@U_KIM>",
        ),
        (
            History(handlings=(Handling(1, HandlingState.RETURNED, "U_MO", SOMEDAY, None),)),
            "↩️ You returned it to the channel",
        ),
        (History(snoozes=(Snooze(1, "U_MO", SOMEDAY, None),)), "⏰ Snoozed until <!date^"),
        (History(snoozes=(Snooze(1, "U_MO", None, SOMEDAY),)), "⚪ Open"),
        (History(snoozes=(Snooze(2, "U_KIM", SOMEDAY, None),)), "⏰ <@U_KIM> snoozed it until <!date^"),
        (History(handlings=(Handling(1, HandlingState.DONE, "U_MO", SOMEDAY, None),)), "🏁 You marked it as done"),
        (History(reports=(Report("U_KIM", SOMEDAY, "other"),)), "🚩 Wrong data reported by <@U_KIM>"),
    ],
)
def test_each_delivery_shows_what_people_did_about_it(history, text):
    """The state of the job change with the time of the action, or that it is open."""
    member = MemberHome(user_id="U_MO", assigned=Assigned(job_changes=(delivery(history=history),)), shown_at=SOMEDAY)

    assert text in str([*assigned_blocks(member)])


def test_a_delivery_about_to_be_sent_is_not_shown_as_on_hold():
    """Only a member's own preferences put deliveries on hold."""
    member = MemberHome(user_id="U_MO", held_back=HeldBack(1, SOMEDAY, None), shown_at=SOMEDAY)

    assert "1 job change is about to be sent to you." in str([*assigned_blocks(member)])


def test_an_empty_dialog_means_the_defaults():
    """Slack sends no values for empty fields, or for the fields that an older version did not have."""
    empty = {"state": {"values": {}}, "blocks": []}

    absence = ABSENCE_FORM.read(empty)

    assert entered_hours(HOURS_FORM.read(empty)) == NotificationHours()
    assert chosen_options(MUTES_FORM.read(empty)) == frozenset()
    assert (absence[FIRST], absence[LAST], absence[DELEGATE]) == (None, None, "")


def test_members_are_matched_by_their_own_address_unless_they_reported_it():
    """Owners are matched by it even if it has never been looked up."""
    linked = [SalesforceIdentity("sales@acme.example", None, "U_DANA")]

    def owners(not_me):
        return [identity.owner for identity in with_own_address("mo@acme.example", linked, not_me)]

    assert owners([]) == ["sales@acme.example", "mo@acme.example"]
    assert owners(["mo@acme.example"]) == ["sales@acme.example"]
    assert with_own_address(None, [], []) == ()
