"""What members may mute, in words: signals, kinds of change, segments of accounts. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from domain.job_change.parts import ChangeType, Signal
from domain.preferences import EVERYTHING, SEGMENT
from services.ownership.rules.rule_set import Segment

_SEGMENTS: Mapping[Segment, str] = {
    "customer": "Customers",
    "target": "Target accounts",
    "open_opportunity": "Accounts with an open opportunity",
    "closed_lost": "Accounts whose last opportunity was lost",
    "none": "Companies in no segment",
    "not_in_salesforce": "Companies that are not in Salesforce",
}

SIGNALS: Mapping[str, str] = {
    Signal.CONTACT_TRACKING.value: "Contact tracking",
    Signal.NEW_HIRES_PROMOTIONS.value: "New hires and promotions",
    Signal.CUSTOM.value: "Custom signals",
}
CHANGES: Mapping[str, str] = {
    ChangeType.NEW_COMPANY.value: "People who join another company",
    ChangeType.NEW_HIRE.value: "New hires",
    ChangeType.PROMOTION.value: "Promotions",
    ChangeType.LATERAL.value: "Moves within a company",
    ChangeType.DEPARTURE.value: "Departures",
    ChangeType.ADDITIONAL_ROLE.value: "Additional roles",
}
SEGMENTS: Mapping[str, str] = {f"{SEGMENT}{segment}": label for segment, label in _SEGMENTS.items()}

GROUPS: Mapping[str, Mapping[str, str]] = {"signals": SIGNALS, "changes": CHANGES, "segments": SEGMENTS}
"""By the name of what they have in common; each is a label by what is stored, see store/ownership/muting.py."""

ALL: Mapping[str, str] = {EVERYTHING: "Everything", **SIGNALS, **CHANGES, **SEGMENTS}


def labels(what: Collection[str]) -> list[str]:
    """Those of *what* that this version knows, in words, in one order."""
    return [label for key, label in ALL.items() if key in what]
