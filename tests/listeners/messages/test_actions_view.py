"""The dialogs behind the buttons, as data: Slack takes each, whatever the job change says."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import product

import pytest

from domain.delivery import Delivery
from listeners.messages.actions_view import mute_view, note_view, reassign_view, report_view, snooze_view, why_view
from sandbox.slack.block_kit.blocks import check_view
from services.messages.available_actions import ActionableDelivery
from tests.services.messages.sample_job_changes import SAMPLES

LIVE = "<!channel> & <https://evil.example|here> *bold*" * 20
DECISION = {
    "rule": LIVE,
    "considered": [
        {"side": "past", "source": LIVE, "name": LIVE, "email": None, "result": LIVE},
        {"side": "current", "source": "SDR", "name": None, "email": "kim@acme.example", "result": "told"},
    ]
    * 40,
    "sides": [
        {"side": "past", "rule": LIVE, "sentence": LIVE, "reason": LIVE},
        {"side": "current", "rule": "A", "sentence": "When somebody joins, tell the SDR", "reason": "x"},
    ],
    "notes": [LIVE] * 9,
}


def reached(change="new company", *, destination="U1", decision=None, muted=frozenset(), side=None, actor=None):
    delivery = Delivery(
        id=7,
        workspace_id="T1",
        job_change_id="jc",
        destination=destination,
        role="dri",
        reason=LIVE,
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
def test_slack_takes_every_dialog_about_every_sample(change):
    """Titles, labels, options and texts within their limits."""
    for view, destination, decision in product(
        (reassign_view, snooze_view, report_view, mute_view, why_view), ("U1", "C1"), (None, {}, DECISION)
    ):
        about = reached(change, destination=destination, decision=decision)
        assert check_view(view(about), "modal") == [], view


def test_slack_takes_why_me_with_nothing_but_what_has_to_be_escaped():
    """An escaped character is five times as long, and the limit is of what is sent."""
    worst = "&" * 700
    decision = {"sides": [{"side": "past", "rule": worst, "sentence": worst}], "considered": [], "notes": []}
    about = reached(decision=decision)
    about = replace(about, delivery=replace(about.delivery, reason=worst))

    assert check_view(why_view(about), "modal") == []


def test_nothing_foreign_is_live_in_a_dialog():
    """Names, rules and reasons come from outside."""
    shown = json.dumps(why_view(reached("markup in every field", decision=DECISION)))

    assert "<!channel>" not in shown
    assert "<https://" not in shown
    assert "&lt;!channel&gt;" in shown


def test_why_me_tells_each_side_apart():
    """Its rule, and whom it asked."""
    shown = [block["text"]["text"] for block in why_view(reached(decision=DECISION))["blocks"] if "text" in block]

    [rule] = [number for number, text in enumerate(shown) if text.startswith("*The rule for Globex*")]
    assert "When somebody joins, tell the SDR" in shown[rule]
    assert shown[rule + 1].startswith("*Asked, in this order*\n1. SDR, kim@acme.example: ✅ notified")


def test_a_decision_without_sides_is_told_too():
    """As it was stored before rules had sides, and after it was erased."""
    old = {"rule": "contact owner, else account owner", "considered": []}

    assert "contact owner, else account owner" in str(why_view(reached(decision=old)))
    assert "nobody" in str(why_view(reached(decision=old)))


@pytest.mark.parametrize(
    ("muted", "offered", "undone"),
    [
        ((), ["new_company", "contact_tracking"], []),
        (("new_company",), ["contact_tracking"], ["new_company:7"]),
        (("new_company", "contact_tracking", "custom"), [], ["new_company:7", "contact_tracking:7"]),
    ],
)
def test_what_is_muted_can_be_undone_and_the_rest_muted(muted, offered, undone):
    """Of what this message is like."""
    view = mute_view(reached(muted=muted))

    inputs = [block["element"] for block in view["blocks"] if block["type"] == "input"]
    assert [option["value"] for element in inputs for option in element["options"]] == offered
    assert [block["accessory"]["value"] for block in view["blocks"] if "accessory" in block] == undone
    assert ("submit" in view) == bool(offered)


def test_what_is_open_in_a_channel_is_given_to_somebody():
    """It is in the channel already: there is nothing to give back."""
    [picker, _] = [block for block in reassign_view(reached(destination="C1"))["blocks"] if block["type"] == "input"]

    assert picker["optional"] is False


def test_a_note_is_read_and_closed():
    """An answer where no message can carry it."""
    assert check_view(note_view("You gave it to <@U2>."), "modal") == []
