"""The SOQL queries of a source in Salesforce, and reading its records as job changes."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from domain.errors import TransientError
from domain.job_change.validation import Fault, InvalidJobChangeError
from domain.salesforce import FIRST_MATCH
from services.intake.mapping.row_mapping import RowMapping, value_at
from services.salesforce.queries.statements import Row, format_soql

OPERATORS = ("=", "!=", "<", "<=", ">", ">=", "is set", "is not set")
STALE_DAYS = 90
"""How old a job change may be, by its own date, when its record is first seen."""

DEEPEST_PATH = 5
"""https://developer.salesforce.com/docs/platform/soql-and-sosl/guide/sforce-api-calls-soql-relationships-query-limits"""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:?\d\d)")
_TIME = re.compile(r"\d{4}-\d\d-\d\d(?:T\d\d:\d\d:\d\dZ)?")
_PARTS = {"map", "set", "words", "where", "event", "dated_by"}
_ALWAYS = ("Id", "SystemModstamp")
_TIMES = {"CreatedDate", "LastModifiedDate"}
_MIDNIGHT = "T00:00:00Z"


@dataclass(frozen=True)
class Cursor:
    """The last record that was read, after which reading continues. `stamp` has Salesforce's format."""

    stamp: str
    record_id: str

    @classmethod
    def of(cls, row: Row) -> Cursor:
        """Return the cursor for a record. Raises TransientError if it has no id or no time."""
        stamp, record_id = row.get("SystemModstamp"), row.get("Id")
        if not (isinstance(stamp, str) and _STAMP.fullmatch(stamp) and isinstance(record_id, str) and record_id):
            raise TransientError("Salesforce returned an invalid answer: a record has no Id or no SystemModstamp")
        return cls(stamp, record_id)

    @property
    def moment(self) -> int:
        """The time in milliseconds."""
        return round(datetime.fromisoformat(self.stamp).timestamp() * 1_000)


@dataclass(frozen=True)
class Condition:
    """A condition on a field, as an admin wrote it. Its names are checked."""

    path: str
    operator: str
    value: str | float | bool

    @property
    def soql(self) -> str:
        """The condition in SOQL. The value is quoted unless it is a number, a boolean or a time."""
        if self.operator in {"is set", "is not set"}:
            return f"{self.path} {'!=' if self.operator == 'is set' else '='} null"
        if self.is_timed:  # SOQL does not allow quotes around dates
            return f"{self.path} {self.operator} {self.value}"
        return format_soql(f"{self.path} {self.operator} {{}}", self.value)

    @property
    def is_timed(self) -> bool:
        return isinstance(self.value, str) and _TIME.fullmatch(self.value) is not None

    def typed(self, kind: str | None) -> Condition:
        """Return the condition for a field of this type. None means that the type is not known."""
        if not isinstance(self.value, str) or not self.is_timed or kind not in {"date", "datetime"}:
            return self
        day = self.value[:10]
        if kind == "date":
            return replace(self, value=day)
        return self if "T" in self.value else replace(self, value=day + _MIDNIGHT)


