"""Every sample as it reads in Slack, kept as files to look at when the wording changes.

`REGENERATE_GOLDEN=1 python -m pytest tests/services/messages/test_golden_messages.py` writes them again.
"""

import json
import re
from dataclasses import asdict, replace
from os import environ
from pathlib import Path

import pytest

from domain.states import HandlingState
from services.messages.available_actions import available_actions
from services.messages.compose import Card, Message, compose
from services.messages.wording import slack_time
from tests.services.messages.sample_job_changes import SAMPLES

GOLDEN = Path(__file__).parent / "golden"
OWNED = "You own Ada Smith in Salesforce."
NOT_FOUND = "No DRI found: the contact's owner, Dana Reyes, is not in Slack."
THEN = 1_794_000_000_000
ON_IT = f"✅ <@U0DANA> is on it · {slack_time(THEN)}"
GIVEN_ON = f"↪️ <@U0DANA> gave it to <@U0KIM> · {slack_time(THEN)}"
PERSON, CHANNEL = {"in_person": True}, {"in_person": False}
CARDS = {
    name: Card(
        job_change,
        OWNED,
        "dri",
        delivery_id=number,
        contact_url="https://acme.my.salesforce.example/lightning/r/Contact/003000000000001AAA/view",
        account_url="https://acme.my.salesforce.example/lightning/r/Account/001000000000001AAA/view",
        actions=available_actions("dri", HandlingState.OPEN, **PERSON),
    )
    for number, (name, job_change) in enumerate(SAMPLES.items(), start=1)
}
USUAL, BARE = CARDS["new company"], CARDS["new company, only what is required"].job_change
FALLBACK = Card(
    BARE, NOT_FOUND, "fallback", 1, None, None, actions=available_actions("fallback", HandlingState.OPEN, **CHANNEL)
)
TOLD_ELSEWHERE = "Dana Reyes was told in person."
MESSAGES = {
    **{name: compose([card]) for name, card in CARDS.items()},
    "fallback": compose([FALLBACK]),
    "fallback, claimed": compose(
        [replace(FALLBACK, notes=(ON_IT,), actions=available_actions("fallback", HandlingState.TAKEN, **CHANNEL))]
    ),
    "fallback, given": compose(
        [
            replace(
                FALLBACK, notes=(GIVEN_ON,), actions=available_actions("fallback", HandlingState.REASSIGNED, **CHANNEL)
            )
        ]
    ),
    "copy, its reader is on it": compose(
        [
            Card(
                BARE,
                TOLD_ELSEWHERE,
                "copy",
                1,
                None,
                None,
                notes=(ON_IT,),
                actions=available_actions("copy", HandlingState.OPEN, **CHANNEL),
            )
        ]
    ),
    "on it": compose([replace(USUAL, notes=(ON_IT,), actions=available_actions("dri", HandlingState.TAKEN, **PERSON))]),
    "given to a colleague": compose(
        [replace(USUAL, notes=(GIVEN_ON,), actions=available_actions("dri", HandlingState.REASSIGNED, **PERSON))]
    ),
    "handed over": compose([replace(USUAL, reason="Dana Reyes gave it to you: “Hers since May.”")]),
    "put off": compose([replace(USUAL, notes=(f"⏰ Comes back {slack_time(THEN)}",))]),
    "wrong data": compose([replace(USUAL, notes=(f"🚩 Wrong data, says <@U0DANA> · {slack_time(THEN)}",))]),
    "test message": compose([replace(FALLBACK, reason=OWNED, role="dri", is_test=True)]),
    "new company, told to the owner of the company left": compose(
        [replace(USUAL, reason="You own Initech in Salesforce.", side="past")]
    ),
    "new company, told to the owner of both": compose(
        [replace(USUAL, reason="You own Initech in Salesforce. You own Globex in Salesforce.", side="both")]
    ),
    "plainer, no links": compose([USUAL], plainness=1),
    "plainest, no blocks": compose([USUAL], plainness=2),
    "bundle": compose([CARDS[name] for name in ("new company", "departure", "promotion", "new hire", "lateral")]),
    "bundle, one is taken": compose(
        [
            replace(USUAL, notes=(ON_IT,), actions=available_actions("dri", HandlingState.TAKEN, **PERSON)),
            CARDS["departure"],
        ]
    ),
    "bundle, plainest": compose([CARDS[name] for name in ("new company", "departure")], plainness=2),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_a_sample_reads_as_it_did(name: str) -> None:
    """Wording and layout change only on purpose."""
    path = GOLDEN / f"{re.sub('[^a-z]+', '-', name.lower())}.json"
    rendered = _as_json(MESSAGES[name])
    if environ.get("REGENERATE_GOLDEN"):
        path.write_text(rendered, encoding="utf-8")

    assert rendered == path.read_text(encoding="utf-8")


def test_every_golden_file_belongs_to_a_sample() -> None:
    """A sample that is gone takes its file along."""
    names = {re.sub("[^a-z]+", "-", name.lower()) for name in MESSAGES}
    assert len(names) == len(MESSAGES)
    assert {path.stem for path in GOLDEN.glob("*.json")} == names


def _as_json(message: Message) -> str:
    return json.dumps(asdict(message), ensure_ascii=False, indent=2) + "\n"
