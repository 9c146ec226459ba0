"""What is wrong with a rule set, each fault with its place. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from domain.errors import PermanentError


@dataclass(frozen=True)
class RuleFault:
    """
    One thing that is wrong; *path* is dotted (`rules.0.tell.1.field`), empty for the whole: "the rules are not JSON".

    *is_warning*: the rules work all the same, and not as somebody meant them to.
    """

    path: str
    message: str
    is_warning: bool = False

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else f"the rules {self.message}"


class InvalidRulesError(PermanentError):
    """Only whoever wrote the rules can mend them; nothing was stored."""

    def __init__(self, faults: Sequence[RuleFault]) -> None:
        super().__init__("; ".join(map(str, faults)))
        self.faults = tuple(faults)


_MESSAGES = {
    "missing": "is required",
    "extra_forbidden": "is not known here",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "dict_type": "must be an object",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "string_type": "must be text",
    "string_too_short": "must not be empty",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a number",
    "bool_type": "must be true or false",
    "union_tag_not_found": "needs a source",
}
_PATTERNS = {
    "field": "must be an object and a field, such as Account.SDR__c, of Contact, Lead, Account or Opportunity",
    "channel": "must be a channel's id, such as C0123456789",
    "group": "must be a user group's id, such as S0123456789",
}
_TAGS = frozenset(
    {
        "owner",
        "opportunity_owner",
        "field",
        "team",
        "mapped",
        "pool",
        "manager",
        "sender",
        "user",
        "user_group",
        "channel",
    }
)


def faults_of(error: ValidationError) -> list[RuleFault]:
    """Every one of pydantic's errors, once."""
    faults = dict.fromkeys(fault for detail in error.errors(include_url=False) for fault in _faults_of(detail))
    places = [fault.path for fault in faults]
    return [fault for fault in faults if not (fault.message.startswith("has no ") and _has_inner(fault.path, places))]


def _has_inner(path: str, places: Sequence[str]) -> bool:
    """A list whose every item is at fault looks empty to pydantic."""
    return any(place.startswith(f"{path}.") for place in places)


def _faults_of(detail: ErrorDetails) -> Iterator[RuleFault]:
    kind, ctx = detail["type"], detail.get("ctx", {})
    if kind == "unknown_names":
        yield from ctx["faults"]
        return
    path = _path(detail["loc"])
    if kind in {"enum", "literal_error"}:
        yield RuleFault(path, f"must be one of {ctx['expected'].replace(chr(39), '').replace(' or ', ', ')}")
    elif kind == "union_tag_invalid":
        yield RuleFault(f"{path}.source", f"must be one of {ctx['expected_tags'].replace(chr(39), '')}")
    elif kind == "string_too_long":
        yield RuleFault(path, f"must be at most {ctx['max_length']} characters long")
    elif kind == "too_long":
        yield RuleFault(path, f"must have at most {ctx['max_length']}, and has {ctx['actual_length'] or 'more'}")
    elif kind == "too_short":
        what = "members" if path.endswith(".members") else "values"
        yield RuleFault(path, f"has no {what}")
    elif kind in {"greater_than_equal", "less_than_equal"}:
        limit = f"at least {ctx['ge']}" if "ge" in ctx else f"at most {ctx['le']}"
        yield RuleFault(path, f"must be {limit}")
    elif kind == "string_pattern_mismatch":
        yield RuleFault(path, _PATTERNS.get(path.rpartition(".")[2], detail["msg"]))
    else:
        yield RuleFault(path, _MESSAGES.get(kind, detail["msg"]))


def _path(place: tuple[int | str, ...]) -> str:
    """Without the names of kinds that pydantic puts where a source stands, and the mark of a key."""
    steps: list[str] = []
    for number, step in enumerate(place):
        in_chain = number > 1 and place[number - 2] == "tell"
        is_kind = step in _TAGS and number > 0 and (in_chain or place[number - 1] in {"of", "fallback"})
        if not is_kind and step != "[key]":
            steps.append(str(step))
    return ".".join(steps)
