"""Reading the rows of a file as job changes, and how its columns are interpreted. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from domain.job_change.validation import Fault, InvalidJobChangeError
from services.intake.mapping.row_mapping import RowMapping, TextColumns
from services.intake.senders import flat, registry

DEFAULT_SOURCE = "import"

_SAMPLE = "sample"
_SOURCE = "source"
_REQUIRED: Mapping[str, tuple[str, ...]] = {
    "a name": ("person.full_name", "person.last_name", "person.external_id"),
    "an email address, a LinkedIn URL or a Salesforce id of the person": (
        "person.emails",
        "person.linkedin_url",
        "person.external_id",
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
    Reads rows as job changes.

    `source` is the sender of the rows; None means that each row names it, else it is DEFAULT_SOURCE. `own` has the
    workspace's field mappings by source. `header` has the columns of a CSV file, which has flat rows.
    """

    source: str | None
    own: Mapping[str, RowMapping] = field(default_factory=dict)
    header: tuple[str, ...] = ()

    def read(self, row: object) -> tuple[object, ...]:
        """
        Return the job changes of a row in the format of JobChange.parse. A payload of a sender may have several.

        Raises InvalidJobChangeError, also if the row has none.
        """
        if not isinstance(row, dict):
            raise InvalidJobChangeError([Fault("", "must be an object")])
        if self.header:
            row_source = str(row.get(self._source_column) or "").strip() if self._source_column else ""
            return (self._mapping.read_text(row, self.source or row_source or DEFAULT_SOURCE, self._columns),)
        source = self.source or registry.source_of(row) or DEFAULT_SOURCE
        own = self.own.get(source)
        if own is None and not registry.is_ours(row) and not registry.has_own_shape(source):
            return (flat.read_row(row, source),)
        reading = registry.read(row, source, own)
        if not reading.job_changes:
            raise InvalidJobChangeError([Fault("", f"is not a job change: {'; '.join(reading.skipped)}")])
        return reading.job_changes

    def interpret_columns(self, names: Sequence[str]) -> dict[str, str | None]:
        """Return our field for each of these columns, or None if it is kept under `custom`."""
        mapping = self._mapping
        return {name: _SOURCE if name == self._source_column else _field_of(name, mapping) for name in names}

    def reason(self, error: InvalidJobChangeError) -> str:
        """Return why a row is refused. It names the columns of a CSV file instead of our fields."""
        faults = [
            Fault(" or ".join(self._columns_of(fault.path)) or fault.path, fault.message) for fault in error.faults
        ]
        return str(InvalidJobChangeError(faults))

    def _columns_of(self, path: str) -> list[str]:
        """Return the columns of a field, of an item in it, or of a company with its parts."""
        return [
            name
            for name, field_name in self._interpreted.items()
            if field_name
            and (f"{path}.".startswith(f"{field_name}.") or (path.endswith(".company") and field_name.startswith(path)))
        ]

    @cached_property
    def _interpreted(self) -> Mapping[str, str | None]:
        return self.interpret_columns(self.header)

    @cached_property
    def _mapping(self) -> RowMapping:
        return self.own.get(self.source or DEFAULT_SOURCE, flat.FLAT)

    @cached_property
    def _columns(self) -> TextColumns:
        return self._mapping.columns([name for name in self.header if name != self._source_column])

    @cached_property
    def _source_column(self) -> str | None:
        return next((name for name in self.header if name.strip().lower() == _SOURCE), None)


def missing(fields: Sequence[str | None]) -> list[str]:
    """Return what every job change requires and none of the columns contains."""
    return [name for name, alternatives in _REQUIRED.items() if not set(alternatives) & set(fields)]


def _field_of(name: str, mapping: RowMapping) -> str | None:
    job_change = RowMapping(mapping.paths, {}, mapping.words).read({name: _SAMPLE}, DEFAULT_SOURCE)
    return next(
        (path for path, value in _leaves(job_change) if value in (_SAMPLE, [_SAMPLE]) and path != _SOURCE), None
    )


def _leaves(part: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, object]]:
    for name, value in part.items():
        if isinstance(value, dict):
            if not (path == "" and name == "custom"):
                yield from _leaves(value, f"{path}{name}.")
        else:
            yield f"{path}{name}", value
