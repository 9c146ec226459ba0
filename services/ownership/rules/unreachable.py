"""Unreachable rules: their conditions cannot hold, or rules above them match everything that they match. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

from domain.job_change.parts import ChangeType, Signal
from services.ownership.rules.issues import RuleIssue
from services.ownership.rules.owner_sources import Side
from services.ownership.rules.rule_set import Conditions, FieldTest, Rule

_PAST = {ChangeType.NEW_COMPANY, ChangeType.NEW_HIRE, ChangeType.DEPARTURE}
MOST_COMPARISONS = 2_000_000
"""Rules times values, which takes about a second."""

_SIDES: tuple[Side, ...] = ("past", "current")
Kind = tuple[Side, ChangeType, Signal]


def unreachable(rules: Sequence[Rule]) -> list[RuleIssue]:
    """A warning for each enabled rule that no job change can reach, with the rules that cover it."""
    issues: list[RuleIssue] = []
    if len(rules) * sum(rule.when.value_count for rule in rules) > MOST_COMPARISONS:
        return [RuleIssue("", "there are too many rules and values to look for unreachable rules", is_warning=True)]
    above: list[tuple[int, Rule, frozenset[Kind]]] = []
    for number, rule in enumerate(rules):
        if not rule.enabled:
            continue
        kinds = frozenset(
            (side, change_type, signal)
            for side, change_type, signal in product(
                (rule.when.side,) if rule.when.side else _SIDES,
                rule.when.change_type or ChangeType,
                rule.when.signal or Signal,
            )
            if side == "current" or change_type in _PAST
        )
        if reason := _impossible(rule.when, kinds) or _covered(rule.when, kinds, above):
            issues.append(RuleIssue(f"rules.{number}", f"“{rule.name}” is unreachable: {reason}", is_warning=True))
        above.append((number, rule, kinds))
    return issues


def _impossible(when: Conditions, kinds: frozenset[Kind]) -> str | None:
    if not kinds:
        return "nobody leaves a company in such a job change"
    if when.title_contains and when.title_lacks:
        excluded = [word.casefold() for word in when.title_lacks]
        if all(any(term in word.casefold() for term in excluded) for word in when.title_contains):
            return "every title that matches is excluded by “title does not contain”"
    if (
        when.segment
        and set(when.segment) == {"not_in_salesforce"}
        and any(test.field.startswith("Account.") for test in when.fields or ())
    ):
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
            rules = "rule" if len(covering) == 1 else "rules"
            verb = "matches" if len(covering) == 1 else "match"
            return f"{rules} {' and '.join(covering)} above {verb} everything it would match"
    return None


def _implied(above: Conditions, below: Conditions) -> Iterator[bool]:
    yield _within(_segments(below.segment), _segments(above.segment))
    yield _within(_folded(below.relationship), _folded(above.relationship))
    yield _within(_folded(below.persona), _folded(above.persona))
    min_score = above.min_score
    yield min_score is None or (below.min_score is not None and below.min_score >= min_score)
    has_deal = above.contact_has_open_opportunity
    yield has_deal is None or has_deal == below.contact_has_open_opportunity
    yield _contains(above.title_contains, below.title_contains)
    yield above.title_lacks is None or all(
        any(term in word.casefold() for term in _folded(below.title_lacks) or ()) for word in above.title_lacks
    )
    yield all(any(_test_implied(test, other) for other in below.fields or ()) for test in above.fields or ())


def _segments(segments: Sequence[str] | None) -> frozenset[str] | None:
    """The segments that match: `none` includes accounts that are not in Salesforce."""
    if segments is None:
        return None
    return frozenset(segments) | ({"not_in_salesforce"} if "none" in segments else set())


def _within(below: frozenset[str] | None, above: frozenset[str] | None) -> bool:
    return above is None or (below is not None and below <= above)


def _contains(above: Sequence[str] | None, below: Sequence[str] | None) -> bool:
    """Whether every word of `below` contains a word of `above`."""
    if above is None:
        return True
    wanted = _folded(above) or frozenset()
    return below is not None and all(any(word in term.casefold() for word in wanted) for term in below)


def _test_implied(above: FieldTest, below: FieldTest) -> bool:
    if above.field.casefold() != below.field.casefold():
        return False
    if above.test == "contains":
        return _contains(above.values, below.values)
    return below.test != "contains" and (_folded(below.values) or frozenset()) <= (_folded(above.values) or frozenset())


def _folded(words: Sequence[str] | None) -> frozenset[str] | None:
    return None if words is None else frozenset(word.casefold() for word in words)
