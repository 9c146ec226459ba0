"""Moving from SQLite to PostgreSQL at the terminal."""

from __future__ import annotations

from datetime import datetime

import pytest
from sqlalchemy import BigInteger, func, insert, select, text

from store.database import Database
from store.encryption import KEY_FILE
from store.operations import moving
from store.operations.single_process import exclusive_lock, sqlite_file
from store.schema import deliveries, workspaces
from store.schema import job_changes as stored
from tests.listeners.cli.test_table import Operator, accept, fail
from tests.store.sample_rows import add_workspace


@pytest.fixture
def operator(sqlite_url, capsys):
    """An operator whose SQLite has a failed job change, a waiting one, and a row in every other table."""
    operator = Operator(sqlite_url, capsys)
    operator.do(fail)
    operator.do(accept, "two")
    operator.do(fill)
    yield operator
    operator.database.engine.dispose()


@pytest.fixture
def target(postgresql_url):
    database = Database(postgresql_url)
    yield database
    database.engine.dispose()


def fill(connection):
    """Add a row to every empty table."""
    for table in moving.TABLES:
        if connection.execute(select(func.count()).select_from(table)).scalar_one() == 0:
            values = {column.name: sample(connection, column) for column in table.columns}
            connection.execute(insert(table).values(values))


def sample(connection, column):
    """The value that is hardest to copy for the type of the column."""
    for key in column.foreign_keys:
        return connection.execute(select(key.column).limit(1)).scalar_one()
    kind = column.type.python_type
    if kind is int:
        return 9_000_000_000 if isinstance(column.type, BigInteger) else 41
    naive = datetime(2026, 11, 1, 12, 30, 15, 250)  # noqa: DTZ001 - as slack_sdk stores it
    return {bool: True, datetime: naive}.get(kind, "Zoë's 'row' \\ 🦉\t\n")


def read(connection):
    return {table.name: sorted(map(repr, connection.execute(select(table)).all())) for table in moving.TABLES}


def test_every_row_is_copied_unchanged(operator, target, postgresql_url):
    """The output counts the rows of each table."""
    before = operator.do(read)

    out = operator.types("move", "--to", postgresql_url)

    assert operator.status == 0, operator.err
    assert target.run_sync(read) == before
    counts = dict(line.rsplit(maxsplit=1) for line in out.splitlines())
    assert counts["job_changes"] == "2"
    assert counts["Rows copied, compared"] == str(sum(map(len, before.values())))
    assert operator.do(read) == before


def test_a_password_on_the_command_line_is_refused(operator):
    """Every user of the machine can see it. The answer does not repeat it."""
    operator.types("move", "--to", "postgresql://usergems:s3cret@localhost/usergems")

    assert operator.status == 2
    assert "PGPASSWORD" in operator.err
    assert "s3cret" not in operator.out + operator.err


def test_the_app_continues_on_the_new_database(operator, target, postgresql_url):
    """Waiting deliveries are posted, failed job changes can be retried, and new rows get new ids."""
    operator.types("move", "--to", postgresql_url)

    highest = target.run_sync(lambda connection: connection.execute(select(func.max(deliveries.c.id))).scalar_one())
    moved = Operator(postgresql_url, operator.capsys)
    assert "1 of 1 job change will be retried" in moved.types("retry", failed_id(target))
    moved.do(fail_another)

    assert (
        target.run_sync(lambda connection: connection.execute(select(func.max(deliveries.c.id))).scalar_one()) > highest
    )
    moved.database.engine.dispose()


def failed_id(database):
    return database.run_sync(
        lambda connection: connection.execute(select(stored.c.id).where(stored.c.outcome == "buried")).scalar_one()
    )


def fail_another(connection):
    return fail(connection, "three")


def test_a_target_that_is_not_empty_is_refused(operator, target, postgresql_url):
    """The data of two databases cannot be merged."""
    target.run_sync(add_workspace, "T9")

    out = operator.types("move", "--to", postgresql_url)

    assert (operator.status, out) == (1, "")
    assert "is not empty: first_workspace, workspaces, turns" in operator.err
    assert target.run_sync(lambda connection: connection.execute(select(workspaces.c.id)).scalars().all()) == ["T9"]


def test_a_row_that_differs_in_the_copy_rolls_back_the_move(operator, target, postgresql_url):
    """All rows are compared before the copy is committed."""

    def falsify(connection):
        body = "BEGIN NEW.name = 'x'; RETURN NEW; END"
        connection.execute(text(f"CREATE FUNCTION falsify() RETURNS trigger AS $${body}$$ LANGUAGE plpgsql"))
        trigger = "CREATE TRIGGER falsify BEFORE INSERT ON workspaces FOR EACH ROW EXECUTE FUNCTION falsify()"
        connection.execute(text(trigger))

    target.run_sync(falsify)

    out = operator.types("move", "--to", postgresql_url)

    assert (operator.status, out) == (1, "")
    assert "workspaces differs in the new database" in operator.err
    assert target.run_sync(moving.non_empty_tables) == []


def test_the_app_must_not_run_during_a_move(operator, postgresql_url):
    """What it accepted or sent during the move would be missing in the copy."""
    with exclusive_lock(sqlite_file(operator.environ["DATABASE_URL"])):
        operator.types("move", "--to", postgresql_url)

    assert operator.status == 1
    assert "Stop it first" in operator.err


@pytest.mark.parametrize(
    ("to", "status", "error"),
    [
        ("sqlite:///other.db", 2, "--to must start with postgresql://"),
        ("postgresql://host:port/none", 2, "--to is not a valid URL"),
        ("postgresql://127.0.0.1:1/none", 1, "The new database is not responding"),
    ],
)
def test_an_unusable_target_is_reported(operator, to, status, error):
    """It is checked before any row is read."""
    out = operator.types("move", "--to", to)

    assert (operator.status, out) == (status, "")
    assert error in operator.err


def test_the_output_says_where_the_encryption_key_is(operator, postgresql_url):
    """With PostgreSQL there is no key file, so ENCRYPTION_KEYS must be set. The key itself is not printed."""
    folder = sqlite_file(operator.environ["DATABASE_URL"]).parent
    (folder / KEY_FILE).write_text(operator.environ["ENCRYPTION_KEYS"])

    operator.types("move", "--to", postgresql_url, ENCRYPTION_KEYS="")

    assert f"ENCRYPTION_KEYS to the content of {folder / KEY_FILE}" in operator.err
    assert operator.environ["ENCRYPTION_KEYS"] not in operator.err


def test_only_sqlite_can_be_moved(postgresql_url, capsys):
    """PostgreSQL has its own tools for this."""
    operator = Operator(postgresql_url, capsys)

    operator.types("move", "--to", postgresql_url)

    assert operator.status == 2
    assert "not a SQLite file" in operator.err
    operator.database.engine.dispose()
