"""Golden files: every sample as a message. Read their diff when the wording changes.

`REGENERATE_GOLDEN=1 python -m pytest tests/services/messages/test_golden_messages.py` writes them again.
"""

import json
import re
from dataclasses import asdict, replace
from os import environ
from pathlib import Path

import pytest

from domain.decision.reasons import ReasonCode, Reasons
from domain.decision.sentences import SharedReason, for_reader, shared_by
from domain.messages.card_buttons import ButtonKind, CardButton
from domain.states import HandlingState
from services.messages.available_actions import available_actions
from services.messages.cards import Card
from services.messages.compose import Message, compose, compose_with_newer_blocks
from services.messages.wording import slack_time
from tests.services.messages.sample_job_changes import SAMPLES

GOLDEN = Path(__file__).parent / "golden"
OWNED = "You own Ada Smith in Salesforce."
NOT_FOUND = "No DRI found: the contact's owner, Dana Reyes, is not in Slack."
THEN = 1_794_000_000_000
ON_IT = f"✅ <@U0DANA> is on it · {slack_time(THEN)}"
YOU_ARE_ON_IT = f"✅ You're on it · {slack_time(THEN)}"
REASSIGNED = f"↪️ <@U0DANA> reassigned it to <@U0KIM> · {slack_time(THEN)}"
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


def no_dri(whom: str, problem: ReasonCode) -> Reasons:
    return (ReasonCode.NO_DRI_FOUND.of(problems=(ReasonCode.SKIPPED.of(whom=whom, problem=(problem.of(),)),)),)


