"""The index of job changes that have ended has no longer a row for each that is open, which two updates rewrote."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # On PostgreSQL it exists already, see CONCURRENT_INDEXES, unless the table has just been created.
    op.create_index(
        "ix_job_changes_ended_at",
        "job_changes",
        ["workspace_id", "ended_at", "outcome", "told"],
        sqlite_where=sa.text("ended_at IS NOT NULL"),
        postgresql_where=sa.text("ended_at IS NOT NULL"),
        if_not_exists=True,
    )
    op.drop_index("ix_job_changes_ended", "job_changes")
