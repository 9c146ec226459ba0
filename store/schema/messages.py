"""Tables of what people did with deliveries, and of notices to admins."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, Table, Text, text

from store.schema.base import Milliseconds, RowId, metadata

handlings = Table(  # what people did with a delivery; no row: nothing yet
    "handlings",
    metadata,
    Column("delivery_id", RowId, ForeignKey("deliveries.id", ondelete="CASCADE"), primary_key=True),
    Column("job_change_id", Text, ForeignKey("job_changes.id", ondelete="CASCADE"), nullable=False),
    Column("state", Text, nullable=False),  # see HandlingState in domain/states.py
    Column("actor", Text),  # the Slack user who did it; null while open
    Column("at", Milliseconds),
    Column("given_to", Text),  # a Slack user
    Index("ix_handlings_job_change", "job_change_id", "delivery_id"),
    Index("ix_handlings_actor", "actor", "at"),
)

laters = Table(  # snoozed deliveries
    "laters",
    metadata,
    Column("delivery_id", RowId, ForeignKey("deliveries.id", ondelete="CASCADE"), primary_key=True),
    Column("job_change_id", Text, ForeignKey("job_changes.id", ondelete="CASCADE"), nullable=False),
    Column("actor", Text, nullable=False),
    Column("due_at", Milliseconds),  # null: the snooze has ended
    Column("back_at", Milliseconds),
    Index("ix_laters_job_change", "job_change_id"),
    Index(
        "ix_laters_due",
        "due_at",
        sqlite_where=text("due_at IS NOT NULL"),
        postgresql_where=text("due_at IS NOT NULL"),
    ),
)

wrong_data = Table(  # reports of wrong data, one for each person and job change
    "wrong_data",
    metadata,
    Column("job_change_id", Text, ForeignKey("job_changes.id", ondelete="CASCADE"), primary_key=True),
    Column("actor", Text, primary_key=True),
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), nullable=False),
    Column("at", Milliseconds, nullable=False),
    Column("kind", Text, nullable=False),  # not_moved | wrong_person | wrong_job | old_news | other
    Column("words", Text),  # their comment; null: none, or erased
    Index("ix_wrong_data_workspace", "workspace_id", "at"),
)

notices = Table(  # direct messages to admins that are kept up to date
    "notices",
    metadata,
    Column("id", Text, primary_key=True),  # a UUID: the client_msg_id of the message, and in its metadata
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), nullable=False),
    Column("kind", Text, nullable=False),  # see services/messages/notice_text.py
    Column("user_id", Text, nullable=False),
    Column("made_at", Milliseconds, nullable=False),
    Column("due_at", Milliseconds),  # schedule and lease in one; null: it is final
    Column("lease", Text),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("begun_at", Milliseconds),  # written before it is sent
    Column("channel", Text),  # where Slack posted it
    Column("ts", Text),
    Column("shown", Text),  # a hash of its content
    Column("steps", Integer),  # the SetupSteps that it shows; null: not known
    Index("ix_notices_workspace", "workspace_id", "kind"),
    Index(
        "ix_notices_due",
        "due_at",
        sqlite_where=text("due_at IS NOT NULL"),
        postgresql_where=text("due_at IS NOT NULL"),
    ),
)
