"""A source of job changes in Salesforce: what is asked of it, and what its records say."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from domain.errors import TransientError
from domain.job_change.validation import Fault, InvalidJobChangeError
from services.intake.senders.row_mapping import RowMapping, value_at
from services.salesforce.queries.statements import Row, format_soql

OPERATORS = ("=", "!=", "<", "<=", ">", ">=", "is set", "is not set")
STALE_DAYS = 90
"""How long ago a job change may have been, by its own date, when its record is first seen."""

DEEPEST_PATH = 5
"""https://developer.salesforce.com/docs/platform/soql-and-sosl/guide/sforce-api-calls-soql-relationships-query-limits"""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:?\d\d)")
_TIME = re.compile(r"\d{4}-\d\d-\d\d(?:T\d\d:\d\d:\d\dZ)?")
_PARTS = {"map", "set", "words", "where", "event", "dated_by"}
_ALWAYS = ("Id", "SystemModstamp")


@dataclass(frozen=True)
class Cursor:
    """A record that has been read, and behind which reading goes on. *stamp* as Salesforce writes it."""

    stamp: str
    record_id: str

    @classmethod
    def of(cls, row: Row) -> Cursor:
        """Raises TransientError for a record without an id, or of no time."""
        stamp, record_id = row.get("SystemModstamp"), row.get("Id")
        if not (isinstance(stamp, str) and _STAMP.fullmatch(stamp) and isinstance(record_id, str) and record_id):
            raise TransientError("Salesforce returned an invalid answer: a record has no Id or no SystemModstamp")
        return cls(stamp, record_id)

    @property
    def moment(self) -> int:
        """In milliseconds."""
        return round(datetime.fromisoformat(self.stamp).timestamp() * 1_000)


@dataclass(frozen=True)
class Condition:
    """One test of a field of a record, as an admin wrote it, with its names checked."""

    path: str
    operator: str
    value: str | float | bool

    @property
    def soql(self) -> str:
        """The value in quotes, unless it is a number, a truth value or a time."""
        if self.operator in {"is set", "is not set"}:
            return f"{self.path} {'!=' if self.operator == 'is set' else '='} null"
        if isinstance(self.value, str) and _TIME.fullmatch(self.value):  # of a date field: never in quotes
            return f"{self.path} {self.operator} {self.value}"
        return format_soql(f"{self.path} {self.operator} {{}}", self.value)


