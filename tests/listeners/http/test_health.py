"""What machines ask: alive, ready, and how many."""

from __future__ import annotations

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from sqlalchemy import text

from listeners.http import health
from listeners.http.metrics import Metrics
from services.operations.watchdog import Pulse
from services.settings import VERSION
from store.database import Database
from tests.conftest import SOMEDAY
from tests.store.sample_rows import add_job_change, add_workspace


def served(database, clock, metrics_token=None, pulse=None):
    app = web.Application()
    app.add_routes(health.routes(database, Metrics(), metrics_token, pulse or Pulse(clock)))
    return TestClient(TestServer(app))


@pytest.fixture
async def client(database, clock):
    async with served(database, clock) as client:
        yield client


@pytest.fixture
async def away(clock, tmp_path):
    """The same with a database that cannot be reached."""
    database = Database(f"sqlite:///{tmp_path}/no-such-folder/usergems.db")
    async with served(database, clock) as client:
        yield client
    await database.close()


async def read(client: TestClient, path: str) -> tuple[int, dict[str, object]]:
    answer = await client.get(path)
    return answer.status, await answer.json()


async def test_a_migrated_database_is_ready(client):
    """Asked again it stays so."""
    assert await read(client, "/readyz") == (200, {"status": "ready", "reasons": []})
    assert await read(client, "/readyz") == (200, {"status": "ready", "reasons": []})


@pytest.mark.both_databases
async def test_an_old_schema_is_not_ready(client, database):
    """And says what to do, until it is done."""
    newest = await database.run(
        lambda connection: connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    )
    set_version = text("UPDATE alembic_version SET version_num = :version")
    await database.run(lambda connection: connection.execute(set_version, {"version": "0000"}))

    status, told = await read(client, "/readyz")
    assert status == 503
    assert told["reasons"] == ["the database schema is out of date: run python app.py migrate"]

    await database.run(lambda connection: connection.execute(set_version, {"version": newest}))
    assert (await read(client, "/readyz"))[0] == 200


async def test_without_its_database_it_is_alive_but_not_ready(away):
    """Restarting it would not help."""
    assert await read(away, "/healthz") == (200, {"status": "alive", "version": VERSION})
    status, told = await read(away, "/readyz")
    assert status == 503
    assert told["reasons"] == ["the database does not answer: check DATABASE_URL and that it is up"]


async def test_a_process_whose_worker_goes_round_is_alive(database, clock):
    """However long it has done so."""
    pulse = Pulse(clock)
    async with served(database, clock, pulse=pulse) as client:
        for _ in range(3):
            clock.advance(seconds=20)
            pulse.beat("route")
            pulse.beat("post")
            assert await read(client, "/healthz") == (200, {"status": "alive", "version": VERSION})


async def test_a_process_whose_worker_died_or_hangs_is_dead_within_half_a_minute(database, clock):
    """One half of it is enough; and alive again if it goes on."""
    pulse = Pulse(clock)
    pulse.beat("route")
    clock.advance(seconds=26)
    pulse.beat("post")
    async with served(database, clock, pulse=pulse) as client:
        status, told = await read(client, "/healthz")
        metrics = await (await client.get("/metrics")).text()
        pulse.beat("route")
        again = (await read(client, "/healthz"))[0]

    assert (status, again) == (503, 200)
    assert told == {"status": "dead", "reasons": ["the worker does not go round any more to route"]}
    assert "usergems_worker_up 0.0" in metrics


@pytest.mark.both_databases
async def test_the_metrics_tell_what_waits_and_how_it_ended(client, database):
    """And name neither a workspace nor a person."""
    await database.run(add_workspace, "T1")
    await database.run(add_job_change, "T1", due_at=SOMEDAY - 90_000)
    await database.run(add_job_change, "T1")
    await database.run(end, "buried", None)
    await database.run(end, "delivered", "dri")

    answer = await client.get("/metrics")

    told = await answer.text()
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    assert "usergems_database_up 1.0" in told
    assert "usergems_job_changes_waiting 2.0" in told
    assert "usergems_job_changes_waiting_oldest_seconds 90.0" in told
    assert "usergems_job_changes_buried 1.0" in told
    assert 'usergems_job_changes_ended_last_day{outcome="told_dri"} 1.0' in told
    assert 'usergems_job_changes_ended_last_day{outcome="muted"} 0.0' in told
    assert 'usergems_job_changes_received_total{result="accepted"} 0.0' in told
    assert "T1" not in told
    assert "Acme" not in told


def end(connection, outcome, told):
    """A job change that ended just now."""
    job_change_id = add_job_change(connection)
    connection.execute(
        text("UPDATE job_changes SET outcome = :outcome, told = :told, ended_at = :at WHERE id = :id"),
        {"outcome": outcome, "told": told, "at": SOMEDAY, "id": job_change_id},
    )


async def test_without_the_database_the_counters_are_told_all_the_same(away):
    """That it is away is a number too."""
    told = await (await away.get("/metrics")).text()

    assert "usergems_database_up 0.0" in told
    assert "usergems_job_changes_received_total" in told
    assert "usergems_job_changes_waiting " not in told


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP"])
async def test_metrics_are_for_this_machine_only(client, header):
    """A proxy on this machine speaks for others."""
    assert (await client.get("/metrics")).status == 200
    assert (await client.get("/metrics", headers={header: "198.51.100.7"})).status == 403


@pytest.mark.parametrize(
    ("authorization", "status"),
    [("Bearer s3cret", 200), ("Bearer wrong", 403), ("s3cret", 403), ("", 403), ("Bearer s3crét", 403)],
)
async def test_with_a_token_metrics_are_for_who_knows_it(database, clock, authorization, status):
    """From wherever, and from nowhere without."""
    headers = {"Authorization": authorization, "X-Forwarded-For": "198.51.100.7"}
    async with served(database, clock, "s3cret") as client:
        assert (await client.get("/metrics", headers=headers)).status == status


async def test_each_app_has_a_registry_of_its_own():
    """Two in one process do not count each other's."""
    one, other = Metrics(), Metrics()
    one.received("accepted", 1)

    assert b'received_total{result="accepted"} 1.0' in one.exposition(None, SOMEDAY)
    assert b'received_total{result="accepted"} 0.0' in other.exposition(None, SOMEDAY)
