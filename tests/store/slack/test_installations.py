"""Slack's tokens: found by every id that Slack may tell, unreadable at rest, gone when forgotten."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from cryptography.fernet import Fernet
from slack_sdk.oauth.installation_store import Bot, Installation
from sqlalchemy import Connection, func, select, text

from store.database import Database, DatabaseUnavailableError
from store.encryption import Cipher, WrongKeyError
from store.slack import workspaces
from store.slack.installations import AsyncInstallationStore, OtherAppError, workspace_of
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


async def test_saving_an_installation_makes_the_workspace_active(
    store: AsyncInstallationStore, database: Database
) -> None:
    """Tokens and workspace are stored together: neither is there without the other."""
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


async def test_nothing_is_stored_when_the_workspace_cannot_be(
    store: AsyncInstallationStore, database: Database
) -> None:
    """One transaction: a failure half-way leaves no token behind."""
    await database.run(lambda connection: connection.execute(text("ALTER TABLE turns RENAME TO no_turns")))

    with pytest.raises(Exception, match=r"did not answer|turns"):
        await store.async_save(installation())

    assert await database.run(rows) == [0, 0]
    assert await database.run(workspaces.find, "T1") is None


async def test_tokens_are_unreadable_at_rest(store: AsyncInstallationStore, database: Database) -> None:
    """Whoever gets hold of the database alone gets no token."""
    await store.async_save(installation(user_token="xoxp-sample", incoming_webhook_url="https://hooks.example.com/x"))

    def read(connection: Connection) -> str:
        return repr([connection.execute(select(table)).mappings().all() for table in (bots, installations)])

    stored = await database.run(read)
    assert "xoxb" not in stored
    assert "xoxp" not in stored
    assert "hooks.example.com" not in stored
    assert "Acme" in stored


async def test_the_wrong_key_is_told_as_such(store: AsyncInstallationStore, database: Database) -> None:
    """Another database's keys must not look like a workspace that is not installed."""
    await store.async_save(installation())
    stranger = AsyncInstallationStore(database, CLIENT_ID, Cipher.of([Fernet.generate_key().decode()]))

    with pytest.raises(WrongKeyError):
        await stranger.bot_token("T1")
    with pytest.raises(WrongKeyError):
        await stranger.async_find_installation(enterprise_id=None, team_id="T1")
    with pytest.raises(WrongKeyError):
        await stranger.async_find_bot(enterprise_id=None, team_id="T1")


async def test_the_oldest_of_several_keys_still_reads(store: AsyncInstallationStore, database: Database) -> None:
    """Keys can be rotated without installing again."""
    await store.async_save(installation())
    newer = AsyncInstallationStore(database, CLIENT_ID, Cipher.of([Fernet.generate_key().decode(), KEY]))

    assert await newer.bot_token("T1") == TOKEN


async def test_installing_again_replaces_what_was_there(store: AsyncInstallationStore, database: Database) -> None:
    """The newest installation counts, and the rows of those before it do not pile up."""
    await store.async_save(installation())
    await store.async_save(installation(user_id="UOTHER", bot_token="xoxb-new", installed_at=1_795_000_900.0))

    assert await store.bot_token("T1") == "xoxb-new"
    found = await store.async_find_installation(enterprise_id=None, team_id="T1")
    assert found is not None
    assert (found.user_id, found.bot_token) == ("UOTHER", "xoxb-new")
    assert await database.run(rows) == [1, 1]


async def test_installing_again_brings_a_workspace_back_with_its_preferences(
    store: AsyncInstallationStore, database: Database
) -> None:
    """Who uninstalled and comes back finds the default channel as it was."""
    await store.async_save(installation())
    await database.run(workspaces.change, "T1", None, default_channel_id="C1")
    await store.delete_tokens("T1")
    await database.run(workspaces.mark_gone, "T1", 1)

    await store.async_save(installation(installed_at=1_795_000_900.0))

    workspace = await database.run(workspaces.find, "T1")
    assert workspace is not None
    assert workspace.is_active
    assert workspace.default_channel_id == "C1"


async def test_a_workspace_that_joined_an_organisation_has_one_installation(
    store: AsyncInstallationStore, database: Database
) -> None:
    """The team id stays when a workspace moves into an organisation; the old row would shadow nothing, but linger."""
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
async def test_an_installation_is_found_by_what_slack_tells(
    store: AsyncInstallationStore, saved: Installation, ids: dict[str, Any]
) -> None:
    """A workspace of an organisation has two ids, an org-wide installation no team id; both are found."""
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
async def test_another_workspace_is_not_found(store: AsyncInstallationStore, ids: dict[str, Any]) -> None:
    """Nobody gets a token of somebody else's."""
    await store.async_save(installation(enterprise_id="E1"))
    await store.async_save(org_wide())

    assert await store.async_find_bot(**ids) is None
    assert await store.async_find_installation(**ids) is None
    assert await store.bot_token("T2") is None


