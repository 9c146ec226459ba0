"""Which rule matches a side of a job change. The conditions are indexed once and evaluated many times. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from domain.job_change.parts import ChangeType, Signal
from services.ownership.choice.case import Case, number_in, text_of
from services.ownership.rules.owner_sources import Side
from services.ownership.rules.rule_set import Conditions, FieldTest, Rule, RuleSet, Segment, Segments

Test = Callable[["CaseSide"], bool]
Named = tuple[Hashable, Test]
"""A test with what it tests, by which two rules with the same test are recognised."""


@dataclass(frozen=True, slots=True)
class CaseSide:
    """The values of one side of a job change that conditions test. Texts are case-folded."""

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
    def of(cls, case: Case, side: Side, segments: Segments) -> CaseSide:
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
            segments=case.segments(side, segments),
            case=case,
        )

    def text(self, field: str) -> str | None:
        """The case-folded text of a field such as `Account.Type`. None means no such record, or an empty field."""
        if field not in self.texts:
            view = self.case.views[self.side]
            sobject, _, name = field.partition(".")
            fields = view.fields(sobject, view.account.open if view.account else None)
            self.texts[field] = text_of(fields, name)
        return self.texts[field]


@dataclass(frozen=True)
class ConditionIndex:
    """The rules that match a value of one condition, as bits: bit n is rule n. `any_value` has the rules without it."""

    any_value: int
    by_value: Mapping[object, int]

    @classmethod
    def of(cls, wanted: Sequence[Collection[object] | None]) -> ConditionIndex:
        """`wanted` has, for each rule, the values that match. None means that the rule has no such condition."""
        any_value, by_value = 0, defaultdict[object, int](int)
        for number, values in enumerate(wanted):
            if values is None:
                any_value |= 1 << number
            for value in values or ():
                by_value[value] |= 1 << number
        return cls(any_value, dict(by_value))

    def matching(self, value: object) -> int:
        return self.any_value | self.by_value.get(value, 0)


@dataclass(frozen=True)
class SharedTest:
    """A test, and the rules that have it, as bits."""

    holds: Test
    rules: int


@dataclass(frozen=True)
class PreparedRules:
    """
    A rule set, indexed for matching.

    Conditions with few possible values are looked up for all rules at once. `rules` holds the enabled rules with the
    tests that remain for each of them. A test that fails rules out every rule that has it.
    """

    rule_set: RuleSet
    rules: tuple[tuple[tuple[SharedTest, ...], Rule], ...]
    sides: ConditionIndex
    signals: ConditionIndex
    change_types: ConditionIndex
    segments: ConditionIndex
    relationships: ConditionIndex
    personas: ConditionIndex

    @classmethod
    def of(cls, rule_set: RuleSet) -> PreparedRules:
        """Index the enabled rules, so that only a few of hundreds need to be tested one by one."""
        rules = rule_set.in_force
        whens = [rule.when for rule in rules]
        return cls(
            rule_set,
            tuple(zip(_shared_tests(whens), rules, strict=True)),
            sides=ConditionIndex.of([when.side and (when.side,) for when in whens]),
            signals=ConditionIndex.of([when.signal for when in whens]),
            change_types=ConditionIndex.of([when.change_type for when in whens]),
            segments=ConditionIndex.of([when.segment for when in whens]),
            relationships=ConditionIndex.of([_folded(when.relationship) for when in whens]),
            personas=ConditionIndex.of([_folded(when.persona) for when in whens]),
        )

    def first_match(self, case_side: CaseSide) -> Rule | None:
        """The first rule that matches. None means that the catch-all applies."""
        candidates = (
            self.sides.matching(case_side.side)
            & self.signals.matching(case_side.signal)
            & self.change_types.matching(case_side.change_type)
            & self.relationships.matching(case_side.relationship)
            & self.personas.matching(case_side.persona)
            & self._of_segments(case_side.segments)
        )
        while candidates:
            lowest = candidates & -candidates
            tests, rule = self.rules[lowest.bit_length() - 1]
            for test in tests:  # a plain loop: this is the hottest code of a decision
                if not test.holds(case_side):
                    candidates &= ~test.rules
                    break
            else:
                return rule
        return None

    def _of_segments(self, segments: frozenset[Segment]) -> int:
        """The rules that match any of the segments. An account can be in several."""
        matching = self.segments.any_value
        for segment in segments:
            matching |= self.segments.matching(segment)
        return matching


def _shared_tests(whens: Sequence[Conditions]) -> list[tuple[SharedTest, ...]]:
    """Return the tests of each rule."""
    tests: dict[Hashable, Test] = {}
    rules = defaultdict[Hashable, int](int)
    names: list[list[Hashable]] = []
    for number, when in enumerate(whens):
        named = dict(_tests(when))
        tests |= named
        names.append([*named])
        for name in named:
            rules[name] |= 1 << number
    shared = {name: SharedTest(test, rules[name]) for name, test in tests.items()}
    return [tuple(shared[name] for name in of_rule) for of_rule in names]


def _tests(when: Conditions) -> Iterator[Named]:
    if when.min_score is not None:
        min_score = when.min_score
        yield ("min_score", min_score), lambda side: side.score is not None and side.score >= min_score
    if when.title_lacks is not None:
        excluded = _find_any(when.title_lacks)
        yield ("title_lacks", *when.title_lacks), lambda side: not excluded(side.title)
    if when.title_contains is not None:
        contains = _find_any(when.title_contains)
        yield ("title_contains", *when.title_contains), lambda side: contains(side.title)
    if when.contact_has_open_opportunity is not None:
        has_deal = when.contact_has_open_opportunity
        yield ("has_deal", has_deal), lambda side: _has_open_opportunity(side) is has_deal
    for test in when.fields or ():
        yield ("field", test.field, test.test, *test.values), _field_test(test)


def _has_open_opportunity(case_side: CaseSide) -> bool | None:
    """Whether the contact has a role in an open opportunity. None if Salesforce could not be asked."""
    if case_side.case.records is None or "opportunitycontactrole" in case_side.case.unreadable:
        return None
    contact = case_side.case.views[case_side.side].contact
    return contact is not None and contact.open is not None


def _field_test(test: FieldTest) -> Test:
    name = test.field
    if test.limit is not None:
        return lambda case_side: test.is_met_by(number_in(case_side.text(name)))
    if test.test == "contains":
        contains = _find_any(test.values)
        return lambda case_side: (text := case_side.text(name)) is not None and contains(text)
    wanted = _folded(test.values) or frozenset()
    return lambda case_side: case_side.text(name) in wanted


def _find_any(words: Sequence[str]) -> Callable[[str], bool]:
    """
    Return a function that says whether any of these words is in case-folded text.

    Each word is searched for by itself: one regular expression for all of them takes a hundred times as long.
    """
    folded = tuple(dict.fromkeys(word.casefold() for word in words))
    return lambda text: any(word in text for word in folded)


def _folded(values: Sequence[str] | None) -> frozenset[str] | None:
    return None if values is None else frozenset(value.casefold() for value in values)
