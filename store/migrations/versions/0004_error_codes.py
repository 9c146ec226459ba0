"""Why a workspace is gone, and the code of the last error of a delivery."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("deliveries", sa.Column("last_code", sa.Text(), nullable=True))
    op.add_column("workspaces", sa.Column("gone_because", sa.Text(), nullable=True))
