"""Free ports and timeouts for the servers that tests start."""

from __future__ import annotations

from contextlib import suppress
from itertools import count
from os import environ
from random import SystemRandom
from socket import create_server

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