async def test_a_workspaces_own_installation_comes_before_its_organisations(store: AsyncInstallationStore) -> None:
    """Where both are there, the nearer one speaks."""
    await store.async_save(org_wide(bot_token="xoxb-org"))
    await store.async_save(installation(enterprise_id="E1"))

    found = await store.async_find_installation(enterprise_id="E1", team_id="T1")

    assert found is not None
    assert found.bot_token == TOKEN
    assert await store.bot_token("E1") == "xoxb-org"


async def test_another_apps_installation_is_not_ours(store: AsyncInstallationStore, database: Database) -> None:
    """Tokens belong to the client id that they were given to; that there are some is not forgotten."""
    await store.async_save(installation())
    other = AsyncInstallationStore(database, "999.999", Cipher.of([KEY]))

    with pytest.raises(OtherAppError):
        await other.bot_token("T1")
    assert await other.async_find_installation(enterprise_id=None, team_id="T1") is None


async def test_only_the_installer_has_an_installation_of_their_own(store: AsyncInstallationStore) -> None:
    """No user tokens are asked for, so there is nothing to look for in other members' names."""
    await store.async_save(installation())

    assert await store.async_find_installation(enterprise_id=None, team_id="T1", user_id="UDANA") is not None
    assert await store.async_find_installation(enterprise_id=None, team_id="T1", user_id="UOTHER") is None


@pytest.mark.parametrize(
    ("saved", "workspace_id"),
    [(installation(), "T1"), (installation(enterprise_id="E1"), "T1"), (org_wide(), "E1")],
    ids=["plain", "grid", "org-wide"],
)
async def test_forgetting_leaves_no_token_in_either_table(
    store: AsyncInstallationStore, database: Database, saved: Installation, workspace_id: str
) -> None:
    """After an uninstall nothing is left that could be used, and nobody else's token is touched."""
    await store.async_save(saved)
    await store.async_save(installation(team_id="T9", bot_token="xoxb-other"))

    await store.delete_tokens(workspace_id)

    assert await store.bot_token(workspace_id) is None
    assert await database.run(rows) == [1, 1]
    assert await store.bot_token("T9") == "xoxb-other"


async def test_forgetting_an_organisation_spares_a_workspaces_own_installation(store: AsyncInstallationStore) -> None:
    """An org-wide uninstall says nothing of the workspaces that installed by themselves."""
    await store.async_save(org_wide(bot_token="xoxb-org"))
    await store.async_save(installation(enterprise_id="E1"))

    await store.delete_tokens("E1")

    assert await store.bot_token("E1") is None
    assert await store.bot_token("T1") == TOKEN


async def test_what_bolt_calls_when_tokens_are_revoked_works_too(
    store: AsyncInstallationStore, database: Database
) -> None:
    """Bolt's built-in listeners know the stores of slack_sdk by these names."""
    await store.async_save(installation())
    await store.async_delete_bot(enterprise_id=None, team_id="T1")
    assert await database.run(rows) == [0, 1]
    await store.async_delete_installation(enterprise_id=None, team_id="T1", user_id="UDANA")
    assert await database.run(rows) == [0, 0]

    await store.async_save(installation(enterprise_id="E1"))
    await store.async_delete_all(enterprise_id=None, team_id="T1")
    assert await database.run(rows) == [0, 0]


async def test_a_bot_alone_can_be_saved(store: AsyncInstallationStore) -> None:
    """Bolt saves a bot alone when a token was renewed."""
    bot = Bot(
        app_id="A1",
        team_id="T1",
        bot_token="xoxb-renewed",
        bot_id="B1",
        bot_user_id="UBOT",
        installed_at=1_795_000_000.0,
    )

    await store.async_save_bot(bot)

    assert await store.bot_token("T1") == "xoxb-renewed"


async def test_an_installation_of_nothing_is_refused(store: AsyncInstallationStore) -> None:
    """Without an id there is no workspace to remember."""
    with pytest.raises(ValueError, match="neither a team id nor an organization id"):
        await store.async_save(installation(team_id=None))


async def test_many_readers_and_writers_at_once_do_not_lock_each_other_out(store: AsyncInstallationStore) -> None:
    """slack_sdk's stores open no connection of their own, which on SQLite would wait for ours for ever."""
    await store.async_save(installation())

    await asyncio.gather(
        *(store.async_save(installation(team_id=f"T{number}")) for number in range(2, 12)),
        *(store.async_find_bot(enterprise_id=None, team_id="T1") for _ in range(10)),
    )

    assert [await store.bot_token(f"T{number}") for number in range(2, 12)] == [TOKEN] * 10


async def test_a_database_that_is_down_is_not_a_missing_installation() -> None:
    """Telling somebody that the app is not installed when our database is down would send them in circles."""
    database = Database("postgresql://nobody@127.0.0.1:1/none")
    store = AsyncInstallationStore(database, CLIENT_ID, Cipher.of([KEY]))

    with pytest.raises(DatabaseUnavailableError):
        await store.async_find_bot(enterprise_id=None, team_id="T1")
    with pytest.raises(DatabaseUnavailableError):
        await store.async_save(installation())
    with pytest.raises(DatabaseUnavailableError):
        await store.bot_token("T1")
    await database.close()
