"""A field of Salesforce's Account by which companies are found."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("ownership_matching") as table:
        table.add_column(sa.Column("domain_field", sa.Text(), nullable=True))
