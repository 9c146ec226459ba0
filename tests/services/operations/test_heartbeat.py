"""Silence is the alarm: the URL is called while all is well, and not otherwise."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from services.operations.heartbeat import Heartbeat
from services.operations.watchdog import Watchdog
from services.settings import Settings, SettingsError
from store.database import Database
from tests.conftest import SOMEDAY, Clock
from tests.store.sample_rows import add_job_change, add_workspace

MINUTE = 60_000


@dataclass
class Listener:
    """Whoever is called each minute; *status* is what it answers."""

    calls: int = 0
    status: int = 200
    paths: list[str] = field(default_factory=list)

    async def hear(self, request: web.Request) -> web.Response:
        self.calls += 1
        self.paths.append(request.path)
        return web.Response(status=self.status)


@dataclass
class Beating:
    heartbeat: Heartbeat
    listener: Listener
    watchdog: Watchdog
    clock: Clock


@pytest.fixture
async def beating(database, clock) -> AsyncIterator[Beating]:
    await database.run(add_workspace)
    listener = Listener()
    app = web.Application()
    app.router.add_get("/ping/s3cret-uuid", listener.hear)
    watchdog = Watchdog(clock)
    watchdog.beat("route")
    async with TestServer(app) as server, aiohttp.ClientSession() as http:
        url = str(server.make_url("/ping/s3cret-uuid"))
        yield Beating(Heartbeat(url, http, database, watchdog), listener, watchdog, clock)


async def test_while_all_is_well_the_url_is_called(beating):
    """Once each time."""
    assert await beating.heartbeat.beat()
    assert beating.listener.paths == ["/ping/s3cret-uuid"]


async def test_a_worker_that_does_not_go_round_is_not_well(beating):
    """Whether it hangs, or has died, or never began."""
    beating.clock.advance(seconds=26)

    assert not await beating.heartbeat.beat()
    assert beating.listener.calls == 0
    never = Heartbeat(
        beating.heartbeat.url, beating.heartbeat.http, beating.heartbeat.database, Watchdog(beating.clock)
    )
    assert not await never.beat()


async def test_something_that_waits_without_a_reason_is_not_well(beating, caplog):
    """After five minutes; and the log says so."""
    await beating.heartbeat.database.run(add_job_change, due_at=SOMEDAY - 6 * MINUTE)

    assert not await beating.heartbeat.beat()
    assert beating.listener.calls == 0
    assert "has waited for over five minutes" in caplog.text


async def test_a_database_that_is_away_is_not_well(beating, tmp_path, caplog):
    """Nobody knows then what waits."""
    away = Database(f"sqlite:///{tmp_path}/no-such-folder/usergems.db")
    heartbeat = Heartbeat(beating.heartbeat.url, beating.heartbeat.http, away, beating.watchdog)

    assert not await heartbeat.beat()
    assert "the database is not responding" in caplog.text
    await away.close()


@pytest.mark.parametrize("status", [404, 500])
async def test_an_address_that_refuses_is_told_without_naming_it(beating, caplog, status):
    """Whoever knows it can say that all is well."""
    beating.listener.status = status

    assert await beating.heartbeat.beat()
    assert f"HTTP {status}" in caplog.text
    assert "s3cret" not in caplog.text + repr(beating.heartbeat)


async def test_an_address_that_nobody_is_at_stops_nothing(beating, caplog, unused_tcp_port):
    """It is called again a minute later."""
    url = f"http://127.0.0.1:{unused_tcp_port}/s3cret"
    heartbeat = Heartbeat(url, beating.heartbeat.http, beating.heartbeat.database, beating.watchdog)

    with caplog.at_level(logging.WARNING):
        assert await heartbeat.beat()
    assert "Could not call HEARTBEAT_URL" in caplog.text
    assert "s3cret" not in caplog.text


@pytest.mark.parametrize("url", ["https://beats.example/uuid", "http://127.0.0.1:8080/uuid"])
def test_the_address_is_https_or_on_this_machine(url):
    """And a secret."""
    settings = Settings.from_environ({"HEARTBEAT_URL": url})

    assert settings.heartbeat_url == url
    assert url not in repr(settings)


@pytest.mark.parametrize("url", ["http://beats.example/uuid", "beats.example", "ftp://beats.example/"])
def test_another_address_is_refused_by_name(url):
    """Before anything starts."""
    with pytest.raises(SettingsError) as refused:
        Settings.from_environ({"HEARTBEAT_URL": url})

    assert [fault.split()[0] for fault in refused.value.faults] == ["HEARTBEAT_URL"]


def test_without_an_address_nobody_is_called():
    """And a worker by itself listens to nobody, unless it is told where."""
    plain, told = Settings.from_environ({}), Settings.from_environ({"WORKER_PORT": "3001"})

    assert (plain.heartbeat_url, plain.worker_port, told.worker_port) == (None, None, 3001)
