"""OAuth states work once and for a limited time, and nothing is stored for those that are not used."""

from __future__ import annotations

import asyncio
import time

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import Connection, func, select

from store.database import Database, DatabaseUnavailableError
from store.encryption import Cipher
from store.schema import slack_events
from store.slack.oauth_states import AsyncOAuthStateStore


@pytest.fixture
def cipher() -> Cipher:
    return Cipher.of([Fernet.generate_key().decode()])


def real_now() -> int:
    """Sealed states contain the real time."""
    return round(time.time() * 1_000)


@pytest.fixture
def states(database: Database, cipher: Cipher) -> AsyncOAuthStateStore:
    return AsyncOAuthStateStore(database, cipher, real_now)


async def test_a_state_can_be_used_once(states: AsyncOAuthStateStore) -> None:
    """A second callback with the same state is refused."""
    state = await states.async_issue()

    assert await states.async_consume(state) is True
    assert await states.async_consume(state) is False


async def test_only_one_of_concurrent_callbacks_with_one_state_passes(states: AsyncOAuthStateStore) -> None:
    """The state is marked as used in one statement."""
    state = await states.async_issue()

    assert sorted(await asyncio.gather(*(states.async_consume(state) for _ in range(4)))) == [False, False, False, True]


@pytest.mark.parametrize("state", ["", "made-up", "'; DROP TABLE workspaces; --", "\N{SNOWMAN}"])
async def test_an_unknown_state_is_refused(states: AsyncOAuthStateStore, state: str) -> None:
    """Only issued states are accepted."""
    await states.async_issue()

    assert await states.async_consume(state) is False


async def test_an_expired_state_is_refused(database: Database, cipher: Cipher, states: AsyncOAuthStateStore) -> None:
    """After ten minutes the installation must be started again."""
    state = await states.async_issue()

    assert await AsyncOAuthStateStore(database, cipher, lambda: real_now() + 601_000).async_consume(state) is False


async def test_started_installations_store_nothing(database: Database, states: AsyncOAuthStateStore) -> None:
    """Anyone can start them, and must not push out the state of another person."""
    issued = [await states.async_issue() for _ in range(50)]

    def count(connection: Connection) -> int:
        return connection.execute(select(func.count()).select_from(slack_events)).scalar_one()

    assert await database.run(count) == 0
    assert await states.async_consume(issued[0]) is True


async def test_other_sealed_texts_are_no_states(cipher: Cipher, states: AsyncOAuthStateStore) -> None:
    """Neither an encrypted secret nor the token of another link works as a state."""
    assert await states.async_consume(cipher.encrypt('{"purpose": "slack-installation"}')) is False
    assert await states.async_consume(cipher.seal("default-channel", {})) is False


async def test_a_database_that_is_down_raises_its_own_error(cipher: Cipher) -> None:
    """It must not look like an invalid state."""
    database = Database("postgresql://nobody@127.0.0.1:1/none")
    states = AsyncOAuthStateStore(database, cipher, real_now)

    with pytest.raises(DatabaseUnavailableError):
        await states.async_consume(await states.async_issue())
    await database.close()
