"""slack_sdk's tables in our metadata, and what its stores need to work inside our transactions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from slack_sdk.oauth.installation_store.sqlalchemy import SQLAlchemyInstallationStore
from slack_sdk.oauth.state_store.sqlalchemy import SQLAlchemyOAuthStateStore
from sqlalchemy import Column, ColumnElement, Connection, String, Table, Text, and_, or_

from store.schema import metadata

__all__ = ["SECRET_COLUMNS", "OpenTransaction", "bots", "installations", "is_of", "metadata", "oauth_states"]

SECRET_COLUMNS = frozenset(
    {"bot_token", "bot_refresh_token", "user_token", "user_refresh_token", "incoming_webhook_url"}
)
"""The columns that are encrypted at rest."""


@dataclass(frozen=True)
class OpenTransaction:
    """Replaces the Engine of a slack_sdk store, so that the store works in a transaction that is already open."""

    connection: Connection

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        yield self.connection

    connect = begin


def _without_lengths(table: Table) -> Table:
    # Ciphertext is longer than the String(200) of a token, and Slack promises no maximum length for its ids.
    for column in table.columns:
        if isinstance(column.type, String):
            column.type = Text()
    return table


installations = _without_lengths(SQLAlchemyInstallationStore.build_installations_table(metadata, "slack_installations"))
bots = _without_lengths(SQLAlchemyInstallationStore.build_bots_table(metadata, "slack_bots"))
oauth_states = _without_lengths(SQLAlchemyOAuthStateStore.build_oauth_states_table(metadata, "slack_oauth_states"))


def is_of(table: Table, workspace_id: str | Column[str]) -> ColumnElement[bool]:
    """Whether a row of `bots` or `installations` belongs to this workspace, or organization with an org-wide token."""
    org_wide = and_(table.c.team_id.is_(None), table.c.enterprise_id == workspace_id)
    return or_(table.c.team_id == workspace_id, org_wide)
