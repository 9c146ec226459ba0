"""Indexes that find the rows of a lane, also when the lane is deleted."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # On PostgreSQL they exist already, see CONCURRENT_INDEXES, unless the tables have just been created.
    op.create_index("ix_deliveries_lane", "deliveries", ["lane_id", "state", "id"], if_not_exists=True)
    op.create_index("ix_posts_lane", "posts", ["lane_id", "state", "tried_at"], if_not_exists=True)
