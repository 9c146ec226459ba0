"""Rotating encryption keys at the terminal while the app is running."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest
from cryptography.fernet import Fernet
from slack_sdk.oauth.installation_store import Installation
from sqlalchemy import insert, select

from domain.salesforce import WEB_SERVER, SalesforceApp, SalesforceConnection
from domain.workspace import BEARER, SIGNING
from services.intake.keys import IntakeKeys
from store.database import Database
from store.encryption import Cipher, EncryptedText, WrongKeyError
from store.operations import secrets as stored_secrets
from store.salesforce import apps, connections
from store.salesforce.apps import ConnectAttempt
from store.schema import intake_keys
from store.slack.installations import AsyncInstallationStore
from store.slack.sdk_stores import metadata
from tests.conftest import SOMEDAY
from tests.listeners.cli.test_table import Operator

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()
SECRETS = ("xoxb-1", "00D-access", "5Aep-refresh", "own-secret", "app-secret", "pkce-verifier")


@pytest.fixture
def operator(database_url, capsys):
    """An operator with both keys, whose database has every kind of secret encrypted with the old key."""
    operator = Operator(database_url, capsys)
    operator.environ["ENCRYPTION_KEYS"] = f"{NEW},{OLD}"
    asyncio.run(_furnish(database_url))
    yield operator
    operator.database.engine.dispose()


async def _furnish(url: str) -> None:
    database, cipher = Database(url), Cipher.of([OLD])
    installation = Installation(
        app_id="A1", team_id="T1", team_name="Acme", user_id="U1", bot_token="xoxb-1", bot_id="B1", bot_user_id="UB"
    )
    await AsyncInstallationStore(database, "1.2", cipher).async_save(installation)
    connected = SalesforceConnection(
        workspace_id="T1",
        flow=WEB_SERVER,
        login_url="https://login.salesforce.com",
        connected_at=1,
        access_token="00D-access",
        refresh_token="5Aep-refresh",
        client_secret="own-secret",
    )
    await database.run(connections.save, cipher, connected)
    await database.run(apps.save, cipher, "T1", SalesforceApp("3MVG9", "app-secret", "U1", 1))
    attempt = ConnectAttempt(
        state="state",
        workspace_id="T1",
        user_id="U1",
        browser="browser",
        login_url="https://login.salesforce.com",
        verifier="pkce-verifier",
        expires_at=SOMEDAY,
    )
    await database.run(apps.begin, cipher, attempt, 1)
    keys = IntakeKeys(database, cipher, lambda: SOMEDAY, lambda: SOMEDAY)
    await keys.make("T1", SIGNING, "U1")
    await keys.make("T1", BEARER, "U1")
    await database.close()


def readable_with(operator: Operator, key: str) -> list[str]:
    """Every stored secret that can be decrypted with this key alone."""

    def read(connection):
        return [value for table in metadata.sorted_tables for row in connection.execute(select(table)) for value in row]

    ciphertexts = [value for value in operator.do(read) if isinstance(value, str) and value.startswith("gAAAA")]
    return [secret for secret in map(partial(_read, Cipher.of([key])), ciphertexts) if secret]


def _read(cipher: Cipher, stored: str) -> str | None:
    try:
        return cipher.decrypt(stored)
    except WrongKeyError:
        return None


@pytest.mark.both_databases
def test_every_stored_secret_is_encrypted_with_the_first_key(operator):
    """The old key can be removed afterwards. Keys that are stored as hashes do not change."""
    before = readable_with(operator, OLD)
    assert set(SECRETS) < set(before)

    out = operator.types("rotate-keys")

    assert (operator.status, readable_with(operator, OLD)) == (0, [])
    assert sorted(readable_with(operator, NEW)) == sorted(before)
    assert out.splitlines()[-1].split() == ["Total", str(len(before)), "re-encrypted", "0", "unchanged"]
    assert not any(secret in out + operator.err for secret in SECRETS)


def test_every_table_with_secrets_is_rotated():
    """The columns that are rotated are those that are marked as encrypted in the schema."""
    declared = {(secrets.table.name, name) for secrets in stored_secrets.ALL_SECRETS for name in secrets.names}
    suspicious = {"token", "secret", "verifier", "webhook_url"}

    columns = {
        (table.name, column.name)
        for table in metadata.sorted_tables
        for column in table.columns
        if any(column.name.endswith(word) for word in suspicious)
    }
    assert columns - declared == set()


def test_a_second_run_changes_nothing(operator):
    """An interrupted run can be repeated."""
    operator.types("rotate-keys")

    last = operator.types("rotate-keys").splitlines()[-1].split()

    assert (operator.status, last[1], last[3]) == (0, "0", str(len(readable_with(operator, NEW))))


def test_secrets_that_already_use_the_first_key_are_unchanged(operator):
    """Processes that were restarted with both keys already write with the new one."""
    cipher = Cipher.of([NEW, OLD])
    fresh = {"workspace_id": "T1", "kind": SIGNING, "made_at": 2, "made_by": "U1"}
    rows = [fresh | {"secret": cipher.encrypt(f"whsec_{n}")} for n in range(2 * stored_secrets.AT_ONCE + 1)]
    operator.do(lambda connection: connection.execute(insert(intake_keys), rows))

    line = next(row for row in operator.types("rotate-keys").splitlines() if row.startswith("intake_keys"))

    assert line.split()[1::2] == ["1", str(2 * stored_secrets.AT_ONCE + 1)]


def test_a_single_key_cannot_be_rotated(operator):
    """The error says how to add a second key."""
    out = operator.types("rotate-keys", ENCRYPTION_KEYS=OLD)

    assert (operator.status, out) == (1, "")
    assert "ENCRYPTION_KEYS=NEW,OLD" in operator.err


def test_without_the_old_key_nothing_is_changed(operator):
    """A secret that cannot be decrypted is reported and kept."""
    before = readable_with(operator, OLD)

    operator.types("rotate-keys", ENCRYPTION_KEYS=f"{NEW},{Fernet.generate_key().decode()}")

    assert operator.status == 1
    assert "Put the key back" in operator.err
    assert readable_with(operator, OLD) == before


def test_encrypted_columns_are_also_found_by_their_type(operator):
    """The tables of slack_sdk encrypt by column type."""
    store = AsyncInstallationStore(operator.database, "1.2", Cipher.of([OLD]))._store

    for table in (store.bots, store.installations):
        encrypted = {column.name for column in table.columns if isinstance(column.type, EncryptedText)}
        assert encrypted == {
            name for secrets in stored_secrets.ALL_SECRETS if secrets.table.name == table.name for name in secrets.names
        }
