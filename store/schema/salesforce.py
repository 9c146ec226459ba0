"""Tables of Salesforce: connections, apps, attempts to connect and sources."""

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
    Column("access_token", Text),  # encrypted; null: none yet, or let go
    Column("refresh_token", Text),  # encrypted
    Column("client_id", Text),  # null: the operator's, from the environment
    Column("client_secret", Text),  # encrypted
    Column("org_id", Text),
    Column("org_name", Text),
    Column("org_edition", Text),
    Column("is_sandbox", Boolean),
    Column("user_id", Text),
    Column("user_name", Text),
    Column("unreadable", Text),  # what we may not read, told to the admin; routing goes on without; null: nothing known
    Column("problem", Text),  # what an admin must mend; null: no trouble known
    Column("connected_by", Text),  # a Slack user id; null: the operator
    Column("connected_at", Milliseconds, nullable=False),
    Column("renewed_at", Milliseconds),
    Column("last_success_at", Milliseconds),
    Column("api_used", Integer),  # by everybody, in 24 hours, as Salesforce last told
    Column("api_limit", Integer),
    Column("our_calls", Integer, nullable=False, server_default="0"),  # on the day of our_calls_day
    Column("our_calls_day", Integer, nullable=False, server_default="0"),  # days since the epoch, UTC
)

salesforce_apps = Table(  # a workspace's own External Client App, where it does not use the operator's
    "salesforce_apps",
    metadata,
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True),
    Column("client_id", Text, nullable=False),
    Column("client_secret", Text, nullable=False),  # encrypted
    Column("set_by", Text, nullable=False),
    Column("set_at", Milliseconds, nullable=False),
)

salesforce_attempts = Table(  # an admin has gone to Salesforce to connect, and is not back yet
    "salesforce_attempts",
    metadata,
    Column("state", Text, primary_key=True),  # the SHA-256 of what Salesforce hands back
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), nullable=False),
    Column("user_id", Text, nullable=False),
    Column("browser", Text, nullable=False),  # the SHA-256 of the cookie of the browser that went
    Column("login_url", Text, nullable=False),
    Column("verifier", Text, nullable=False),  # encrypted
    Column("expires_at", Milliseconds, nullable=False),
)

salesforce_sources = Table(  # where job changes are found in Salesforce itself
    "salesforce_sources",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),  # which preset, or the object: a workspace has one of each
    Column("sobject", Text, nullable=False),
    Column("definition", Text, nullable=False),  # JSON: condition and mapping
    Column("org_id", Text),  # the org it was made for
    Column("state", Text, nullable=False, server_default="active"),  # active | paused
    Column("since", Milliseconds, nullable=False),  # nothing older is told
    Column("mark", Milliseconds, nullable=False),  # all changed before it, by Salesforce's clock, has been seen
    Column("due_at", Milliseconds, nullable=False),  # when to look again
    Column("failures", Integer, nullable=False, server_default="0"),  # in a row
    Column("looked_at", Milliseconds),
    Column("found", Integer, nullable=False, server_default="0"),
    Column("refused", Integer, nullable=False, server_default="0"),
    Column("refusal", Text),  # why the last of those refused was
    Column("problem", Text),  # null: no trouble known
    Column("made_by", Text, nullable=False),
    Column("made_at", Milliseconds, nullable=False),
    UniqueConstraint("workspace_id", "name"),
    Index("ix_salesforce_sources_due", "state", "due_at"),
)
