"""
The moves that a person is known to have made, in one row for each identifier of the person.

They replace `reported_moves`, which has a row for each identifier and each name of the company. That table stays: a
process of the version before goes on using it. While both versions run, a report that one of them accepts is not
recognized in a report that the other one accepts, so that such a move may be delivered twice.

Four million rows, which are a million job changes of the last 30 days, take a minute or two. Nothing waits for that.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import groupby, islice
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

HASH = 16
"""The characters of a hash. A key is one of the person and one of the company."""

AT_ONCE = 10_000

OLD = "SELECT workspace_id, key, job_change_id, source, at FROM reported_moves ORDER BY workspace_id, key"
NEW = (
    "INSERT INTO known_moves (workspace_id, person, companies, job_change_id, source, at, earlier)"
    " VALUES (:workspace_id, :person, :companies, :job_change_id, :source, :at, :earlier)"
)


def upgrade() -> None:
    connection = op.get_bind()
    of_workspace = sa.ForeignKeyConstraint(
        ["workspace_id"], ["workspaces.id"], name=op.f("fk_known_moves_workspace_id"), ondelete="CASCADE"
    )
    is_sqlite = connection.dialect.name == "sqlite"
    op.create_table(
        "known_moves",
        sa.Column("workspace_id", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("companies", sa.Text(), nullable=False),
        sa.Column("job_change_id", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("earlier", sa.Text()),
        *([of_workspace] if is_sqlite else []),
        sa.PrimaryKeyConstraint("workspace_id", "person", name=op.f("pk_known_moves")),
    )
    old = connection.execute(sa.text(OLD), execution_options={"yield_per": AT_ONCE})
    new = _by_person(old)
    while rows := list(islice(new, AT_ONCE)):
        connection.execute(sa.text(NEW), rows)
    with op.batch_alter_table("known_moves") as table:
        table.create_index("ix_known_moves_at", ["at"])
        if not is_sqlite:  # last, because it locks `workspaces` until the end
            table.create_foreign_key(
                op.f("fk_known_moves_workspace_id"), "workspaces", ["workspace_id"], ["id"], ondelete="CASCADE"
            )


def _by_person(old: Iterable[sa.Row[Any]]) -> Iterator[dict[str, object]]:
    """Combine the rows of each identifier, which follow each other."""
    for (workspace_id, person), rows in groupby(old, key=lambda row: (row.workspace_id, row.key[:HASH])):
        companies: dict[tuple[str, str, int], list[str]] = {}
        for row in rows:
            companies.setdefault((row.job_change_id, row.source, row.at), []).append(row.key[HASH:])
        moves = [(hashes, *report) for report, hashes in companies.items()]
        moves.sort(key=lambda move: move[3], reverse=True)
        latest, *earlier = moves
        yield {
            "workspace_id": workspace_id,
            "person": person,
            "companies": " ".join(latest[0]),
            "job_change_id": latest[1],
            "source": latest[2],
            "at": latest[3],
            "earlier": json.dumps(earlier) if earlier else None,
        }
