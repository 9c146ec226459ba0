"""A process knows whether its database takes writes, and whether it has the newest encryption key."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import create_engine, func, select, text
from sqlalchemy.engine import make_url

from domain.workspace import SIGNING
from services.intake.keys import Credentials, IntakeKeys, KeyCheck
from services.intake.signatures import Signature
from services.operations.database_watch import KEY_IS_MISSING, SCHEMA_IS_NEWER, SCHEMA_IS_OLD, DatabaseWatch
from store.database import Database, DatabaseUnavailableError
from store.encryption import Cipher, WrongKeyError
from store.operations import deployment
from store.schema import deliveries
from store.slack.seen_events import first_seen
from tests.chaos.rig.postgresql import Disk
from tests.conftest import SOMEDAY
from tests.store.sample_rows import add_workspace

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


def watch_of(database, *keys):
    return DatabaseWatch(database, Cipher.of(keys or (OLD,)), lambda: SOMEDAY)


@contextmanager
def read_only(url):
    """Every new session of this PostgreSQL database is read-only, as on a replica."""
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    name = make_url(url).database
    with engine.connect() as connection:
        connection.execute(text(f"ALTER DATABASE {name} SET default_transaction_read_only = on"))
    yield
    with engine.connect() as connection:
        connection.execute(text("SET default_transaction_read_only = off"))
        connection.execute(text(f"ALTER DATABASE {name} SET default_transaction_read_only = off"))
    engine.dispose()


@pytest.fixture
async def postgresql(postgresql_url):
    database = Database(postgresql_url)
    yield database
    await database.close()


async def test_a_read_only_database_is_no_bug_and_is_logged_once(postgresql, postgresql_url, caplog):
    """Reads work, so only a write shows it. The log has the SQLSTATE and the first line, and says when it is over."""
    watch = watch_of(postgresql)
    assert await watch.problem() is None
    postgresql.engine.dispose()
    with read_only(postgresql_url):
        for _ in range(3):
            assert (await watch.problem() or "").startswith("the database is read-only: ")
            assert await watch.problem(write=False) is None  # reads do not end the outage
            with pytest.raises(DatabaseUnavailableError):
                await postgresql.run(first_seen, "Ev1", SOMEDAY)
    postgresql.engine.dispose()

    assert await watch.problem() is None
    began, ended = [record.message for record in caplog.records]
    assert began.endswith("the database refused a write: 25006: cannot execute INSERT in a read-only transaction")
    assert ended == "The database is available again"


async def test_a_full_disk_is_reported_until_a_write_succeeds(postgresql, postgresql_url, caplog):
    """It shows at the commit. The second log line comes from the watch, also when nobody asks for readiness."""
    watch, disk = watch_of(postgresql), Disk.install(postgresql_url)
    with disk.full():
        assert await watch.problem() == "the disk of the database is full: make room"
        assert postgresql.is_failing

    assert await watch.problem(write=postgresql.is_failing) is None
    assert not postgresql.is_failing
    assert [record.message[:37] for record in caplog.records] == [
        "The database is unavailable, so sende",
        "The database is available again",
    ]


async def test_an_old_version_may_start_again_where_the_newer_one_allows_it(database):
    """The newer version stores the oldest one that may run beside it."""

    def migrated_by_newer(connection, oldest):
        connection.execute(text("UPDATE alembic_version SET version_num = '9998'"))
        connection.execute(text(f"UPDATE deployment SET value = '{oldest}' WHERE name = 'oldest_revision'"))

    await database.run(migrated_by_newer, "0015")
    assert await watch_of(database).problem() is None
    await database.run(migrated_by_newer, "9998")
    assert await watch_of(database).problem() == SCHEMA_IS_NEWER
    await database.run(lambda connection: connection.execute(text("UPDATE alembic_version SET version_num = '0003'")))
    assert await watch_of(database).problem() == SCHEMA_IS_OLD


async def test_a_process_without_the_newest_key_waits(database, caplog):
    """The others do the work. Once it is restarted with both keys, it works again."""
    await database.run(add_workspace)
    old, both = watch_of(database, OLD), watch_of(database, NEW, OLD)
    await IntakeKeys(database, old.cipher, old.now, old.now).make("T1", SIGNING, "operator")
    assert await old.problem() is None

    assert await both.problem() is None
    for _ in range(2):
        assert await old.problem() == KEY_IS_MISSING
    assert (old.may_work, both.may_work) == (False, True)
    assert caplog.text.count("This process waits") == 1
    assert await watch_of(database, NEW, OLD).problem() is None
    assert await watch_of(database, NEW).problem() is None


async def test_an_empty_database_takes_any_key(database):
    """Nothing is lost with the key of a database in which nothing is encrypted."""
    assert await database.run(deployment.has_newest_key, ("old",))
    assert await database.run(deployment.has_newest_key, ("new",))


async def test_senders_are_asked_to_retry_by_a_process_with_a_wrong_key(database):
    """As if the database were down: 503, not 401, because another process can check the signature."""
    await database.run(add_workspace)
    keys = IntakeKeys(database, Cipher.of([NEW]), lambda: SOMEDAY, lambda: SOMEDAY)
    await keys.make("T1", SIGNING, "operator")
    signature = Signature(b"msg_1", str(SOMEDAY // 1_000).encode(), b"v1,c2lnbmF0dXJl")
    wrong = replace(keys, cipher=Cipher.of([OLD]))

    assert (await wrong.check_head("T1", Credentials(signature, ()))).result is KeyCheck.NEEDS_BODY
    with pytest.raises(WrongKeyError):
        await wrong.check_signature("T1", Credentials(signature, ()), b"{}")
    assert issubclass(WrongKeyError, DatabaseUnavailableError)


async def test_a_key_slip_uses_up_no_attempt(world):
    """What a process without the right key has claimed waits, and is sent as it is by one that has it."""
    await world.default_channel()
    courier = world.worker.courier

    async def wrong_key(_workspace_id):
        raise WrongKeyError

    slip = replace(world.worker, courier=replace(courier, slack=replace(courier.slack, tokens=wrong_key)))
    job_change_id = await world.accept()
    for _ in range(10):
        await slip.drain()
        world.clock.advance(seconds=60)
    record = await world.find(job_change_id)
    assert (record.ended_at, record.outcome) == (None, None)
    await replace(world.worker, may_work=lambda: False).drain()
    assert (await world.find(job_change_id)).ended_at is None

    await world.worker.drain()
    assert (await world.find(job_change_id)).outcome == "delivered"
    assert await world.database.run(lambda connection: connection.scalar(select(func.max(deliveries.c.plainness)))) == 0
