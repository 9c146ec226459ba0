"""The dialogs behind the buttons, as data."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import product

import pytest

from domain.decision.reasons import legacy
from domain.decision.record import Decision
from domain.delivery import Delivery
from listeners.messages.actions_view import (
    candidate_lines,
    mute_view,
    note_view,
    reassign_view,
    report_view,
    snooze_view,
    why_view,
)
from sandbox.slack.block_kit.blocks import check_view
from services.messages.available_actions import ActionableDelivery
from services.slack.mrkdwn import with_mentions
from tests.services.messages.sample_job_changes import SAMPLES

LIVE = "<!channel> & <https://evil.example|here> *bold*" * 20
DECISION = {
    "rule": LIVE,
    "considered": [
        {"side": "past", "source": LIVE, "name": LIVE, "email": None, "result": LIVE},
        {
            "side": "current",
            "source": "SDR",
            "name": None,
            "email": "kim@acme.example",
            "result": "told",
            "match": "by the e-mail address",
        },
    ]
    * 40,
    "sides": [
        {"side": "past", "rule": LIVE, "sentence": LIVE, "reason": LIVE},
        {"side": "current", "rule": "A", "sentence": "When somebody joins, tell the SDR", "reason": "x"},
    ],
    "notes": [LIVE] * 9,
}


def actionable(change="new company", *, destination="U1", decision=None, muted=frozenset(), side=None, actor=None):
    delivery = Delivery(
        id=7,
        workspace_id="T1",
        job_change_id="jc",
        destination=destination,
        role="dri",
        reasons=legacy(LIVE),
        side=side,
        payload="{}",
        decision=json.dumps(decision) if decision is not None else None,
        state="open",
        actor=actor,
        at=None,
        given_to=None,
    )
    return ActionableDelivery(delivery, SAMPLES[change], frozenset(muted))


@pytest.mark.parametrize("change", SAMPLES)
def test_slack_accepts_every_dialog_for_every_sample(change):
    """Titles, labels, options and texts are within their limits."""
    for view, destination, decision in product(
        (reassign_view, snooze_view, report_view, mute_view, why_view), ("U1", "C1"), (None, {}, DECISION)
    ):
        about = actionable(change, destination=destination, decision=decision)
        assert check_view(view(about), "modal") == [], view


def test_slack_accepts_why_me_if_every_character_is_escaped():
    """An escaped character counts as up to five against the limit."""
    worst = "&" * 700
    decision = {"sides": [{"side": "past", "rule": worst, "sentence": worst}], "considered": [], "notes": []}
    about = actionable(decision=decision)
    about = replace(about, delivery=replace(about.delivery, reasons=legacy(worst)))

    assert check_view(why_view(about), "modal") == []


def test_foreign_text_in_a_dialog_is_escaped():
    """Such as names, rules and reasons."""
    shown = json.dumps(why_view(actionable("markup in every field", decision=DECISION)))

    assert "<!channel>" not in shown
    assert "<https://" not in shown
    assert "&lt;!channel&gt;" in shown


def test_why_me_shows_each_side_separately():
    """With its rule and its candidates."""
    shown = [block["text"]["text"] for block in why_view(actionable(decision=DECISION))["blocks"] if "text" in block]

    [rule] = [number for number, text in enumerate(shown) if text.startswith("*Rule for Globex*")]
    assert "When somebody joins, tell the SDR" in shown[rule]
    assert shown[rule + 1].startswith(
        "*Checked in this order*\n1. SDR, kim@acme.example: ✅ notified (matched by email)"
    )


def test_a_decision_without_sides_is_shown():
    """Earlier versions stored such decisions, and erasing leaves them."""
    old = {"rule": "contact owner, else account owner", "considered": []}

    assert "contact owner, else account owner" in str(why_view(actionable(decision=old)))
    assert "No candidates" in str(why_view(actionable(decision=old)))


@pytest.mark.parametrize(
    ("muted", "choices", "undo"),
    [
        ((), ["new_company", "contact_tracking"], []),
        (("new_company",), ["contact_tracking"], ["new_company"]),
        (("new_company", "contact_tracking", "custom"), [], ["new_company", "contact_tracking"]),
    ],
)
def test_muted_kinds_have_an_undo_button_and_the_others_can_be_muted(muted, choices, undo):
    """The signal and the change type of this job change."""
    view = mute_view(actionable(muted=muted))

    inputs = [block["element"] for block in view["blocks"] if block["type"] == "input"]
    assert [option["value"] for element in inputs for option in element["options"]] == choices
    assert [block["accessory"]["value"] for block in view["blocks"] if "accessory" in block] == undo
    assert ("submit" in view) == bool(choices)
    assert not any("initial_option" in element for element in inputs)
    assert view["close"]["text"] == ("Close" if not choices else "Done" if undo else "Cancel")


def test_an_open_job_change_in_a_channel_needs_a_person_to_be_reassigned_to():
    """It cannot be returned to the channel it is in."""
    [picker, _] = [block for block in reassign_view(actionable(destination="C1"))["blocks"] if block["type"] == "input"]

    assert picker["optional"] is False


def test_slack_accepts_a_note():
    """A note is a dialog that only has a text."""
    assert check_view(note_view("You reassigned it to <@U2>."), "modal") == []


def test_a_person_without_a_name_is_mentioned_if_they_were_notified():
    """By the DRI of their side, or by the Slack id in the rule. Of several on a side, it is not known who is who."""
    kim = {"side": "past", "source": "Sender", "email": "kim@acme.example", "result": "told"}
    dris = [{"destination": "U0KIM", "role": "dri", "side": "past"}, {"destination": "U0MO", "role": "dri"}]
    one = Decision.from_stored(json.dumps({"considered": [kim], "destinations": dris[:1]}))
    two = Decision.from_stored(json.dumps({"considered": [kim], "destinations": dris}))
    named = Decision.from_stored(json.dumps({"considered": [kim | {"email": "U0KIM"}, kim | {"name": "Kim Lee"}]}))

    assert one.nameless_users == {"kim@acme.example": "U0KIM"}
    assert candidate_lines(one.considered, 5, one.nameless_users) == ["1. Sender, <@U0KIM>: ✅ notified"]
    assert two.nameless_users == {}
    assert named.nameless_users == {"U0KIM": "U0KIM"}
    assert with_mentions("kim@acme.example, akim@acme.example.", one.nameless_users) == "<@U0KIM>, akim@acme.example."
