"""Fills a database with up to a million waiting job changes, with the same rows on SQLite and PostgreSQL."""

from __future__ import annotations

from sqlalchemy import Connection, create_engine, text

from bench.kit.installation import SCOPES
from bench.kit.samples import job_change
from domain.job_change.model import JobChange
from store.database import Database
from store.slack import workspaces

WORKSPACES, LANES, IN_A_LANE, IN_A_WORKSPACE = 100, 10_000, 10, 200
NOW = 1_795_000_000_000
PAYLOAD = JobChange.parse(job_change(0) | {"custom": {}, "links": {}}).to_stored()

_SIZES = {"workspaces": WORKSPACES, "lanes": LANES, "in_a_lane": IN_A_LANE, "in_a_workspace": IN_A_WORKSPACE}
_SERIES = {
    "sqlite": "RECURSIVE series(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM series WHERE i + 1 < :end)",
    "postgresql": "series(i) AS (SELECT * FROM generate_series(0, CAST(:end AS BIGINT) - 1))",
}
_EMPTY_LANES = """
    INSERT INTO lanes (id, workspace_id, destination)
    SELECT i + 1, 'T' || (i / (:in_a_workspace / :in_a_lane) % :workspaces), 'U' || i FROM series
"""
# The keys are in no order, as hashes are.
_JOB_CHANGES = """
    INSERT INTO job_changes (id, workspace_id, key, source, payload, accepted_at, due_at)
    SELECT 'jc-' || (100000000 + i), 'T' || (i / :in_a_workspace % :workspaces),
           'event:' || ((i * 2654435761) % 4294967296), 'bench', :payload, :now, :now
    FROM series
"""
_DELIVERIES = """
    INSERT INTO deliveries (workspace_id, job_change_id, lane_id, role, reason, state, created_at)
    SELECT 'T' || (i / :in_a_workspace % :workspaces), 'jc-' || (100000000 + i),
           i / :in_a_lane % :lanes + 1, 'dri', 'You own it.', 'pending', :now
    FROM series
"""
_DUE = "UPDATE lanes SET due_at = :now WHERE id <= :end / :in_a_lane"


def add_workspaces(connection: Connection) -> None:
    """Add the workspaces and their lanes, without deliveries."""
    for number in range(WORKSPACES):
        installed = workspaces.Installed(
            id=f"T{number}",
            enterprise_id=None,
            is_enterprise_install=False,
            name="Acme",
            installer_user_id="U_ADMIN",
            bot_user_id="U_BOT",
            scopes=SCOPES,
            installed_at=NOW,
        )
        workspaces.install(connection, installed)
    _insert(connection, _EMPTY_LANES, LANES)


def fill(database: Database, size: int) -> None:
    """Add `size` job changes that wait for routing, each with a delivery that waits in a lane."""
    database.engine.dispose()
    engine = create_engine(database.engine.url)
    with engine.connect() as connection:
        if database.is_sqlite:  # No journal: a run that fails here starts again.
            for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -1000000"):
                connection.exec_driver_sql(f"PRAGMA {pragma}")
        elif connection.exec_driver_sql("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").scalar():
            connection.exec_driver_sql("SET session_replication_role = replica")  # Skips foreign keys.
        connection.execute(text(_DUE), _parameters(_DUE, {"now": NOW, "end": size}))
        _insert(connection, _JOB_CHANGES, size)
        _insert(connection, _DELIVERIES, size)
        connection.commit()
    if not database.is_sqlite:  # Autovacuum would do the same, later.
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")
    engine.dispose()


def _insert(connection: Connection, statement: str, rows: int) -> None:
    with_series = f"WITH {_SERIES[connection.dialect.name]} {statement}"
    values = {"end": rows, "now": NOW, "payload": PAYLOAD}
    connection.execute(text(with_series), _parameters(with_series, values))


def _parameters(statement: str, values: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in (_SIZES | values).items() if f":{name}" in statement}
