"""
home: what it costs to open Home for an admin, and to change a preference in one of its menus.

Calls to Slack and transactions are counted after Bolt has looked up the installation, as it does for every request.
The own share is the median time without that of the calls to Slack. There is no baseline.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any

import aiohttp
from cryptography.fernet import Fernet
from slack_sdk.oauth.installation_store import Installation
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse
from sqlalchemy import Engine, event

from bench.kit.databases import POSTGRESQL, SQLITE, Databases
from bench.table import Row, at_most
from sandbox.slack import SlackSandbox
from services.clock import SteadyClock
from services.home.home import Home
from services.home.preferences import Preferences
from services.salesforce.sessions import SalesforceSessions
from services.slack.api import Slack
from services.slack.call import authorized
from services.slack.directory import Directory
from store.database import Database
from store.encryption import Cipher
from store.slack.installations import AsyncInstallationStore

DATABASES = (SQLITE, POSTGRESQL)
TIMES = 10
CLIENT_ID = "1111111111.2222222222"


async def measure(databases: Databases, kind: str) -> list[Row]:
    slack, now = SlackSandbox(rate_limits=False), SteadyClock()
    team = slack.add_team("Acme")
    admin = slack.add_user(team, "Dana Reyes", "dana@acme.example", is_admin=True)
    with databases.fresh(kind) as url:
        database, cipher = Database(url), Cipher.of([Fernet.generate_key().decode()])
        store = AsyncInstallationStore(database, CLIENT_ID, cipher)
        token = slack.install(team.id, admin.id)
        installation = Installation(
            app_id=slack.app.id,
            team_id=team.id,
            team_name="Acme",
            user_id=admin.id,
            bot_id="B0BENCH",
            bot_user_id="U0BOT",
            bot_token=token,
        )
        await store.async_save(installation)
        authorized.set((team.id, token))
        async with slack.serving() as address, aiohttp.ClientSession() as http:
            client = _TimedClient(base_url=f"{address}/api/", session=http, retry_handlers=[])
            api = Slack(client, store.bot_token, database, now)
            sessions = SalesforceSessions(database, cipher, http, "https://login.salesforce.com", None, None, now)
            home = Home(database, Directory(api, database, now), sessions, "https://usergems.example", 90, now)
            change = Preferences(api, database, now).change(team.id, admin.id, {"reminder_hours": 8}, None)
            await home.read(team.id, admin.id)  # the first time, past days are counted
            opened = await _cost(slack, client, lambda: home.read(team.id, admin.id))
            changed = await _cost(slack, client, lambda: home.change_and_read(team.id, admin.id, change))
        await database.close()
    return [
        Row("home: open, calls to Slack", kind, opened.calls, "calls", target=at_most(1)),
        Row("home: open, transactions", kind, opened.transactions, "transactions", target=at_most(3)),
        Row("home: open, own share, p50", kind, opened.own_ms, "ms", target=at_most(25)),
        Row("home: change a preference, calls to Slack", kind, changed.calls, "calls", target=at_most(1)),
        Row("home: change a preference, transactions", kind, changed.transactions, "transactions", target=at_most(2)),
        Row("home: change a preference, own share, p50", kind, changed.own_ms, "ms", target=at_most(25)),
    ]


class _TimedClient(AsyncWebClient):
    """Slack's client, with the seconds that its calls took."""

    seconds = 0.0

    async def api_call(self, *arguments: Any, **named: Any) -> AsyncSlackResponse:
        began = time.perf_counter()
        try:
            return await super().api_call(*arguments, **named)
        finally:
            self.seconds += time.perf_counter() - began


@dataclass(frozen=True)
class Cost:
    """What one act costs: its calls to Slack, its transactions, and the milliseconds that were not Slack's."""

    calls: float
    transactions: float
    own_ms: float


async def _cost(slack: SlackSandbox, client: _TimedClient, act: Callable[[], Awaitable[object]]) -> Cost:
    calls_before, own_ms = len(slack.calls), list[float]()
    with _commits() as commits:
        for _ in range(TIMES):
            began, slack_before = time.perf_counter(), client.seconds
            await act()
            own_ms.append((time.perf_counter() - began - client.seconds + slack_before) * 1_000)
    return Cost((len(slack.calls) - calls_before) / TIMES, len(commits) / TIMES, median(own_ms))


@contextmanager
def _commits() -> Iterator[list[object]]:
    """The commits of all engines. On SQLite, what only reads has an engine of its own."""
    commits: list[object] = []
    count = commits.append  # the same object each time, so that it can be removed
    event.listen(Engine, "commit", count)
    yield commits
    event.remove(Engine, "commit", count)
