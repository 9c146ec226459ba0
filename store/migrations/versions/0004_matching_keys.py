"""The workspace that was installed first, and the fields by which people and owners are matched."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "first_workspace",
        sa.Column("slot", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("workspace_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("slot", name=op.f("pk_first_workspace")),
    )
    with op.batch_alter_table("ownership_matching", schema=None) as batch_op:
        batch_op.add_column(sa.Column("slack_id_field", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("person_keys", sa.Text(), nullable=True))
