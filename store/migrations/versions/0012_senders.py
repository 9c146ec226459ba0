"""Keys and figures of each sender, payloads that were refused, and moves that several senders report."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    with op.batch_alter_table("intake_keys") as batch_op:
        batch_op.add_column(sa.Column("sender", sa.Text(), nullable=True))
    with op.batch_alter_table("workspaces") as batch_op:
        # A constant: for an expression, SQLite would build the table anew, and so delete all that refers to it.
        batch_op.add_column(sa.Column("merge_reports", sa.Boolean(), server_default="1", nullable=False))
    op.create_table(
        "senders",
        sa.Column("workspace_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("accepted", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("duplicate", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("refused", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("skipped", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("received_at", sa.BigInteger()),
        sa.Column("refused_at", sa.BigInteger()),
        sa.Column("refusal", sa.Text()),
        sa.Column("tested_at", sa.BigInteger()),
        sa.Column("test", sa.Text()),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_senders_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("workspace_id", "name", name=op.f("pk_senders")),
    )
    op.create_table(
        "refused_payloads",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("workspace_id", sa.Text(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_refused_payloads_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refused_payloads")),
    )
    with op.batch_alter_table("refused_payloads") as batch_op:
        batch_op.create_index("ix_refused_payloads_workspace", ["workspace_id", "sender", "id"], unique=False)
    op.create_table(
        "reported_moves",
        sa.Column("workspace_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("job_change_id", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_reported_moves_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("workspace_id", "key", name=op.f("pk_reported_moves")),
    )
    with op.batch_alter_table("reported_moves") as batch_op:
        batch_op.create_index("ix_reported_moves_at", ["at"], unique=False)
    op.create_table(
        "attached_reports",
        sa.Column("job_change_id", sa.Text(), nullable=False),
        sa.Column("attached_to", sa.Text(), nullable=False),
        sa.Column("workspace_id", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_change_id"], ["job_changes.id"], name=op.f("fk_attached_reports_job_change_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["attached_to"], ["job_changes.id"], name=op.f("fk_attached_reports_attached_to"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_attached_reports_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("job_change_id", name=op.f("pk_attached_reports")),
    )
    with op.batch_alter_table("attached_reports") as batch_op:
        batch_op.create_index("ix_attached_reports_attached_to", ["attached_to"], unique=False)
    with op.batch_alter_table("attached_reports") as batch_op:
        batch_op.create_index("ix_attached_reports_workspace", ["workspace_id", "at"], unique=False)
