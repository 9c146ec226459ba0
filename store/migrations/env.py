"""The environment of Alembic: migrations run on the connection that was passed to `upgrade`."""

from __future__ import annotations

from alembic import context

from store.slack.sdk_stores import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite cannot alter a column in place
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
