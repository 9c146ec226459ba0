"""The errors and warnings of a rule set, each with its path. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from domain.errors import PermanentError


@dataclass(frozen=True)
class RuleIssue:
    """
    An error or warning. `path` is dotted, such as `rules.0.tell.1.field`; it is empty for the rules as a whole.

    Rules with warnings can be published, but probably do not do what the admin meant.
    """

    path: str
    message: str
    is_warning: bool = False

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else f"the rules {self.message}"


class InvalidRulesError(PermanentError):
    """The rules have errors, and were not stored."""

    def __init__(self, issues: Sequence[RuleIssue]) -> None:
        super().__init__("; ".join(map(str, issues)))
        self.issues = tuple(issues)


_MESSAGES = {
    "missing": "is required",
    "extra_forbidden": "is not a known key",
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
    "context_fields": "must be an object and a field, such as Account.ARR__c, of Contact, Account or Opportunity",
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
        "queue",
        "channel_field",
    }
)


def issues_of(error: ValidationError) -> list[RuleIssue]:
    """The errors that pydantic found, without duplicates."""
    details = [(detail, issue) for detail in error.errors(include_url=False) for issue in _issues_of(detail)]
    inner = {issue.path[:end] for _, issue in details for end, step in enumerate(issue.path) if step == "."}
    return list(
        dict.fromkeys(
            issue
            for detail, issue in details
            # Pydantic reports a list as empty, too, if all of its items have errors.
            if detail["type"] != "too_short" or issue.path not in inner
        )
    )


def _issues_of(detail: ErrorDetails) -> Iterator[RuleIssue]:
    kind, ctx = detail["type"], detail.get("ctx", {})
    if kind == "unknown_names":
        yield from ctx["issues"]
        return
    path = _path(detail["loc"])
    if kind in {"enum", "literal_error"}:
        yield RuleIssue(path, f"must be one of {ctx['expected'].replace(chr(39), '').replace(' or ', ', ')}")
    elif kind == "union_tag_invalid":
        yield RuleIssue(f"{path}.source", f"must be one of {ctx['expected_tags'].replace(chr(39), '')}")
    elif kind == "string_too_long":
        yield RuleIssue(path, f"must be at most {ctx['max_length']} characters long")
    elif kind == "too_long":
        yield RuleIssue(
            path, f"must have at most {ctx['max_length']} entries, but has {ctx['actual_length'] or 'more'}"
        )
    elif kind == "too_short":
        yield RuleIssue(path, "needs at least one member" if path.endswith(".members") else "has no values")
    elif kind in {"greater_than_equal", "less_than_equal"}:
        limit = f"at least {ctx['ge']}" if "ge" in ctx else f"at most {ctx['le']}"
        yield RuleIssue(path, f"must be {limit}")
    elif kind == "string_pattern_mismatch":
        name = next((step for step in reversed(path.split(".")) if not step.isdigit()), "")
        yield RuleIssue(path, _PATTERNS.get(name, detail["msg"]))
    else:
        yield RuleIssue(path, _MESSAGES.get(kind, detail["msg"]))


def _path(place: tuple[int | str, ...]) -> str:
    """The dotted path, without the source kinds and key markers that pydantic adds."""
    steps: list[str] = []
    for number, step in enumerate(place):
        in_chain = number > 1 and place[number - 2] in {"tell", "also_notify"}
        is_kind = step in _TAGS and number > 0 and (in_chain or place[number - 1] in {"of", "fallback"})
        if not is_kind and step != "[key]":
            steps.append(str(step))
    return ".".join(steps)


def unknown_names_in(raw: Mapping[str, object]) -> list[RuleIssue]:
    """The unknown names in rules with other errors, as far as they can be read, so that all can be fixed at once."""
    pools, mappings, rules = (raw.get(name) for name in ("pools", "mappings", "rules"))
    unknown: list[RuleIssue] = []
    for number, rule in enumerate(rules if isinstance(rules, list | tuple) else ()):
        tell = rule.get("tell") if isinstance(rule, dict) else None
        for place, source in enumerate(tell if isinstance(tell, list | tuple) else ()):
            kind = source.get("source") if isinstance(source, dict) else None
            reference = {"pool": ("pool", pools), "mapped": ("table", mappings)}.get(str(kind))
            if reference is None:
                continue
            key, defined = reference
            name = source.get(key)
            if isinstance(name, str) and not (isinstance(defined, dict) and name.strip() in defined):
                noun = "pool" if key == "pool" else "mapping"
                unknown.append(RuleIssue(f"rules.{number}.tell.{place}.{key}", f"there is no {noun} named {name}"))
    return unknown
