"""The monitoring URL is called only while the app is healthy."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.fernet import Fernet

from domain.workspace import SIGNING
from services.intake.keys import IntakeKeys
from services.operations.database_watch import DatabaseWatch
from services.operations.heartbeat import Heartbeat
from services.operations.watchdog import Watchdog
from services.settings import Settings, SettingsError
from store.database import Database
from store.encryption import Cipher
from tests.conftest import SOMEDAY, Clock
from tests.store.sample_rows import add_job_change, add_workspace

MINUTE = 60_000


@dataclass
class Monitor:
    """The monitoring service. `status` is its response."""

    calls: int = 0
    status: int = 200
    paths: list[str] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        self.calls += 1
        self.paths.append(request.path)
        return web.Response(status=self.status)


@dataclass
class MonitoredApp:
    heartbeat: Heartbeat
    monitor: Monitor
    watchdog: Watchdog
    clock: Clock


@pytest.fixture
async def monitored(database, clock) -> AsyncIterator[MonitoredApp]:
    await database.run(add_workspace)
    monitor = Monitor()
    app = web.Application()
    app.router.add_get("/ping/s3cret-uuid", monitor.handle)
    watchdog = Watchdog(clock)
    watchdog.beat("route")
    async with TestServer(app) as server, aiohttp.ClientSession() as http:
        url = str(server.make_url("/ping/s3cret-uuid"))
        watch = DatabaseWatch(database, Cipher.of([Fernet.generate_key().decode()]), clock)
        yield MonitoredApp(Heartbeat(url, http, database, watchdog, watch, clock), monitor, watchdog, clock)


async def test_a_healthy_app_calls_the_url(monitored):
    """It is called once per heartbeat."""
    assert await monitored.heartbeat.beat()
    assert monitored.monitor.paths == ["/ping/s3cret-uuid"]


async def test_a_worker_that_is_not_running_is_unhealthy(monitored):
    """It may hang, have died, or never have started."""
    monitored.clock.advance(seconds=26)

    assert not await monitored.heartbeat.beat()
    assert monitored.monitor.calls == 0
    not_started = replace(monitored.heartbeat, watchdog=Watchdog(monitored.clock))
    assert not await not_started.beat()


async def test_a_job_change_that_waits_without_a_reason_is_unhealthy(monitored, caplog):
    """It is after five minutes, and the log says so."""
    await monitored.heartbeat.database.run(add_job_change, due_at=SOMEDAY - 6 * MINUTE)

    assert not await monitored.heartbeat.beat()
    assert monitored.monitor.calls == 0
    assert "has waited for over five minutes" in caplog.text


async def test_a_database_that_does_not_respond_is_unhealthy(monitored, tmp_path, caplog):
    """What waits is not known then."""
    away = Database(f"sqlite:///{tmp_path}/no-such-folder/usergems.db")
    watch = replace(monitored.heartbeat.database_watch, database=away)
    heartbeat = replace(monitored.heartbeat, database=away, database_watch=watch)

    assert not await heartbeat.beat()
    assert "the database is not responding" in caplog.text
    await away.close()


@pytest.mark.parametrize("status", [404, 500])
async def test_a_refused_call_is_logged_without_the_url(monitored, caplog, status):
    """The URL is a secret."""
    monitored.monitor.status = status

    assert await monitored.heartbeat.beat()
    assert f"HTTP {status}" in caplog.text
    assert "s3cret" not in caplog.text + repr(monitored.heartbeat)


async def test_a_process_that_waits_for_a_key_is_unhealthy(monitored, clock, caplog):
    """Nobody would notice otherwise, because nothing is stuck while other processes do the work."""
    heartbeat = monitored.heartbeat
    other = Cipher.of([Fernet.generate_key().decode()])
    await IntakeKeys(heartbeat.database, other, clock, clock).make("T1", SIGNING, "operator")
    assert await replace(heartbeat.database_watch, cipher=other).problem() is None

    assert not await heartbeat.beat()
    assert "ENCRYPTION_KEYS lacks the newest key" in caplog.text


async def test_an_unreachable_url_stops_nothing(monitored, caplog, unused_tcp_port):
    """It is called again a minute later."""
    url = f"http://127.0.0.1:{unused_tcp_port}/s3cret"
    heartbeat = replace(monitored.heartbeat, url=url)

    with caplog.at_level(logging.WARNING):
        assert await heartbeat.beat()
    assert "Could not call HEARTBEAT_URL" in caplog.text
    assert "s3cret" not in caplog.text


@pytest.mark.parametrize("url", ["https://beats.example/uuid", "http://127.0.0.1:8080/uuid"])
def test_the_url_uses_https_or_is_on_this_machine(url):
    """It is not shown with the settings."""
    settings = Settings.from_environ({"HEARTBEAT_URL": url})

    assert settings.heartbeat_url == url
    assert url not in repr(settings)


@pytest.mark.parametrize("url", ["http://beats.example/uuid", "beats.example", "ftp://beats.example/"])
def test_another_url_is_refused_with_the_settings_name(url):
    """This happens before anything starts."""
    with pytest.raises(SettingsError) as refused:
        Settings.from_environ({"HEARTBEAT_URL": url})

    assert [fault.split()[0] for fault in refused.value.faults] == ["HEARTBEAT_URL"]


def test_without_a_url_there_are_no_calls():
    """A worker by itself listens on a port only if one is set."""
    default, with_port = Settings.from_environ({}), Settings.from_environ({"WORKER_PORT": "3001"})

    assert (default.heartbeat_url, default.worker_port, with_port.worker_port) == (None, None, 3001)
