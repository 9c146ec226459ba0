"""Tables of Salesforce: connections, apps, attempts to connect, and objects that job changes are imported from."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, Table, Text, UniqueConstraint

from store.schema.base import Milliseconds, RowId, metadata

salesforce_connections = Table(
    "salesforce_connections",
    metadata,
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True),
    Column("flow", Text, nullable=False),  # client_credentials | web_server
    Column("login_url", Text, nullable=False),
    Column("instance_url", Text),
    Column("access_token", Text),  # encrypted; null: none
    Column("refresh_token", Text),  # encrypted
    Column("client_id", Text),  # null: that of the operator, from the environment
    Column("client_secret", Text),  # encrypted
    Column("org_id", Text),
    Column("org_name", Text),
    Column("org_edition", Text),
    Column("is_sandbox", Boolean),
    Column("user_id", Text),
    Column("user_name", Text),
    Column("unreadable", Text),  # fields we may not read, shown to admins; routing works without them
    Column("problem", Text),  # what an admin must fix; null: no problem known
    Column("connected_by", Text),  # a Slack user id; null: the operator
    Column("connected_at", Milliseconds, nullable=False),
    Column("renewed_at", Milliseconds),
    Column("last_success_at", Milliseconds),
    Column("api_used", Integer),  # by all clients, in 24 hours, as Salesforce last reported
    Column("api_limit", Integer),
    Column("our_calls", Integer, nullable=False, server_default="0"),  # on the day of our_calls_day
    Column("our_calls_day", Integer, nullable=False, server_default="0"),  # days since the epoch, UTC
)

salesforce_apps = Table(  # an External Client App of the workspace, used instead of that of the operator
    "salesforce_apps",
    metadata,
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True),
    Column("client_id", Text, nullable=False),
    Column("client_secret", Text, nullable=False),  # encrypted
    Column("set_by", Text, nullable=False),
    Column("set_at", Milliseconds, nullable=False),
)

salesforce_attempts = Table(  # admins who are signing in at Salesforce to connect
    "salesforce_attempts",
    metadata,
    Column("state", Text, primary_key=True),  # the SHA-256 of the state that Salesforce returns
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), nullable=False),
    Column("user_id", Text, nullable=False),
    Column("browser", Text, nullable=False),  # the SHA-256 of the cookie of their browser
    Column("login_url", Text, nullable=False),
    Column("verifier", Text, nullable=False),  # encrypted
    Column("expires_at", Milliseconds, nullable=False),
)

salesforce_sources = Table(  # Salesforce objects that job changes are imported from
    "salesforce_sources",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),  # the preset or the object, unique in a workspace
    Column("sobject", Text, nullable=False),
    Column("definition", Text, nullable=False),  # JSON: condition and mapping
    Column("org_id", Text),  # the org it was made for
    Column("state", Text, nullable=False, server_default="active"),  # active | paused
    Column("since", Milliseconds, nullable=False),  # older changes are ignored
    Column("mark", Milliseconds, nullable=False),  # everything that changed before has been read; by Salesforce's clock
    Column("due_at", Milliseconds, nullable=False),  # when to query it again
    Column("failures", Integer, nullable=False, server_default="0"),  # in a row
    Column("looked_at", Milliseconds),
    Column("found", Integer, nullable=False, server_default="0"),
    Column("refused", Integer, nullable=False, server_default="0"),
    Column("refusal", Text),  # why the last one was refused
    Column("problem", Text),  # null: no problem known
    Column("made_by", Text, nullable=False),
    Column("made_at", Milliseconds, nullable=False),
    UniqueConstraint("workspace_id", "name"),
    Index("ix_salesforce_sources_due", "state", "due_at"),
)

salesforce_known_records = Table(  # records that matched before their source was started
    "salesforce_known_records",
    metadata,
    Column("source_id", RowId, ForeignKey("salesforce_sources.id", ondelete="CASCADE"), primary_key=True),
    Column("event_id", Text, primary_key=True),  # the values of the fields that identify the job change
)

salesforce_moves = Table(  # people who joined or left a company, and the object of the org that said so first
    "salesforce_moves",
    metadata,
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True),
    Column("key", Text, primary_key=True),  # a hash of person and company
    Column("source", Text, nullable=False),  # the name of the source
    Column("at", Milliseconds, nullable=False),
)
