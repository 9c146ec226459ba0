"""
home: what it costs to open Home for an admin, and to change a preference in one of its menus.

Calls to Slack and transactions are counted after Bolt has looked up the installation, as it does for every request.
There is no baseline.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import aiohttp
from cryptography.fernet import Fernet
from slack_sdk.oauth.installation_store import Installation
from slack_sdk.web.async_client import AsyncWebClient
from sqlalchemy import event

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
        people = {"user_id": admin.id, "bot_id": "B0BENCH", "bot_user_id": "U0BOT", "bot_token": token}
        await store.async_save(Installation(app_id=slack.app.id, team_id=team.id, team_name="Acme", **people))
        authorized.set((team.id, token))
        async with slack.serving() as address, aiohttp.ClientSession() as http:
            client = AsyncWebClient(base_url=f"{address}/api/", session=http, retry_handlers=[])
            api = Slack(client, store.bot_token, database, now)
            sessions = SalesforceSessions(database, cipher, http, "https://login.salesforce.com", None, None, now)
            home = Home(database, Directory(api, database, now), sessions, "https://usergems.example", 90, now)
            change = Preferences(api, database, now).change(team.id, admin.id, {"reminder_hours": 8}, None)
            await home.read(team.id, admin.id)  # the first time, past days are counted
            opened = await _cost(slack, database, lambda: home.read(team.id, admin.id))
            changed = await _cost(slack, database, lambda: home.change_and_read(team.id, admin.id, change))
        await database.close()
    return [
        Row("home: open, calls to Slack", kind, opened[0], "calls", target=at_most(1)),
        Row("home: open, transactions", kind, opened[1], "transactions", target=at_most(3)),
        Row("home: change a preference, calls to Slack", kind, changed[0], "calls", target=at_most(1)),
        Row("home: change a preference, transactions", kind, changed[1], "transactions", target=at_most(2)),
    ]


async def _cost(slack: SlackSandbox, database: Database, act: Callable[[], Awaitable[object]]) -> tuple[float, float]:
    """The calls to Slack and the transactions of one act."""
    calls_before = len(slack.calls)
    with _commits(database) as commits:
        for _ in range(TIMES):
            await act()
    return (len(slack.calls) - calls_before) / TIMES, len(commits) / TIMES


@contextmanager
def _commits(database: Database) -> Iterator[list[object]]:
    commits: list[object] = []
    count = commits.append  # the same object each time, so that it can be removed
    event.listen(database.engine, "commit", count)
    yield commits
    event.remove(database.engine, "commit", count)
