"""Cards from rows: the job change, what people did with it, and what is left out."""

from __future__ import annotations

import pytest

from domain.decision.reasons import legacy
from domain.delivery import ClaimedDelivery, Handling, History, Report, Snooze
from domain.job_change.model import TEST_SOURCE
from domain.states import DEFAULT_CHANNEL, HandlingState
from services.messages.cards import MOST_NOTES, card, cards
from services.messages.compose import compose
from tests.services.messages.sample_job_changes import SAMPLES, job_change


def member(change=None, **changes):
    stored = (change or SAMPLES["new company"]).to_stored()
    given = {
        "id": 7,
        "job_change_id": "jc",
        "role": "dri",
        "reasons": legacy("You own it."),
        "side": None,
        "plainness": 0,
    }
    return ClaimedDelivery(**given | {"created_at": 0, "payload": stored, "decision": None} | changes)


def test_an_erased_or_unreadable_job_change_has_no_card():
    """The other job changes of its message have one."""
    unreadable = [member(payload=None), member(payload="{}"), member(id=8)]

    assert [each.delivery_id for each in cards(unreadable, "U1", {})] == [8]


@pytest.mark.parametrize("side", ["past", "current", "both", None])
def test_the_side_decides_between_risk_and_opportunity(side):
    """The owner of the company that the person left sees a risk."""
    shown = card(member(side=side), "U1")

    assert shown.side == side
    assert ("Risk at Initech" in compose([shown]).text) == (side in {"past", "both"})


def test_links_lead_to_the_records_that_routing_found():
    """To the lead if there is no contact."""
    shown = card(
        member(decision='{"links": {"contact": null, "lead": "https://a.example/00Q1", "account": null}}'), "U1"
    )

    assert (shown.contact_url, shown.account_url) == ("https://a.example/00Q1", None)


def test_a_test_job_change_is_marked():
    """Nobody should act on sample data."""
    assert card(member(job_change(source=TEST_SOURCE)), "U1").is_test
    assert not card(member(), "U1").is_test


@pytest.mark.parametrize(
    ("handled", "destination", "noted"),
    [
        (Handling(9, HandlingState.TAKEN, "U2", 0, None), "U1", "✅ <@U2> is on it"),
        (Handling(9, HandlingState.TAKEN, "U1", 0, None), "U1", "✅ You're on it"),
        (Handling(9, HandlingState.DONE, "U2", 0, None), "C1", "🏁 <@U2> marked it as done"),
        (Handling(9, HandlingState.REASSIGNED, "operator", 0, "U3"), "C1", "↪️ An operator reassigned it to <@U3>"),
        (Handling(9, HandlingState.REASSIGNED, "U2", 0, "U3"), "U1", "↪️ <@U2> reassigned it to <@U3>"),
        (Handling(9, HandlingState.REASSIGNED, "U2", 0, "U1"), "U1", None),  # the reason says so
        (Handling(9, HandlingState.RETURNED, "U2", 0, None), "U1", "↩️ <@U2> returned it to the channel"),
        (Handling(9, HandlingState.RETURNED, "U2", 0, None), DEFAULT_CHANNEL, None),
    ],
)
def test_a_card_notes_what_others_did_unless_the_reason_says_it(handled, destination, noted):
    """Everyone who received it sees that once."""
    notes = card(member(), destination, History(handlings=(handled,))).notes

    assert [note.partition(" · ")[0] for note in notes] == ([noted] if noted else [])


def test_everybody_sees_who_snoozed_it():
    """The job change has one state in all of its messages."""
    history = History(snoozes=(Snooze(7, "U1", 5_000, None),))

    until = "until <!date^5^{date_short_pretty} at {time}|1 Jan 1970, 00:00 UTC>"
    assert card(member(), "U1", history).notes == (f"⏰ Snoozed {until}",)
    assert card(member(id=8), "U2", history).notes == (f"⏰ <@U1> snoozed it {until}",)


def test_a_reassigned_job_change_no_longer_says_that_it_is_the_readers():
    """The card of the person who reassigned it says to whom."""
    history = History(handlings=(Handling(7, HandlingState.REASSIGNED, "U1", 0, "U2"),))

    text = compose([card(member(), "U1", history)]).text

    assert "You own it." not in text
    assert "↪️ You reassigned it to <@U2>" in text


@pytest.mark.parametrize(("created_at", "labels"), [(4, []), (6, ["Claim"])])
def test_a_channel_offers_to_claim_what_was_not_assigned_since(created_at, labels):
    """An admin or a colleague may have assigned it meanwhile; a message posted after that asks again."""
    history = History(handlings=(Handling(9, HandlingState.REASSIGNED, "U1", 5, "U2"),))

    shown = card(member(role="fallback", created_at=created_at), "C1", history)

    assert [action.label for action in shown.actions.buttons] == labels


def test_a_card_only_has_the_newest_notes():
    """A message is not a log."""
    handled = tuple(Handling(number, HandlingState.TAKEN, f"U{number}", number, None) for number in range(10, 30))
    reports = tuple(Report(f"U{number}", number, "old_news") for number in range(20))

    notes = card(member(), "U1", History(handlings=handled, reports=reports)).notes

    assert len(notes) == MOST_NOTES
    assert notes[-1].count("<@") == MOST_NOTES
    assert "out of date" in notes[-1]
