"""The seam: a transaction a call, one for all that waits together, and a database that comes back."""

from __future__ import annotations

import asyncio
import threading
import time

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
    """A store function that can be held up, and remembers the groups it was called with."""

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
        """What comes from now on is too late for the first group."""
        await asyncio.to_thread(self.begun.wait, 10)


async def test_a_call_is_a_transaction(database):
    """All of it happens, or nothing of it."""

    def twice(connection):
        see(connection)
        see(connection)

    with pytest.raises(IntegrityError):
        await database.run(twice)

    assert await database.run(count) == 0


async def test_what_waits_together_commits_together(database):
    """What arrives while one group commits is the next group, in order, each answered for itself."""
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


async def test_what_has_arrived_already_joins_the_group(database):
    """A request that was read from its socket a moment later shares the commit, though nobody waits for it."""
    door = Door()
    door.open.set()
    first = asyncio.create_task(database.gather(door, "a"))
    await asyncio.sleep(0)  # a turn of the loop, in which another request is read

    assert await asyncio.gather(first, database.gather(door, "b")) == ["A", "B"]
    assert door.groups == [["a", "b"]]


async def test_a_failed_commit_fails_all_of_its_group(database):
    """Nobody is told yes for a row that is not there."""
    await database.run(see, "b")
    door = Door()
    door.open.set()
    first = asyncio.create_task(database.gather(door, "a"))
    await door.is_at_work()

    others = await asyncio.gather(*(database.gather(door, name) for name in "bc"), first, return_exceptions=True)

    assert [type(answer) for answer in others] == [IntegrityError, IntegrityError, str]
    assert await database.run(count) == 2


async def test_a_group_is_bounded(database):
    """Nobody waits for more than so many others."""
    door = Door()
    first = asyncio.create_task(database.gather(door, "first"))
    await door.is_at_work()
    rest = [asyncio.create_task(database.gather(door, f"e{number}")) for number in range(GROUP_LIMIT + 1)]
    await asyncio.sleep(0)
    door.open.set()

    await asyncio.gather(first, *rest)

    assert [len(group) for group in door.groups] == [1, GROUP_LIMIT, 1]


async def test_a_caller_that_went_away_does_not_disturb_its_group(database):
    """A client that hangs up is not the others' trouble."""
    door = Door()
    gone = asyncio.create_task(database.gather(door, "a"))
    await asyncio.sleep(0)
    other = asyncio.create_task(database.gather(door, "b"))
    await asyncio.sleep(0)
    gone.cancel()
    door.open.set()

    assert await other == "B"


async def test_a_database_that_cannot_be_reached_is_told_as_such(tmp_path):
    """The door answers 503 to this, and to nothing else."""
    database = Database(f"sqlite:///{tmp_path / 'missing' / 'usergems.db'}")

    with pytest.raises(DatabaseUnavailableError):
        await database.run(count)
    await database.close()


async def test_what_only_we_know_is_stored_when_the_database_is_back(tmp_path, migrated_sqlite):
    """A message that Slack has taken must be recorded, however long that takes."""
    database = Database(f"sqlite:///{tmp_path / 'later' / 'usergems.db'}")
    insisting = asyncio.create_task(database.run_until_available(see))
    with pytest.raises(DatabaseUnavailableError):
        await database.run(count)

    (tmp_path / "later").mkdir()
    (tmp_path / "later" / "usergems.db").write_bytes(migrated_sqlite.read_bytes())
    async with asyncio.timeout(GENEROUS_TIMEOUT):
        await insisting

    assert await database.run(count) == 1
    await database.close()


async def test_a_connection_that_died_while_idle_is_replaced(postgresql_url):
    """A restarted PostgreSQL costs no call."""
    database, other = Database(postgresql_url), Database(postgresql_url)
    await database.run(count)
    kill = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE pid <> pg_backend_pid() AND datname = current_database()"
    )
    await other.run(lambda connection: connection.execute(text(kill)))

    assert await database.run(count) == 0
    await database.close()
    await other.close()


async def test_a_connection_that_was_quiet_for_long_is_tried_before_it_is_used(postgresql_url):
    """A firewall may have dropped it without a word, and then the next transaction would hang or fail."""
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


async def test_a_server_that_vanished_without_a_word_is_not_waited_for_for_hours(postgresql_url):
    """As its machine does when it loses its power: nothing comes any more, not even that it has gone."""
    waits = await patience(postgresql_url)
    chosen = make_url(postgresql_url).update_query_string("keepalives_idle=60&connect_timeout=20")
    theirs = await patience(chosen.render_as_string(hide_password=False))

    idle, tried = int(waits["keepalives_idle"]), int(waits["keepalives_interval"]) * int(waits["keepalives_count"])
    assert idle + tried <= 30
    assert 0 < int(waits["tcp_user_timeout"]) <= 30_000
    assert (theirs["keepalives_idle"], theirs["connect_timeout"]) == ("60", "20")  # an operator may know better


async def patience(url):
    """What a connection of ours was opened with."""
    database = Database(url)
    opened = await database.run(lambda connection: connection.connection.dbapi_connection.info.get_parameters())
    await database.close()
    return opened


@pytest.mark.fsync
async def test_sqlite_is_opened_so_that_a_commit_is_on_the_disk(sqlite_url):
    """WAL, synchronous FULL, foreign keys on, and patience with other processes."""
    database = Database(sqlite_url)

    def pragmas(connection):
        names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        return [connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in names]

    assert await database.run(pragmas) == ["wal", 2, 1, 10_000]
    await database.close()
