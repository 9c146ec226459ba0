"""A bell between processes on one PostgreSQL: who accepts job changes rings, whose worker sleeps hears it at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import uuid4

from sqlalchemy import Connection, bindparam, func, select

from store.database import Database, DatabaseUnavailableError

CHANNEL = "usergems_accepted"
LONGEST_SILENCE_SECONDS = 5.0


@dataclass
class Bell:
    """
    LISTEN and NOTIFY. Only a convenience: whoever does not hear it looks once a second anyway.

    On SQLite there is one process, and nobody to ring for.
    """

    database: Database
    _name: str = field(default_factory=lambda: uuid4().hex, init=False, repr=False)
    _ringing: asyncio.Task[None] | None = field(default=None, repr=False)
    _again: bool = field(default=False, repr=False)

    def ring(self) -> None:
        """Tell the other processes that job changes were accepted. Rings that come together are one."""
        if self.database.is_sqlite:
            return
        if self._ringing and not self._ringing.done():
            self._again = True
            return
        self._ringing = asyncio.create_task(self._ring())

    async def _ring(self) -> None:
        self._again = True
        while self._again:
            self._again = False
            try:
                await self.database.run(_notify, self._name)
            except DatabaseUnavailableError:
                return  # they will look by themselves

    async def listen(self, heard: Callable[[], None]) -> None:
        """Call *heard* at each ring of others, until cancelled; a connection that was lost is made again."""
        if self.database.is_sqlite:
            return
        import psycopg  # noqa: PLC0415 - not loaded where there is only SQLite

        url = self.database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        silence = 0.1
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
                    await connection.execute(f"LISTEN {CHANNEL}")
                    heard()  # what was rung while nobody listened
                    silence = 0.1
                    async for ring in connection.notifies():
                        if ring.payload != self._name:  # who rings has told its own worker already
                            heard()
            except psycopg.OperationalError:
                await asyncio.sleep(silence)
                silence = min(2 * silence, LONGEST_SILENCE_SECONDS)


_ring = select(func.pg_notify(CHANNEL, bindparam("by")))


def _notify(connection: Connection, by: str) -> None:
    connection.execute(_ring, {"by": by})
