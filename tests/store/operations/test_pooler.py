"""Behind a pooler in transaction mode, nothing may be kept in a session of PostgreSQL."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import store
from store.database import Database
from store.operations.notify import WorkNotifier
from store.schema.postgresql import is_pooled, prepare_connection

SESSION_STATE = re.compile(r'\(f?"(SET (?!LOCAL )|LISTEN |PREPARE |CREATE TEMP)|pg_(try_)?advisory_lock')
ALLOWED = {"store/migrations/__init__.py": 2, "store/operations/notify.py": 1, "store/schema/postgresql.py": 1}
"""Statements that are sent only to PostgreSQL itself."""


@dataclass
class Connection:
    """A connection of psycopg, of which the server says that its process is `server_pid`."""

    server_pid: int
    prepare_threshold: int | None = 5
    settings: list[str] = field(default_factory=list)
    info: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(backend_pid=1))

    def execute(self, query):
        self.settings += [query] if query.startswith("SET") else []
        return SimpleNamespace(fetchone=lambda: (self.server_pid,))

    def commit(self):
        pass

    def rollback(self):
        pass


def test_nothing_is_prepared_or_set_behind_a_pooler():
    """The next transaction may run in another session, and this one serves other programs, too."""
    direct, pooled = Connection(server_pid=1), Connection(server_pid=2)
    prepare_connection(direct, None)
    prepare_connection(pooled, None)

    assert (is_pooled(direct), direct.prepare_threshold, len(direct.settings)) == (False, 5, 1)
    assert (is_pooled(pooled), pooled.prepare_threshold, pooled.settings) == (True, None, [])


async def test_postgresql_itself_is_no_pooler(postgresql_url):
    """Its statements are prepared, and workers listen."""
    database = Database(postgresql_url)
    assert not await database.run(lambda connection: is_pooled(connection.connection.dbapi_connection))
    heard = asyncio.Event()
    listening = asyncio.create_task(WorkNotifier(database, postgresql_url).listen(heard.set))
    await heard.wait()
    listening.cancel()
    await database.close()


def test_no_statement_of_the_store_changes_its_session():
    """Settings and locks end with the transaction."""
    folder = Path(store.__file__).parent
    found = {
        str(path.relative_to(folder.parent)): count
        for path in folder.rglob("*.py")
        if (count := len(SESSION_STATE.findall(path.read_text())))
    }

    assert found == ALLOWED
