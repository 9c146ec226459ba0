"""Ports for servers that must know their address before they are built."""

from __future__ import annotations

from contextlib import suppress
from random import SystemRandom
from socket import create_server

BELOW_THE_EPHEMERAL = range(20_000, 32_000)
"""The system gives none of these to a connection, nor to a server that takes any: Linux starts at 32768."""


def port_of_our_own() -> int:
    """Free now, and nobody is given it by chance before we bind it."""
    for port in SystemRandom().sample(BELOW_THE_EPHEMERAL, 100):
        with suppress(OSError), create_server(("127.0.0.1", port)):
            return port
    raise OSError("a hundred ports were tried and all are taken")
