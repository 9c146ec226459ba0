"""Upgrading from the first released schema, with rows in every table, while others work."""

from __future__ import annotations

import ast
import hashlib
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import BigInteger, MetaData, delete, event, insert, select, text, update

from domain.job_change.moves import MoveKeys
from listeners.cli.running.preparing import migrate
from listeners.cli.terminal import RefusedError
from store import migrations
from store.database import Database
from store.intake import moves
from store.intake.moves import Report
from store.schema import job_changes, known_moves, reported_moves
from store.slack.sdk_stores import metadata
from tests.conftest import _administer, _named

FIRST = "0001"
FIRST_SHA256 = "ab956b5398353787e53c13bc49c3bd96962156d29a5429e093acfcc90c17c3c6"
VERSIONS = sorted(Path(migrations.HERE, "versions").glob("[0-9]*.py"))
ROWS = 3
"""The rows in each table."""

REPLICAS, MORE = 2, 10
"""Processes of the old version, and the work that each does at least before and after the migration."""

_OF = " WHERE indexrelid = to_regclass(:n)"


@pytest.fixture(params=["sqlite", "postgresql"])
def old(request, tmp_path) -> Iterator[Database]:
    """A database that version 0.1.0 created, with rows in every table."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'old.db'}"
    else:
        server = request.getfixturevalue("postgresql_server")
        _administer(server, "DROP DATABASE IF EXISTS usergems_old WITH (FORCE)", "CREATE DATABASE usergems_old")
        url = _named(server, "usergems_old")
    database = Database(url)
    database.run_sync(to_the_first)
    database.run_sync(fill)
    yield database
    database.engine.dispose()


on_postgresql = pytest.mark.parametrize("old", ["postgresql"], indirect=True)


def to_the_first(connection):
    to_revision(connection, FIRST)


def to_revision(connection, revision):
    config = Config()
    config.set_main_option("script_location", str(migrations.HERE))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def tables_of(connection) -> MetaData:
    """Read the tables as they are in the database."""
    found = MetaData()
    found.reflect(connection)
    return found


def fill(connection):
    for table in tables_of(connection).sorted_tables:
        if table.name != "alembic_version":
            connection.execute(insert(table), [row_of(table, number) for number in range(ROWS)])


def row_of(table, number):
    return {column.name: value_of(column, number) for column in table.columns}


def value_of(column, number):
    """Return a value that is hard to preserve in a column of this type. It refers to the row of the same number."""
    for key in column.foreign_keys:
        return value_of(key.column, number)
    kind = column.type.python_type
    if kind is int:
        return (9_000_000_000 if isinstance(column.type, BigInteger) else 41) + number
    naive = datetime(2026, 11, 1, 12, 30, number, 250)  # noqa: DTZ001 - as slack_sdk stores it
    return {bool: number % 2 == 0, datetime: naive}.get(kind, f"Zoë's 'row' {number} \\ 🦉\t\n")


def rows(of: MetaData):
    """Return every row, with the columns of `of` only."""

    def read(connection):
        return {each.name: sorted(map(repr, connection.execute(select(each)).all())) for each in of.sorted_tables}

    return read


def the_first(database: Database) -> MetaData:
    """Return the tables as the code of version 0.1.0 knows them."""
    known = database.run_sync(tables_of)
    known.remove(known.tables["alembic_version"])
    return known


def test_every_row_is_unchanged_after_the_upgrade(old):
    """In every table, and the schema is the same as that of a new database."""
    known = the_first(old)
    before = old.run_sync(rows(known))
    assert {len(each) for each in before.values()} == {ROWS}

    migrate(old)

    assert old.run_sync(rows(known)) == before
    assert old.run_sync(migrations.may_run)
    assert old.run_sync(lambda connection: compare_metadata(MigrationContext.configure(connection), metadata)) == []


def test_code_of_the_first_version_works_with_the_new_schema(old):
    """Replicas are replaced one by one, and the old ones read, insert, update and delete as before."""
    known = the_first(old)
    migrate(old)

    def work(connection):
        for table in known.sorted_tables:
            connection.execute(insert(table).values(row_of(table, ROWS)))
            connection.execute(update(table).values({name: table.c[name] for name in table.c.keys()}))  # noqa: SIM118
        counts = {table.name: len(connection.execute(select(table)).all()) for table in known.sorted_tables}
        for table in reversed(known.sorted_tables):
            connection.execute(delete(table))
        return counts

    assert old.run_sync(work) == dict.fromkeys((table.name for table in known.sorted_tables), ROWS + 1)


def test_moves_that_were_reported_before_the_upgrade_are_recognized_after_it(old):
    """Also those of a person who has moved twice."""
    old.run_sync(to_revision, "0021")
    workspace = row_of(old.run_sync(tables_of).tables["workspaces"], 0)["id"]
    old_key = {"workspace_id": workspace, "source": "a"}
    noted = [
        old_key | {"key": person + company, "job_change_id": job_change_id, "at": at}
        for person in ("a" * 16, "b" * 16)
        for company, job_change_id, at in (("1" * 16, "first", 1), ("2" * 16, "first", 1), ("3" * 16, "second", 2))
    ]
    old.run_sync(lambda connection: connection.execute(insert(reported_moves), noted))

    migrate(old)

    rows = old.run_sync(lambda connection: connection.execute(select(known_moves)).all())
    earlier = json.dumps([[["1" * 16, "2" * 16], "first", "a", 1]])
    assert sorted(rows) == [(workspace, person, "3" * 16, "second", "a", 2, earlier) for person in ("a" * 16, "b" * 16)]
    new = Report(workspace, "new", "b", "{}", MoveKeys(["b" * 16], ["2" * 16]), 3)
    first = row_of(job_changes, 0) | {"id": "first", "workspace_id": workspace, "key": "first"}
    newest = first | {"id": "new", "key": "new"}
    old.run_sync(lambda connection: connection.execute(insert(job_changes), [first, newest]))
    assert old.run_sync(moves.attach, [new]) == {"new": "first"}


@on_postgresql
def test_reads_and_writes_continue_during_a_migration(old):
    """Old replicas work the whole time, and what they stored is complete."""
    known = the_first(old)
    workspaces, job_changes, deliveries = (known.tables[name] for name in ("workspaces", "job_changes", "deliveries"))
    first = row_of(workspaces, 0)["id"]
    are_warm, is_migrated, stored = threading.Barrier(REPLICAS + 1), threading.Event(), []

    def accept(connection, key):
        connection.execute(select(workspaces).where(workspaces.c.id == first)).one()
        connection.execute(insert(job_changes).values(row_of(job_changes, 0) | {"id": key, "key": key}))

    def prefer(connection, key):
        connection.execute(update(workspaces).where(workspaces.c.id == first).values(name=key))

    def route(connection, key):
        connection.execute(update(job_changes).where(job_changes.c.id == key).values(outcome="delivered"))
        connection.execute(update(deliveries).where(deliveries.c.job_change_id == key).values(state="delivered"))

    def serve(replica):
        after = 0
        for number in range(100_000):
            key = f"{replica}-{number}"
            for step in (accept, prefer, route):
                old.run_sync(step, key)
            stored.append(key)
            if number == MORE:
                are_warm.wait(timeout=60)
            after += is_migrated.is_set()
            if after > MORE:
                return

    upgrading = Database(old.engine.url.render_as_string(hide_password=False))
    with ThreadPoolExecutor(REPLICAS) as replicas:
        serving = [replicas.submit(serve, number) for number in range(REPLICAS)]
        try:
            are_warm.wait(timeout=60)
            migrate(upgrading)
        finally:
            is_migrated.set()
        for each in serving:
            each.result(timeout=60)
    upgrading.engine.dispose()

    found = old.run_sync(lambda connection: connection.execute(select(job_changes.c.key)).scalars().all())
    assert set(stored) <= set(found)
    assert len(stored) >= 2 * REPLICAS * MORE
    assert old.run_sync(migrations.may_run)


@on_postgresql
def test_a_migration_gives_way_to_a_transaction_on_its_table(old):
    """It does not wait with others queueing behind it, but gives up, lets them pass and tries again."""
    holder = old.engine.connect()
    holder.execute(text("SELECT * FROM workspaces"))  # a transaction that is open, and forgotten
    waits = []

    def wait(seconds):
        waits.append(seconds)
        assert not old.run_sync(migrations.may_run)
        assert old.run_sync(lambda connection: connection.execute(text("UPDATE lanes SET failures = 0")).rowcount)
        holder.close()

    migrate(old, wait)

    assert len(waits) == 1
    assert old.run_sync(migrations.may_run)


@on_postgresql
def test_a_table_that_stays_locked_is_reported(old):
    """With where to look, and nothing has changed."""
    with old.engine.connect() as holder:
        holder.execute(text("SELECT * FROM workspaces"))

        with pytest.raises(RefusedError, match="pg_stat_activity"):
            migrate(old, lambda _seconds: None, attempts=2)

    assert not old.run_sync(migrations.may_run)


@on_postgresql
def test_replicas_that_migrate_at_once_take_turns(old):
    """Every replica may migrate when it starts."""
    with ThreadPoolExecutor(4) as replicas:
        for each in [replicas.submit(migrate, old) for _ in range(4)]:
            each.result(timeout=60)

    assert old.run_sync(migrations.may_run)


def test_the_first_migration_is_as_it_was_released():
    """A database that has run it does not run it again, so a change needs a new migration."""
    assert hashlib.sha256(VERSIONS[0].read_bytes()).hexdigest() == FIRST_SHA256


@pytest.mark.parametrize("version", VERSIONS[1:], ids=lambda path: path.stem)
def test_a_migration_only_adds(version):
    """
    Tables, columns that old code does not need, indexes on tables it creates, and CONCURRENT_INDEXES.

    It drops an index only if it creates the one that replaces it, which has a longer name.
    """
    upgrade = next(node for node in ast.parse(version.read_text()).body if getattr(node, "name", "") == "upgrade")
    called = [node for node in ast.walk(upgrade) if isinstance(node, ast.Call) and does(node) not in {None, "f"}]
    made = {node.args[0].value for node in called if does(node) == "create_table"}
    altered = {
        block.items[0].context_expr.args[0].value: {does(node) for node in called if node in ast.walk(block)}
        for block in ast.walk(upgrade)
        if isinstance(block, ast.With)
    }

    # `get_bind` is for filling a table that the migration creates.
    allowed = {"create_table", "batch_alter_table", "create_index", "drop_index", "add_column", "get_bind"}
    assert set(map(does, called)) <= allowed
    assert {table: done for table, done in altered.items() if table not in made and "create_index" in done} == {}
    apart = {node.args[0].value for node in called if ast.unparse(node.func) == "op.create_index"}
    assert apart <= set(migrations.CONCURRENT_INDEXES)
    dropped = [node.args[0].value for node in called if does(node) == "drop_index"]
    assert all(any(name.startswith(replaced) for name in apart) for replaced in dropped)
    for node in called:
        if does(node) == "add_column":
            arguments = {keyword.arg: keyword.value for keyword in node.args[0].keywords}
            assert "server_default" in arguments or arguments["nullable"].value is True, ast.unparse(node)


def does(call: ast.Call) -> str | None:
    """Return the operation of Alembic that a call runs, or None."""
    target = call.func
    is_alembic = isinstance(target, ast.Attribute) and getattr(target.value, "id", "") in {"op", "batch_op"}
    return target.attr if is_alembic else None


@on_postgresql
def test_an_index_on_a_large_table_is_built_while_others_write_to_it(old):
    """Nobody waits for it, and the migration finds it there."""
    seen = []

    def watched(connection, cursor, statement, *_rest):
        if "CREATE INDEX" in statement and any(name in statement for name in migrations.CONCURRENT_INDEXES):
            seen.append((statement, cursor.connection.autocommit))

    event.listen(old.engine, "before_cursor_execute", watched)
    migrate(old)

    built = [statement for statement, is_alone in seen if is_alone and "CONCURRENTLY" in statement]
    assert len(built) == len(migrations.CONCURRENT_INDEXES)
    assert all("IF NOT EXISTS" in statement for statement, _ in seen)


@on_postgresql
def test_an_index_whose_build_was_interrupted_is_built_again(old):
    """PostgreSQL leaves an invalid index with its name."""
    name = next(iter(migrations.CONCURRENT_INDEXES))
    migrate(old)
    spoil = text("UPDATE pg_index SET indisvalid = false" + _OF)
    old.run_sync(lambda connection: connection.execute(spoil, {"n": name}))

    migrate(old)

    valid = text("SELECT indisvalid FROM pg_index" + _OF)
    assert old.run_sync(lambda connection: connection.execute(valid, {"n": name}).scalar_one())
