"""Tables of Slack: workspaces, members, and received events."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, Table, Text, false, text

from store.schema.base import Milliseconds, metadata

workspaces = Table(
    "workspaces",
    metadata,
    Column("id", Text, primary_key=True),  # the team id; up to version 0.2 the organization's, if installed org-wide
    Column("team_id", Text),  # the team id, if `id` is that of the organization; null: `id`, or not known yet
    Column("enterprise_id", Text),
    Column("is_enterprise_install", Boolean, nullable=False),  # whether calls use the token of the organization
    Column("name", Text, nullable=False),
    Column("state", Text, nullable=False),  # active | gone
    Column("installer_user_id", Text),
    Column("bot_user_id", Text),
    Column("scopes", Text, nullable=False, server_default=""),  # granted, comma-separated
    Column("installed_at", Milliseconds, nullable=False),
    Column("gone_at", Milliseconds),
    Column("gone_because", Text),  # an event or error code of Slack, see SURE_SIGNS; null: not known
    Column("token_ends_at", Milliseconds),  # when its token ends; null: it is renewed in time, or never ends
    # Preferences. `version` grows with each change, to detect conflicting changes.
    Column("version", Integer, nullable=False, server_default="0"),
    Column("default_channel_id", Text),
    Column("default_channel_name", Text),
    Column("default_channel_problem", Text),  # why it cannot be posted to; null: no problem known
    Column("default_channel_is_public", Boolean),  # when it was chosen; null: not known
    Column("channel_gets", Text, nullable=False, server_default="unmatched"),  # unmatched | everything
    Column("tell_dris", Boolean, nullable=False, server_default=text("true")),
    Column("posts_per_minute", Integer, nullable=False, server_default="300"),
    Column("salesforce_patience_minutes", Integer, nullable=False, server_default="15"),
    # The most API calls we make a day.
    Column("salesforce_daily_calls", Integer, nullable=False, server_default="5000"),
    Column("reminder_hours", Integer, nullable=False, server_default="0"),  # working hours; 0: no reminders
    Column("reminder_escalation", Text, nullable=False, server_default="nobody"),  # manager | channel | nobody
    Column("signal_channels", Text, nullable=False, server_default="{}"),  # JSON: channels by signal
    Column("card_buttons", Text, nullable=False, server_default="[]"),  # JSON, see domain/messages/card_buttons.py
    Column("card_buttons_problem", Text),  # why Slack refuses those that start a workflow; null: no problem known
    Column("merge_reports", Boolean, nullable=False, server_default=text("true")),  # one move from two senders
    Column("retention_days", Integer),  # shorter than that of the operator; null: that of the operator
    Column("url", Text),  # the address of the workspace at Slack, for links to messages; null: not known yet
    # Notices that are sent once: a JSON object with the times by their names.
    Column("notices", Text, nullable=False, server_default="{}"),
)

first_workspace = Table(  # the workspace that was installed first, kept even if it is erased
    "first_workspace",
    metadata,
    Column("slot", Integer, primary_key=True, autoincrement=False),  # always 1
    Column("workspace_id", Text, nullable=False),
)

members = Table(  # the Slack user of an email address, or why there is none who can be notified
    "members",
    metadata,
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True),
    Column("email", Text, primary_key=True),  # lower case
    Column("user_id", Text),  # null: not in Slack
    Column("problem", Text),  # not_in_slack | deactivated | bot | guest | stranger; null: can be notified
    Column("checked_at", Milliseconds, nullable=False),
    Column("expires_at", Milliseconds, nullable=False),
    Index("ix_members_user", "workspace_id", "user_id"),
)

directory_listings = Table(  # listing all members of a large workspace, a page at a time
    "directory_listings",
    metadata,
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True),
    Column("began_at", Milliseconds, nullable=False),
    Column("due_at", Milliseconds, nullable=False),  # schedule and lease in one
    Column("lease", Text),
    Column("cursor", Text),  # Slack's, of the next page; null: the first one
    Column("pages", Integer, nullable=False, server_default="0"),  # read in this round
    Column("has_emails", Boolean, nullable=False, server_default=false()),  # whether any user came with an address
    Column("finished_at", Milliseconds),  # the end of the latest complete round
    Index("ix_directory_listings_due", "due_at"),
)

slack_events = Table(  # events that were handled; Slack repeats one that is not answered quickly
    "slack_events",
    metadata,
    Column("event_id", Text, primary_key=True),
    Column("seen_at", Milliseconds, nullable=False),
    Index("ix_slack_events_seen", "seen_at"),
)

slack_signs = Table(  # when a request from Slack last arrived, to the minute, for the doctor
    "slack_signs",
    metadata,
    Column("sign", Text, primary_key=True),  # genuine | event | refused
    Column("at", Milliseconds, nullable=False),
)
