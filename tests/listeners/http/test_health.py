"""Liveness, readiness and metrics."""

from __future__ import annotations

import platform

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from cryptography.fernet import Fernet
from sqlalchemy import text

from listeners.http import health
from listeners.http.metrics import Metrics
from services.clock import SteadyClock
from services.operations.clock_watch import ClockWatch
from services.operations.database_watch import DatabaseWatch
from services.operations.readiness import Readiness
from services.operations.watchdog import Watchdog
from services.settings import VERSION
from store.database import Database
from store.encryption import Cipher
from tests.conftest import SOMEDAY
from tests.store.sample_rows import add_job_change, add_workspace


def served(database, clock, metrics_token=None, watchdog=None, machine=None, *, is_public=False):
    app = web.Application()
    machine = machine or SteadyClock(lambda: clock() / 1_000, lambda: clock() / 1_000)
    cipher = Cipher.of([Fernet.generate_key().decode()])
    readiness = Readiness(database, DatabaseWatch(database, cipher, clock), ClockWatch(machine, database))
    watchdog = watchdog or Watchdog(clock)
    routes = health.routes(database, Metrics(), metrics_token, watchdog, readiness, clock, is_public=is_public)
    app.add_routes(routes)
    return TestClient(TestServer(app))


@pytest.fixture
async def client(database, clock):
    async with served(database, clock) as client:
        yield client


@pytest.fixture
async def without_database(clock, tmp_path):
    """A client of an app whose database cannot be reached."""
    database = Database(f"sqlite:///{tmp_path}/no-such-folder/usergems.db")
    async with served(database, clock) as client:
        yield client
    await database.close()


async def read(client: TestClient, path: str) -> tuple[int, dict[str, object]]:
    answer = await client.get(path)
    return answer.status, await answer.json()


async def test_a_migrated_database_is_ready(client):
    """It stays ready when asked again."""
    assert await read(client, "/readyz") == (200, {"status": "ready", "reasons": []})
    assert await read(client, "/readyz") == (200, {"status": "ready", "reasons": []})


async def test_an_old_schema_is_not_ready(client, database):
    """The reason says what to do."""
    newest = await database.run(
        lambda connection: connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    )
    set_version = text("UPDATE alembic_version SET version_num = :version")
    await database.run(lambda connection: connection.execute(set_version, {"version": "0000"}))

    status, body = await read(client, "/readyz")
    assert status == 503
    assert body["reasons"] == ["the database schema is out of date: run python app.py migrate"]

    await database.run(lambda connection: connection.execute(set_version, {"version": newest}))
    assert (await read(client, "/readyz"))[0] == 200


async def test_a_process_without_its_database_is_alive_but_not_ready(without_database):
    """Restarting the process would not help."""
    assert await read(without_database, "/healthz") == (200, {"status": "alive", "version": VERSION})
    status, body = await read(without_database, "/readyz")
    assert status == 503
    assert body["reasons"] == [
        "the database is not responding (SQLITE_CANTOPEN): check DATABASE_URL and that it is running"
    ]


async def test_a_process_whose_worker_loops_report_heartbeats_is_alive(database, clock):
    """It stays alive however long it runs."""
    watchdog = Watchdog(clock)
    async with served(database, clock, watchdog=watchdog) as client:
        for _ in range(3):
            clock.advance(seconds=20)
            watchdog.beat("route")
            watchdog.beat("post")
            assert await read(client, "/healthz") == (200, {"status": "alive", "version": VERSION})


async def test_a_process_whose_worker_hangs_is_dead_within_half_a_minute(database, clock):
    """One silent loop is enough; the process is alive again when the loop continues."""
    watchdog = Watchdog(clock)
    watchdog.beat("route")
    clock.advance(seconds=26)
    watchdog.beat("post")
    async with served(database, clock, watchdog=watchdog) as client:
        status, body = await read(client, "/healthz")
        metrics = await (await client.get("/metrics")).text()
        watchdog.beat("route")
        again = (await read(client, "/healthz"))[0]

    assert (status, again) == (503, 200)
    assert body == {"status": "dead", "reasons": ["the worker loop “route” has stopped responding"]}
    assert "usergems_worker_up 0.0" in metrics


async def test_the_metrics_count_waiting_and_ended_job_changes(client, database):
    """They name neither a workspace nor a person."""
    await database.run(add_workspace, "T1")
    await database.run(add_job_change, "T1", due_at=SOMEDAY - 90_000)
    await database.run(add_job_change, "T1")
    await database.run(end, "buried", None)
    await database.run(end, "delivered", "dri")

    answer = await client.get("/metrics")

    metrics = await answer.text()
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    assert "usergems_database_up 1.0" in metrics
    assert "usergems_job_changes_waiting 2.0" in metrics
    assert "usergems_job_changes_waiting_oldest_seconds 90.0" in metrics
    assert "usergems_job_changes_overdue_seconds 90.0" in metrics
    assert "usergems_job_changes_failed 1.0" in metrics
    assert f'usergems_build_info{{python="{platform.python_version()}",version="{VERSION}"}} 1.0' in metrics
    assert "process_resident_memory_bytes " in metrics
    assert 'usergems_job_changes_ended_last_day{outcome="sent_to_dri"} 1.0' in metrics
    assert 'usergems_job_changes_ended_last_day{outcome="muted"} 0.0' in metrics
    assert 'usergems_job_changes_received_total{result="accepted"} 0.0' in metrics
    assert "T1" not in metrics
    assert "Acme" not in metrics


def end(connection, outcome, told):
    """A job change that ended just now."""
    job_change_id = add_job_change(connection)
    connection.execute(
        text("UPDATE job_changes SET outcome = :outcome, told = :told, ended_at = :at WHERE id = :id"),
        {"outcome": outcome, "told": told, "at": SOMEDAY, "id": job_change_id},
    )


async def test_the_counters_are_served_without_the_database(without_database):
    """The unavailable database is itself a metric."""
    metrics = await (await without_database.get("/metrics")).text()

    assert "usergems_database_up 0.0" in metrics
    assert "usergems_job_changes_received_total" in metrics
    assert "usergems_job_changes_waiting " not in metrics


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP"])
async def test_without_a_token_only_this_machine_can_read_the_metrics(client, header):
    """A proxy on this machine forwards requests of others."""
    assert (await client.get("/metrics")).status == 200
    assert (await client.get("/metrics", headers={header: "198.51.100.7"})).status == 403


async def test_a_public_server_has_no_metrics_without_a_token(database, clock):
    """A proxy that adds no header makes everybody look like this machine."""
    async with served(database, clock, is_public=True) as client:
        assert (await client.get("/metrics")).status == 403


@pytest.mark.parametrize(
    ("authorization", "status"),
    [("Bearer s3cret", 200), ("Bearer wrong", 403), ("s3cret", 403), ("", 403), ("Bearer s3crét", 403)],
)
async def test_with_a_token_every_request_for_metrics_needs_it(database, clock, authorization, status):
    """The client's address no longer matters."""
    headers = {"Authorization": authorization, "X-Forwarded-For": "198.51.100.7"}
    async with served(database, clock, "s3cret") as client:
        assert (await client.get("/metrics", headers=headers)).status == status


async def test_each_app_has_its_own_metrics_registry():
    """Two apps in one process do not count each other's events."""
    first, second = Metrics(), Metrics()
    first.received("accepted", 1)

    assert b'received_total{result="accepted"} 1.0' in first.exposition(None, SOMEDAY)
    assert b'received_total{result="accepted"} 0.0' in second.exposition(None, SOMEDAY)
