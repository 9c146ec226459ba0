"""The rows of conditions in the rule dialog: rendered, and read back. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from listeners.dialogs.blocks import Block, button
from listeners.dialogs.form import Choice, Entered, Field, Number, Several, Text, row_block
from listeners.ownership.rule_form.choices import field_named, fields_like
from listeners.ownership.rule_form.conditions import (
    OF_ACCOUNT,
    OF_JOB_CHANGE,
    OTHER_FIELD,
    ConditionField,
    ConditionRow,
    Kind,
    condition_field,
    fields_in_menu,
)
from listeners.ownership.rule_form.form_values import read_words, shown_words
from services.ownership.rules.check import OrgSchema

FIELD_ACTION, OPERATOR_ACTION = "ownership_condition_field", "ownership_condition_operator"
VALUE_ACTION = "ownership_condition_value"
REMOVE_ACTION = "ownership_condition_remove"

MOST_FIELDS, FIELDS_IN_ALL = 60, 400
"""Fields of records in one menu, and in all menus of a dialog: a view has at most 250 kB."""

VALUES_IN_ALL = 40_000
"""Bytes of the values in all menus. In rows after that, values are typed."""

_ROW = re.compile(r"when-(\d{1,4})(?:-(\d{1,4}))?")
_VALUE = re.compile(r"value-(\d{1,4})-([a-z]+)-(.+)")
_FIELD_NAME = re.compile(r"(Contact|Lead|Account|Opportunity)\.[A-Za-z][A-Za-z0-9_]{0,79}")
_OBJECTS = ("contact.", "lead.", "account.", "opportunity.")
_HOW_TO_NAME = "A field of Account, Opportunity, Contact or Lead, by its label or as Account.Region__c. Press Enter."


def row_id(number: int, version: int) -> str:
    return f"when-{number}-{version}" if version else f"when-{number}"


def condition_blocks(rows: Sequence[ConditionRow], org: OrgSchema | None, labels: Mapping[str, str]) -> Iterator[Block]:
    """Two blocks for each row: its field, operator and *Remove*, and its value."""
    shown = [row for row in rows if row.shown]
    names = fields_in_menu(org, min(MOST_FIELDS, FIELDS_IN_ALL // max(len(shown), 1)))
    offered = {name: about.label for name in names if (about := condition_field(name, org, labels))}
    room = VALUES_IN_ALL
    for row in shown:
        about = condition_field(row.field, org, labels)
        yield row_block(row_id(row.number, row.version), *_controls(row, about, offered))
        if kind := row.kind(about):
            value = _value_field(row, kind, about, org).block(_shown_value(row, kind))
            room -= len(json.dumps(value)) if kind is Kind.SEVERAL else 0
            if room < 0 and about and about.is_of_record:
                value = _value_field(row, Kind.WORDS, about, org).block(_shown_value(row, Kind.WORDS))
            yield value | {"dispatch_action": True}


def _controls(row: ConditionRow, about: ConditionField | None, of_records: Mapping[str, str]) -> Iterator[Block]:
    groups = {
        "Job change": {field.name: field.label for field in OF_JOB_CHANGE},
        "Salesforce": {field.name: field.label for field in OF_ACCOUNT}
        | {**of_records, OTHER_FIELD: "Another field …"},
    }
    if about and about.is_of_record:
        groups["Salesforce"].setdefault(about.name, about.label)
    yield replace(_field_menu(row.number, row.version), groups=groups).control(row.field)
    if about:
        operators = {name: operator.label for name, operator in about.with_operator(row.operator).operators.items()}
        yield _operator_menu(row.number, row.version, row.field, operators).control(row.operator)
    yield button("Remove", REMOVE_ACTION, str(row.number))


def _field_menu(number: int, version: int) -> Choice:
    row = row_id(number, version)
    return Choice(
        f"field-{number}", "Field", action_id=FIELD_ACTION, row=row, placeholder="Choose a field", optional=True
    )


def _operator_menu(number: int, version: int, field: str, operators: Mapping[str, str]) -> Choice:
    row, action_id = row_id(number, version), f"{OPERATOR_ACTION}_{field}"
    return Choice(
        f"operator-{number}", "Operator", operators, action_id=action_id, row=row, placeholder="Operator", optional=True
    )


def _value_field(row: ConditionRow, kind: Kind, about: ConditionField | None, org: OrgSchema | None) -> Field[Any, Any]:
    name = f"value-{row.number}-{kind}-{row.field}"  # with the field, because Slack keeps what was entered under an id
    if about is None:
        hint = _HOW_TO_NAME
        if row.values and org:
            similar = ", ".join(fields_like(org, row.values[0], _keys(org)))
            hint = f"Not found. Similar fields: {similar}." if similar else f"Not found. {_HOW_TO_NAME}"
        return Text(name, "Salesforce field", hint=hint, longest=120, action_id=VALUE_ACTION)
    label = f"{about.label} {about.with_operator(row.operator).operators[row.operator].label}"
    values = {value: value for value in row.values if value not in about.choices}
    return replace(_field_of_kind(name, kind, {**about.choices, **values}), label=label, optional=False)


def _field_of_kind(name: str, kind: Kind, choices: Mapping[str, str] | None = None) -> Field[Any, Any]:
    """The field as it is read: still empty while the person goes on with another row."""
    if kind is Kind.SEVERAL:
        return Several(name, "", choices or {}, menu=True, action_id=VALUE_ACTION, optional=True)
    if kind is Kind.CHOICE:
        return Choice(name, "", choices or {}, action_id=VALUE_ACTION, optional=True)
    if kind is Kind.NUMBER:
        return Number(name, "", decimals=True, action_id=VALUE_ACTION, optional=True)
    return Text(name, "", hint="Separate several with commas.", action_id=VALUE_ACTION, optional=True)


def _shown_value(row: ConditionRow, kind: Kind) -> Any:
    if kind is Kind.SEVERAL:
        return list(dict.fromkeys(row.values))
    return shown_words(row.values) if kind is Kind.WORDS else "".join(row.values[:1])


def row_fields(states: Mapping[str, Mapping[str, Any]]) -> Iterator[Field[Any, Any]]:
    """The fields of the rows that a dialog shows. `states` are its values as Slack sends them."""
    for block_id, inputs in states.items():
        if row := _ROW.fullmatch(block_id):
            number, version = int(row[1]), int(row[2] or 0)
            yield _field_menu(number, version)
            for action_id in inputs:
                if action_id.startswith(OPERATOR_ACTION):
                    yield _operator_menu(number, version, action_id.removeprefix(f"{OPERATOR_ACTION}_"), {})
        elif (value := _VALUE.fullmatch(block_id)) and value[2] in set(Kind):
            yield _field_of_kind(block_id, Kind(value[2]))


def rows_entered(entered: Entered, states: Mapping[str, Mapping[str, Any]]) -> list[ConditionRow]:
    """The rows as they were entered. What was entered for a field that a row is no longer on is left out."""
    rows = sorted((int(row[1]), int(row[2] or 0)) for block_id in states if (row := _ROW.fullmatch(block_id)))
    return [_row_entered(number, version, entered, states[row_id(number, version)]) for number, version in rows]


def _row_entered(number: int, version: int, entered: Entered, inputs: Mapping[str, Any]) -> ConditionRow:
    field = entered.values[f"field-{number}"]
    is_on_field = f"{OPERATOR_ACTION}_{field}" in inputs
    operator = entered.values.get(f"operator-{number}", "") if is_on_field else ""
    for block_id, value in entered.values.items():
        of_value = _VALUE.fullmatch(block_id)
        if of_value and int(of_value[1]) == number and of_value[3] == field:
            if isinstance(value, list):
                values = value
            elif Kind(of_value[2]) is Kind.WORDS:
                values = read_words(value)
            else:
                values = [value] if value else []
            return ConditionRow(number, field, operator, tuple(values), version, block_id)
    return ConditionRow(number, field, operator, version=version)


def has_values(rows: Sequence[ConditionRow], states: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether the dialog shows the values of these rows, and no others."""
    values = (_VALUE.fullmatch(block_id) for block_id in states)
    return {(int(value[1]), value[3]) for value in values if value} == {
        (row.number, row.field) for row in rows if row.shown and row.field and not row.lacks_operator
    }


def field_meant(row: ConditionRow, org: OrgSchema | None) -> str | None:
    """The field that a name or label stands for. None if the row has its field, or if there is no such field."""
    if row.field != OTHER_FIELD or not row.values:
        return None
    typed = row.values[0]
    if org is None:
        return typed if _FIELD_NAME.fullmatch(typed) else None
    return field_named(org, typed, _keys(org))


def _keys(org: OrgSchema) -> list[str]:
    """The fields that a condition can be about."""
    return [key for key, field in org.fields.items() if key.startswith(_OBJECTS) and not field.refers_to]
