"""OAuth states of installations: slack_sdk's store, used in our transactions."""

from __future__ import annotations

import logging
from copy import copy
from datetime import UTC, datetime
from typing import cast

from slack_sdk.oauth.state_store.async_state_store import AsyncOAuthStateStore as SlackAsyncOAuthStateStore
from slack_sdk.oauth.state_store.sqlalchemy import SQLAlchemyOAuthStateStore
from sqlalchemy import Connection, Engine, and_, delete, func, or_, select

from store.database import Database
from store.slack.sdk_stores import OpenTransaction, oauth_states

STATE_SECONDS = 600
"""How long a person may take on Slack's consent page."""

MOST_STATES = 10_000
"""The most states that are kept. Anyone can start an installation, so the table must be bounded."""

log = logging.getLogger(__name__)


class _States(SQLAlchemyOAuthStateStore):
    """slack_sdk's store with our table."""

    def __init__(self, engine: Engine, seconds: int, most: int) -> None:
        super().__init__(seconds, engine, logger=log)
        self.oauth_states = oauth_states
        self.most = most

    def issue(self, *args: object, **kwargs: object) -> str:
        """Return a new state, and delete those that have expired."""
        last = select(func.max(oauth_states.c.id)).scalar_subquery()
        old = or_(oauth_states.c.expire_at <= _utc_now(), oauth_states.c.id <= last - self.most)
        with self.engine.begin() as connection:
            connection.execute(delete(oauth_states).where(old))
        state: str = super().issue(*args, **kwargs)
        return state

    def consume(self, state: str) -> bool:
        # One statement, so that a state is good for one callback only. A database that is down raises an error, and is
        # not mistaken for an invalid state.
        mine = and_(oauth_states.c.state == state, oauth_states.c.expire_at > _utc_now())
        with self.engine.begin() as connection:
            return bool(connection.execute(delete(oauth_states).where(mine)).rowcount)


class AsyncOAuthStateStore(SlackAsyncOAuthStateStore):
    """States that are good for one callback. Both methods raise DatabaseUnavailableError."""

    def __init__(self, database: Database, seconds: int = STATE_SECONDS, most: int = MOST_STATES) -> None:
        """A state is good for this many seconds. The newest `most` states are kept."""
        self._database = database
        self._store = _States(database.engine, seconds, most)

    @property
    def logger(self) -> logging.Logger:
        return log

    async def async_issue(self, *_args: object, **_kwargs: object) -> str:
        return await self._database.run(lambda connection: self._within(connection).issue())

    async def async_consume(self, state: str) -> bool:
        """Return False if the state is unknown, was used before, or has expired."""
        return await self._database.run(lambda connection: self._within(connection).consume(state))

    def _within(self, connection: Connection) -> _States:
        store = copy(self._store)
        store.engine = cast("Engine", OpenTransaction(connection))
        return store


def _utc_now() -> datetime:
    # slack_sdk stores expire_at as a naive datetime in UTC.
    return datetime.now(UTC).replace(tzinfo=None)
