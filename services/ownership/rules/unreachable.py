"""Rules that can never win: what they ask for cannot happen, or rules above take it all. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

from domain.job_change.parts import ChangeType, Signal
from services.ownership.rules.faults import RuleFault
from services.ownership.rules.owner_sources import Side
from services.ownership.rules.rule_set import Conditions, FieldTest, Rule

_PAST = {ChangeType.NEW_COMPANY, ChangeType.NEW_HIRE, ChangeType.DEPARTURE}
_SIDES: tuple[Side, ...] = ("past", "current")
Kind = tuple[Side, ChangeType, Signal]


def unreachable(rules: Sequence[Rule]) -> list[RuleFault]:
    """One fault for each rule in force that no job change can reach, with the rules that hide it."""
    faults: list[RuleFault] = []
    above: list[tuple[int, Rule, frozenset[Kind]]] = []
    for number, rule in enumerate(rules):
        if not rule.enabled:
            continue
        kinds = _kinds(rule.when)
        if why := _impossible(rule.when, kinds) or _hidden(rule.when, kinds, above):
            faults.append(RuleFault(f"rules.{number}", f"“{rule.name}” can never be reached: {why}", is_warning=True))
        above.append((number, rule, kinds))
    return faults


def _kinds(when: Conditions) -> frozenset[Kind]:
    """The combinations of side, change type and signal that it takes and that can happen."""
    return frozenset(
        (side, change_type, signal)
        for side, change_type, signal in product(
            (when.side,) if when.side else _SIDES, when.change_type or ChangeType, when.signal or Signal
        )
        if side == "current" or change_type in _PAST
    )


def _impossible(when: Conditions, kinds: frozenset[Kind]) -> str | None:
    if not kinds:
        return "in such a job change nobody leaves a company"
    if when.title_contains and when.title_lacks:
        lacks = [word.casefold() for word in when.title_lacks]
        if all(any(lack in word.casefold() for lack in lacks) for word in when.title_contains):
            return "the words that a title must not contain rule out those that it must"
    if (
        when.segment
        and set(when.segment) == {"not_in_salesforce"}
        and any(test.field.startswith("Account.") for test in when.fields or ())
    ):
        return "an account that is not in Salesforce has no fields there"
    return None


def _hidden(when: Conditions, kinds: frozenset[Kind], above: Sequence[tuple[int, Rule, frozenset[Kind]]]) -> str | None:
    left, hiding = set(kinds), []
    for number, rule, taken in above:
        if not left.isdisjoint(taken) and _covers(rule.when, when):
            left -= taken
            hiding.append(f"{number + 1} (“{rule.name}”)")
        if not left:
            return f"rule {' and '.join(hiding)} above takes all of it"
    return None


def _covers(above: Conditions, below: Conditions) -> bool:
    """Whether all that *below* takes, *above* takes too, side, change type and signal apart."""
    return all(_implied(above, below))


def _implied(above: Conditions, below: Conditions) -> Iterator[bool]:
    yield _within(_segments(below.segment), _segments(above.segment))
    yield _within(_folded(below.relationship), _folded(above.relationship))
    yield _within(_folded(below.persona), _folded(above.persona))
    least = above.min_score
    yield least is None or (below.min_score is not None and below.min_score >= least)
    yield _contains(above.title_contains, below.title_contains)
    yield above.title_lacks is None or all(
        any(kept in word.casefold() for kept in _folded(below.title_lacks) or ()) for word in above.title_lacks
    )
    yield all(any(_test_implied(test, other) for other in below.fields or ()) for test in above.fields or ())


def _segments(segments: Sequence[str] | None) -> frozenset[str] | None:
    """Whoever is not in Salesforce is in no segment too: taking `none` takes them."""
    if segments is None:
        return None
    return frozenset(segments) | ({"not_in_salesforce"} if "none" in segments else set())


def _within(below: frozenset[str] | None, above: frozenset[str] | None) -> bool:
    return above is None or (below is not None and below <= above)


def _contains(above: Sequence[str] | None, below: Sequence[str] | None) -> bool:
    """Every word that *below* asks for has one in it that *above* asks for."""
    if above is None:
        return True
    wanted = _folded(above) or frozenset()
    return below is not None and all(any(word in one.casefold() for word in wanted) for one in below)


def _test_implied(above: FieldTest, below: FieldTest) -> bool:
    if above.field.casefold() != below.field.casefold():
        return False
    if above.test == "contains":
        return _contains(above.values, below.values)
    return below.test != "contains" and (_folded(below.values) or frozenset()) <= (_folded(above.values) or frozenset())


def _folded(words: Sequence[str] | None) -> frozenset[str] | None:
    return None if words is None else frozenset(word.casefold() for word in words)
