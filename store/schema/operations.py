"""Tables for those who run the app: day counts, the audit log, and what the processes of a deployment share."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, Table, Text

from store.schema.base import Milliseconds, RowId, metadata

day_counts = Table(  # how many job changes ended on a day, counted once it is over
    "day_counts",
    metadata,
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True),
    Column("day", Integer, primary_key=True),  # since the epoch, UTC
    Column("told_dri", Integer, nullable=False),
    Column("told_channel", Integer, nullable=False),
    Column("buried", Integer, nullable=False),
    Column("muted", Integer, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("workspace_id", Text, nullable=False),
    Column("at", Milliseconds, nullable=False),
    Column("actor", Text, nullable=False),  # a Slack user id, or operator
    Column("action", Text, nullable=False),
    Column("detail", Text, nullable=False, server_default=""),
    Index("ix_audit_workspace", "workspace_id", "id"),
)

deployment = Table(  # facts by name, see store/operations/deployment.py and store/migrations
    "deployment",
    metadata,
    Column("name", Text, primary_key=True),  # oldest_revision | newest_key | written_at
    Column("value", Text, nullable=False),
)
