"""Tables behind App Home: the preferences of members."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Integer, Table, Text, text

from store.schema.base import Milliseconds, metadata

absences = Table(  # who is out of office
    "absences",
    metadata,
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", Text, primary_key=True),
    Column("since", Milliseconds, nullable=False),
    Column("until", Milliseconds),  # null: until they end it
    Column("delegate", Text),  # a Slack user id; null: no delegate
)

mutes = Table(  # what a member does not want to be notified about
    "mutes",
    metadata,
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", Text, primary_key=True),
    Column("signal", Text, primary_key=True),  # or a change type, segment:… of an account, or * for everything
    Column("until", Milliseconds),  # null: until they end it
)

mute_limits = Table(  # required notifications: what nobody in a workspace may mute
    "mute_limits",
    metadata,
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True),
    Column("what", Text, primary_key=True),  # as in mutes.signal, see store/ownership/muting.py
)

member_preferences = Table(  # when and how a member wants to be notified, see domain/notification_hours.py
    "member_preferences",
    metadata,
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", Text, primary_key=True),
    Column("delivery", Text, nullable=False, server_default="direct"),  # direct | daily | weekly
    Column("digest_at", Integer, nullable=False, server_default="540"),  # minutes after midnight
    Column("weekday", Integer, nullable=False, server_default="0"),  # of a weekly digest; 0: Monday
    Column("quiet_from", Integer),  # minutes after midnight; null: no quiet hours
    Column("quiet_to", Integer),
    Column("quiet_weekends", Boolean, nullable=False, server_default=text("false")),
    Column("tz", Text),  # as Slack last reported it; null: not known
    Column("changed_at", Milliseconds, nullable=False),
)
