"""Edits of a rule set: rules, pools, mapping tables, segments and guards. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from services.ownership.rules.faults import InvalidRulesError, RuleFault
from services.ownership.rules.rule_set import Conditions, Rule, RuleSet

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


def mark_of(rule: Rule) -> str:
    """By which a rule is found again as long as nobody changes it, wherever it is moved."""
    return hashlib.sha256(rule.model_dump_json().encode()).hexdigest()[:16]


def find(rules: RuleSet, mark: str) -> int | None:
    """Where the rule with this mark stands."""
    return next((number for number, rule in enumerate(rules.rules) if mark_of(rule) == mark), None)


def place_for_new(rules: RuleSet) -> int:
    """After all others, and before those at the end that take everything: there it could never be reached."""
    place = len(rules.rules)
    while place and rules.rules[place - 1].when == Conditions():
        place -= 1
    return place


def moved(rules: RuleSet, number: int, by: int) -> RuleSet:
    """With one rule moved; what would leave the list stays at its end."""
    order = list(rules.rules)
    rule = order.pop(number)
    order.insert(min(max(number + by, 0), len(order)), rule)
    return _with(rules, order)


def switched(rules: RuleSet, number: int) -> RuleSet:
    """With one rule switched off, or on again."""
    order = list(rules.rules)
    order[number] = order[number].model_copy(update={"enabled": not order[number].enabled})
    return _with(rules, order)


def removed(rules: RuleSet, number: int) -> RuleSet:
    return _with(rules, [rule for place, rule in enumerate(rules.rules) if place != number])


def added(rules: RuleSet, new: Sequence[Rule], place: int) -> RuleSet:
    """With rules put in before the one at *place*; beyond the last: after it."""
    order = list(rules.rules)
    order[place:place] = new
    return _with(rules, order)


def replaced(rules: RuleSet, number: int, rule: Rule, place: int) -> RuleSet:
    """With one rule changed, and moved to its *place*."""
    order = list(rules.rules)
    del order[number]
    order.insert(place, rule)
    return _with(rules, order)


def _with(rules: RuleSet, order: Sequence[Rule]) -> RuleSet:
    return rules.model_copy(update={"rules": tuple(order)})


UP, DOWN, SWITCH, DELETE = "up", "down", "switch", "delete"


STEPS: Mapping[str, Callable[[RuleSet, int], RuleSet]] = {
    UP: lambda rules, number: moved(rules, number, -1),
    DOWN: lambda rules, number: moved(rules, number, 1),
    SWITCH: switched,
    DELETE: removed,
}
"""What can be done to a rule in the list, without a dialog of its own."""
