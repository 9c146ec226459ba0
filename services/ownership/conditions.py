"""Whether a rule takes a side of a job change: its conditions, made ready once and asked many times. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from services.job_changes import ChangeType, Signal
from services.ownership.facts import Case, holds, segments_of
from services.ownership.rules import Conditions, FieldTest, Rule, RuleSet, Segment, Segments
from services.ownership.sources import Side

Test = Callable[["Situation"], bool]


@dataclass(frozen=True, slots=True)
class Situation:
    """One side of a job change, as conditions see it; texts are folded for comparison."""

    side: Side
    signal: Signal
    change_type: ChangeType
    relationship: str
    persona: str
    title: str
    score: float | None
    segments: frozenset[Segment]
    case: Case

    @classmethod
    def of(cls, case: Case, side: Side, segments: Segments) -> Situation:
        change = case.change
        job = change.previous if side == "past" else change.current
        return cls(
            side=side,
            signal=change.signal,
            change_type=change.change_type,
            relationship=(change.relationship or "").casefold(),
            persona=(change.persona or "").casefold(),
            title=(job.title or "").casefold(),
            score=change.score,
            segments=segments_of(case.views[side].account, segments) if case.records else frozenset(),
            case=case,
        )

    def holds(self, test: FieldTest) -> bool:
        view = self.case.views[self.side]
        account = view.account
        opportunity = account.open if account else None
        return holds(test, view.fields(test.field.partition(".")[0], opportunity))


@dataclass(frozen=True)
class Prepared:
    """A rule set made ready: the rules in force, each with the tests it sets."""

    rule_set: RuleSet
    rules: tuple[tuple[tuple[Test, ...], Rule], ...]

    @classmethod
    def of(cls, rule_set: RuleSet) -> Prepared:
        return cls(rule_set, tuple((tuple(_tests(rule.when)), rule) for rule in rule_set.in_force))

    def first(self, situation: Situation) -> Rule | None:
        """The first rule that takes it; None: it is left to the catch-all."""
        for tests, rule in self.rules:
            for test in tests:
                if not test(situation):
                    break
            else:
                return rule
        return None


def _tests(when: Conditions) -> Iterator[Test]:
    """The cheap ones that tell most apart come first."""
    yield from _kind_tests(when)
    yield from _text_tests(when)
    if when.min_score is not None:
        least = when.min_score
        yield lambda situation: situation.score is not None and situation.score >= least
    for test in when.fields or ():
        yield lambda situation, test=test: situation.holds(test)  # type: ignore[misc]  # a default binds it now


def _kind_tests(when: Conditions) -> Iterator[Test]:
    if when.side is not None:
        side = when.side
        yield lambda situation: situation.side == side
    if when.segment is not None:
        segments = frozenset(when.segment)
        yield lambda situation: not segments.isdisjoint(situation.segments)
    if when.change_type is not None:
        change_types = frozenset(when.change_type)
        yield lambda situation: situation.change_type in change_types
    if when.signal is not None:
        signals = frozenset(when.signal)
        yield lambda situation: situation.signal in signals


def _text_tests(when: Conditions) -> Iterator[Test]:
    if when.relationship is not None:
        relationships = _folded(when.relationship)
        yield lambda situation: situation.relationship in relationships
    if when.persona is not None:
        personas = _folded(when.persona)
        yield lambda situation: situation.persona in personas
    if when.title_lacks is not None:
        lacks = _folded(when.title_lacks)
        yield lambda situation: not any(word in situation.title for word in lacks)
    if when.title_contains is not None:
        contains = _folded(when.title_contains)
        yield lambda situation: any(word in situation.title for word in contains)


def _folded(values: tuple[str, ...]) -> frozenset[str]:
    return frozenset(value.casefold() for value in values)
