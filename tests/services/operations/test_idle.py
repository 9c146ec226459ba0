"""What an app with hundreds of workspaces and nothing to do asks of its database."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from cryptography.fernet import Fernet
from sqlalchemy import Engine, event

import app as our_app
from domain.salesforce import WEB_SERVER, SalesforceConnection
from services.messages.notice_text import NoticeContext, next_update_at, notice_message
from services.settings import Settings
from store.encryption import Cipher
from store.messages import notices
from store.salesforce import connections
from store.slack import workspaces
from tests.conftest import SOMEDAY, Clock
from tests.store.sample_rows import LEASE_MS, add_workspace

WORKSPACES = 300
PASSED = 660
"""Seconds, in which housekeeping runs once."""


@dataclass
class VirtualTime:
    """Stands in for the `wait` of a worker with this many loops: time passes when all of them wait."""

    clock: Clock
    loops: int
    sleepers: dict[asyncio.Event, float] = field(default_factory=dict)
    all_sleep: asyncio.Event = field(default_factory=asyncio.Event)

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        self.sleepers[event] = self.clock() / 1_000 + seconds
        if len(self.sleepers) == self.loops:
            self.all_sleep.set()
        await event.wait()
        self.sleepers.pop(event, None)
        event.clear()

    async def pass_time(self, seconds: float) -> None:
        """Wake the loops one after another, in the order of their times."""
        end = self.clock() / 1_000 + seconds
        await self.all_sleep.wait()
        while min(self.sleepers.values()) <= end:
            first = min(self.sleepers, key=self.sleepers.__getitem__)
            self.clock.now = max(self.clock.now, round(self.sleepers.pop(first) * 1_000))
            self.all_sleep.clear()
            first.set()
            await self.all_sleep.wait()


@contextmanager
def counted(engine: Engine) -> Iterator[Counter[str]]:
    """The statements of a block, with those that begin and end transactions, by their first words."""
    statements = Counter[str]()

    def count(_connection, _cursor, statement, *_rest):
        statements[" ".join(statement.split()[:8])] += 1

    def count_end(_connection):
        statements["COMMIT"] += 1

    event.listen(engine, "before_cursor_execute", count)
    event.listen(engine, "commit", count_end)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", count)
        event.remove(engine, "commit", count_end)


def install(connection, cipher) -> None:
    """Workspaces that were installed just now. Their installers got the setup steps; half have connected Salesforce."""
    for number in range(WORKSPACES):
        workspace_id = add_workspace(connection, f"T{number:03}")
        notices.add_welcome(connection, workspace_id, "U_ADMIN", SOMEDAY, is_new=True)
        if number % 2:
            connected = SalesforceConnection(
                workspace_id=workspace_id,
                flow=WEB_SERVER,
                login_url="https://login.salesforce.com",
                connected_at=SOMEDAY,
                renewed_at=SOMEDAY,
                refresh_token="5Aep",
                user_name="Integration",
            )
            connections.save(connection, cipher, connected)
    while notice := notices.claim(connection, SOMEDAY, LEASE_MS):
        workspace = workspaces.find(connection, notice.workspace_id)
        steps = notices.setup_steps(connection, notice.workspace_id)
        message = notice_message(notice.kind, NoticeContext(workspace, steps))
        due_at = next_update_at(notice.kind, notice.made_at, SOMEDAY)
        shown = {"channel": "D1", "ts": "1.2", "shown": message.digest, "steps": int(steps)}
        notices.settle(connection, notice, due_at, **shown)


async def test_three_hundred_idle_workspaces_cost_ten_statements_a_second(sqlite_url, clock):
    """In the first hour after their installation, with housekeeping and the watch of Salesforce, and later, too."""
    cipher = Cipher.of([Fernet.generate_key().decode()])
    settings = Settings.from_environ(
        {
            "DATABASE_URL": sqlite_url,
            "SLACK_API_URL": "http://127.0.0.1:9/api/",
            "SALESFORCE_LOGIN_URL": "http://127.0.0.1:9",
            "SALESFORCE_CLIENT_ID": "3MVG9",
            "SALESFORCE_CLIENT_SECRET": "secret",
            "SALESFORCE_WORKSPACES": "T001",
        }
    )
    async with our_app.build(settings, cipher, clock) as app:
        await app.database.run(install, cipher)
        loops = len(("route", "post", "poll", "tidy")) + len(app.worker.queues) + len(app.worker.other_work)
        time, stop = VirtualTime(clock, loops), asyncio.Event()
        with counted(app.database.engine) as first:
            working = asyncio.create_task(replace(app.worker, wait=time.wait).run(stop))
            await time.pass_time(PASSED)
        with counted(app.database.engine) as later:
            await time.pass_time(PASSED)
        stop.set()
        await working

    assert first.total() <= 10 * PASSED
    assert later.total() <= 8 * PASSED
