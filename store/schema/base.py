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
"""Times are whole milliseconds since the epoch, so that both databases store and compare them in the same way."""

RowId = BigInteger().with_variant(Integer, "sqlite")
"""SQLite assigns ids only to INTEGER columns."""
