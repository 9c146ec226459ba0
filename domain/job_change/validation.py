"""Validation errors of a job change: pydantic's errors as the paths and messages that senders read. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic_core import ErrorDetails

from domain.errors import PermanentError
from domain.job_change.field_types import MOST_EMAILS


@dataclass(frozen=True)
class Fault:
    """One validation error. `path` is dotted, and empty when it concerns the whole job change."""

    path: str
    message: str


class InvalidJobChangeError(PermanentError):
    """The job change is invalid, and only its sender can fix it."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(f"{fault.path or 'the job change'} {fault.message}" for fault in faults))
        self.faults = tuple(faults)


_OBJECT = "must be an object"
_DATE = "must be a date such as 2026-11-01"
_TIME = "must be a time with its zone, such as 2026-11-20T09:30:00Z"
_NUMBER = "must be a number"
_YEARS = "must be between the years 1900 and 2199"
_MESSAGES = {
    "missing": "is required",
    "model_type": _OBJECT,
    "dict_type": _OBJECT,
    "list_type": "must be a list",
    "too_long": f"must have at most {MOST_EMAILS} items",
    "string_type": "must be text",
    "string_unicode": "has a broken character",
    "float_type": _NUMBER,
    "finite_number": _NUMBER,
    "date_parsing": _DATE,
    "date_from_datetime_parsing": _DATE,
    "date_from_datetime_inexact": _DATE,
    "datetime_parsing": _TIME,
    "datetime_from_date_parsing": _TIME,
    "timezone_aware": _TIME,
    "greater_than_equal": _YEARS,
    "less_than": _YEARS,
}
"""Messages by pydantic's error type: https://docs.pydantic.dev/latest/errors/validation_errors/"""


def fault_of(detail: ErrorDetails) -> Fault:
    """Translate one of pydantic's errors. The value that was sent is left out, because errors are logged."""
    kind, place, ctx = detail["type"], detail["loc"], detail.get("ctx", {})
    if place[0] == "custom" and len(place) > 1:
        return Fault("custom", "must be a JSON object")
    path = ".".join(str(step) for step in place)
    if kind in {"enum", "model_type"} and detail["input"] is None:
        return Fault(path, "is required")
    if kind == "enum":
        return Fault(path, f"must be one of {ctx['expected'].replace(chr(39), '')}")
    if kind == "string_too_long":
        return Fault(path, f"must be at most {ctx['max_length']} characters long")
    return Fault(path, _MESSAGES.get(kind, detail["msg"]))
