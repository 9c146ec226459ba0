"""Tests of the fields of records: of a rule's conditions and of account segments. Prepared once, used often. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from services.ownership.rules.rule_set import FieldTest, Segment, Segments
from services.salesforce.records import Account, Fields, Opportunity

TextTest = Callable[[str | None], bool]
"""Tests a case-folded text. None means that there is no record, or that the field is empty."""


def text_of(fields: Fields | None, name: str) -> str | None:
    """The text that tests compare, case-folded. None means that there is no record, or that the field is empty."""
    value = None if fields is None else fields.get(name.lower())
    if value is None:
        return None
    return f"{value:.15g}" if isinstance(value, float) else str(value).casefold()


def prepared(test: FieldTest) -> TextTest:
    if test.limit is not None:
        return lambda text: test.is_met_by(_number_in(text))
    if test.test == "contains":
        contains = contains_any(test.values)
        return lambda text: text is not None and contains(text)
    wanted = folded(test.values)
    return lambda text: text in wanted


def contains_any(words: Sequence[str]) -> Callable[[str], bool]:
    """
    Return a function that says whether any of these words is in case-folded text.

    Each word is searched for by itself: one regular expression for all of them takes a hundred times as long.
    """
    distinct = tuple(dict.fromkeys(word.casefold() for word in words))
    return lambda text: any(word in text for word in distinct)


def folded(values: Sequence[str]) -> frozenset[str]:
    return frozenset(value.casefold() for value in values)


@dataclass(frozen=True)
class SegmentTests:
    """Finds the segments of accounts. The fields are those of Account, by their names in its records."""

    customer_field: str
    is_customer: TextTest
    target_field: str
    is_target: TextTest

    @classmethod
    def of(cls, segments: Segments) -> SegmentTests:
        customer, target = segments.customer, segments.target
        return cls(_field_of(customer), prepared(customer), _field_of(target), prepared(target))

    def segments_of(self, account: Account | None) -> frozenset[Segment]:
        """The segments of an account. None means that it is not in Salesforce."""
        if account is None:
            return frozenset({"none", "not_in_salesforce"})
        names: set[Segment] = set()
        if self.is_customer(text_of(account.fields, self.customer_field)):
            names.add("customer")
        if self.is_target(text_of(account.fields, self.target_field)):
            names.add("target")
        if account.open:
            names.add("open_opportunity")
        elif account.last_lost and _closed(account.last_lost) >= _closed(account.last_won):
            names.add("closed_lost")
        return frozenset(names or {"none"})


def _field_of(test: FieldTest) -> str:
    return test.field.partition(".")[2]


def _number_in(text: str | None) -> float | None:
    """The number that tests compare. None means that there is no record, or no number in the field."""
    try:
        return float(text or "")
    except ValueError:
        return None


def _closed(opportunity: Opportunity | None) -> str:
    return (opportunity and opportunity.closed_on) or ""
