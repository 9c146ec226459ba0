"""The fields and objects that the app cannot read or search in an org, and works without."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from domain.errors import PermanentError
from services.salesforce.queries.statements import RecordQuery, lookup_field, related_objects
from services.salesforce.refusals import (
    GRANT,
    MALFORMED_ID,
    NO_SUCH_TYPE,
    TOO_SLOW,
    UnfilterableFieldError,
    UnreadableFieldError,
    UnreadableRelationshipError,
    code_of,
    malformed_id,
    refusal,
)

EXPIRES_MS = 60 * 60_000
"""After this time a field is requested again, so that access that was granted in the meantime is noticed."""


def hidden_text(name: str) -> str:
    """What people read about a field or an object that is left out, without its full stop."""
    return f"{name} cannot be read in Salesforce. {GRANT}"


@dataclass(frozen=True)
class Gap:
    """`name` is a field or an object, `text` a sentence without its full stop. `lasts` is false for one batch only."""

    name: str
    text: str
    expires_at: int
    lasts: bool = True


@dataclass
class Gaps:
    """What one client has found out. Names of objects and fields are compared in lower case."""

    now: Callable[[], int]
    _hidden: dict[tuple[str, str], int] = field(default_factory=dict, init=False)
    _unsearchable: dict[tuple[str, str], int] = field(default_factory=dict, init=False)
    _slow_patterns: dict[tuple[str, str], int] = field(default_factory=dict, init=False)
    _gaps: dict[str, Gap] = field(default_factory=dict, init=False)

    @property
    def texts(self) -> dict[str, str]:
        """Everything that is left out now, by its name in lower case."""
        return {key: gap.text for key, gap in self._gaps.items()}

    @property
    def lasting(self) -> list[str]:
        """The names of what is left out until an admin does something about it."""
        return sorted(gap.name for gap in self._gaps.values() if gap.lasts)

    def forget(self) -> None:
        """Ask for everything again, as after access was given."""
        for entries in (self._hidden, self._unsearchable, self._slow_patterns, self._gaps):
            entries.clear()

    def begin_batch(self) -> None:
        """Forget what is an hour old, and what was only true for the last batch."""
        now = self.now()
        for entries in (self._hidden, self._unsearchable, self._slow_patterns):
            for key in [key for key, expires_at in entries.items() if expires_at <= now]:
                del entries[key]
        self._gaps = {key: gap for key, gap in self._gaps.items() if gap.lasts and gap.expires_at > now}

    def readable(self, query: RecordQuery) -> RecordQuery | None:
        """Return the query without what cannot be read, or None if nothing is left to ask."""
        field = query.sobject.lower(), query.by.lower()
        if field in self._unsearchable or (query.is_pattern and field in self._slow_patterns):
            return None
        return query.without(frozenset(self._hidden))

    def answered(self, query: RecordQuery) -> None:
        """Note that the query was answered, so that what it looks up can be read."""
        self._gaps.pop(query.name.lower(), None)

    def skip_slow(self, query: RecordQuery) -> None:
        text = f"{query.question} could not be looked up, because Salesforce took too long"
        if query.is_pattern:  # a table that is too large to be searched stays so
            self._slow_patterns[query.sobject.lower(), query.by.lower()] = self.now() + EXPIRES_MS
        self._add(query.name, text, lasts=query.is_pattern)

    def after_refusal(self, query: RecordQuery, status: int, body: object) -> list[RecordQuery]:
        """
        Return the queries to send instead of a refused one: without what was refused, or none.

        Raises PermanentError or TransientError if the query cannot be answered without an admin, or now.
        """
        code, error = code_of(body), refusal(status, body)
        if code == NO_SUCH_TYPE and query.is_optional:
            self._add(query.name, hidden_text(query.name))
            return []
        if code == MALFORMED_ID and query.by_id:
            return query.without_value(malformed_id(body))
        for sobject, name in _hidden_fields(query, error):
            self._hidden[sobject.lower(), name.lower()] = self.now() + EXPIRES_MS
            self._add(f"{sobject}.{name}", hidden_text(f"{sobject}.{name}"))
        if isinstance(error, UnfilterableFieldError) and query.by.lower().endswith(error.field.lower()):
            self._unsearchable[query.sobject.lower(), query.by.lower()] = self.now() + EXPIRES_MS
            searched = f"{query.sobject}.{query.by}"
            self._add(searched, f"{searched} cannot be searched in Salesforce, for example because it is encrypted")
        kept = self.readable(query)
        if kept != query:
            return [kept] if kept else []
        if code in TOO_SLOW and query.is_extra:
            self.skip_slow(query)
            return []
        if query.is_extra and isinstance(error, PermanentError):
            self._add(query.name, f"{query.question} could not be looked up: {error}")
            return []
        raise error

    def _add(self, name: str, text: str, *, lasts: bool = True) -> None:
        self._gaps[name.lower()] = Gap(name, text, self.now() + EXPIRES_MS, lasts)


def _hidden_fields(query: RecordQuery, error: Exception) -> Iterator[tuple[str, str]]:
    """Yield the fields that the error means, as objects and names."""
    if isinstance(error, UnreadableFieldError):
        yield error.sobject, error.field
    if isinstance(error, UnreadableRelationshipError):
        for path in (*query.fields, query.by):
            objects: tuple[str, ...] = (query.root,)
            for step in path.split(".")[:-1]:
                if step.lower() == error.relationship.lower():
                    yield from ((sobject, lookup_field(step)) for sobject in objects)
                objects = related_objects(step)
