"""Serving: the web side, the worker, or both, until somebody says stop."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import resource
import signal
import threading
from argparse import Namespace
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from aiohttp import web

from domain.errors import PermanentError
from listeners.cli.running.preparing import prepared
from listeners.cli.terminal import App, Build, RefusedError, Terminal
from listeners.http import logs
from listeners.http.server import create_runner
from listeners.slack.socket_mode import SocketMode
from services.settings import Settings
from store.encryption import Cipher

GRACE_SECONDS = 8.0
"""For requests that are being answered when we are asked to stop, as long as the worker has for its own."""

OPEN_FILES = 65_536
"""Connections and files at once; the usual 1,024 would let a few hundred slow clients keep everybody else out."""

LAST_SECOND = 9.5
"""After so many seconds we are gone, whatever hangs: what we have promised stands in the database."""


@dataclass(frozen=True)
class Halves:
    """Which of the two a process is."""

    web: bool = True
    worker: bool = True


def serve(_asked: Namespace, terminal: Terminal) -> int:
    return _serve(terminal, Halves())


def serve_web(_asked: Namespace, terminal: Terminal) -> int:
    return _serve(terminal, Halves(worker=False))


def serve_worker(_asked: Namespace, terminal: Terminal) -> int:
    return _serve(terminal, Halves(web=False))


def _serve(terminal: Terminal, halves: Halves) -> int:
    settings = terminal.settings(serving=True)
    logs.configure(settings.log_level, settings.log_format)
    _raise_limit_of_files()
    # A thread that hangs in a call would keep the process alive for as long.
    last_second = threading.Timer(LAST_SECOND, os._exit, [0])
    last_second.daemon = True
    with prepared(settings, works=halves.worker) as cipher:
        asyncio.run(_until_told(terminal, settings, cipher, halves, last_second))
    last_second.cancel()
    return 0


def _raise_limit_of_files() -> None:
    """As far as the system lets us by ourselves."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def _until_told(
    terminal: Terminal, settings: Settings, cipher: Cipher, halves: Halves, last_second: threading.Timer
) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with running(terminal.build, settings, cipher, halves):
        _spare_the_collector()
        terminal.write(_greeting(settings, halves))
        await stop.wait()
        last_second.start()


def _spare_the_collector() -> None:
    # What is built by now stays until the end: looking through all of it again and again cost a third of the time of a
    # batch at the door. What comes later is looked through in small heaps, since nobody is answered meanwhile: with
    # 20,000 objects, as connections that break off leave behind, it took up to 60 ms, with 2,000 it takes 3.
    gc.collect()
    gc.freeze()
    gc.set_threshold(2_000, 20, 20)


@asynccontextmanager
async def running(build: Build, settings: Settings, cipher: Cipher, halves: Halves) -> AsyncIterator[App]:
    """The app at work; at the end nothing new is taken, and what is in flight is finished. Raises RefusedError."""
    async with build(settings, cipher) as app:
        stop = asyncio.Event()
        if halves.web and app.socket_mode:
            await _accepted(app.socket_mode)
        runner = create_runner(app.web if halves.web else app.monitoring)
        port = settings.port if halves.web else settings.worker_port
        if port is not None:
            await _listen(runner, settings.host, port)
        working = [asyncio.create_task(part) for part in _parts(app, halves, stop)]
        beating = asyncio.create_task(app.heartbeat.run()) if halves.worker and app.heartbeat else None
        try:
            yield app
        finally:
            stop.set()
            if beating:
                beating.cancel()
            await _close(runner)
            await asyncio.gather(*working)


def _parts(app: App, halves: Halves, stop: asyncio.Event) -> Iterator[Coroutine[None, None, None]]:
    if halves.worker:
        yield app.worker.run(stop)
    if halves.web and app.socket_mode:
        yield app.socket_mode.run(stop)


async def _accepted(socket_mode: SocketMode) -> None:
    try:
        await socket_mode.check()
    except PermanentError as error:
        raise RefusedError(f"{error}.") from None


async def _listen(runner: web.AppRunner, host: str, port: int) -> None:
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        await runner.cleanup()
        raise RefusedError(_not_listening(error, host, port)) from None


async def _close(runner: web.AppRunner) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(GRACE_SECONDS):
            await runner.cleanup()


def _not_listening(error: OSError, host: str, port: int) -> str:
    where = f"port {port} of {host}"
    if error.errno == errno.EADDRINUSE:
        return f"Something else already listens on {where}: stop it, or set PORT (WORKER_PORT for a worker) to another."
    return f"Nothing can listen on {where} ({os.strerror(error.errno or 0)}): set HOST and PORT."


def _greeting(settings: Settings, halves: Halves) -> str:
    if not halves.web:
        return "The worker is at work. Ctrl-C ends it."
    listening = f"Listening on http://{settings.host}:{settings.port}"
    return f"{listening} as {settings.public_url} - open it to add the app to Slack. Ctrl-C ends it."
