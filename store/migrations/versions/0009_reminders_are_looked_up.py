"""The id of a reminder's message, by which it is found in Slack when nobody knows whether it arrived."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("reminders") as table:
        table.add_column(sa.Column("post_id", sa.Text()))
        table.add_column(sa.Column("thread_ts", sa.Text()))
