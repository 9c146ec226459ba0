"""slack_sdk's own tables on our metadata, so that the migrations know them; where they are used: installations.py."""

from __future__ import annotations

from slack_sdk.oauth.installation_store.sqlalchemy import SQLAlchemyInstallationStore
from slack_sdk.oauth.state_store.sqlalchemy import SQLAlchemyOAuthStateStore
from sqlalchemy import String, Table, Text

from store.schema import metadata

__all__ = ["SECRET_COLUMNS", "bots", "installations", "metadata", "oauth_states"]

SECRET_COLUMNS = frozenset(
    {"bot_token", "bot_refresh_token", "user_token", "user_refresh_token", "incoming_webhook_url"}
)
"""The columns that are encrypted at rest."""


def _without_lengths(table: Table) -> Table:
    # Ciphertext is longer than the String(200) of a token, and no id of Slack's has a promised length.
    for column in table.columns:
        if isinstance(column.type, String):
            column.type = Text()
    return table


installations = _without_lengths(SQLAlchemyInstallationStore.build_installations_table(metadata, "slack_installations"))
bots = _without_lengths(SQLAlchemyInstallationStore.build_bots_table(metadata, "slack_bots"))
oauth_states = _without_lengths(SQLAlchemyOAuthStateStore.build_oauth_states_table(metadata, "slack_oauth_states"))
