"""What the names in a file mean: how its rows are read as job changes, and what is told of that before. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from domain.job_change.validation import Fault, InvalidJobChangeError
from services.intake.senders import senders
from services.intake.senders.row_mapping import RowMapping, value_at

DEFAULT_SOURCE = "import"

_MARK = "sample"
_SOURCE = "source"
_NEEDED: Mapping[str, tuple[str, ...]] = {
    "a name": ("person.full_name", "person.last_name"),
    "an e-mail address, a LinkedIn URL or a Salesforce id of the person": (
        "person.emails",
        "person.linkedin_url",
        "salesforce.contact_id",
        "salesforce.lead_id",
    ),
    "a company": tuple(
        f"{side}.company.{name}" for side in ("current", "previous") for name in ("name", "domain", "salesforce_id")
    ),
}


@dataclass(frozen=True)
class RowReader:
    """
    How rows become job changes. *source*: whose rows they are; None: they say so themselves, or it is DEFAULT_SOURCE.

    *own*: the workspace's mappings, by source. *header*: the columns of a CSV, which is always read as flat rows.
    """

    source: str | None
    own: Mapping[str, RowMapping] = field(default_factory=dict)
    header: tuple[str, ...] = ()

    def read(self, row: object) -> object:
        """As JobChange.parse reads it. Raises InvalidJobChangeError."""
        if not isinstance(row, dict):
            raise InvalidJobChangeError([Fault("", "must be an object")])
        if self.header:
            return self._of_columns(row)
        source = self.source or senders.source_of(row) or DEFAULT_SOURCE
        told = senders.read(row, source, self.own.get(source))
        return senders.flat(row, source) if told is row and "person" not in row else told

    def _of_columns(self, row: Mapping[str, Any]) -> object:
        said = str(row.get(self._source_column) or "").strip() if self._source_column else ""
        rest = {name: value for name, value in row.items() if name != self._source_column}
        return self._columns.read(rest, self.source or said or DEFAULT_SOURCE)

    def understood(self, names: Sequence[str]) -> dict[str, str | None]:
        """Which field each of these columns is; None: it is kept under `custom`."""
        mapping = self._mapping
        return {name: _SOURCE if name == self._source_column else _field_of(name, mapping) for name in names}

    @cached_property
    def _mapping(self) -> RowMapping:
        return self.own.get(self.source or DEFAULT_SOURCE, senders.FLAT)

    @cached_property
    def _columns(self) -> RowMapping:
        """Only the paths that are in the header: most are not, and a million rows have the same one."""
        marked = dict.fromkeys(self.header, _MARK)
        paths = {path: fields for path, fields in self._mapping.paths.items() if value_at(marked, path) == _MARK}
        return RowMapping(paths, self._mapping.always, self._mapping.words)

    @cached_property
    def _source_column(self) -> str | None:
        return next((name for name in self.header if name.strip().lower() == _SOURCE), None)


def missing(fields: Sequence[str | None]) -> list[str]:
    """What every job change needs and none of the columns tells."""
    return [what for what, any_of in _NEEDED.items() if not set(any_of) & set(fields)]


def _field_of(name: str, mapping: RowMapping) -> str | None:
    told = RowMapping(mapping.paths, {}, mapping.words).read({name: _MARK}, DEFAULT_SOURCE)
    return next((path for path, value in _leaves(told) if value in (_MARK, [_MARK]) and path != _SOURCE), None)


def _leaves(told: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, object]]:
    for name, value in told.items():
        if isinstance(value, dict):
            if not (path == "" and name == "custom"):
                yield from _leaves(value, f"{path}{name}.")
        else:
            yield f"{path}{name}", value
