"""The metadata that every table belongs to, and the column types they share."""

from __future__ import annotations

from sqlalchemy import BigInteger, Integer, MetaData

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Milliseconds = BigInteger
"""Every time is whole milliseconds since the epoch, UTC, so that both databases compare and keep it alike."""

RowId = BigInteger().with_variant(Integer, "sqlite")
"""SQLite assigns ids by itself only to INTEGER columns."""
