"""OAuth states are good once and for a limited time, and do not pile up."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import Connection, func, select

from store.database import Database, DatabaseUnavailableError
from store.slack.oauth_states import AsyncOAuthStateStore
from store.slack.sdk_stores import oauth_states


@pytest.fixture
def states(database: Database) -> AsyncOAuthStateStore:
    return AsyncOAuthStateStore(database)


async def test_a_state_is_good_once(states: AsyncOAuthStateStore) -> None:
    """A second callback with the same state is refused."""
    state = await states.async_issue()

    assert await states.async_consume(state) is True
    assert await states.async_consume(state) is False


async def test_of_concurrent_callbacks_with_one_state_one_passes(states: AsyncOAuthStateStore) -> None:
    """The state is checked and deleted in one statement."""
    state = await states.async_issue()

    assert sorted(await asyncio.gather(*(states.async_consume(state) for _ in range(4)))) == [False, False, False, True]


@pytest.mark.parametrize("state", ["", "made-up", "'; DROP TABLE workspaces; --", "\N{SNOWMAN}"])
async def test_an_unknown_state_is_refused(states: AsyncOAuthStateStore, state: str) -> None:
    """Only issued states are accepted."""
    await states.async_issue()

    assert await states.async_consume(state) is False


async def test_an_expired_state_is_refused_and_deleted(database: Database) -> None:
    """The next issued state deletes it."""
    stale = await AsyncOAuthStateStore(database, seconds=-1).async_issue()
    states = AsyncOAuthStateStore(database)

    assert await states.async_consume(stale) is False
    await states.async_issue()

    def count(connection: Connection) -> int:
        return connection.execute(select(func.count()).select_from(oauth_states)).scalar_one()

    assert await database.run(count) == 1


async def test_the_oldest_states_are_deleted_above_the_limit(database: Database) -> None:
    """Anyone can start installations, so the table is bounded."""
    states = AsyncOAuthStateStore(database, most=3)
    issued = [await states.async_issue() for _ in range(6)]

    assert await states.async_consume(issued[0]) is False
    assert await states.async_consume(issued[-1]) is True


async def test_a_database_that_is_down_raises_its_own_error() -> None:
    """It must not look like an invalid state."""
    database = Database("postgresql://nobody@127.0.0.1:1/none")
    states = AsyncOAuthStateStore(database)

    with pytest.raises(DatabaseUnavailableError):
        await states.async_issue()
    with pytest.raises(DatabaseUnavailableError):
        await states.async_consume("any")
    await database.close()
