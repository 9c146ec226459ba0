"""Edits a rule set: rules, pools, mapping tables, segments and guards. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from services.ownership.rules.issues import InvalidRulesError, RuleIssue
from services.ownership.rules.rule_set import Conditions, Rule, RuleSet

POOLS, MAPPINGS = "pools", "mappings"
Raw = dict[str, Any]

_NAMED_BY = {POOLS: ("pool", "pool"), MAPPINGS: ("mapped", "table")}
"""The kind of source that refers to a pool or mapping, and the field with its name."""


def with_named(rules: RuleSet, kind: str, old: str | None, name: str, value: object) -> RuleSet:
    """
    Add a pool or mapping, or replace the `old` one. Rules that use it get its new name. Raises InvalidRulesError.
    """

    def change(raw: Raw) -> None:
        entries = raw[kind]
        if name != old and name in entries:
            raise InvalidRulesError([RuleIssue(f"{kind}.{name}", "this name is already used")])
        if old is not None:
            entries.pop(old, None)
        entries[name] = value
        source, field = _NAMED_BY[kind]
        for rule in raw["rules"]:
            for entry in [*rule["tell"], *rule.get("also_notify", ())]:
                if entry["source"] == source and entry[field] == old:
                    entry[field] = name

    return _changed(rules, change)


def without_named(rules: RuleSet, kind: str, name: str) -> RuleSet:
    """Delete a pool or mapping. Raises InvalidRulesError if a rule still uses it."""
    return _changed(rules, lambda raw: raw[kind].pop(name, None))


def with_settings(
    rules: RuleSet,
    segments: Mapping[str, object],
    guards: Mapping[str, object],
    open_opportunity: str,
    context_fields: Sequence[str],
) -> RuleSet:
    """
    Replace the guards, which open opportunity is used, what cards show, and the given segments.

    Raises InvalidRulesError.
    """

    def change(raw: Raw) -> None:
        raw.update(segments=raw["segments"] | segments, guards=dict(guards), open_opportunity=open_opportunity)
        raw["context_fields"] = list(context_fields) or None

    return _changed(rules, change)


def _changed(rules: RuleSet, change: Callable[[Raw], object]) -> RuleSet:
    raw = json.loads(rules.to_json())
    change(raw)
    changed = RuleSet.parse(raw)  # with the same rules in the same order
    return changed.with_rules(rule.keyed(before.key) for rule, before in zip(changed.rules, rules.rules, strict=True))


def with_known_keys(rules: RuleSet, earlier: RuleSet) -> RuleSet:
    """
    The rules with the keys that they have in `earlier`, which JSON does not hold.

    A rule is the same if its name is, else if everything but its name is.
    """
    by_name = {rule.name: rule.key for rule in earlier.rules}
    names = {rule.name for rule in rules.rules}
    renamed = {_without_name(rule): rule.key for rule in earlier.rules if rule.name not in names}
    return rules.with_rules(
        rule.keyed(by_name.get(rule.name) or renamed.get(_without_name(rule)) or rule.name) for rule in rules.rules
    )


def _without_name(rule: Rule) -> str:
    return rule.model_dump_json(exclude={"name"})


def with_distinct_keys(rules: RuleSet) -> RuleSet:
    """Give a new rule another key if its name is the original name of a renamed one."""
    taken = {rule.original_name for rule in rules.rules}
    return rules.with_rules(
        rule
        if rule.original_name or rule.name not in taken
        else rule.keyed(next(key for number in count(2) if (key := f"{rule.name} ({number})") not in taken))
        for rule in rules.rules
    )


def mark_of(rule: Rule) -> str:
    """A fingerprint of a rule, by which it is found again after it was moved."""
    return hashlib.sha256(rule.model_dump_json().encode()).hexdigest()[:16]


def find(rules: RuleSet, mark: str) -> int | None:
    """The index of the rule with this mark. None means that it was changed or deleted."""
    return next((number for number, rule in enumerate(rules.rules) if mark_of(rule) == mark), None)


def place_for_new(rules: RuleSet) -> int:
    """The index for a new rule: the end, but before rules that match everything, which would make it unreachable."""
    place = len(rules.rules)
    while place and rules.rules[place - 1].when == Conditions():
        place -= 1
    return place


def moved(rules: RuleSet, number: int, by: int) -> RuleSet:
    """Move a rule by some places, within the list."""
    order = list(rules.rules)
    rule = order.pop(number)
    order.insert(min(max(number + by, 0), len(order)), rule)
    return rules.with_rules(order)


def toggled(rules: RuleSet, number: int) -> RuleSet:
    """Turn a rule off, or on again."""
    order = list(rules.rules)
    order[number] = order[number].model_copy(update={"enabled": not order[number].enabled})
    return rules.with_rules(order)


def removed(rules: RuleSet, number: int) -> RuleSet:
    return rules.with_rules(rule for place, rule in enumerate(rules.rules) if place != number)


def added(rules: RuleSet, new: Sequence[Rule], place: int) -> RuleSet:
    """Insert rules before the one at `place`."""
    order = list(rules.rules)
    order[place:place] = new
    return rules.with_rules(order)


def replaced(rules: RuleSet, number: int, rule: Rule, place: int) -> RuleSet:
    """Replace a rule by a changed one, and move it to `place`."""
    order = list(rules.rules)
    before = order.pop(number)
    order.insert(place, rule.keyed(before.key))
    return rules.with_rules(order)


@dataclass(frozen=True)
class RuleChange:
    """What a draft does to a rule: `before` None means that it is new, `after` None that it is deleted."""

    before: Rule | None
    after: Rule | None


def changes(published: RuleSet, draft: RuleSet) -> list[RuleChange]:
    """The rules that are new, changed or deleted, in the order of the draft. Rules with the same key are the same."""
    before = {rule.key: rule for rule in published.rules}
    after = {rule.key: rule for rule in draft.rules}
    shown = [RuleChange(before.get(key), rule) for key, rule in after.items() if before.get(key) != rule]
    return shown + [RuleChange(rule, None) for key, rule in before.items() if key not in after]


def is_reordered(published: RuleSet, draft: RuleSet) -> bool:
    """Whether rules that both have are in another order."""
    before, after = [rule.key for rule in published.rules], [rule.key for rule in draft.rules]
    return [key for key in before if key in after] != [key for key in after if key in before]


UP, DOWN, SWITCH, DELETE = "up", "down", "switch", "delete"

STEPS: Mapping[str, Callable[[RuleSet, int], RuleSet]] = {
    UP: lambda rules, number: moved(rules, number, -1),
    DOWN: lambda rules, number: moved(rules, number, 1),
    SWITCH: toggled,
    DELETE: removed,
}
"""The edits in the menu of a rule in the list."""
