"""The id of the request that brought a job change, which its log lines and its answer have too."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("job_changes") as table:
        table.add_column(sa.Column("request_id", sa.Text()))
