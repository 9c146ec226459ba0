"""The metadata that every table belongs to, and the column types they share."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Integer,
    MetaData,
    Text,
    TypeDecorator,
    func,
    literal,
    type_coerce,
)

from domain.decision.reasons import Reasons, from_stored

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Milliseconds = BigInteger
"""Times are whole milliseconds since the epoch, so that both databases store and compare them in the same way."""

RowId = BigInteger().with_variant(Integer, "sqlite")
"""SQLite assigns ids only to INTEGER columns."""


class _StoredReasons(TypeDecorator[Reasons]):
    """Reads codes as they are stored, or the sentence of an earlier version after an equals sign."""

    impl = Text
    cache_ok = True

    def process_result_value(self, value: str | None, dialect: Any) -> Reasons:  # noqa: ARG002 - its documented API
        stored = value or "="
        return from_stored(None, stored[1:]) if stored.startswith("=") else from_stored(stored, None)


def reasons_of(codes: Column[str | None], sentence: Column[str]) -> ColumnElement[Reasons]:
    """The reasons of a row: its codes, else the sentence that an earlier version stored."""
    return type_coerce(func.coalesce(codes, literal("=") + sentence), _StoredReasons).label("reasons")
