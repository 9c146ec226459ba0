"""Tables of Slack: workspaces, members, and the events that were seen."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, Table, Text, text

from store.schema.base import Milliseconds, metadata

workspaces = Table(
    "workspaces",
    metadata,
    Column("id", Text, primary_key=True),  # Slack's team id; of an org-wide install the enterprise id
    Column("enterprise_id", Text),
    Column("is_enterprise_install", Boolean, nullable=False),
    Column("name", Text, nullable=False),
    Column("state", Text, nullable=False),  # active | gone
    Column("installer_user_id", Text),
    Column("bot_user_id", Text),
    Column("scopes", Text, nullable=False, server_default=""),  # granted, comma-separated
    Column("installed_at", Milliseconds, nullable=False),
    Column("gone_at", Milliseconds),
    # Preferences. `version` grows with each change, so that nobody overwrites what they have not seen.
    Column("version", Integer, nullable=False, server_default="0"),
    Column("default_channel_id", Text),
    Column("default_channel_name", Text),
    Column("default_channel_problem", Text),  # why it cannot be posted to; null: no trouble known
    Column("default_channel_is_public", Boolean),  # as when it was chosen; null: chosen before that was remembered
    Column("channel_gets", Text, nullable=False, server_default="unmatched"),  # unmatched | everything
    Column("tell_dris", Boolean, nullable=False, server_default=text("true")),
    Column("posts_per_minute", Integer, nullable=False, server_default="300"),
    Column("salesforce_patience_minutes", Integer, nullable=False, server_default="15"),
    Column("salesforce_daily_calls", Integer, nullable=False, server_default="5000"),  # our share of the org's limit
    Column("reminder_hours", Integer, nullable=False, server_default="0"),  # working hours; 0: nobody is reminded
    Column("reminder_escalation", Text, nullable=False, server_default="nobody"),  # manager | channel | nobody
    Column("signal_channels", Text, nullable=False, server_default="{}"),  # JSON: a signal, and its own channel
    Column("retention_days", Integer),  # shorter than the operator's; null: as the operator has it
    # Notices that are given once: a JSON object of notice name to the time it was given.
    Column("notices", Text, nullable=False, server_default="{}"),
)

members = Table(  # which Slack user an e-mail address is, or why it is nobody who can be told
    "members",
    metadata,
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True),
    Column("email", Text, primary_key=True),  # lower case
    Column("user_id", Text),  # null: not in Slack
    Column("problem", Text),  # not_in_slack | deactivated | bot | guest | stranger; null: can be told
    Column("checked_at", Milliseconds, nullable=False),
    Column("expires_at", Milliseconds, nullable=False),
    Index("ix_members_user", "workspace_id", "user_id"),
)

slack_events = Table(  # Slack repeats an event it got no quick answer to
    "slack_events",
    metadata,
    Column("event_id", Text, primary_key=True),
    Column("seen_at", Milliseconds, nullable=False),
    Index("ix_slack_events_seen", "seen_at"),
)

slack_signs = Table(  # when Slack was last heard, to the minute: what tells the doctor whether it reaches us
    "slack_signs",
    metadata,
    Column("sign", Text, primary_key=True),  # genuine | event | refused
    Column("at", Milliseconds, nullable=False),
)
