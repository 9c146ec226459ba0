"""Every sample as it reads in Slack, kept as files to look at when the wording changes.

`REGENERATE_GOLDEN=1 python -m pytest tests/services/test_messages_golden.py` writes them anew; git shows what changed.
"""

import json
import re
from dataclasses import asdict
from os import environ
from pathlib import Path

import pytest

from services.messages import Card, Message, compose
from tests.services.sample_job_changes import SAMPLES

GOLDEN = Path(__file__).parent / "golden"
OWNED = "You own Ada Smith in Salesforce."
NOT_FOUND = "No DRI found: the contact's owner, Dana Reyes, is not in Slack."
CARDS = {
    name: Card(
        job_change,
        OWNED,
        "dri",
        delivery_id=number,
        contact_url="https://acme.my.salesforce.example/lightning/r/Contact/003000000000001AAA/view",
        account_url="https://acme.my.salesforce.example/lightning/r/Account/001000000000001AAA/view",
    )
    for number, (name, job_change) in enumerate(SAMPLES.items(), start=1)
}
BARE = CARDS["new company, only what is required"].job_change
MESSAGES = {
    **{name: compose([card]) for name, card in CARDS.items()},
    "fallback": compose([Card(BARE, NOT_FOUND, "fallback", 1, None, None)]),
    "test message": compose([Card(BARE, OWNED, "dri", 1, None, None, is_test=True)]),
    "new company, told to the owner of the company left": compose(
        [Card(SAMPLES["new company"], "You own Initech in Salesforce.", "dri", 1, None, None, side="past")]
    ),
    "plainer, no links": compose([CARDS["new company"]], plainness=1),
    "plainest, no blocks": compose([CARDS["new company"]], plainness=2),
    "bundle": compose([CARDS[name] for name in ("new company", "departure", "promotion", "new hire", "lateral")]),
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
