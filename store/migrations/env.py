"""What Alembic runs around the migrations: they use the connection that `upgrade` was given."""

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
