"""The database: a transaction for each call, one for calls that wait together, and recovery after an outage."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter

import pytest
from sqlalchemy import event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError

from store.database import GROUP_LIMIT, Database, DatabaseUnavailableError
from tests.servers import GENEROUS_TIMEOUT


def see(connection, event_id="Ev1"):
    connection.execute(text("INSERT INTO slack_events (event_id, seen_at) VALUES (:id, 1)"), {"id": event_id})


def count(connection):
    return connection.execute(text("SELECT count(*) FROM slack_events")).scalar_one()


class Door:
    """A store function that can be blocked and remembers its groups."""

    def __init__(self):
        self.begun, self.open = threading.Event(), threading.Event()
        self.groups = []

    def __call__(self, connection, items):
        self.groups.append(list(items))
        self.begun.set()
        self.open.wait(10)
        for item in items:
            see(connection, item)
        return [item.upper() for item in items]

    async def is_at_work(self):
        """Wait until the first group has started, so that later calls are not part of it."""
        await asyncio.to_thread(self.begun.wait, 10)


async def test_a_call_is_a_transaction(database):
    """It happens as a whole or not at all."""

    def twice(connection):
        see(connection)
        see(connection)

    with pytest.raises(IntegrityError):
        await database.run(twice)

    assert await database.run(count) == 0


async def test_reading_does_not_wait_for_the_writer(sqlite_url):
    """Nor does it see what is not committed. A long read leaves the only writer of SQLite to those who are accepted."""
    database, door = Database(sqlite_url), Door()
    await database.run(see)
    writing = asyncio.create_task(database.gather(door, "b"))
    await door.is_at_work()

    assert await database.read(count) == 1

    door.open.set()
    await writing
    assert await database.read(count) == 2
    with pytest.raises(DatabaseUnavailableError):
        await database.read(see, "c")
    await database.close()


async def test_reads_that_wait_together_share_a_transaction(database):
    """No transaction is begun on PostgreSQL: each statement sees what was committed before it."""
    statuses = []

    def read(connection, items):
        number = count(connection)
        if not database.is_sqlite:
            statuses.append(connection.connection.driver_connection.info.transaction_status.name)
        return [f"{item}{number}" for item in items]

    await database.run(see)

    assert await asyncio.gather(*(database.gather(read, name, reads=True) for name in "ab")) == ["a1", "b1"]
    assert statuses == ([] if database.is_sqlite else ["IDLE"])


async def test_calls_that_wait_together_commit_together(database):
    """What arrives during a commit is the next group, in order, and each gets its own result."""
    door = Door()
    first = asyncio.create_task(database.gather(door, "a"))
    await door.is_at_work()
    others = [asyncio.create_task(database.gather(door, name)) for name in "bcd"]
    await asyncio.sleep(0)
    door.open.set()

    answers = await asyncio.gather(first, *others)

    assert answers == ["A", "B", "C", "D"]
    assert door.groups == [["a"], ["b", "c", "d"]]
    assert await database.run(count) == 4


async def test_a_request_that_has_arrived_joins_the_group(database):
    """It shares the commit if it is read from its socket a moment later."""
    door = Door()
    door.open.set()
    first = asyncio.create_task(database.gather(door, "a"))
    await asyncio.sleep(0)  # a turn of the loop, in which another request is read

    assert await asyncio.gather(first, database.gather(door, "b")) == ["A", "B"]
    assert door.groups == [["a", "b"]]


async def test_a_failed_commit_fails_the_whole_group(database):
    """No caller gets a success for a row that does not exist."""
    await database.run(see, "b")
    door = Door()
    door.open.set()
    first = asyncio.create_task(database.gather(door, "a"))
    await door.is_at_work()

    others = await asyncio.gather(*(database.gather(door, name) for name in "bc"), first, return_exceptions=True)

    assert [type(answer) for answer in others] == [IntegrityError, IntegrityError, str]
    assert await database.run(count) == 2


async def test_the_size_of_a_group_is_limited(database):
    """Nobody waits for more than so many others."""
    door = Door()
    first = asyncio.create_task(database.gather(door, "first"))
    await door.is_at_work()
    rest = [asyncio.create_task(database.gather(door, f"e{number}")) for number in range(GROUP_LIMIT + 1)]
    await asyncio.sleep(0)
    door.open.set()

    await asyncio.gather(first, *rest)

    assert [len(group) for group in door.groups] == [1, GROUP_LIMIT, 1]


async def test_a_canceled_caller_does_not_disturb_its_group(database):
    """A client that hangs up is no problem for the others."""
    door = Door()
    gone = asyncio.create_task(database.gather(door, "a"))
    await asyncio.sleep(0)
    other = asyncio.create_task(database.gather(door, "b"))
    await asyncio.sleep(0)
    gone.cancel()
    door.open.set()

    assert await other == "B"


async def test_an_unreachable_database_has_an_error_of_its_own(tmp_path):
    """Intake answers 503 to this error only."""
    database = Database(f"sqlite:///{tmp_path / 'missing' / 'usergems.db'}")

    with pytest.raises(DatabaseUnavailableError):
        await database.run(count)
    await database.close()


async def test_run_until_available_stores_when_the_database_is_back(tmp_path, migrated_sqlite):
    """A message that Slack has accepted must be recorded, however long it takes."""
    database = Database(f"sqlite:///{tmp_path / 'later' / 'usergems.db'}")
    insisting = asyncio.create_task(database.run_until_available(see))
    with pytest.raises(DatabaseUnavailableError):
        await database.run(count)

    (tmp_path / "ready").mkdir()
    (tmp_path / "ready" / "usergems.db").write_bytes(migrated_sqlite.read_bytes())
    (tmp_path / "ready").rename(tmp_path / "later")  # at once, or half of the file could be opened
    async with asyncio.timeout(GENEROUS_TIMEOUT):
        await insisting

    assert await database.run(count) == 1
    await database.close()


async def test_a_connection_that_died_while_idle_is_replaced(postgresql_url):
    """A restart of PostgreSQL fails no call."""
    database, other = Database(postgresql_url), Database(postgresql_url)
    await database.run(count)
    kill = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE pid <> pg_backend_pid() AND datname = current_database()"
    )
    while await other.run(lambda connection: connection.execute(text(kill)).rowcount):
        pass  # the server has been asked, and has not closed the connection yet

    assert await database.run(count) == 0
    await database.close()
    await other.close()


async def test_a_connection_that_was_idle_for_long_is_tested_first(postgresql_url):
    """A firewall may have dropped it silently, and the next transaction would hang or fail."""
    database = Database(postgresql_url)
    pings: list[object] = []
    ping = database.engine.dialect.do_ping
    database.engine.dialect.do_ping = lambda connection: pings.append(ping(connection))
    await database.run(count)
    await database.run(count)
    assert not pings

    event.listen(database.engine, "checkin", lambda _, record: record.info.update(used_at=time.monotonic() - 60))
    await database.run(count)
    await database.run(count)

    assert len(pings) == 1
    await database.close()


async def test_a_server_that_vanished_is_noticed_soon(postgresql_url):
    """As when its machine loses power, and no packet comes any more."""
    waits = await patience(postgresql_url)
    chosen = make_url(postgresql_url).update_query_string("keepalives_idle=60&connect_timeout=20")
    theirs = await patience(chosen.render_as_string(hide_password=False))

    idle, tried = int(waits["keepalives_idle"]), int(waits["keepalives_interval"]) * int(waits["keepalives_count"])
    assert idle + tried <= 30
    assert 0 < int(waits["tcp_user_timeout"]) <= 30_000
    assert (theirs["keepalives_idle"], theirs["connect_timeout"]) == ("60", "20")  # an operator may know better
    assert waits["application_name"] == "usergems-slack"


async def patience(url):
    """Return the parameters of an open connection."""
    database = Database(url)
    opened = await database.run(lambda connection: connection.connection.dbapi_connection.info.get_parameters())
    await database.close()
    return opened


@pytest.mark.fsync
@pytest.mark.parametrize(("for_import", "synchronous"), [(False, 2), (True, 1)])
async def test_sqlite_is_opened_so_that_a_commit_is_on_the_disk(sqlite_url, for_import, synchronous):
    """WAL, synchronous FULL, foreign keys, and a busy timeout for other processes. An import waits only at its end."""
    database = Database(sqlite_url, for_import=for_import)

    def pragmas(connection):
        names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        return [connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in names]

    assert await database.run(pragmas) == ["wal", synchronous, 1, 10_000]
    await database.close()


async def test_a_writer_that_waits_for_another_process_tries_again_every_two_milliseconds(sqlite_url):
    """SQLite alone would try again after up to 100 ms, and miss the short pauses of an import for seconds."""
    other, database, door = Database(sqlite_url), Database(sqlite_url), Door()
    tries = Counter[str]()

    @event.listens_for(database.engine, "connect")
    def count_tries(connection, _record):
        def note(statement: str) -> None:
            tries[statement] += 1
            if tries["BEGIN IMMEDIATE"] == 20:
                door.open.set()

        connection.set_trace_callback(note)

    holding = asyncio.create_task(other.gather(door, "a"))
    await door.is_at_work()
    await database.run(see, "b")

    assert await holding == "A"
    assert await database.run(count) == 2
    assert await database.run(lambda connection: connection.exec_driver_sql("PRAGMA busy_timeout").scalar()) == 10_000
    await other.close()
    await database.close()


async def test_a_call_waits_for_a_hung_database_only_so_long_and_is_then_rolled_back(database_url):
    """A late claim would lease work that nobody does. Once the database answers, calls work again."""
    database = Database(database_url, longest_wait_seconds=0.5)
    door = Door()

    with pytest.raises(DatabaseUnavailableError, match=r"did not answer for 0\.5 seconds"):
        await database.gather(door, "late")
    door.open.set()

    assert await database.run(count) == 0
    await database.close()
