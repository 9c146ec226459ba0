"""What the processes of a deployment share about themselves."""

from __future__ import annotations

from sqlalchemy import Column, Table, Text

from store.schema.base import metadata

deployment = Table(  # facts by name, see store/operations/deployment.py and store/migrations
    "deployment",
    metadata,
    Column("name", Text, primary_key=True),  # oldest_revision | newest_key | written_at
    Column("value", Text, nullable=False),
)
