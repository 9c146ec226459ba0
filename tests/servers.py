"""Free ports and timeouts for the servers that tests start."""

from __future__ import annotations

from contextlib import suppress
from random import SystemRandom
from socket import create_server

GENEROUS_TIMEOUT = 30.0
"""Seconds. A slow machine must not fail a test; Slack itself waits three seconds for an answer."""

PORTS_BELOW_EPHEMERAL = range(20_000, 32_000)
"""Linux gives ports from 32768 on to outgoing connections and to servers that bind port 0; it never gives out these."""


def free_port() -> int:
    """For servers that must know their address before they are built. No other program gets this port by chance."""
    for port in SystemRandom().sample(PORTS_BELOW_EPHEMERAL, 100):
        with suppress(OSError), create_server(("127.0.0.1", port)):
            return port
    raise OSError("none of 100 ports is free")
