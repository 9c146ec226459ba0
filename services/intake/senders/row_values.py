"""What the values of a sender's row mean: kinds of change in anybody's words, addresses, numbers. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from domain.job_change.field_types import tidy

# How senders and people say it; compared without regard to case, and a space is as good as an underscore.
_CHANGE_TYPES = {
    "new_company": "new_company new_company_role company_changed changed_company company_change job_change new_job"
    " joined_new_company joined moved new_role_at_new_company",
    "new_hire": "new_hire new_hires hired hire",
    "promotion": "promotion promotions promoted",
    "lateral": "lateral lateral_move title_change title_changed position_changed role_change new_role",
    "departure": "departure departed left left_company position_ended no_longer_at_company",
    "additional_role": "additional_role new_position board_seat advisor",
}
_SAYINGS = {saying: ours for ours, sayings in _CHANGE_TYPES.items() for saying in sayings.split()}
SIGNALS = {"new_hire": "new_hires_promotions", "promotion": "new_hires_promotions"}


def says(value: object) -> bool:
    """Whether it holds anything."""
    return value is not None and value not in ("", [], {}) and not (isinstance(value, str) and not tidy(value))


def converted(name: str, value: object) -> object:
    """In the type the field wants, where the value means the same; else as it came, to be refused with its reason."""
    if name.startswith("custom."):
        return value
    if name == "person.emails":
        return _emails(value)
    if name == "score":
        return _number(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    return str(value)


def _emails(value: object) -> list[object]:
    if isinstance(value, str):
        return [each for each in re.split(r"[,;\s]+", value) if each]
    listed = value if isinstance(value, list) else [value]
    texts = [each.get("email") or each.get("value") if isinstance(each, dict) else each for each in listed]
    return [text for text in texts if says(text)]


def _number(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return float(value.strip().removesuffix("%"))
    except ValueError:
        return value


def change_type_of(told: Mapping[str, Any]) -> object:
    """As the row says it; where it says nothing, as follows from the companies."""
    said = told.get("change_type")
    if isinstance(said, str):
        return _SAYINGS.get("_".join(re.findall(r"[a-z]+", said.casefold())), said)
    if said is not None:
        return said
    before, now = (_company(told, side) for side in ("previous", "current"))
    if before and not now:
        return "departure"
    return "lateral" if before and before == now else "new_company"


def _company(told: Mapping[str, Any], side: str) -> str | None:
    job = told.get(side)
    company = job.get("company") if isinstance(job, dict) else None
    if not isinstance(company, dict):
        return None
    known = company.get("salesforce_id") or company.get("domain") or company.get("name")
    return known.casefold()[:15] if isinstance(known, str) else None
