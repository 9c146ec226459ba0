"""Running the web process, the worker, or both, until the process is stopped."""

from __future__ import annotations

import asyncio
import errno
import gc
import logging
import os
import resource
import signal
import threading
from argparse import Namespace
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import uvloop
from aiohttp import web

from domain.errors import PermanentError
from listeners.cli.running.preparing import prepared
from listeners.cli.terminal import COMMAND, App, Build, RefusedError, Terminal
from listeners.http import logs
from listeners.http.server import create_runner
from services.clock import steady_ms
from services.operations.watchdog import SECONDS_BETWEEN_CHECKS, Watchdog, wait_until_stuck
from services.settings import VERSION, Settings
from store.encryption import Cipher

GRACE_SECONDS = 8.0
"""Time for requests in progress when the process is stopped, the same as the worker's own."""

OPEN_FILES = 65_536
"""Limit of open connections and files. With the usual 1,024, a few hundred slow clients could block all others."""

EXIT_AFTER_SECONDS = 9.5
"""The process exits at the latest this long after a stop, even if something hangs. Accepted work is in the database."""

log = logging.getLogger(__name__)


DRAIN_SECONDS = 3.0
"""How long a web process on PostgreSQL accepts requests after SIGTERM, while `/readyz` answers 503."""


@dataclass(frozen=True)
class Parts:
    """Which parts of the app a process runs."""

    web: bool = True
    worker: bool = True


def serve(_options: Namespace, terminal: Terminal) -> int:
    return _serve(terminal, Parts())


def serve_web(_options: Namespace, terminal: Terminal) -> int:
    return _serve(terminal, Parts(worker=False))


def serve_worker(_options: Namespace, terminal: Terminal) -> int:
    return _serve(terminal, Parts(web=False))


def _serve(terminal: Terminal, parts: Parts) -> int:
    settings = terminal.settings(serving=True)
    gc.disable()  # until the app is built, see _run_until_stopped
    logs.configure(settings.log_level, settings.log_format)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    # Without it, a thread that hangs in a call would keep the process alive.
    exit_timer = threading.Timer(EXIT_AFTER_SECONDS, os._exit, [0])
    exit_timer.daemon = True
    with prepared(settings, works=parts.worker) as cipher:
        uvloop.run(_run_until_stopped(terminal, settings, cipher, parts, exit_timer))
    exit_timer.cancel()
    return 0


async def _run_until_stopped(
    terminal: Terminal, settings: Settings, cipher: Cipher, parts: Parts, exit_timer: threading.Timer
) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, stop.set)
    async with running(terminal.build, settings, cipher, parts) as app, _ended_when_stuck(app.watchdog):
        # Objects created so far live until the end. Collecting them again and again took a sixth of the time to start,
        # and a third of the time of an intake batch, and would free only one in 80. Later objects are
        # collected in small steps, because a collection blocks all requests: with the 20,000 objects that dropped
        # connections leave behind it took up to 60 ms, with 2,000 it takes 3 ms.
        gc.freeze()
        gc.set_threshold(2_000, 20, 20)
        gc.enable()
        loop.add_signal_handler(signal.SIGTERM, _stop_gently(app, parts, stop, exit_timer))
        log.info("version %s started as process %d", VERSION, os.getpid())
        terminal.write(_greeting(settings, parts))
        await stop.wait()
        log.info("stopping")
        if not exit_timer.is_alive():
            exit_timer.start()
    log.info("stopped")


def _stop_gently(app: App, parts: Parts, stop: asyncio.Event, exit_timer: threading.Timer) -> Callable[[], None]:
    """Return what SIGTERM does: where there can be replicas, new requests are accepted until balancers have noticed."""

    def begin() -> None:
        if app.readiness.is_stopping:
            return
        app.readiness.is_stopping = True
        exit_timer.start()
        seconds = DRAIN_SECONDS if parts.web and not app.database.is_sqlite else 0.0
        asyncio.get_running_loop().call_later(seconds, stop.set)

    return begin


@asynccontextmanager
async def _ended_when_stuck(worker: Watchdog) -> AsyncIterator[None]:
    """Exit with status 1 after the event loop or a loop of the worker has hung for a minute, to be restarted."""
    event_loop, ends = Watchdog(steady_ms), threading.Event()

    async def beat() -> None:
        while True:
            event_loop.beat("event loop")
            await asyncio.sleep(SECONDS_BETWEEN_CHECKS)

    beating = asyncio.create_task(beat())
    threading.Thread(target=_exit_when_stuck, args=([event_loop, worker], ends), daemon=True).start()
    try:
        yield
    finally:
        ends.set()
        beating.cancel()


def _exit_when_stuck(watchdogs: Sequence[Watchdog], ends: threading.Event) -> None:
    if stuck_loops := wait_until_stuck(watchdogs, ends.wait):
        log.critical("The process exits, because this hangs: %s. Nothing is lost.", ", ".join(stuck_loops))
        os._exit(1)


@asynccontextmanager
async def running(build: Build, settings: Settings, cipher: Cipher, parts: Parts) -> AsyncIterator[App]:
    """Run the app. At the end it accepts nothing new and finishes what is in progress. Raises RefusedError."""
    async with build(settings, cipher) as app:
        stop = asyncio.Event()
        if parts.web and app.socket_mode:
            try:
                await app.socket_mode.check()
            except PermanentError as error:
                raise RefusedError(f"{error}.") from None
        runner = create_runner(app.web if parts.web else app.monitoring, app.readiness)
        port = settings.port if parts.web else settings.worker_port
        if port is not None:
            await runner.setup()
            try:
                await web.TCPSite(runner, settings.host, port).start()
            except OSError as error:
                await runner.cleanup()
                raise RefusedError(_listen_error(error, settings.host, port), status=2) from None
        tasks = [asyncio.create_task(coroutine) for coroutine in _coroutines(app, parts, stop)]
        watches = [
            asyncio.create_task(watch.run()) for watch in (app.readiness.clock_watch, app.readiness.database_watch)
        ]
        if parts.worker and app.heartbeat:
            watches.append(asyncio.create_task(app.heartbeat.run()))
        try:
            yield app
        finally:
            stop.set()
            for watch in watches:
                watch.cancel()
            with suppress(TimeoutError):
                async with asyncio.timeout(GRACE_SECONDS):
                    await runner.cleanup()
            await asyncio.gather(*tasks)


def _coroutines(app: App, parts: Parts, stop: asyncio.Event) -> Iterator[Coroutine[None, None, None]]:
    if parts.worker:
        yield app.worker.run(stop)
    if parts.web and app.socket_mode:
        yield app.socket_mode.run(stop)


def _listen_error(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} of {host} is already in use. Stop the other process, or set PORT (WORKER_PORT for a worker)."
        )
    return f"The app cannot listen on port {port} of {host} ({os.strerror(error.errno or 0)}). Set HOST and PORT."


def _greeting(settings: Settings, parts: Parts) -> str:
    if not parts.web:
        return "The worker is running. Press Ctrl-C to stop it."
    how = f"Open {settings.public_url} to add" if settings.can_redirect else f"Run {COMMAND} install to add"
    return f"Listening on http://{settings.host}:{settings.port}. {how} the app to Slack. Press Ctrl-C to stop."
