"""The buttons that admins add to the cards of job changes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("workspaces") as table:
        table.add_column(sa.Column("card_buttons", sa.Text(), server_default="[]", nullable=False))
        table.add_column(sa.Column("card_buttons_problem", sa.Text()))
