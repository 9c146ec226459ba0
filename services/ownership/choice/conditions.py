"""Whether a rule takes a side of a job change: its conditions, made ready once and asked many times. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from domain.job_change.parts import ChangeType, Signal
from services.ownership.choice.case import Case, segments_of, text_of
from services.ownership.rules.owner_sources import Side
from services.ownership.rules.rule_set import Conditions, FieldTest, Rule, RuleSet, Segment, Segments

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
    texts: dict[str, str | None] = field(default_factory=dict)

    @classmethod
    def of(cls, case: Case, side: Side, segments: Segments) -> Situation:
        """One side of a job change, folded so that rules compare without regard to case."""
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

    def text(self, field: str) -> str | None:
        """A field (`Account.Type`) of this side's record, folded; None: there is no such record, or nothing in it."""
        if field not in self.texts:
            view = self.case.views[self.side]
            sobject, _, name = field.partition(".")
            fields = view.fields(sobject, view.account.open if view.account else None)
            self.texts[field] = text_of(fields, name)
        return self.texts[field]


@dataclass(frozen=True)
class Takers:
    """Which rules take a value of one condition, as bits: bit n is rule n. *any_value*: those that do not ask."""

    any_value: int
    by_value: Mapping[object, int]

    @classmethod
    def of(cls, wanted: Sequence[Collection[object] | None]) -> Takers:
        """*wanted*: for each rule the values that it takes; None: it does not ask."""
        any_value, by_value = 0, defaultdict[object, int](int)
        for number, values in enumerate(wanted):
            if values is None:
                any_value |= 1 << number
            for value in values or ():
                by_value[value] |= 1 << number
        return cls(any_value, dict(by_value))

    def taking(self, value: object) -> int:
        return self.any_value | self.by_value.get(value, 0)


@dataclass(frozen=True)
class Prepared:
    """
    A rule set made ready. What has few values is looked up for all rules at once, which leaves few to try one by one:
    those in force stand in *rules* with the tests that remain.
    """

    rule_set: RuleSet
    rules: tuple[tuple[tuple[Test, ...], Rule], ...]
    sides: Takers
    signals: Takers
    change_types: Takers
    segments: Takers
    relationships: Takers
    personas: Takers

    @classmethod
    def of(cls, rule_set: RuleSet) -> Prepared:
        """The rules in force, indexed by what they ask for: of hundreds only a few are looked at."""
        rules = rule_set.in_force
        whens = [rule.when for rule in rules]
        return cls(
            rule_set,
            tuple((tuple(_tests(rule.when)), rule) for rule in rules),
            sides=Takers.of([when.side and (when.side,) for when in whens]),
            signals=Takers.of([when.signal for when in whens]),
            change_types=Takers.of([when.change_type for when in whens]),
            segments=Takers.of([when.segment for when in whens]),
            relationships=Takers.of([_folded(when.relationship) for when in whens]),
            personas=Takers.of([_folded(when.persona) for when in whens]),
        )

    def first(self, situation: Situation) -> Rule | None:
        """The first rule that takes it; None: it is left to the catch-all."""
        left = (
            self.sides.taking(situation.side)
            & self.signals.taking(situation.signal)
            & self.change_types.taking(situation.change_type)
            & self.relationships.taking(situation.relationship)
            & self.personas.taking(situation.persona)
            & self._of_segments(situation.segments)
        )
        while left:
            lowest = left & -left
            tests, rule = self.rules[lowest.bit_length() - 1]
            for test in tests:  # written out: this is the innermost loop of choosing
                if not test(situation):
                    break
            else:
                return rule
            left ^= lowest
        return None

    def _of_segments(self, segments: frozenset[Segment]) -> int:
        """An account may be in several."""
        takers = self.segments.any_value
        for segment in segments:
            takers |= self.segments.taking(segment)
        return takers


def _tests(when: Conditions) -> Iterator[Test]:
    if when.min_score is not None:
        least = when.min_score
        yield lambda situation: situation.score is not None and situation.score >= least
    if when.title_lacks is not None:
        lacks = _any_of(when.title_lacks)
        yield lambda situation: lacks(situation.title) is None
    if when.title_contains is not None:
        contains = _any_of(when.title_contains)
        yield lambda situation: contains(situation.title) is not None
    for test in when.fields or ():
        yield _field_test(test)


def _field_test(test: FieldTest) -> Test:
    name = test.field
    if test.test == "contains":
        contains = _any_of(test.values)
        return lambda situation: (text := situation.text(name)) is not None and contains(text) is not None
    wanted = _folded(test.values) or frozenset()
    return lambda situation: situation.text(name) in wanted


def _any_of(words: Sequence[str]) -> Callable[[str], object]:
    """Finds any of these words in folded text, or answers None."""
    return re.compile("|".join(re.escape(word.casefold()) for word in words)).search


def _folded(values: Sequence[str] | None) -> frozenset[str] | None:
    return None if values is None else frozenset(value.casefold() for value in values)
