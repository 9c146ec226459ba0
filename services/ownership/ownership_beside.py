"""Changing what stands beside the ownership rules: pools, mapping tables, segments, guards. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from services.ownership.rules.faults import InvalidRulesError, RuleFault
from services.ownership.rules.rule_set import RuleSet

POOLS, MAPPINGS = "pools", "mappings"
Raw = dict[str, Any]

_NAMED_BY = {POOLS: ("pool", "pool"), MAPPINGS: ("mapped", "table")}
"""The kind of source that names one, and the field in which it does."""


def with_named(rules: RuleSet, kind: str, old: str | None, name: str, value: object) -> RuleSet:
    """
    With a pool or mapping added, or changed in place of the *old* one; rules that name it follow it to its new name.

    Raises InvalidRulesError.
    """

    def change(raw: Raw) -> None:
        named = raw[kind]
        if name != old and name in named:
            raise InvalidRulesError([RuleFault(f"{kind}.{name}", "there is one of this name already")])
        if old is not None:
            named.pop(old, None)
        named[name] = value
        _rename(raw, kind, old, name)

    return _changed(rules, change)


def without_named(rules: RuleSet, kind: str, name: str) -> RuleSet:
    """Raises InvalidRulesError where a rule still names it."""
    return _changed(rules, lambda raw: raw[kind].pop(name, None))


def with_settings(rules: RuleSet, segments: Mapping[str, object], guards: Mapping[str, object]) -> RuleSet:
    """*segments*: those that change. Raises InvalidRulesError."""
    return _changed(rules, lambda raw: raw.update(segments=raw["segments"] | segments, guards=dict(guards)))


def _changed(rules: RuleSet, change: Callable[[Raw], object]) -> RuleSet:
    raw = json.loads(rules.to_json())
    change(raw)
    return RuleSet.parse(raw)


def _rename(raw: Raw, kind: str, old: str | None, name: str) -> None:
    source, field = _NAMED_BY[kind]
    for rule in raw["rules"]:
        for one in rule["tell"]:
            if one["source"] == source and one[field] == old:
                one[field] = name
