"""Where the listing of a large workspace's members stands."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "directory_listings",
        sa.Column("workspace_id", sa.Text(), sa.ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("began_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("lease", sa.Text()),
        sa.Column("cursor", sa.Text()),
        sa.Column("pages", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("has_emails", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("finished_at", sa.BigInteger()),
    )
    with op.batch_alter_table("directory_listings") as table:
        table.create_index("ix_directory_listings_due", ["due_at"])
