"""Slack's OAuth states: slack_sdk's own store, inside our transactions and off the loop."""

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
"""How long somebody may think about Slack's consent page."""

MOST_STATES = 10_000
"""How many may be thinking at once. Anybody can start an installation, so the table must not grow with those who do."""

log = logging.getLogger(__name__)


class _States(SQLAlchemyOAuthStateStore):
    """slack_sdk's store on our table."""

    def __init__(self, engine: Engine, seconds: int, most: int) -> None:
        super().__init__(seconds, engine, logger=log)
        self.oauth_states = oauth_states
        self.most = most

    def issue(self, *args: object, **kwargs: object) -> str:
        """A new state; those that nobody came back with are swept out."""
        last = select(func.max(oauth_states.c.id)).scalar_subquery()
        old = or_(oauth_states.c.expire_at <= _utc_now(), oauth_states.c.id <= last - self.most)
        with self.engine.begin() as connection:
            connection.execute(delete(oauth_states).where(old))
        state: str = super().issue(*args, **kwargs)
        return state

    def consume(self, state: str) -> bool:
        # One statement, so that of two callbacks with one state only one passes, and a database that is down is not
        # mistaken for a state that is wrong.
        mine = and_(oauth_states.c.state == state, oauth_states.c.expire_at > _utc_now())
        with self.engine.begin() as connection:
            return bool(connection.execute(delete(oauth_states).where(mine)).rowcount)


class AsyncOAuthStateStore(SlackAsyncOAuthStateStore):
    """Who started an installation may finish it, once. Both methods raise DatabaseUnavailableError."""

    def __init__(self, database: Database, seconds: int = STATE_SECONDS, most: int = MOST_STATES) -> None:
        """*seconds*: how long a state is good; *most*: how many are, the newest."""
        self._database = database
        self._store = _States(database.engine, seconds, most)

    @property
    def logger(self) -> logging.Logger:
        return log

    async def async_issue(self, *_args: object, **_kwargs: object) -> str:
        return await self._database.run(lambda connection: self._within(connection).issue())

    async def async_consume(self, state: str) -> bool:
        """False: made up, used before, or too old."""
        return await self._database.run(lambda connection: self._within(connection).consume(state))

    def _within(self, connection: Connection) -> _States:
        store = copy(self._store)
        store.engine = cast("Engine", OpenTransaction(connection))
        return store


def _utc_now() -> datetime:
    # As slack_sdk writes expire_at: UTC, without saying so.
    return datetime.now(UTC).replace(tzinfo=None)
