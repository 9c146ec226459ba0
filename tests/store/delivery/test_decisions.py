"""Correcting a stored decision: a candidate who could not be notified is not shown as notified."""

from __future__ import annotations

from typing import Any

import pytest

from domain.decision.record import Decision
from domain.decision.sentences import candidate_result
from domain.states import Role

PAST: dict[str, Any] = {"side": "past", "source": "contact owner", "email": "dana@acme.example", "result": "told"}
CURRENT: dict[str, Any] = {"side": "current", "source": "account owner", "email": "sam@acme.example", "result": "told"}
AWAY: dict[str, Any] = {"side": "past", "source": "sender", "email": "lee@acme.example", "result": "is out of office"}
KIM: dict[str, Any] = {"side": "current", "source": "user group", "email": "U_KIM", "result": "told"}
LOU: dict[str, Any] = {"side": "current", "source": "user group", "email": "U_LOU", "result": "told"}
ROOM: dict[str, Any] = {"side": "current", "source": "channel", "email": None, "result": "told"}


@pytest.mark.parametrize(
    ("considered", "role", "side", "destination", "corrected"),
    [
        ([AWAY, PAST, CURRENT], Role.DRI, "past", "U_DANA", [1]),
        ([AWAY, PAST, CURRENT], Role.DRI, "both", "U_DANA", [1, 2]),
        ([PAST | {"side": None}], Role.DRI, None, "U_DANA", [0]),
        ([PAST, KIM, LOU], Role.DRI, "current", "U_LOU", [2]),
        ([PAST, KIM, LOU], Role.DRI, "both", "U_KIM", [0, 1]),
        ([PAST, ROOM], Role.CHANNEL, "current", "C_ROOM", [1]),
        ([PAST, ROOM], Role.DRI, "past", "U_DANA", [0]),
        ([CURRENT], Role.CHANNEL, "current", "C_ROOM", []),
        ([PAST, CURRENT], Role.DRI, "past", "U_COLLEAGUE", []),
    ],
    ids=[
        "their side",
        "both sides",
        "no side",
        "one of a group",
        "one of a group and an owner",
        "a channel",
        "beside a channel",
        "a rule that tells a channel",
        "somebody it was given to",
    ],
)
def test_only_the_candidates_of_the_destination_are_corrected(
    considered: list[dict[str, Any]], role: str, side: str | None, destination: str, corrected: list[int]
) -> None:
    """The results of the others stay, also if somebody has reassigned it."""
    chosen = [{"destination": each} for each in ("U_DANA", "U_KIM", "U_LOU", "C_ROOM")]
    before = Decision.model_validate({"considered": considered, "destinations": chosen})

    after = before.with_unreachable(role, side, destination, "the account is deactivated")

    results = [
        (candidate_result(old), candidate_result(new))
        for old, new in zip(before.considered, after.considered, strict=True)
    ]
    assert [place for place, (old, new) in enumerate(results) if old != new] == corrected
    assert {new for old, new in results if old != new} <= {"could not be notified: the account is deactivated"}
