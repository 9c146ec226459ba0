"""Tokens of installations: found by every id that Slack may send, encrypted, and deleted on request."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from cryptography.fernet import Fernet
from slack_sdk.oauth.installation_store import Installation
from sqlalchemy import Connection, func, select, text

from store.database import Database, DatabaseUnavailableError
from store.encryption import Cipher, WrongKeyError
from store.slack import organizations, workspaces
from store.slack.installations import AsyncInstallationStore, OtherAppError, workspace_of
from store.slack.organizations import Team
from store.slack.sdk_stores import bots, installations

KEY = Fernet.generate_key().decode()
CLIENT_ID = "111.222"
TOKEN = "xoxb-sample-token"


@pytest.fixture
def store(database: Database) -> AsyncInstallationStore:
    return AsyncInstallationStore(database, CLIENT_ID, Cipher.of([KEY]))


def installation(**changes: Any) -> Installation:
    values: dict[str, Any] = {
        "app_id": "A1",
        "enterprise_id": None,
        "team_id": "T1",
        "team_name": "Acme",
        "bot_token": TOKEN,
        "bot_id": "B1",
        "bot_user_id": "UBOT",
        "bot_scopes": "chat:write,users:read",
        "user_id": "UDANA",
        "installed_at": 1_795_000_000.25,
    }
    return Installation(**values | changes)


def org_wide(**changes: Any) -> Installation:
    values = {"enterprise_id": "E1", "enterprise_name": "Acme Org", "team_id": None, "team_name": None}
    return installation(**{**values, "is_enterprise_install": True, **changes})


def rows(connection: Connection) -> list[int]:
    """How many rows slack_sdk's two tables have."""
    return [connection.execute(select(func.count()).select_from(table)).scalar_one() for table in (bots, installations)]


async def test_saving_an_installation_activates_the_workspace(
    store: AsyncInstallationStore, database: Database
) -> None:
    """Tokens and workspace are stored together."""
    await store.async_save(installation())

    workspace = await database.run(workspaces.find, "T1")
    assert workspace is not None
    assert workspace.is_active
    assert workspace.name == "Acme"
    assert workspace.installer_user_id == "UDANA"
    assert workspace.bot_user_id == "UBOT"
    assert workspace.scopes == {"chat:write", "users:read"}
    assert workspace.installed_at == 1_795_000_000_250
    assert await store.bot_token("T1") == TOKEN


async def test_a_failed_installation_stores_nothing(store: AsyncInstallationStore, database: Database) -> None:
    """Both are one transaction."""
    await database.run(lambda connection: connection.execute(text("ALTER TABLE turns RENAME TO no_turns")))

    with pytest.raises(Exception, match=r"did not answer|turns"):
        await store.async_save(installation())

    assert await database.run(rows) == [0, 0]
    assert await database.run(workspaces.find, "T1") is None


async def test_tokens_are_encrypted_at_rest(store: AsyncInstallationStore, database: Database) -> None:
    """The database alone contains no usable token."""
    await store.async_save(installation(user_token="xoxp-sample", incoming_webhook_url="https://hooks.example.com/x"))

    def read(connection: Connection) -> str:
        return repr([connection.execute(select(table)).mappings().all() for table in (bots, installations)])

    stored = await database.run(read)
    assert "xoxb" not in stored
    assert "xoxp" not in stored
    assert "hooks.example.com" not in stored
    assert "Acme" in stored


async def test_a_wrong_key_raises_its_own_error(store: AsyncInstallationStore, database: Database) -> None:
    """It must not look like a workspace without the app."""
    await store.async_save(installation())
    stranger = AsyncInstallationStore(database, CLIENT_ID, Cipher.of([Fernet.generate_key().decode()]))

    with pytest.raises(WrongKeyError):
        await stranger.bot_token("T1")
    with pytest.raises(WrongKeyError):
        await stranger.async_find_installation(enterprise_id=None, team_id="T1")
    with pytest.raises(WrongKeyError):
        await stranger.async_find_bot(enterprise_id=None, team_id="T1")


async def test_older_keys_still_decrypt(store: AsyncInstallationStore, database: Database) -> None:
    """Keys can be rotated without installing again."""
    await store.async_save(installation())
    newer = AsyncInstallationStore(database, CLIENT_ID, Cipher.of([Fernet.generate_key().decode(), KEY]))

    assert await newer.bot_token("T1") == TOKEN


