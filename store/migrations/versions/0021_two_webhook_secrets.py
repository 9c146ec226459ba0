"""The secret of an outgoing webhook that was replaced, which signs for a while beside the new one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("webhooks") as table:
        table.add_column(sa.Column("old_secret", sa.Text()))
        table.add_column(sa.Column("old_secret_until", sa.BigInteger()))
