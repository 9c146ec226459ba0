"""A field mapping as rows "path in the sender's payload, our field", and the values of a sample beside them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import Any

from listeners.dialogs.form import Choice, Entered, Field, Text
from services.intake.mapping.fields import FIELDS
from services.intake.mapping.row_mapping import RowMapping

MOST_ROWS = 40
"""Two blocks each; a view holds 100."""

LONGEST_PATH = 150
"""Characters of a path, a field or a fixed value: the limit for the value of an option in a menu."""

MOST_PATHS = 100
"""Paths of a sample that are offered. https://docs.slack.dev/reference/block-kit/block-elements/select-menu-element"""

MAPPING_FIELD, MAPPING_TEXT = "mapping_field", "mapping_text"
CUSTOM = "custom"
"""The choice of a custom field, which gets the name of the path's last part."""

_ROW = re.compile(r"(path|always)-(\d{1,4})")
_EVERY_FIELD = {name: name for name in FIELDS}

States = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class MappingRow:
    """
    A path and the field to which its values go; or, if it is `always`, a value that the field has by default.

    `number` stays the same while the dialog is open. `field` is empty until it is chosen.
    """

    number: int
    text: str = ""
    field: str = ""
    always: bool = False

    @property
    def input(self) -> Text:
        """The path or value."""
        kind, label = ("always", "Fixed value") if self.always else ("path", "Column or path in the payload")
        return Text(f"{kind}-{self.number}", label, longest=LONGEST_PATH, action_id=MAPPING_TEXT)

    @property
    def menu(self) -> Choice:
        """Our field."""
        fields = _EVERY_FIELD | ({self.field: self.field} if self.field else {}) | {CUSTOM: "A custom field"}
        return Choice(
            f"field-{self.number}",
            "Field",
            fields,
            action_id=MAPPING_FIELD,
            row=f"row-{self.number}",
            placeholder="Choose a field",
            optional=True,
        )

    @property
    def our_field(self) -> str:
        """The field as mappings name it."""
        return f"custom.{self.text.rpartition('.')[2]}" if self.field == CUSTOM else self.field


@dataclass(frozen=True)
class MappingForm:
    """
    The values of the dialog of a field mapping.

    `original` is the source that it was opened with, empty for a new one. `kept` has the parts of its definition that
    are not shown. `sample` is the row that was entered, as JSON. `next_row` is the number of the next row.
    """

    original: str
    source: str
    rows: tuple[MappingRow, ...]
    kept: Mapping[str, Any] = field(default_factory=dict)
    sample: str = ""
    next_row: int = 0

    @classmethod
    def of(cls, source: str, definition: Mapping[str, Any]) -> MappingForm:
        """The form of a valid mapping, or of a new one without anything."""
        parsed = RowMapping.parse(definition) if definition else RowMapping({})
        pairs = [(path, name, False) for path, names in parsed.paths.items() for name in names]
        pairs += [(value, name, True) for name, value in parsed.always.items()]
        shown = list(takewhile(_fits, pairs[:MOST_ROWS]))
        rows = tuple(MappingRow(number, *pair) for number, pair in enumerate(shown)) or (MappingRow(0),)
        kept = _definition(pairs[len(shown) :]) | ({"words": definition["words"]} if definition.get("words") else {})
        return cls(source, source, rows, kept, next_row=len(rows))

    def typed(self, entered: Entered, states: States, next_row: int) -> MappingForm:
        """The form with the values of the dialog, which has used the numbers below `next_row` for its rows."""
        numbers_and_kinds = sorted((int(row[2]), row[1]) for block_id in states if (row := _ROW.fullmatch(block_id)))
        rows = [
            MappingRow(
                number, entered.values[f"{kind}-{number}"], entered.values.get(f"field-{number}", ""), kind == "always"
            )
            for number, kind in numbers_and_kinds
        ]
        source, sample = entered.values.get("source", self.source), entered.values.get("row", "")
        return replace(self, source=source, rows=tuple(rows), sample=sample, next_row=max(next_row, self.next_row))

    def with_row(self, text: str = "", *, always: bool = False) -> MappingForm:
        """The form with one more row."""
        row = MappingRow(self.next_row, text, always=always)
        return replace(self, rows=(*self.rows, row), next_row=self.next_row + 1)

    def without_row(self, number: int) -> MappingForm:
        return replace(self, rows=tuple(row for row in self.rows if row.number != number))

    @property
    def definition(self) -> dict[str, Any]:
        """The mapping as JSON, to be validated. Rows without a field are left out."""
        pairs = [(row.text, row.our_field, row.always) for row in self.rows if row.text and row.field]
        for path, names in self.kept.get("map", {}).items():
            pairs += [(path, name, False) for name in ([names] if isinstance(names, str) else names)]
        pairs += [(value, name, True) for name, value in self.kept.get("set", {}).items()]
        return _definition(pairs) | {name: words for name, words in self.kept.items() if name == "words"}

    @property
    def errors(self) -> dict[str, str]:
        """The rows without a field, by the name of their input."""
        return {row.input.name: "Choose the field that it goes to." for row in self.rows if not row.field}


def _fits(pair: tuple[str, str, bool]) -> bool:
    """Whether a row can show it. What comes after one that does not fit is not shown either: the order matters."""
    text, name, _ = pair
    return 0 < len(text) <= LONGEST_PATH and len(name) <= LONGEST_PATH and text == " ".join(text.split())


def _definition(pairs: Sequence[tuple[str, str, bool]]) -> dict[str, Any]:
    paths: dict[str, list[str]] = {}
    always: dict[str, str] = {}
    for text, name, is_always in pairs:
        if is_always:
            always.setdefault(name, text)
        elif name not in paths.setdefault(text, []):
            paths[text].append(name)
    definition: dict[str, Any] = {"map": {path: names if len(names) > 1 else names[0] for path, names in paths.items()}}
    return definition | ({"set": always} if always else {})


def row_fields(states: States) -> Iterator[Field[Any, Any]]:
    """The fields of the rows that a dialog shows. `states` are its values as Slack sends them."""
    for block_id in states:
        if match := _ROW.fullmatch(block_id):
            row = MappingRow(int(match[2]), always=match[1] == "always")
            yield row.input
            yield replace(row.menu, choices={})


def paths_in(value: object, before: str = "") -> Iterator[tuple[str, object]]:
    """The paths of a sample that lead to values, with the values. Lists are followed by numbers."""
    inner: Mapping[str, object] = {}
    if isinstance(value, dict):
        inner = value
    elif isinstance(value, list):
        inner = {str(number): item for number, item in enumerate(value[:10])}
    for name, item in inner.items():
        path = f"{before}.{name}" if before else name
        if isinstance(item, dict | list):
            yield from paths_in(item, path)
        elif item not in (None, "") and len(path) <= LONGEST_PATH:
            yield path, item