async def test_installing_again_replaces_the_installation(store: AsyncInstallationStore, database: Database) -> None:
    """Rows of earlier installations do not pile up."""
    await store.async_save(installation())
    await store.async_save(installation(user_id="UOTHER", bot_token="xoxb-new", installed_at=1_795_000_900.0))

    assert await store.bot_token("T1") == "xoxb-new"
    found = await store.async_find_installation(enterprise_id=None, team_id="T1")
    assert found is not None
    assert (found.user_id, found.bot_token) == ("UOTHER", "xoxb-new")
    assert await database.run(rows) == [1, 1]


async def test_installing_again_restores_the_preferences(store: AsyncInstallationStore, database: Database) -> None:
    """The default channel is still set."""
    await store.async_save(installation())
    await database.run(workspaces.change, "T1", None, default_channel_id="C1")
    await store.delete_tokens("T1")
    await database.run(workspaces.mark_gone, "T1", 1)

    await store.async_save(installation(installed_at=1_795_000_900.0))

    workspace = await database.run(workspaces.find, "T1")
    assert workspace is not None
    assert workspace.is_active
    assert workspace.default_channel_id == "C1"


async def test_a_workspace_that_joined_an_organization_has_one_installation(
    store: AsyncInstallationStore, database: Database
) -> None:
    """Its team id stays the same, so the old row is replaced."""
    await store.async_save(installation())
    await store.async_save(installation(enterprise_id="E1", bot_token="xoxb-new", installed_at=1_795_000_900.0))

    assert await store.bot_token("T1") == "xoxb-new"
    assert await database.run(rows) == [1, 1]


@pytest.mark.parametrize(
    ("saved", "ids"),
    [
        (installation(), {"enterprise_id": None, "team_id": "T1"}),
        (installation(enterprise_id="E1"), {"enterprise_id": "E1", "team_id": "T1"}),
        (installation(enterprise_id="E1"), {"enterprise_id": None, "team_id": "T1"}),
        (org_wide(), {"enterprise_id": "E1", "team_id": None, "is_enterprise_install": True}),
        (org_wide(), {"enterprise_id": "E1", "team_id": "T7", "is_enterprise_install": True}),
        (org_wide(), {"enterprise_id": "E1", "team_id": "T7", "is_enterprise_install": False}),
    ],
    ids=["plain", "grid", "grid by team alone", "org-wide", "org-wide from a team", "org-wide, not said"],
)
async def test_an_installation_is_found_by_any_id_that_slack_sends(
    store: AsyncInstallationStore, saved: Installation, ids: dict[str, Any]
) -> None:
    """A workspace of an organization has two ids, an org-wide installation has no team id."""
    await store.async_save(saved)

    bot = await store.async_find_bot(**ids)
    found = await store.async_find_installation(**ids)

    assert bot is not None
    assert bot.bot_token == TOKEN
    assert found is not None
    assert found.bot_token == TOKEN
    assert found.bot_user_id == "UBOT"
    assert await store.bot_token(workspace_of(saved)) == TOKEN


@pytest.mark.parametrize(
    "ids",
    [
        {"enterprise_id": None, "team_id": "T2"},
        {"enterprise_id": "E2", "team_id": "T2"},
        {"enterprise_id": "E2", "team_id": None, "is_enterprise_install": True},
        {"enterprise_id": None, "team_id": None},
    ],
)
async def test_other_workspaces_are_not_found(store: AsyncInstallationStore, ids: dict[str, Any]) -> None:
    """A workspace never gets the token of another one."""
    await store.async_save(installation(enterprise_id="E1"))
    await store.async_save(org_wide())

    assert await store.async_find_bot(**ids) is None
    assert await store.async_find_installation(**ids) is None
    assert await store.bot_token("T2") is None


async def test_a_workspaces_own_installation_comes_before_its_organizations(store: AsyncInstallationStore) -> None:
    """The organization's token is still stored."""
    await store.async_save(org_wide(bot_token="xoxb-org"))
    await store.async_save(installation(enterprise_id="E1"))

    found = await store.async_find_installation(enterprise_id="E1", team_id="T1")

    assert found is not None
    assert found.bot_token == TOKEN
    assert await store.bot_token("E1") == "xoxb-org"


