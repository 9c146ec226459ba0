"""What members can mute, with its labels: signals, kinds of change and account segments. Pure."""

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
    "none": "Accounts in no segment",
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
    ChangeType.LATERAL.value: "Lateral moves",
    ChangeType.DEPARTURE.value: "Departures",
    ChangeType.ADDITIONAL_ROLE.value: "Additional roles",
}
SEGMENTS: Mapping[str, str] = {f"{SEGMENT}{segment}": label for segment, label in _SEGMENTS.items()}

GROUPS: Mapping[str, Mapping[str, str]] = {"signals": SIGNALS, "changes": CHANGES, "segments": SEGMENTS}
"""The groups of options, by block id. Each maps what is stored (see store/ownership/muting.py) to its label."""

REQUIRABLE: Mapping[str, str] = {**SIGNALS, **CHANGES, **SEGMENTS}
"""What admins can declare a required notification."""

ALL: Mapping[str, str] = {EVERYTHING: "All job changes", **REQUIRABLE}


def labels(options: Collection[str]) -> list[str]:
    """The labels of these options in the order of the dialogs; unknown ones are left out."""
    return [label for option, label in ALL.items() if option in options]
