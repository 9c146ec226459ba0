"""Which rule chose a delivery, what became of it, and the original names of renamed rules."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("deliveries") as table:
        table.add_column(sa.Column("rule", sa.Text()))
    with op.batch_alter_table("ownership_rules") as table:
        table.add_column(sa.Column("original_names", sa.Text()))
    with op.batch_alter_table("ownership_drafts") as table:
        table.add_column(sa.Column("original_names", sa.Text()))
    op.create_table(
        "rule_results",
        sa.Column("delivery_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("workspace_id", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("sent_at", sa.BigInteger(), nullable=False),
        sa.Column("acted_at", sa.BigInteger()),
        sa.Column("not_mine", sa.Integer(), server_default="0", nullable=False),
        sa.Column("wrong_data", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["deliveries.id"], name=op.f("fk_rule_results_delivery_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("delivery_id", name=op.f("pk_rule_results")),
    )
    with op.batch_alter_table("rule_results") as table:
        table.create_index(
            "ix_rule_results_sent", ["workspace_id", "sent_at", "rule", "acted_at", "not_mine", "wrong_data"]
        )
