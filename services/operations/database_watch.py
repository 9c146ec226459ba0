"""Watches the database for this process: whether it answers and takes writes, and whether the process may use it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import Connection

from store import migrations
from store.database import Database, DatabaseUnavailableError
from store.encryption import Cipher
from store.operations import deployment

EVERY_SECONDS = 5.0
DEADLINE_SECONDS = 3.0

SCHEMA_IS_OLD = "the database schema is out of date: run python app.py migrate"
SCHEMA_IS_NEWER = "the database was migrated by a newer version, which excludes this one: install the newest version"
KEY_IS_MISSING = "ENCRYPTION_KEYS lacks the newest key: give every process the same keys and restart this one"

log = logging.getLogger(__name__)


@dataclass
class DatabaseWatch:
    """
    `may_work` is False while this process lacks the newest encryption key: then it claims nothing, so that others do
    the work and no attempt is used up.
    """

    database: Database
    cipher: Cipher = field(repr=False)
    now: Callable[[], int]
    may_work: bool = field(default=True, init=False)

    async def run(self) -> None:
        """Look until canceled. Writes are tried only while they fail, to notice when they work again."""
        while True:
            await self.problem(write=self.database.is_failing)
            await asyncio.sleep(EVERY_SECONDS)

    async def problem(self, *, write: bool = True) -> str | None:
        """Return why this process cannot work with its database, and what to do; None if it can."""
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                problem = await self.database.run(_problem, self.cipher.fingerprints, self.now() if write else None)
        except DatabaseUnavailableError as error:
            return error.advice
        except TimeoutError:
            return "the database is not responding: check that it is running"
        if write:
            self.database.writes_work()
        if problem == KEY_IS_MISSING and self.may_work:
            log.error("This process waits: %s", KEY_IS_MISSING)
        self.may_work = problem != KEY_IS_MISSING
        return problem


def _problem(connection: Connection, fingerprints: tuple[str, ...], write_at: int | None) -> str | None:
    if not migrations.may_run(connection):
        return SCHEMA_IS_NEWER if migrations.is_newer(connection) else SCHEMA_IS_OLD
    if write_at is not None:
        deployment.check_writable(connection, write_at)
    return None if deployment.has_newest_key(connection, fingerprints) else KEY_IS_MISSING