@dataclass(frozen=True)
class SourceQuery:
    """
    The queries of a source. All names in them were checked by `parse`.

    `event` has the paths that together identify a job change. `dated_by` is the path of its date, or FIRST_MATCH.
    `is_dated_by_time` means that it has a time of day.
    """

    sobject: str
    mapping: RowMapping
    where: tuple[Condition, ...]
    event: tuple[str, ...]
    dated_by: str | None
    is_dated_by_time: bool = False

    @classmethod
    def parse(cls, sobject: str, definition: object) -> SourceQuery:
        """Parse a definition. Raises InvalidJobChangeError with every fault and its path in the JSON."""
        if not isinstance(definition, dict) or not _NAME.fullmatch(sobject):
            raise InvalidJobChangeError([Fault("", 'must be an object with "map"')])
        faults = list(_faults(definition))
        if faults:
            raise InvalidJobChangeError(faults)
        parts = {name: definition[name] for name in ("map", "set", "words") if name in definition}
        return cls(
            sobject=sobject,
            mapping=RowMapping.parse(parts),
            where=tuple(Condition(*condition) for condition in definition.get("where", [])),
            event=tuple(definition.get("event") or ["Id"]),
            dated_by=definition.get("dated_by"),
        )

    @property
    def paths(self) -> list[str]:
        """All paths that are read of a record."""
        return sorted({*self.mapping.paths, *self.essential_paths})

    def without(self, unreadable: Collection[str]) -> SourceQuery:
        """Return the query without the unreadable paths. Those in `essential_paths` are kept."""
        kept = {path: names for path, names in self.mapping.paths.items() if path not in unreadable}
        return replace(self, mapping=replace(self.mapping, paths=kept))

    @property
    def filtered_paths(self) -> set[str]:
        """The paths that have conditions."""
        dated = {self.dated_by} if self.dated_by and not self.is_dated_by_match else set()
        return {condition.path for condition in self.where} | dated

    @property
    def timed_paths(self) -> set[str]:
        """The paths whose conditions depend on whether they are dates or times."""
        dated = {self.dated_by} if self.dated_by and not self.is_dated_by_match else set()
        return {condition.path for condition in self.where if condition.is_timed} | (dated - _TIMES)

    def typed(self, types: Mapping[str, str]) -> SourceQuery:
        """Return the query for fields of these types: Salesforce does not compare times with dates."""
        where = tuple(condition.typed(types.get(condition.path)) for condition in self.where)
        is_time = self.dated_by in _TIMES or types.get(self.dated_by or "") == "datetime"
        return replace(self, where=where, is_dated_by_time=is_time)

    @property
    def essential_paths(self) -> set[str]:
        """The paths that the query needs, for its conditions, its order and the identity of job changes."""
        return {*_ALWAYS, *self.event, *self.filtered_paths}

    @property
    def is_dated_by_match(self) -> bool:
        return self.dated_by == FIRST_MATCH

    def page(self, *, start: int, since: int, after: Cursor | None, most: int) -> str:
        """
        Return the query for the next records in the order of their last change. Times are in milliseconds.

        It starts at `start` or after the record `after`. Records with the same time are ordered by id, so that none is
        skipped between two pages.
        """
        conditions = [f"SystemModstamp >= {_moment(after.moment if after else start)}", *self._conditions(since)]
        if after is not None:  # in addition to the first condition, by which Salesforce can use its index
            stamp = _moment(after.moment)
            conditions[1:1] = [format_soql("(SystemModstamp > {:literal} OR Id > {})", stamp, after.record_id)]
        return f"{self._select(conditions)} ORDER BY SystemModstamp, Id LIMIT {most}"

    def newest(self, most: int) -> str:
        """Return the query for the records changed last."""
        conditions = [condition.soql for condition in self.where]
        return f"{self._select(conditions)} ORDER BY SystemModstamp DESC, Id DESC LIMIT {most}"

    def count(self, *, start: int) -> str:
        """Return the query that counts the records changed since `start`, in milliseconds."""
        conditions = [f"SystemModstamp >= {_moment(start)}", *self._conditions(start)]
        return self._query("COUNT()", conditions)

    def matching_before(self, since: int, *, after: str, most: int) -> str:
        """Return the query for the records that matched before `since`, by id, after the id `after`."""
        conditions = [f"SystemModstamp < {_moment(since)}", *(condition.soql for condition in self.where)]
        if after:
            conditions.append(format_soql("Id > {}", after))
        return f"{self._query(', '.join(sorted({'Id', *self.event})), conditions)} ORDER BY Id LIMIT {most}"

    def event_id(self, row: Row) -> str:
        """Return what identifies the job change of a record."""
        identity = [value_at(row, path) for path in self.event]
        if not any(identity):  # otherwise all records without these values would be the same job change
            identity = [row.get("Id")]
        return "/".join(map(str, identity))

    def read(self, row: Row) -> dict[str, Any]:
        """Return a record in the format that JobChange.parse reads and checks."""
        flat = {path: value_at(row, path) for path in self.mapping.paths}
        job_change = self.mapping.read(flat, f"salesforce:{self.sobject}")
        job_change["source_event_id"] = self.event_id(row)
        if isinstance(day := job_change.get("occurred_on"), str):
            job_change["occurred_on"] = day[:10]
        if isinstance(moment := job_change.get("detected_at"), str):
            # Salesforce omits the colon in time zones: 2026-11-20T09:30:00.000+0000.
            job_change["detected_at"] = re.sub(r"([+-]\d\d)(\d\d)$", r"\1:\2", moment)
        return job_change

    def _select(self, conditions: list[str]) -> str:
        return self._query(", ".join(self.paths), conditions)

    def _query(self, selected: str, conditions: list[str]) -> str:
        # Names were checked by `parse`, and values are escaped.
        where = ["WHERE", " AND ".join(conditions)] if conditions else []
        return " ".join(["SELECT", selected, "FROM", self.sobject, *where])

    def _conditions(self, since: int) -> Iterator[str]:
        """Yield the conditions, and one on the date: old records may be changed at any time for other reasons."""
        yield from (condition.soql for condition in self.where)
        if self.dated_by in _TIMES:
            yield f"{self.dated_by} >= {_moment(since)}"
        elif self.dated_by and not self.is_dated_by_match:
            day = datetime.fromtimestamp(since / 1_000, UTC).date() - timedelta(days=STALE_DAYS)
            yield f"{self.dated_by} >= {day.isoformat()}{_MIDNIGHT if self.is_dated_by_time else ''}"


def _moment(at: int) -> str:
    """Return the SOQL literal of a time in milliseconds. It needs no quotes."""
    return datetime.fromtimestamp(at / 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at % 1_000:03}Z"


def _faults(definition: Mapping[str, Any]) -> Iterator[Fault]:
    for name in definition.keys() - _PARTS:
        yield Fault(str(name)[:80], f"is not a known key; the keys are {', '.join(sorted(_PARTS))}")
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
    paths += [("event", path) for path in event]
    if dated_by not in (None, FIRST_MATCH):
        paths.append(("dated_by", dated_by))
    for part, path in paths:
        if not _is_path(path):
            yield Fault(f"{part}.{path}"[:80], "is not a field name such as Email or Account.Name")
    yield from _condition_faults(definition.get("where", []))


def _condition_faults(where: object) -> Iterator[Fault]:
    if not isinstance(where, list):
        yield Fault("where", 'must be a list of conditions, such as [["Status__c", "=", "New"]]')
        return
    for number, condition in enumerate(where):
        if not isinstance(condition, list) or len(condition) != 3 or not _is_path(condition[0]):
            yield Fault(f"where.{number}", "must be a field, an operator and a value")
        elif condition[1] not in OPERATORS:
            yield Fault(f"where.{number}", f"must use one of the operators {', '.join(OPERATORS)}")
        elif not isinstance(condition[2], str | int | float | bool):
            yield Fault(f"where.{number}", "must compare with text, a number, true or false")


def _is_path(path: object) -> bool:
    if not isinstance(path, str):
        return False
    steps = path.split(".")
    return len(steps) <= DEEPEST_PATH + 1 and all(map(_NAME.fullmatch, steps))
