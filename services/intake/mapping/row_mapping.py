"""Field mappings: which path of a sender's row goes to which of our fields. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from operator import itemgetter
from typing import Any

from domain.job_change.validation import Fault, InvalidJobChangeError
from services.intake.mapping.fields import FIELDS, Field, is_field
from services.intake.mapping.row_values import SIGNALS, change_type_of, converted, has_value

Row = Mapping[str, object]

MOST_PATHS = 200
MOST_COLUMNS = 2_000
"""Fields of one object in a row."""
_NAMES = {"map", "set", "words"}
_NOT_PLAIN = re.compile(r"[^a-z0-9]")


def decoded(typed: str, name: str) -> Any:
    """Decode JSON that a user typed. `name` is used in the error. Raises InvalidJobChangeError."""
    try:
        return json.loads(typed)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}: {error.msg}"
        raise InvalidJobChangeError([Fault(name, f"is not valid JSON ({where})")]) from None
    except RecursionError:
        raise InvalidJobChangeError([Fault(name, "is nested too deeply")]) from None


@dataclass(frozen=True)
class RowMapping:
    """
    Maps the rows of a sender to job changes.

    `paths` maps a path in the row to our fields; if several paths have the same field, the first one with a value is
    used. `always` has default values by field. `words` translates the sender's words to ours, by field.
    """

    paths: Mapping[str, Sequence[str]]
    always: Mapping[str, str] = field(default_factory=dict)
    words: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @classmethod
    def parse(cls, definition: object) -> RowMapping:
        """
        Parse `{"map": {path: field}, "set": {field: value}, "words": {field: {theirs: ours}}}`.

        A path may have a list of fields. Raises InvalidJobChangeError with every fault.
        """
        if not isinstance(definition, dict):
            raise InvalidJobChangeError([Fault("", 'must be an object with "map"')])
        faults = list(_faults(definition))
        if faults:
            raise InvalidJobChangeError(faults)
        paths = {path: [names] if isinstance(names, str) else names for path, names in definition["map"].items()}
        return cls(paths, definition.get("set", {}), definition.get("words", {}))

    def read(self, row: Row, source: str) -> dict[str, Any]:
        """
        Return the row in the format that JobChange.parse reads and checks.

        Columns without a mapping are kept under `custom`. Change type and signal are derived from the other fields if
        neither row nor mapping has them.
        """
        return self._job_change(source, self._values(row), self._unmapped(row))

    def read_text(self, row: Mapping[str, str], source: str, columns: TextColumns) -> dict[str, Any]:
        """Do the same for a row of text with these columns, of which some may be missing: it is three times as fast."""
        values = [(row.get(name, ""), fields) for name, fields in columns.mapped]
        unmapped = {name: row[name] for name in columns.unmapped if has_value(row.get(name))}
        return self._job_change(source, values, unmapped)

    def columns(self, names: Iterable[str]) -> TextColumns:
        """Return how `read_text` reads columns with these names. Raises InvalidJobChangeError if there are too many."""
        row = {name: name for name in names}
        return TextColumns([(str(name), fields) for name, fields in self._values(row)], list(self._unmapped(row)))

    def _job_change(
        self, source: str, values: Iterable[tuple[object, Sequence[Field]]], unmapped: Mapping[str, object]
    ) -> dict[str, Any]:
        job_change: dict[str, Any] = {"source": source}
        for value, fields in values:
            if has_value(value):
                for of_path in fields:
                    of_path.put(job_change, value)
        for name, value in self.always.items():
            with_default = Field.of(name, {})
            with_default.part_of(job_change).setdefault(with_default.last, converted(name, value))
        change_type = job_change["change_type"] = change_type_of(job_change)
        signal = SIGNALS.get(change_type) if isinstance(change_type, str) else None
        job_change.setdefault("signal", signal or "contact_tracking")
        if unmapped:
            job_change["custom"] = {**unmapped, **job_change.get("custom", {})}
        return job_change

    def _values(self, row: Row) -> list[tuple[object, Sequence[Field]]]:
        """Return the values of the paths that lead somewhere, with their fields, in the order of the paths."""
        columns = _Columns()
        top = columns.of(row)
        values = [(number, value, fields) for name, value in top.items() for number, fields in self._flat.get(name, ())]
        for head, inner in row.items() if self._nested else ():
            for number, path, fields in self._nested.get(head, ()) if isinstance(inner, dict | list) else ():
                if path.plain not in top:
                    values.append((number, columns.inside(row, path), fields))
        return [(value, fields) for _, value, fields in sorted(values, key=itemgetter(0))]

    def _unmapped(self, row: Row) -> dict[str, object]:
        return {
            name: value
            for name, value in row.items()
            if _plain(name) not in self._flat
            and has_value(value)
            and not (isinstance(value, dict | list) and name in self._heads)
        }

    @cached_property
    def _fields_of_paths(self) -> Sequence[Sequence[Field]]:
        """The fields of each path."""
        words = {name: {theirs.casefold(): ours for theirs, ours in own.items()} for name, own in self.words.items()}
        return [[Field.of(name, words.get(name, {})) for name in fields] for fields in self.paths.values()]

    @cached_property
    def _flat(self) -> Mapping[str, Sequence[tuple[int, Sequence[Field]]]]:
        """The number and the fields of each path, by the name of a column that it may be."""
        flat: dict[str, list[tuple[int, Sequence[Field]]]] = {}
        for number, (path, fields) in enumerate(zip(self.paths, self._fields_of_paths, strict=True)):
            flat.setdefault(_plain(path), []).append((number, fields))
        return flat

    @cached_property
    def _nested(self) -> Mapping[str, Sequence[tuple[int, _Path, Sequence[Field]]]]:
        """The number, the path and the fields of each path that can lead into an object, by its first part."""
        nested: dict[str, list[tuple[int, _Path, Sequence[Field]]]] = {}
        for number, (path, fields) in enumerate(zip(self.paths, self._fields_of_paths, strict=True)):
            if "." in path:
                nested.setdefault(path.partition(".")[0], []).append((number, _Path.of(path), fields))
        return nested

    @cached_property
    def _heads(self) -> set[str]:
        return {path.partition(".")[0] for path in self.paths}


@dataclass(frozen=True)
class TextColumns:
    """Columns of text: those that have fields, in the order of their paths, and the others."""

    mapped: Sequence[tuple[str, Sequence[Field]]]
    unmapped: Sequence[str]


@dataclass(frozen=True)
class _Path:
    """A path, and where it can lead: at each dot, the part before it and the plain form of all that follows."""

    plain: str
    steps: Sequence[tuple[str, str]]

    @classmethod
    def of(cls, path: str) -> _Path:
        steps, rest = [], path
        while "." in rest:
            head, _, rest = rest.partition(".")
            steps.append((head, _plain(rest)))
        return cls(_plain(path), steps)


@dataclass(frozen=True)
class _Columns:
    """The columns of a row and of the objects in it, each indexed once."""

    _by_id: dict[int, dict[str, object]] = field(default_factory=dict)

    def of(self, row: Row) -> dict[str, object]:
        if id(row) not in self._by_id:
            if len(row) > MOST_COLUMNS:
                raise InvalidJobChangeError([Fault("", f"must have at most {MOST_COLUMNS:,} fields in an object")])
            self._by_id[id(row)] = {_plain(name): value for name, value in row.items()}
        return self._by_id[id(row)]

    def inside(self, row: Row, path: _Path) -> object:
        """Follow a path from a row that has no column with its whole name."""
        inner: object = row
        for head, rest in path.steps:
            inner = _item(inner, head)
            if isinstance(inner, dict) and rest in (columns := self.of(inner)):
                return columns[rest]
        last = path.steps[-1][1] if path.steps else ""
        return _item(inner, last) if isinstance(inner, list) else None


def _item(container: object, name: str) -> object:
    """The item of an object with this name, or of a list with this number."""
    if isinstance(container, dict):
        return container.get(name)
    if isinstance(container, list) and name.isascii() and name.isdigit() and len(name) < 7:
        return container[int(name)] if int(name) < len(container) else None
    return None


def value_at(row: Row, path: str) -> object:
    """
    Return the value of a column, or at a dotted path into nested objects and lists, or None.

    Column names are compared without regard to case, spaces and punctuation.
    """
    columns, parsed = _Columns(), _Path.of(path)
    top = columns.of(row)
    return top[parsed.plain] if parsed.plain in top else columns.inside(row, parsed)


LONGEST_REMEMBERED = 100
"""Characters of a name whose plain form is remembered. A sender could fill the memory with longer ones."""


def _plain(name: str) -> str:
    return _remembered_plain(name) if len(name) <= LONGEST_REMEMBERED else _plain_form(name)


def _plain_form(name: str) -> str:
    return _NOT_PLAIN.sub("", name.casefold())


_remembered_plain = lru_cache(maxsize=8_192)(_plain_form)


def _faults(definition: Mapping[str, Any]) -> Iterator[Fault]:
    for name in definition.keys() - _NAMES:
        yield Fault(str(name)[:80], "is not a known key; the keys are map, set and words")
    for name in ("set", "words"):
        if not isinstance(definition.get(name, {}), dict):
            yield Fault(name, "must be an object")
    yield from _path_faults(definition.get("map"))
    for name, value in _object(definition, "set").items():
        if not is_field(name):
            yield _no_field(f"set.{name}", name)
        elif not isinstance(value, str):
            yield Fault(f"set.{name}", "must be text")
    for name, words in _object(definition, "words").items():
        if not isinstance(words, dict) or not all(isinstance(ours, str) for ours in words.values()):
            yield Fault(f"words.{name}", 'must be an object of their words and ours, such as {"Left": "departure"}')


def _path_faults(paths: object) -> Iterator[Fault]:
    if not isinstance(paths, dict) or not paths:
        yield Fault("map", 'must be an object of paths and fields, such as {"Name": "person.full_name"}')
        return
    if len(paths) > MOST_PATHS:
        yield Fault("map", f"must have at most {MOST_PATHS} paths")
    for path, fields in paths.items():
        listed = [fields] if isinstance(fields, str) else fields
        if not isinstance(listed, list) or not listed:
            yield Fault(f"map.{path}"[:80], "must be a field name or a list of field names")
            continue
        for name in listed:
            if not isinstance(name, str) or not is_field(name):
                yield _no_field(f"map.{path}", str(name))


def _object(definition: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = definition.get(name, {})
    return value if isinstance(value, dict) else {}


def _no_field(path: str, name: str) -> Fault:
    close = [field for field in FIELDS if _plain(name) and _plain(name) in _plain(field)]
    hint = f"; did you mean {close[0]}?" if close else ""
    return Fault(path[:80], f"{name[:80]!r} is not one of our fields{hint}")
