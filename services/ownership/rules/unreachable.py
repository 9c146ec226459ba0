"""Unreachable rules: their conditions cannot hold, or rules above them match everything that they match. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

from domain.job_change.parts import ChangeType, Signal
from services.ownership.rules.issues import RuleIssue
from services.ownership.rules.owner_sources import Side
from services.ownership.rules.rule_set import Conditions, FieldTest, Rule

MOST_COMPARISONS = 2_000_000
"""Rules times values, which takes about a second."""

_PAST = {ChangeType.NEW_COMPANY, ChangeType.NEW_HIRE, ChangeType.DEPARTURE}
_SIDES: tuple[Side, ...] = ("past", "current")
Kind = tuple[Side, ChangeType, Signal]


def unreachable(rules: Sequence[Rule]) -> list[RuleIssue]:
    """A warning for each enabled rule that no job change can reach, with the rules that cover it."""
    issues: list[RuleIssue] = []
    if len(rules) * sum(rule.when.value_count for rule in rules) > MOST_COMPARISONS:
        return [RuleIssue("", "have too many values to look for unreachable ones", is_warning=True)]
    above: list[tuple[int, Rule, frozenset[Kind]]] = []
    for number, rule in enumerate(rules):
        if not rule.enabled:
            continue
        kinds = _kinds(rule.when)
        if reason := _impossible(rule.when, kinds) or _covered(rule.when, kinds, above):
            issues.append(RuleIssue(f"rules.{number}", f"“{rule.name}” is unreachable: {reason}", is_warning=True))
        above.append((number, rule, kinds))
    return issues


def _kinds(when: Conditions) -> frozenset[Kind]:
    sides = (when.side,) if when.side else _SIDES
    kinds = product(sides, when.change_type or ChangeType, when.signal or Signal)
    return frozenset(kind for kind in kinds if kind[0] == "current" or kind[1] in _PAST)


def _impossible(when: Conditions, kinds: frozenset[Kind]) -> str | None:
    if not kinds:
        return "nobody leaves a company in such a job change"
    if when.title_contains and when.title_lacks and _contains(when.title_lacks, when.title_contains):
        return "every title that matches is excluded by “title does not contain”"
    has_account_test = any(test.field.startswith("Account.") for test in when.fields or ())
    if has_account_test and when.segment and set(when.segment) == {"not_in_salesforce"}:
        return "an account that is not in Salesforce has no fields"
    return None


def _covered(
    when: Conditions, kinds: frozenset[Kind], above: Sequence[tuple[int, Rule, frozenset[Kind]]]
) -> str | None:
    remaining, covering = set(kinds), []
    for number, rule, matched in above:
        if not remaining.isdisjoint(matched) and all(_implied(rule.when, when)):
            remaining -= matched
            covering.append(f"{number + 1} (“{rule.name}”)")
        if not remaining:
            rules, verb = ("rule", "matches") if len(covering) == 1 else ("rules", "match")
            return f"{rules} {' and '.join(covering)} above {verb} everything it would match"
    return None


def _implied(above: Conditions, below: Conditions) -> Iterator[bool]:
    """For each condition of `above`, whether it holds in all job changes that match `below`."""
    yield _within(_segments(below.segment), _segments(above.segment))
    yield _within(below.relationship, above.relationship)
    yield _within(below.persona, above.persona)
    yield above.min_score is None or (below.min_score is not None and below.min_score >= above.min_score)
    yield above.contact_has_open_opportunity in {None, below.contact_has_open_opportunity}
    yield _contains(above.title_contains, below.title_contains)
    yield above.title_lacks is None or _contains(below.title_lacks or (), above.title_lacks)
    yield all(any(_test_implied(test, other) for other in below.fields or ()) for test in above.fields or ())


def _segments(segments: Sequence[str] | None) -> Sequence[str] | None:
    """The segments that match: `none` includes accounts that are not in Salesforce."""
    return [*segments, "not_in_salesforce"] if segments and "none" in segments else segments


def _within(below: Sequence[str] | None, above: Sequence[str] | None) -> bool:
    """Whether every value of `below` is in `above`, where None is any value."""
    return above is None or (below is not None and _folded(below) <= _folded(above))


def _contains(above: Sequence[str] | None, below: Sequence[str] | None) -> bool:
    """Whether every text of `below` contains a word of `above`, where None is any text."""
    if above is None or below is None:
        return above is None
    return all(any(word in text for word in _folded(above)) for text in _folded(below))


def _test_implied(above: FieldTest, below: FieldTest) -> bool:
    if above.field.casefold() != below.field.casefold():
        return False
    if above.limit is not None:
        return below.test == above.test and above.is_met_by(below.limit)
    if below.limit is not None:
        return False
    if above.test == "contains":
        return _contains(above.values, below.values)
    return below.test != "contains" and _within(below.values, above.values)


def _folded(words: Sequence[str]) -> frozenset[str]:
    return frozenset(word.casefold() for word in words)