@dataclass(frozen=True)
class SourceQuery:
    """
    *event*: the paths that together tell one job change from another. *dated_by*: the path that says when it was.

    Every name in a query comes from here, and here only names are let in.
    """

    sobject: str
    mapping: RowMapping
    where: tuple[Condition, ...]
    event: tuple[str, ...]
    dated_by: str | None

    @classmethod
    def parse(cls, sobject: str, definition: object) -> SourceQuery:
        """Raises InvalidJobChangeError with every fault, its path the one in the JSON."""
        if not isinstance(definition, dict) or not _NAME.fullmatch(sobject):
            raise InvalidJobChangeError([Fault("", 'must be an object with "map"')])
        faults = list(_faults(definition))
        if faults:
            raise InvalidJobChangeError(faults)
        parts = {name: definition[name] for name in ("map", "set", "words") if name in definition}
        return cls(
            sobject=sobject,
            mapping=RowMapping.parse(parts),
            where=tuple(Condition(*each) for each in definition.get("where", [])),
            event=tuple(definition.get("event") or ["Id"]),
            dated_by=definition.get("dated_by"),
        )

    @property
    def paths(self) -> list[str]:
        """All that is read of a record."""
        dated = [self.dated_by] if self.dated_by else []
        return sorted({*_ALWAYS, *self.mapping.paths, *self.event, *dated, *(each.path for each in self.where)})

    def without(self, unreadable: Collection[str]) -> SourceQuery:
        """The same, as far as it can be read; conditions and what tells job changes apart cannot be left out."""
        kept = {path: names for path, names in self.mapping.paths.items() if path not in unreadable}
        return replace(self, mapping=replace(self.mapping, paths=kept))

    @property
    def indispensable(self) -> set[str]:
        return {*_ALWAYS, *self.event, *(each.path for each in self.where)} | (
            {self.dated_by} if self.dated_by else set()
        )

    def page(self, *, start: int, since: int, after: Cursor | None, most: int) -> str:
        """
        The next records in the order of their last change, from *start* or behind *after*; times in milliseconds.

        Many may have changed in the same moment: the id tells them apart, so that none is skipped between two pages.
        """
        conditions = [f"SystemModstamp >= {_moment(start)}", *self._conditions(since)]
        if after is not None:
            stamp = _moment(after.moment)
            behind = format_soql(
                "(SystemModstamp > {stamp:literal} OR (SystemModstamp = {stamp:literal} AND Id > {record_id}))",
                stamp=stamp,
                record_id=after.record_id,
            )
            conditions[0] = behind
        return f"{self._select(conditions)} ORDER BY SystemModstamp, Id LIMIT {most}"

    def newest(self, most: int) -> str:
        """Whenever that was."""
        return f"{self._select([each.soql for each in self.where])} ORDER BY SystemModstamp DESC, Id DESC LIMIT {most}"

    def count(self, *, start: int) -> str:
        """How many there are from *start* on."""
        conditions = [f"SystemModstamp >= {_moment(start)}", *self._conditions(start)]
        return self._query("COUNT()", conditions)

    def read(self, row: Row) -> dict[str, Any]:
        """A record as a job change in our own names, for JobChange.parse to check."""
        flat = {path: value_at(row, path) for path in self.mapping.paths}
        told = self.mapping.read(flat, f"salesforce:{self.sobject}")
        marks = [value_at(row, path) for path in self.event]
        if not any(marks):  # else all that lack them would be one
            marks = [row.get("Id")]
        told["source_event_id"] = "/".join(map(str, marks))
        for name, fits in (("occurred_on", _as_day), ("detected_at", _as_moment)):
            if isinstance(told.get(name), str):
                told[name] = fits(told[name])
        return told

    def _select(self, conditions: list[str]) -> str:
        return self._query(", ".join(self.paths), conditions)

    def _query(self, selected: str, conditions: list[str]) -> str:
        """Names have been let in by `parse`, values are escaped already."""
        where = ["WHERE", " AND ".join(conditions)] if conditions else []
        return " ".join(["SELECT", selected, "FROM", self.sobject, *where])

    def _conditions(self, since: int) -> Iterator[str]:
        """Also that it is recent: a record that was made long ago may be changed at any time for other reasons."""
        yield from (each.soql for each in self.where)
        if self.dated_by in {"CreatedDate", "LastModifiedDate"}:
            yield f"{self.dated_by} >= {_moment(since)}"
        elif self.dated_by:
            day = datetime.fromtimestamp(since / 1_000, UTC).date() - timedelta(days=STALE_DAYS)
            yield f"{self.dated_by} >= {day.isoformat()}"


def _moment(at: int) -> str:
    """A literal of SOQL, never in quotes; at is in milliseconds."""
    return datetime.fromtimestamp(at / 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at % 1_000:03}Z"


def _as_day(told: str) -> str:
    return told[:10]


def _as_moment(told: str) -> str:
    """Salesforce writes zones without a colon: 2026-11-20T09:30:00.000+0000."""
    return re.sub(r"([+-]\d\d)(\d\d)$", r"\1:\2", told)


def _faults(definition: Mapping[str, Any]) -> Iterator[Fault]:
    for name in definition.keys() - _PARTS:
        yield Fault(str(name)[:80], f"is not part of a source; its parts are {', '.join(sorted(_PARTS))}")
    parts = {name: definition[name] for name in ("map", "set", "words") if name in definition}
    try:
        paths = [("map", path) for path in RowMapping.parse(parts).paths]
    except InvalidJobChangeError as error:
        yield from error.faults
        paths = []
    event, dated_by = definition.get("event") or ["Id"], definition.get("dated_by")
    if not isinstance(event, list):
        yield Fault("event", 'must be a list of fields, such as ["Id"]')
        event = []
    paths += [("event", path) for path in event] + ([("dated_by", dated_by)] if dated_by is not None else [])
    for part, path in paths:
        if not _is_path(path):
            yield Fault(f"{part}.{path}"[:80], "is not the name of a field, such as Email or Account.Name")
    yield from _condition_faults(definition.get("where", []))


def _condition_faults(where: object) -> Iterator[Fault]:
    if not isinstance(where, list):
        yield Fault("where", 'must be a list of conditions, such as [["Status__c", "=", "New"]]')
        return
    for place, each in enumerate(where):
        if not isinstance(each, list) or len(each) != 3 or not _is_path(each[0]):
            yield Fault(f"where.{place}", "must be a field, an operator and a value")
        elif each[1] not in OPERATORS:
            yield Fault(f"where.{place}", f"has no such operator; there are {', '.join(OPERATORS)}")
        elif not isinstance(each[2], str | int | float | bool):
            yield Fault(f"where.{place}", "must compare with text, a number, true or false")


def _is_path(path: object) -> bool:
    if not isinstance(path, str):
        return False
    steps = path.split(".")
    return len(steps) <= DEEPEST_PATH + 1 and all(map(_NAME.fullmatch, steps))
