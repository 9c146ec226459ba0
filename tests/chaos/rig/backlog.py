"""Insert a backlog of up to millions of distinct job changes."""

from __future__ import annotations

from sqlalchemy import Connection, create_engine, text

from domain.job_change.model import JobChange
from store.database import Database
from tests.chaos.rig.run_report import numbered_job_change

_SERIES = {
    "sqlite": "RECURSIVE series(i) AS (SELECT :start UNION ALL SELECT i + 1 FROM series WHERE i + 1 < :stop)",
    "postgresql": "series(i) AS (SELECT * FROM generate_series(CAST(:start AS BIGINT), :stop - 1))",
}
_SERIAL = {"sqlite": "printf('%07d', i)", "postgresql": "lpad(CAST(i AS TEXT), 7, '0')"}
_INSERT = """
    WITH {series}
    INSERT INTO job_changes (id, workspace_id, key, source, payload, accepted_at, due_at)
    SELECT 'jc-' || {serial}, :workspace, 'waits:' || ((i * 2654435761) % 4294967296), 'tests',
           replace(replace(:payload, '0000000', {serial}), 'contact0@', 'contact' || (i % :owners) || '@'), :now, :now
    FROM series
"""


def insert_backlog(database_url: str, workspace_id: str, serials: range, owners: int, now: int) -> dict[int, str]:
    """Insert job changes that were accepted at `now` and are not routed. Returns their ids by serial."""
    database = Database(database_url)
    engine = create_engine(database.engine.url)
    with engine.connect() as connection:
        _disable_journal(connection)
        kind = connection.dialect.name
        payload = JobChange.parse(numbered_job_change(0, 0)).to_stored()
        values = {"start": serials.start, "stop": serials.stop, "workspace": workspace_id, "payload": payload}
        statement = _INSERT.format(series=_SERIES[kind], serial=_SERIAL[kind])
        connection.execute(text(statement), values | {"owners": owners, "now": now})
        connection.commit()
    engine.dispose()
    database.engine.dispose()
    return {serial: f"jc-{serial:07}" for serial in serials}


def _disable_journal(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":  # a failed test starts again with a new file
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -500000"):
            connection.exec_driver_sql(f"PRAGMA {pragma}")
