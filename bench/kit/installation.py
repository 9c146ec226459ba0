"""Installs workspaces in a database, and makes the environment that the app is started with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography.fernet import Fernet
from slack_sdk.oauth.installation_store import Installation
from sqlalchemy import Connection

from domain.workspace import SIGNING
from services.clock import SteadyClock
from services.intake.keys import IntakeKeys
from store.database import Database
from store.encryption import Cipher
from store.slack import workspaces
from store.slack.installations import AsyncInstallationStore
from tests.servers import free_port

SCOPES = "chat:write,chat:write.public,commands,users:read,users:read.email,channels:read,groups:read,im:history"
CLIENT_ID = "1111111111.2222222222"
UNREACHABLE = "http://127.0.0.1:9"
NO_VENDORS: Mapping[str, Any] = {
    "slack": UNREACHABLE,
    "salesforce": UNREACHABLE,
    "teams": [{"id": "T0BENCH", "token": "xoxb-bench", "admin": "U0ADMIN", "channel": "C0DEFAULT"}],
}
"""A workspace without vendors, for benchmarks that never call them."""


@dataclass(frozen=True)
class InstalledApp:
    """`secret` signs the job changes of the first workspace."""

    workspace_ids: Sequence[str]
    secret: str = field(repr=False)
    environment: Mapping[str, str] = field(repr=False)

    @property
    def workspace_id(self) -> str:
        return self.workspace_ids[0]

    @property
    def port(self) -> int:
        return int(self.environment["PORT"])


async def install(url: str, vendors: Mapping[str, Any] = NO_VENDORS, *, posts_per_minute: int = 300) -> InstalledApp:
    """`vendors` is the line that `bench.kit.vendors` prints when it is ready."""
    key = Fernet.generate_key().decode()
    database, cipher, now = Database(url), Cipher.of([key]), SteadyClock()
    store = AsyncInstallationStore(database, CLIENT_ID, cipher)
    for team in vendors["teams"]:
        await store.async_save(_installation(team))

        def set_preferences(connection: Connection, team: Mapping[str, str] = team) -> None:
            preferences = {"default_channel_id": team["channel"], "posts_per_minute": posts_per_minute}
            workspaces.change(connection, team["id"], None, **preferences)
            workspaces.open_default_lane(connection, team["id"], now())

        await database.run(set_preferences)
    ids = [team["id"] for team in vendors["teams"]]
    secret = await IntakeKeys(database, cipher, now, now).make(ids[0], SIGNING, "operator")
    await database.close()
    return InstalledApp(ids, secret, _environment(url, key, vendors))


def _installation(team: Mapping[str, str]) -> Installation:
    return Installation(
        app_id="A0BENCH",
        team_id=team["id"],
        team_name="Acme",
        user_id=team["admin"],
        bot_token=team["token"],
        bot_id="B0BENCH",
        bot_user_id="U0BOT",
        bot_scopes=SCOPES,
    )


def _environment(url: str, key: str, vendors: Mapping[str, Any]) -> dict[str, str]:
    port = str(free_port())
    return {
        "DATABASE_URL": url,
        "ENCRYPTION_KEYS": key,
        "SLACK_CLIENT_ID": CLIENT_ID,
        "SLACK_CLIENT_SECRET": "bench-client-secret",
        "SLACK_SIGNING_SECRET": "bench-signing-secret",
        "SLACK_API_URL": f"{vendors['slack']}/api/",
        "SALESFORCE_LOGIN_URL": vendors["salesforce"],
        "SALESFORCE_CLIENT_ID": "3MVG9sandbox",
        "SALESFORCE_CLIENT_SECRET": "sandbox-secret",
        "HOST": "127.0.0.1",
        "PORT": port,
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "LOG_LEVEL": "WARNING",
    }
