"""The conditions of a rule as rows "field, operator, value". Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from typing import Any

from listeners.dialogs.form import LONGEST_TEXT
from listeners.ownership.rule_form.choices import LONGEST_VALUE, MOST_OPTIONS
from listeners.ownership.rule_form.form_values import read_words, shown_words
from services.messages.labels import CHANGE_TYPES, SIGNALS
from services.ownership.rules.check import NUMBER_TYPES, OrgSchema
from services.ownership.rules.labels import field_label
from services.ownership.rules.rule_set import Conditions


class Kind(StrEnum):
    """How the value of a condition is entered."""

    WORDS = "words"
    SEVERAL = "several"
    CHOICE = "choice"
    NUMBER = "number"
    NAME = "name"  # of a field that is not in the menu


@dataclass(frozen=True)
class Operator:
    label: str
    kind: Kind


@dataclass(frozen=True)
class ConditionField:
    """
    What a condition can be about, with its operators by their names in rules. `choices` has labels by value.

    The operators of a record's field are tests, such as `contains`. Those of other fields are keys of Conditions. The
    first one is the default, unless the type of the field is not known.
    """

    name: str
    label: str
    operators: Mapping[str, Operator]
    choices: Mapping[str, str] = field(default_factory=dict)
    is_type_known: bool = True

    @property
    def is_of_record(self) -> bool:
        return "." in self.name

    def with_operator(self, name: str) -> ConditionField:
        """The field with an operator that a rule has, although the dialog does not offer it for this type."""
        if not self.is_of_record or not name or name in self.operators:
            return self
        return replace(self, operators={**self.operators, name: _EVERY_TEST[name]})


OTHER_FIELD = "other"
"""The choice of a field that is not in the menu. Its value is the name, until the field is found."""

MOST_ROWS = 20
"""Conditions that are shown, of two blocks each: a view holds 100."""

TEXT_IN_ALL = 15_000
"""Characters of the values of all conditions that are shown: a view has at most 250 kB."""

_YES, _NO = "true", "false"
_YES_OR_NO = {_YES: "Yes", _NO: "No"}
_SIDES = {"past": "The company they leave", "current": "The company they join"}
_SEGMENTS = {
    "customer": "Customer",
    "target": "Target account",
    "open_opportunity": "Open opportunity",
    "closed_lost": "Closed lost",
    "none": "None of these",
    "not_in_salesforce": "Not in Salesforce",
}


def _any_of(name: str, label: str, choices: Mapping[str, str] | None = None) -> ConditionField:
    kind = Kind.SEVERAL if choices else Kind.WORDS
    return ConditionField(name, label, {name: Operator("is any of", kind)}, choices or {})


_TITLE = ConditionField(
    "title",
    "Title",
    {
        "title_contains": Operator("contains any of", Kind.WORDS),
        "title_lacks": Operator("contains none of", Kind.WORDS),
    },
)
OF_JOB_CHANGE = (
    ConditionField("side", "Side of the job change", {"side": Operator("is", Kind.CHOICE)}, _SIDES),
    _any_of("change_type", "Type of change", CHANGE_TYPES),
    _any_of("signal", "Signal", SIGNALS),
    _any_of("relationship", "Relationship"),
    _any_of("persona", "Persona"),
    _TITLE,
    ConditionField("min_score", "Score", {"min_score": Operator("is at least", Kind.NUMBER)}),
)
OF_ACCOUNT = (
    _any_of("segment", "The account", _SEGMENTS),
    ConditionField(
        "contact_has_open_opportunity",
        "Contact has an open opportunity",
        {"contact_has_open_opportunity": Operator("is", Kind.CHOICE)},
        _YES_OR_NO,
    ),
)
_NAMED = {field.name: field for field in (*OF_JOB_CHANGE, *OF_ACCOUNT)}
_BY_OPERATOR = {operator: field for field in _NAMED.values() for operator in field.operators}

_IN = Operator("is any of", Kind.WORDS)
_CONTAINS = Operator("contains any of", Kind.WORDS)
_EQUALS = Operator("is", Kind.WORDS)
_LIMITS = {"at_least": Operator("is at least", Kind.NUMBER), "at_most": Operator("is at most", Kind.NUMBER)}
_EVERY_TEST = {"in": _IN, "contains": _CONTAINS, "equals": _EQUALS, **_LIMITS}
_TESTS: Mapping[str, Mapping[str, Operator]] = {
    "boolean": {"equals": Operator("is", Kind.CHOICE)},
    "picklist": {"in": Operator("is any of", Kind.SEVERAL), "contains": _CONTAINS},
    "multipicklist": {"contains": Operator("contains any of", Kind.SEVERAL)},
    **{number: {**_LIMITS, "in": _IN} for number in NUMBER_TYPES},
}
"""The operators by the type of a field."""

_OF_ANY_TYPE = {"in": _IN, "contains": _CONTAINS, **_LIMITS}
"""The operators of a field whose type is not known, because Salesforce is not available."""

_NUMBER = re.compile(r"-?\d{1,15}(\.\d{1,6})?")
"""What an input of a number can show."""

_TESTABLE = {*_TESTS, "string", "combobox", "url", "email", "phone"}
_SELDOM = (".IsDeleted", ".Jigsaw", "JigsawCompanyId", "JigsawContactId", "Latitude", "Longitude", "GeocodeAccuracy")
"""Endings of standard fields that are seldom used: they are found by name or label, and are not in the menu."""


def condition_field(name: str, org: OrgSchema | None, labels: Mapping[str, str]) -> ConditionField | None:
    """The field of this name in the menu. None for OTHER_FIELD, and if none is chosen."""
    if "." not in name:
        return _NAMED.get(name)
    label = f"{name.partition('.')[0]}: {field_label(name, labels)}"
    of_org = org.fields.get(name.lower()) if org else None
    tests = _TESTS.get(of_org.type, {}) if of_org else _OF_ANY_TYPE
    choices = _YES_OR_NO if of_org and of_org.type == "boolean" else {}
    if of_org and of_org.type in {"picklist", "multipicklist"}:
        choices = {value: value for value in of_org.values}
    return ConditionField(name, label, tests or {"in": _IN, "contains": _CONTAINS}, choices, of_org is not None)


def fields_in_menu(org: OrgSchema | None, most: int) -> list[str]:
    """The names of fields of records that fit into the menu: those of accounts and custom ones first."""
    order = ["account", "opportunity", "contact", "lead"]
    fields = ((key.partition(".")[0], field) for key, field in (org.fields if org else {}).items())
    places = [
        (order.index(sobject), not field.name.endswith("__c"), field.name)
        for sobject, field in fields
        if sobject in order and field.type in _TESTABLE and not field.refers_to and not field.name.endswith(_SELDOM)
    ]
    return [name for *_, name in sorted(places)[:most]]


@dataclass(frozen=True)
class ConditionRow:
    """
    One condition in the dialog. `number` stays the same while the dialog is open, whatever is added and removed.

    `version` is another one if the app has chosen the field, because Slack keeps what a person chose under an id.
    `field` and `operator` are empty until they are chosen. Without an operator, there is no input for a value.
    `values` has what was entered, or the name if `field` is OTHER_FIELD. `block` is the block_id of its value, where
    errors are shown; empty if the dialog does not show it yet.
    A row that is not `shown` does not fit into the dialog and stays unchanged.
    """

    number: int
    field: str = ""
    operator: str = ""
    values: tuple[str, ...] = ()
    version: int = 0
    block: str = ""
    shown: bool = True

    def kind(self, about: ConditionField | None) -> Kind | None:
        """How the value is entered. None means that no field or no operator is chosen yet."""
        if self.field == OTHER_FIELD:
            return Kind.NAME
        if about is None or not self.operator:
            return None
        kind = about.with_operator(self.operator).operators[self.operator].kind
        options = {*about.choices, *self.values}
        fits_menu = 0 < len(options) <= MOST_OPTIONS and all(len(option) <= LONGEST_VALUE for option in options)
        if kind is Kind.SEVERAL and not fits_menu:
            return Kind.WORDS
        if kind is Kind.NUMBER and not all(_NUMBER.fullmatch(value) for value in self.values):
            return Kind.WORDS
        if kind is Kind.CHOICE and (len(self.values) > 1 or not set(self.values) <= set(about.choices)):
            return Kind.WORDS
        return kind

    def with_operator(self, about: ConditionField | None) -> ConditionRow:
        """The row with the default operator of its field if it has none that fits."""
        if about is None or self.operator in about.operators:
            return self
        if about.is_of_record and self.operator in _EVERY_TEST:
            return self
        return replace(self, operator=next(iter(about.operators)) if about.is_type_known else "")

    @property
    def lacks_operator(self) -> bool:
        return self.field not in {"", OTHER_FIELD} and not self.operator

    def is_unchanged_from(self, other: ConditionRow) -> bool:
        """Whether it is the same condition, apart from what a dialog cannot show, such as line breaks."""
        words, other_words = (frozenset(read_words(" ".join(shown_words(row.values).split()))) for row in (self, other))
        return (self.field, self.operator, words) == (other.field, other.operator, other_words)


def rows_of(when: Conditions) -> tuple[ConditionRow, ...]:
    """The conditions of a rule, each as a row. Those that do not fit into the dialog are not shown."""
    rows: list[ConditionRow] = []
    room = TEXT_IN_ALL
    for number, (name, operator, values) in enumerate(_conditions(when)):
        length = len(shown_words(values))
        fits = number < MOST_ROWS and length <= min(room, LONGEST_TEXT)
        room -= length if fits else 0
        rows.append(ConditionRow(number, name, operator, values, shown=fits))
    return tuple(rows)


def _conditions(when: Conditions) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    for operator, about in _BY_OPERATOR.items():
        value = getattr(when, operator)
        if value is not None:
            yield about.name, operator, _texts(value)
    for test in when.fields or ():
        yield test.field, test.test, test.values


def _texts(value: object) -> tuple[str, ...]:
    match value:
        case tuple():
            return tuple(map(str, value))
        case bool():
            return (_YES if value else _NO,)
        case float():
            # All digits, because what is left out would be lost when the rule is saved.
            return (f"{Decimal(str(value)):f}".removesuffix(".0"),)
    return (str(value),)


@dataclass(frozen=True)
class RawConditions:
    """
    Conditions as JSON, to be validated with their rule.

    `rows` has the row of each path, such as `when.fields.0`. `repeated` are rows on a field that another row is on.
    """

    when: dict[str, Any]
    rows: dict[str, ConditionRow]
    repeated: list[ConditionRow]


def raw_conditions(rows: Sequence[ConditionRow], original: Conditions) -> RawConditions:
    """What the rows say. Rows without a value are left out, and those that were not changed are as in `original`."""
    before, stored = rows_of(original), original.model_dump(mode="json")
    values = [stored[operator] for operator in _BY_OPERATOR if stored[operator] is not None] + (stored["fields"] or [])
    raw = RawConditions({}, {}, [])
    for row in rows:
        if not row.values or row.field in {"", OTHER_FIELD}:
            continue
        is_kept = row.number < len(before) and row.is_unchanged_from(before[row.number])
        value = values[row.number] if is_kept else _raw_value(row)
        if "." in row.field:
            tests = raw.when.setdefault("fields", [])
            raw.rows[f"when.fields.{len(tests)}"] = row
            tests.append(value)
        elif row.operator in raw.when:
            raw.repeated.append(row)
        else:
            raw.rows[f"when.{row.operator}"] = row
            raw.when[row.operator] = value
    return raw


def _raw_value(row: ConditionRow) -> object:
    if "." in row.field:
        return {"field": row.field, "test": row.operator, "values": list(row.values)}
    match row.operator:
        case "side":
            return row.values[0]
        case "contact_has_open_opportunity":
            return row.values[0] == _YES
        case "min_score":
            return _number(row.values[0])
    return list(row.values)


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
