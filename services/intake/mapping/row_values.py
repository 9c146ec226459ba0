"""Converts the values of senders' rows: change types in common words, addresses, numbers. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from domain.job_change.field_types import tidy

# Words that senders use. They are compared without regard to case, and spaces equal underscores.
_CHANGE_TYPES = {
    "new_company": "new_company new_company_role company_changed changed_company company_change job_change new_job"
    " joined_new_company joined moved new_role_at_new_company",
    "new_hire": "new_hire new_hires hired hire",
    "promotion": "promotion promotions promoted",
    "lateral": "lateral lateral_move title_change title_changed position_changed role_change new_role",
    "departure": "departure departed left left_company position_ended no_longer_at_company",
    "additional_role": "additional_role new_position board_seat advisor",
}
_SYNONYMS = {synonym: ours for ours, synonyms in _CHANGE_TYPES.items() for synonym in synonyms.split()}
SIGNALS = {"new_hire": "new_hires_promotions", "promotion": "new_hires_promotions"}


def has_value(value: object) -> bool:
    if isinstance(value, str):
        return tidy(value) is not None
    return value is not None and value not in ([], {})


def converted(name: str, value: object) -> object:
    """Return the value in the field's type if possible, else unchanged, to be refused later with a reason."""
    if (isinstance(value, str) and name not in {"person.emails", "score"}) or name.startswith("custom."):
        return value
    if name == "person.emails":
        if isinstance(value, str):
            return [address for address in re.split(r"[,;\s]+", value) if address]
        listed = value if isinstance(value, list) else [value]
        texts = [item.get("email") or item.get("value") if isinstance(item, dict) else item for item in listed]
        return [text for text in texts if has_value(text)]
    if name == "score":
        return _number(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    return str(value)


def _number(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return float(value.strip().removesuffix("%"))
    except ValueError:
        return value


def change_type_of(job_change: Mapping[str, Any]) -> object:
    """Return the change type in the row, else the one that follows from the companies."""
    stated = job_change.get("change_type")
    if isinstance(stated, str):
        return _SYNONYMS.get("_".join(re.findall(r"[a-z]+", stated.casefold())), stated)
    if stated is not None:
        return stated
    before, now = (_company(job_change, side) for side in ("previous", "current"))
    if before and not now:
        return "departure"
    return "lateral" if before and before == now else "new_company"


def _company(job_change: Mapping[str, Any], side: str) -> str | None:
    job = job_change.get(side)
    company = job.get("company") if isinstance(job, dict) else None
    if not isinstance(company, dict):
        return None
    identifier = company.get("salesforce_id") or company.get("domain") or company.get("name")
    return identifier.casefold()[:15] if isinstance(identifier, str) else None
