"""LISTEN and NOTIFY between processes on one PostgreSQL, so that a sleeping worker notices new work at once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import uuid4

from sqlalchemy import Connection, bindparam, func, select
from sqlalchemy.engine import make_url

from store.database import Database, DatabaseUnavailableError
from store.schema.postgresql import BACKEND_PID, CONNECTION_PARAMETERS

CHANNEL = "usergems_accepted"
log = logging.getLogger(__name__)
LONGEST_RECONNECT_SECONDS = 5.0


@dataclass
class WorkNotifier:
    """
    Notifies the workers of other processes. A missed notification costs little, because workers also poll.

    On SQLite there is only one process, so nothing is sent. LISTEN needs a session of its own, so behind a pooler it
    uses `direct_url`, the address of the server itself; if that is None, workers only poll.
    """

    database: Database
    direct_url: str | None = field(default=None, repr=False)  # may hold a password
    _sender: str = field(default_factory=lambda: uuid4().hex, init=False, repr=False)
    _sending: asyncio.Task[None] | None = field(default=None, repr=False)
    _again: bool = field(default=False, repr=False)

    def notify(self) -> None:
        """Notify the other processes of new work. Calls during a notification are sent as one more."""
        if self.database.is_sqlite:
            return
        if self._sending and not self._sending.done():
            self._again = True
            return
        self._sending = asyncio.create_task(self._send())

    async def _send(self) -> None:
        self._again = True
        while self._again:
            self._again = False
            try:
                await self.database.run(_notify, self._sender)
            except DatabaseUnavailableError:
                return  # the other processes poll

    async def listen(self, callback: Callable[[], None]) -> None:
        """Call `callback` for each notification of another process, until canceled. Reconnects when necessary."""
        if self.database.is_sqlite:
            return
        import psycopg  # noqa: PLC0415 - not loaded where there is only SQLite

        address = make_url(self.direct_url) if self.direct_url else self.database.engine.url
        address = address.set(drivername="postgresql", query=CONNECTION_PARAMETERS | dict(address.query))
        url = address.render_as_string(hide_password=False)
        wait = 0.1
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
                    pid = await (await connection.execute(BACKEND_PID)).fetchone()
                    if pid is None or pid[0] != connection.info.backend_pid:
                        log.info("A pooler is between this process and PostgreSQL, so the worker polls")
                        return
                    await connection.execute(f"LISTEN {CHANNEL}")
                    callback()  # for notifications that were sent while nobody listened
                    wait = 0.1
                    async for notification in connection.notifies():
                        if notification.payload != self._sender:  # this process has woken its own worker already
                            callback()
            except psycopg.OperationalError:
                await asyncio.sleep(wait)
                wait = min(2 * wait, LONGEST_RECONNECT_SECONDS)


_pg_notify = select(func.pg_notify(CHANNEL, bindparam("sender")))


def _notify(connection: Connection, sender: str) -> None:
    connection.execute(_pg_notify, {"sender": sender})