LINK = CardButton(label="Open in CRM", url="https://crm.example/003000000000001AAA?by=Ada%20Smith")
WORKFLOW = CardButton(
    kind=ButtonKind.WORKFLOW,
    label="Start outreach",
    url="https://slack.com/shortcuts/Ft0123ABC456/321",
    inputs={"contact": "003000000000001AAA"},
)
USUAL, BARE = CARDS["new company"], CARDS["new company, required fields only"].job_change
FALLBACK = Card(
    BARE, NOT_FOUND, "fallback", 1, None, None, actions=available_actions("fallback", HandlingState.OPEN, **CHANNEL)
)
SEVEN = list(CARDS.values())[:7]
SENT_TO_DRI = "Sent to Dana Reyes, who owns Ada Smith in Salesforce."
MESSAGES = {
    **{name: compose([card]) for name, card in CARDS.items()},
    "fallback": compose([FALLBACK]),
    "fallback, claimed": compose(
        [replace(FALLBACK, notes=(ON_IT,), actions=available_actions("fallback", HandlingState.TAKEN, **CHANNEL))]
    ),
    "fallback, reassigned": compose(
        [
            replace(
                FALLBACK,
                notes=(REASSIGNED,),
                actions=available_actions("fallback", HandlingState.REASSIGNED, **CHANNEL),
            )
        ]
    ),
    "copy, the DRI is on it": compose(
        [
            Card(
                BARE,
                SENT_TO_DRI,
                "copy",
                1,
                None,
                None,
                notes=(ON_IT,),
                actions=available_actions("copy", HandlingState.OPEN, **CHANNEL),
            )
        ]
    ),
    "on it": compose(
        [
            replace(
                USUAL,
                notes=(YOU_ARE_ON_IT,),
                actions=available_actions("dri", HandlingState.TAKEN, **PERSON),
            )
        ]
    ),
    "a colleague is on it": compose(
        [replace(USUAL, notes=(ON_IT,), actions=available_actions("dri", HandlingState.TAKEN, **PERSON, is_own=False))]
    ),
    "done": compose(
        [
            replace(
                USUAL,
                notes=(f"🏁 You marked it as done · {slack_time(THEN)}",),
                actions=available_actions("dri", HandlingState.DONE, **PERSON),
            )
        ]
    ),
    "reassigned to a colleague": compose(
        [
            replace(
                USUAL,
                reason="",
                notes=(f"↪️ You reassigned it to <@U0KIM> · {slack_time(THEN)}",),
                actions=available_actions("dri", HandlingState.REASSIGNED, **PERSON),
            )
        ]
    ),
    "reassigned by a colleague": compose(
        [replace(USUAL, reason="Dana Reyes reassigned this to you: “Yours since May.”")]
    ),
    "snoozed": compose([replace(USUAL, notes=(f"⏰ Snoozed until {slack_time(THEN)}",))]),
    "wrong data": compose(
        [replace(USUAL, notes=(f"🚩 Wrong data reported by <@U0DANA>: out of date · {slack_time(THEN)}",))]
    ),
    "test message": compose([replace(FALLBACK, reason=OWNED, role="dri", is_test=True)]),
    "new company, for the owner of the previous company": compose(
        [replace(USUAL, reason="You own Initech in Salesforce.", side="past")]
    ),
    "new company, for the owner of both companies": compose(
        [replace(USUAL, reason="You own Initech in Salesforce. You own Globex in Salesforce.", side="both")]
    ),
    "plainer, no links": compose([USUAL], plainness=1),
    "added buttons": compose([replace(USUAL, buttons=(LINK, WORKFLOW))]),
    "added buttons, closed": compose(
        [
            replace(
                USUAL,
                buttons=(LINK, WORKFLOW),
                actions=available_actions("dri", HandlingState.REASSIGNED, **PERSON),
            )
        ]
    ),
    "added buttons, bundle of two": compose(
        [replace(CARDS[name], buttons=(LINK, WORKFLOW)) for name in ("new company", "departure")]
    ),
    "added buttons, bundle of seven": compose([replace(card, buttons=(LINK, WORKFLOW)) for card in SEVEN]),
    "added buttons, card block": compose_with_newer_blocks([replace(USUAL, buttons=(LINK, WORKFLOW))]),
    "added buttons, table block": compose_with_newer_blocks(
        [replace(card, buttons=(LINK, WORKFLOW)) for card in SEVEN[:2]], digest="daily"
    ),
    "plainest, no blocks": compose([USUAL], plainness=2),
    "bundle": compose(
        [
            replace(CARDS[name], shared=SharedReason("You own these contacts in Salesforce."))
            for name in ("new company", "departure", "promotion", "new hire", "lateral")
        ]
    ),
    "bundle of seven": compose(SEVEN),
    "bundle, grouped by the reason": compose(
        [
            replace(FALLBACK, delivery_id=number, reason=for_reader(reasons), shared=shared_by(reasons))
            for number, reasons in enumerate(
                (
                    no_dri("the contact's owner, Dana Reyes,", ReasonCode.NOT_IN_SLACK),
                    no_dri("the lead's owner, Inbound leads,", ReasonCode.QUEUE),
                    no_dri("the owner of Globex, Mo Chen,", ReasonCode.NOT_IN_SLACK),
                )
            )
        ]
    ),
    "bundle, one job change is taken": compose(
        [
            replace(USUAL, notes=(ON_IT,), actions=available_actions("dri", HandlingState.TAKEN, **PERSON)),
            CARDS["departure"],
        ]
    ),
    "card block": compose_with_newer_blocks([replace(USUAL, notes=(ON_IT,))]),
    "table block": compose_with_newer_blocks(
        [CARDS["new company"], replace(CARDS["departure"], notes=(ON_IT, REASSIGNED))], digest="daily"
    ),
    "bundle, plainest": compose([CARDS[name] for name in ("new company", "departure")], plainness=2),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_equals_its_golden_file(name: str) -> None:
    """So wording and layout only change on purpose."""
    path = GOLDEN / f"{re.sub('[^a-z]+', '-', name.lower())}.json"
    rendered = _as_json(MESSAGES[name])
    if environ.get("REGENERATE_GOLDEN"):
        path.write_text(rendered, encoding="utf-8")

    assert rendered == path.read_text(encoding="utf-8")


def test_every_golden_file_belongs_to_a_sample() -> None:
    """The file of a sample that was removed has to be removed as well."""
    names = {re.sub("[^a-z]+", "-", name.lower()) for name in MESSAGES}
    assert len(names) == len(MESSAGES)
    assert {path.stem for path in GOLDEN.glob("*.json")} == names


def _as_json(message: Message) -> str:
    return json.dumps(asdict(message), ensure_ascii=False, indent=2) + "\n"