async def test_installations_of_a_different_app_are_not_used(store: AsyncInstallationStore, database: Database) -> None:
    """A token belongs to one client id. The error says that another app is installed."""
    await store.async_save(installation())
    other = AsyncInstallationStore(database, "999.999", Cipher.of([KEY]))

    with pytest.raises(OtherAppError):
        await other.bot_token("T1")
    assert await other.async_find_installation(enterprise_id=None, team_id="T1") is None


async def test_only_the_installer_has_their_own_installation(store: AsyncInstallationStore) -> None:
    """The app requests no user tokens."""
    await store.async_save(installation())

    assert await store.async_find_installation(enterprise_id=None, team_id="T1", user_id="UDANA") is not None
    assert await store.async_find_installation(enterprise_id=None, team_id="T1", user_id="UOTHER") is None


@pytest.mark.parametrize(
    ("saved", "workspace_id"),
    [(installation(), "T1"), (installation(enterprise_id="E1"), "T1"), (org_wide(), "E1")],
    ids=["plain", "grid", "org-wide"],
)
async def test_deleting_tokens_empties_both_tables(
    store: AsyncInstallationStore, database: Database, saved: Installation, workspace_id: str
) -> None:
    """Tokens of other workspaces stay."""
    await store.async_save(saved)
    await store.async_save(installation(team_id="T9", bot_token="xoxb-other"))

    await store.delete_tokens(workspace_id)

    assert await store.bot_token(workspace_id) is None
    assert await database.run(rows) == [1, 1]
    assert await store.bot_token("T9") == "xoxb-other"


async def test_deleting_an_organizations_tokens_keeps_those_of_its_workspaces(store: AsyncInstallationStore) -> None:
    """An org-wide uninstall says nothing of the workspaces that installed by themselves."""
    await store.async_save(org_wide(bot_token="xoxb-org"))
    await store.async_save(installation(enterprise_id="E1"))

    await store.delete_tokens("E1")

    assert await store.bot_token("E1") is None
    assert await store.bot_token("T1") == TOKEN


async def test_an_installation_without_ids_is_refused(store: AsyncInstallationStore) -> None:
    """There is no workspace to store."""
    with pytest.raises(ValueError, match="neither a team id nor an organization id"):
        await store.async_save(installation(team_id=None))


async def test_concurrent_readers_and_writers_do_not_deadlock(store: AsyncInstallationStore) -> None:
    """slack_sdk's stores open no connection of their own, which on SQLite would wait for ours forever."""
    await store.async_save(installation())

    await asyncio.gather(
        *(store.async_save(installation(team_id=f"T{number}")) for number in range(2, 12)),
        *(store.async_find_bot(enterprise_id=None, team_id="T1") for _ in range(10)),
    )

    assert [await store.bot_token(f"T{number}") for number in range(2, 12)] == [TOKEN] * 10


async def test_a_database_that_is_down_raises_its_own_error() -> None:
    """It must not look like a workspace without the app."""
    database = Database("postgresql://nobody@127.0.0.1:1/none")
    store = AsyncInstallationStore(database, CLIENT_ID, Cipher.of([KEY]))

    with pytest.raises(DatabaseUnavailableError):
        await store.async_find_bot(enterprise_id=None, team_id="T1")
    with pytest.raises(DatabaseUnavailableError):
        await store.async_save(installation())
    with pytest.raises(DatabaseUnavailableError):
        await store.bot_token("T1")
    await database.close()


@pytest.mark.both_databases
async def test_workspaces_of_an_organization_use_its_token(store: AsyncInstallationStore, database: Database) -> None:
    """As long as they have the app. Tokens of an organization stay while one of its workspaces uses them."""
    await store.async_save(org_wide())
    teams = [Team("T1", "West"), Team("T2")]
    await database.run(organizations.grant, "E1", teams, 1_000, 1_000)
    found = await store.async_find_installation(enterprise_id=None, team_id="T1")
    assert (found.bot_token if found else None, await store.organizations()) == (TOKEN, ["E1"])

    await database.run(organizations.keep_only, "E1", ["T2"], 3_000, 2_000)
    await database.run(organizations.grant, "E1", teams, 3_000, 2_000)  # by an older list of Slack's than the removal
    await store.delete_tokens("T1")
    assert [await store.bot_token(team) for team in ("T1", "T2", "T3")] == [None, TOKEN, None]

    await database.run(organizations.uninstall, "E1", 4_000, "app_uninstalled")
    await store.delete_tokens("T2")
    assert await database.run(rows) == [0, 0]
