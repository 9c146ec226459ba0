"""Tables of intake: job changes, the keys of senders, field mappings and imports."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, Table, Text, UniqueConstraint, text

from store.schema.base import Milliseconds, RowId, metadata

job_changes = Table(
    "job_changes",
    metadata,
    Column("id", Text, primary_key=True),  # time-ordered
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), nullable=False),
    Column("key", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("payload", Text),  # the JobChange as JSON; null: erased
    Column("accepted_at", Milliseconds, nullable=False),
    Column("due_at", Milliseconds),  # when to route it; null: it has been routed
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("last_error", Text),
    Column("decision", Text),  # JSON: who was considered, in order, with the results; null: not routed yet
    Column("routed_at", Milliseconds),
    Column("outcome", Text),  # delivered | buried (failed) | muted; null: open
    Column("told", Text),  # who was notified, if it was delivered: dri | channel
    Column("reason", Text),  # why it failed or was muted, or why it went to the channel
    Column("ended_at", Milliseconds),
    Column("acted_at", Milliseconds),  # when a person last acted on it; null: nobody has
    Column("request_id", Text),  # of the HTTP request; null: imported, or accepted by version 0.2
    UniqueConstraint("workspace_id", "key"),
    Index(
        "ix_job_changes_due",
        "workspace_id",
        "due_at",
        "id",
        sqlite_where=text("due_at IS NOT NULL"),
        postgresql_where=text("due_at IS NOT NULL"),
    ),
    Index(
        "ix_job_changes_open",
        "workspace_id",
        "accepted_at",
        sqlite_where=text("ended_at IS NULL"),
        postgresql_where=text("ended_at IS NULL"),
    ),
    Index(
        "ix_job_changes_ended_at",
        "workspace_id",
        "ended_at",
        "outcome",
        "told",
        sqlite_where=text("ended_at IS NOT NULL"),
        postgresql_where=text("ended_at IS NOT NULL"),
    ),
    Index(  # outcome first, because SQLite would choose another index otherwise
        "ix_job_changes_buried",
        "outcome",
        "workspace_id",
        sqlite_where=text("outcome = 'buried'"),
        postgresql_where=text("outcome = 'buried'"),
    ),
)

mappings = Table(  # field mappings: how the rows of a sender are read
    "mappings",
    metadata,
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True),
    Column("source", Text, primary_key=True),
    Column("definition", Text, nullable=False),  # JSON
    Column("made_by", Text, nullable=False),
    Column("made_at", Milliseconds, nullable=False),
)

intake_keys = Table(
    "intake_keys",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), nullable=False),
    Column("sender", Text),  # the sender that alone may use it; null: every sender
    Column("kind", Text, nullable=False),  # signing | bearer
    Column("secret", Text, nullable=False),  # signing: encrypted; bearer: its SHA-256
    Column("made_at", Milliseconds, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("expires_at", Milliseconds),  # null: in use; a rotated key is valid until then
    Index("ix_intake_keys_workspace", "workspace_id", "kind"),
)

senders = Table(  # the senders that have been added, with their figures
    "senders",
    metadata,
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("made_at", Milliseconds, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("accepted", BigInteger, nullable=False, server_default="0"),
    Column("duplicate", BigInteger, nullable=False, server_default="0"),
    Column("refused", BigInteger, nullable=False, server_default="0"),
    Column("skipped", BigInteger, nullable=False, server_default="0"),
    Column("received_at", Milliseconds),  # the last one
    Column("refused_at", Milliseconds),  # the last one
    Column("refusal", Text),  # why, without what was sent
    Column("tested_at", Milliseconds),  # the last test event of the sender
    Column("test", Text),  # how it was read
)

refused_payloads = Table(
    "refused_payloads",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), nullable=False),
    Column("sender", Text, nullable=False),
    Column("received_at", Milliseconds, nullable=False),
    Column("reason", Text, nullable=False),
    Column("payload", Text, nullable=False),  # JSON, as it was sent
    Index("ix_refused_payloads_workspace", "workspace_id", "sender", "id"),
)

known_moves = Table(  # that a person joined, left or was promoted at a company, and which job change says so first
    "known_moves",
    metadata,
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True),
    Column("person", Text, primary_key=True),  # a hash of an identifier, see domain/job_change/moves.py
    Column("companies", Text, nullable=False),  # of the latest move: hashes, with spaces between them
    Column("job_change_id", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("at", Milliseconds, nullable=False),
    Column("earlier", Text),  # JSON: the moves before it, with the same facts; null: none
    Index("ix_known_moves_at", "at"),
)

reported_moves = Table(  # the same, as versions before known_moves noted it; they may still run
    "reported_moves",
    metadata,
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True),
    Column("key", Text, primary_key=True),  # a hash of the person, then one of the company
    Column("job_change_id", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("at", Milliseconds, nullable=False),
    Index("ix_reported_moves_at", "at"),
)

attached_reports = Table(  # job changes that repeat what another sender has reported; they are stored as muted
    "attached_reports",
    metadata,
    Column("job_change_id", Text, ForeignKey("job_changes.id", ondelete="CASCADE"), primary_key=True),
    Column("attached_to", Text, ForeignKey("job_changes.id", ondelete="CASCADE"), nullable=False),
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), nullable=False),
    Column("at", Milliseconds, nullable=False),
    Index("ix_attached_reports_attached_to", "attached_to"),
    Index("ix_attached_reports_workspace", "workspace_id", "at"),
)

imports = Table(  # the progress of importing a file, until it is finished
    "imports",
    metadata,
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True),
    Column("digest", Text, primary_key=True),  # SHA-256 of the file and its mapping
    Column("read", Integer, nullable=False),  # rows
    Column("accepted", Integer, nullable=False),
    Column("duplicate", Integer, nullable=False),
    Column("refused", Integer, nullable=False),
    Column("refused_bytes", BigInteger, nullable=False),  # size of the file of refused rows
    Column("updated_at", Milliseconds, nullable=False),
)
