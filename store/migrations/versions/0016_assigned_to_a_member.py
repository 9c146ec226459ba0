"""The job changes that a member has claimed are found by an index, and the address of their workspace for links."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # On PostgreSQL it exists already, see CONCURRENT_INDEXES, unless the table has just been created.
    op.create_index("ix_handlings_actor", "handlings", ["actor", "at"], if_not_exists=True)
    with op.batch_alter_table("workspaces") as table:
        table.add_column(sa.Column("url", sa.Text()))
