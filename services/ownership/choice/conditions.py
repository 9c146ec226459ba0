"""Which rule matches a side of a job change. The conditions are indexed once and evaluated many times. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from domain.job_change.parts import ChangeType, Signal
from services.ownership.choice.case import Case
from services.ownership.choice.field_tests import SegmentTests, TextTest, contains_any, folded, prepared, text_of
from services.ownership.rules.owner_sources import Side
from services.ownership.rules.rule_set import Conditions, Rule, RuleSet, Segment

Test = Callable[["CaseSide"], bool]
Named = tuple[Hashable, Test]
"""A test with what it tests, by which two rules with the same test are recognized."""


@dataclass(slots=True)  # frozen, it would take three times as long to build
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
    def of(cls, case: Case, side: Side, tests: SegmentTests) -> CaseSide:
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
            segments=case.segments(side, tests),
            case=case,
        )

    def text(self, field: str) -> str | None:
        """The case-folded text of a field such as `Account.Type`. None means no such record, or an empty field."""
        if field not in self.texts:
            view = self.case.view(self.side)
            sobject, _, name = field.partition(".")
            fields = view.fields(sobject, view.account.open if view.account else None)
            self.texts[field] = text_of(fields, name)
        return self.texts[field]


@dataclass(frozen=True)
class ConditionIndex:
    """
    The rules that match a value of one condition, as bits: bit n is rule n.

    `any_value` has the rules without the condition, and so has each entry of `by_value`.
    """

    any_value: int
    by_value: Mapping[object, int]

    @classmethod
    def of(cls, wanted: Sequence[Collection[object] | None]) -> ConditionIndex:
        """`wanted` has, for each rule, the values that match. None means that the rule has no such condition."""
        any_value = sum(1 << number for number, values in enumerate(wanted) if values is None)
        by_value = defaultdict[object, int](lambda: any_value)
        for number, values in enumerate(wanted):
            for value in values or ():
                by_value[value] |= 1 << number
        return cls(any_value, dict(by_value))

    def matching(self, value: object) -> int:
        return self.by_value.get(value, self.any_value)


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
    segment_tests: SegmentTests
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
            SegmentTests.of(rule_set.segments),
            sides=ConditionIndex.of([when.side and (when.side,) for when in whens]),
            signals=ConditionIndex.of([when.signal for when in whens]),
            change_types=ConditionIndex.of([when.change_type for when in whens]),
            segments=ConditionIndex.of([when.segment for when in whens]),
            relationships=ConditionIndex.of([when.relationship and folded(when.relationship) for when in whens]),
            personas=ConditionIndex.of([when.persona and folded(when.persona) for when in whens]),
        )

    def first_match(self, case_side: CaseSide) -> Rule | None:
        """The first rule that matches. None means that the catch-all applies."""
        in_segments = self.segments.any_value
        for segment in case_side.segments:  # an account can be in several
            in_segments |= self.segments.matching(segment)
        candidates = (
            self.sides.matching(case_side.side)
            & self.signals.matching(case_side.signal)
            & self.change_types.matching(case_side.change_type)
            & self.relationships.matching(case_side.relationship)
            & self.personas.matching(case_side.persona)
            & in_segments
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
        excluded = contains_any(when.title_lacks)
        yield ("title_lacks", *when.title_lacks), lambda side: not excluded(side.title)
    if when.title_contains is not None:
        contains = contains_any(when.title_contains)
        yield ("title_contains", *when.title_contains), lambda side: contains(side.title)
    if when.contact_has_open_opportunity is not None:
        has_deal = when.contact_has_open_opportunity
        yield ("has_deal", has_deal), lambda side: _has_open_opportunity(side) is has_deal
    for test in when.fields or ():
        yield ("field", test.field, test.test, *test.values), _field_test(test.field, prepared(test))


def _has_open_opportunity(case_side: CaseSide) -> bool | None:
    """Whether the contact has a role in an open opportunity. None if Salesforce could not be asked."""
    if case_side.case.records is None or "opportunitycontactrole" in case_side.case.unreadable:
        return None
    contact = case_side.case.view(case_side.side).contact
    return contact is not None and contact.open is not None


def _field_test(field: str, holds: TextTest) -> Test:
    return lambda case_side: holds(case_side.text(field))
