"""Stored decisions: every released form is read for ever, and what is stored today is read back unchanged."""

from __future__ import annotations

import json
from typing import Any

import pytest

from domain.decision.reasons import ReasonCode
from domain.decision.record import ConsideredCandidate, Decision, RecordLinks, SideDecision
from domain.decision.sentences import candidate_result, for_reader

BEFORE_RULES: dict[str, Any] = {
    "rule": "contact owner, else account owner",
    "considered": [
        {"source": "contact owner", "name": "Ivan Petrov", "email": "ivan@acme.example", "result": "is inactive"},
        {"source": "account owner", "name": "Dana Reyes", "email": "dana@acme.example", "result": "told"},
    ],
    "chosen": "Dana Reyes",
    "reason": "You own Initech in Salesforce.",
    "links": {"contact": "https://acme.my.salesforce.com/003", "lead": None, "account": None},
}
WITH_RULES: dict[str, Any] = BEFORE_RULES | {
    "rules_version": 3,
    "considered": [{"side": "past", **candidate} for candidate in BEFORE_RULES["considered"]],
    "sides": [
        {"side": "past", "rule": "Leaves", "sentence": "When anybody leaves, tell the owner", "chosen": "Dana Reyes"}
        | {"reason": "You own Initech in Salesforce."}
    ],
    "destinations": [{"destination": "U_DANA", "role": "dri", "side": "past"}],
    "notes": ["account.sdr__c cannot be read in Salesforce"],
}
WITH_MATCHES: dict[str, Any] = WITH_RULES | {
    "considered": [
        candidate | {"match": match}
        for candidate, match in zip(WITH_RULES["considered"], (None, "by the e-mail address"), strict=True)
    ],
    "sides": [side | {"segments": ["customer"]} for side in WITH_RULES["sides"]],
}
FORMS = {"0.1.0, before there were rules": BEFORE_RULES, "0.1.0": WITH_RULES, "0.2.0": WITH_MATCHES}


@pytest.mark.parametrize("form", FORMS)
def test_every_released_form_is_read(form: str) -> None:
    """What a form lacks is empty, and its sentences are shown as they are."""
    stored = FORMS[form]

    decision = Decision.from_stored(json.dumps(stored))

    assert decision
    assert decision.rule == "contact owner, else account owner"
    assert decision.rules_version == stored.get("rules_version", 0)
    assert decision.chosen == "Dana Reyes"
    assert for_reader(decision.reasons) == "You own Initech in Salesforce."
    inactive, notified = decision.considered
    assert (inactive.side, inactive.name) == ("past" if decision.sides else None, "Ivan Petrov")
    assert inactive.email == "ivan@acme.example"
    assert (inactive.is_notified, candidate_result(inactive)) == (False, "is inactive")
    assert notified.is_notified
    assert candidate_result(notified) == ("notified (matched by email)" if form == "0.2.0" else "notified")
    assert decision.links == RecordLinks(contact="https://acme.my.salesforce.com/003")
    assert [side.segments for side in decision.sides] == [
        tuple(side.get("segments", ())) for side in stored.get("sides", ())
    ]
    assert [for_reader([note]) for note in decision.notes] == list(stored.get("notes", ()))
    assert Decision.from_stored(decision.to_stored()) == decision


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ("by the e-mail address", "notified (matched by email)"),
        ("by the other e-mail field", "notified (matched by the other email field)"),
        ("by the alias domain acme.io", "notified (matched by the alias domain acme.io)"),
        ("linked by hand", "notified (linked by hand)"),
        (None, "notified"),
    ],
)
def test_the_matches_of_earlier_versions_are_read(stored: str | None, shown: str) -> None:
    """They were stored as text."""
    raw = {"source": "contact owner", "result": "told", "match": stored}
    assert candidate_result(ConsideredCandidate.model_validate(raw)) == shown


def test_a_channel_of_an_earlier_version_is_a_channel() -> None:
    """It was stored as a candidate with that source."""
    raw = [{"source": source, "result": "told"} for source in ("channel", "contact owner")]
    channel, owner = Decision.model_validate({"considered": raw}).considered
    assert (channel.is_channel, owner.is_channel) == (True, False)


def test_an_erased_decision_is_false() -> None:
    """The row then has none, or an empty one."""
    assert not Decision.from_stored(None)
    assert not Decision.from_stored("{}")


def test_a_decision_of_today_is_read_back() -> None:
    """Reasons are stored as codes with parameters, and what is empty is not. Earlier processes read `result`."""
    inactive = ConsideredCandidate(source="contact owner", name="Ivan", problem=ReasonCode.INACTIVE.of())
    dana = ConsideredCandidate(source="account owner", name="Dana", match=ReasonCode.MATCHED_BY_EMAIL.of())
    owns = ReasonCode.OWNS_ACCOUNT.of(record="Initech")
    sides = (SideDecision(side="past", rule="Leaves", chosen="Dana", reasons=(owns,), segments=("customer",)),)
    note = ReasonCode.SALESFORCE_UNAVAILABLE.of(error="it is down")
    decision = Decision(rule="Leaves", considered=(inactive, dana), reasons=(owns,), sides=sides, notes=(note,))

    stored = json.loads(decision.to_stored())

    assert Decision.from_stored(decision.to_stored()) == decision
    assert stored["reasons"] == [{"code": "owns_account", "record": "Initech"}]
    assert stored["considered"] == [
        {"source": "contact owner", "name": "Ivan", "problem": {"code": "inactive"}, "result": "skipped"},
        {"source": "account owner", "name": "Dana", "problem": None, "matched": {"code": "matched_by_email"}}
        | {"result": "told"},
    ]
    assert stored.keys() == {"version", "rule", "considered", "reasons", "sides", "made_without"}
