"""Every table, once: what the migrations build and what the statements are written against."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Milliseconds = BigInteger
"""Every time is whole milliseconds since the epoch, UTC: both databases compare and keep them alike."""

RowId = BigInteger().with_variant(Integer, "sqlite")
"""SQLite counts up by itself only on INTEGER."""

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

turns = Table(  # whose turn it is: fairness between workspaces, and one of us a workspace at a time
    "turns",
    metadata,
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True),
    Column("half", Text, primary_key=True),  # route | post | find
    Column("served_at", Milliseconds, nullable=False, server_default="0"),
    Column("lease_until", Milliseconds, nullable=False, server_default="0"),
    Column("lease", Text),  # who holds it; null: nobody
)

pauses = Table(  # a vendor asked us to wait, or keeps failing
    "pauses",
    metadata,
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True),
    Column("subject", Text, primary_key=True),  # slack, slack:chat.postMessage, salesforce, …
    Column("until", Milliseconds, nullable=False),
    Column("failures", Integer, nullable=False, server_default="0"),  # in a row; 0: it only asked us to wait
    Column("since", Milliseconds, nullable=False),  # the first of these failures
    Column("reason", Text, nullable=False, server_default=""),
)

job_changes = Table(
    "job_changes",
    metadata,
    Column("id", Text, primary_key=True),  # time-ordered
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), nullable=False),
    Column("key", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("payload", Text),  # the JobChange as JSON; null: erased
    Column("accepted_at", Milliseconds, nullable=False),
    Column("due_at", Milliseconds),  # when to route it; null: nothing to route
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("last_error", Text),
    Column("decision", Text),  # JSON: who was considered, in order, and what became of each; null: not routed yet
    Column("routed_at", Milliseconds),
    Column("outcome", Text),  # delivered | buried | muted; null: not ended yet
    Column("told", Text),  # of a delivered one: dri | channel
    Column("reason", Text),  # of a buried or muted one, or why the channel was told
    Column("ended_at", Milliseconds),
    Column("acted_at", Milliseconds),  # when somebody who was told last did something about it; null: nobody did
    UniqueConstraint("workspace_id", "key"),
    Index(
        "ix_job_changes_due",
        "workspace_id",
        "due_at",
        "id",
        sqlite_where=text("due_at IS NOT NULL"),
        postgresql_where=text("due_at IS NOT NULL"),
    ),
    Index(
        "ix_job_changes_open",
        "workspace_id",
        "accepted_at",
        sqlite_where=text("ended_at IS NULL"),
        postgresql_where=text("ended_at IS NULL"),
    ),
    Index("ix_job_changes_ended", "workspace_id", "ended_at", "outcome", "told"),
    Index(  # outcome first: SQLite would choose another index otherwise
        "ix_job_changes_buried",
        "outcome",
        "workspace_id",
        sqlite_where=text("outcome = 'buried'"),
        postgresql_where=text("outcome = 'buried'"),
    ),
)

day_counts = Table(  # how many job changes ended on a day that is over
    "day_counts",
    metadata,
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True),
    Column("day", Integer, primary_key=True),  # since the epoch, UTC
    Column("told_dri", Integer, nullable=False),
    Column("told_channel", Integer, nullable=False),
    Column("buried", Integer, nullable=False),
    Column("muted", Integer, nullable=False),
)

lanes = Table(
    "lanes",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), nullable=False),
    Column("destination", Text, nullable=False),  # a Slack user id, a channel id, or DEFAULT_CHANNEL
    # Pacing, Retry-After, back-off and lease in one: when this lane may post next. Null: empty, or parked.
    Column("due_at", Milliseconds),
    Column("paced_until", Milliseconds, nullable=False, server_default="0"),  # earliest next message, also when empty
    Column("lease", Text),
    Column("failures", Integer, nullable=False, server_default="0"),  # in a row
    Column("dm", Text),  # of a person's lane: the id of our direct message with them, once Slack has told it
    Column("kept_until", Milliseconds),  # until when its reader's preferences keep it; null, or past: they do not
    UniqueConstraint("workspace_id", "destination"),
    Index(
        "ix_lanes_due",
        "workspace_id",
        "due_at",
        "id",
        sqlite_where=text("due_at IS NOT NULL"),
        postgresql_where=text("due_at IS NOT NULL"),
    ),
)

posts = Table(  # one Slack message, written before it is sent
    "posts",
    metadata,
    Column("id", Text, primary_key=True),  # a UUID: the message's client_msg_id, and in its metadata
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), nullable=False),
    Column("lane_id", RowId, ForeignKey("lanes.id", ondelete="CASCADE"), nullable=False),
    Column("state", Text, nullable=False),  # sending | sent | failed
    Column("tries", Integer, nullable=False, server_default="1"),
    Column("doubts", Integer, nullable=False, server_default="0"),  # answers that left open whether it was performed
    Column("begun_at", Milliseconds, nullable=False),
    Column("tried_at", Milliseconds, nullable=False),
    Column("channel", Text),  # where Slack put it
    Column("ts", Text),
    Column("digest", Text),  # daily | weekly; null: it is none
    Index(
        "ix_posts_sending",
        "lane_id",
        sqlite_where=text("state = 'sending'"),
        postgresql_where=text("state = 'sending'"),
    ),
    Index("ix_posts_tried", "workspace_id", "tried_at"),
    Index("ix_posts_lane", "lane_id", "state", "tried_at"),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", RowId, primary_key=True),  # counts up: the order inside a lane
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), nullable=False),
    Column("job_change_id", Text, ForeignKey("job_changes.id", ondelete="CASCADE"), nullable=False),
    Column("lane_id", RowId, ForeignKey("lanes.id", ondelete="CASCADE"), nullable=False),
    Column("role", Text, nullable=False),  # dri | fallback | channel | copy: a copy never decides the outcome
    Column("reason", Text, nullable=False),  # why it comes here, as the message says it
    Column("side", Text),  # past | current | both: whose owner is told; null: what the change type suggests
    Column("state", Text, nullable=False),  # pending | sending | delivered | buried | moved
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("plainness", Integer, nullable=False, server_default="0"),  # 0 bundle, 1 alone, 2 plain text
    Column("post_id", Text, ForeignKey("posts.id", ondelete="SET NULL")),
    Column("last_error", Text),
    Column("created_at", Milliseconds, nullable=False),
    Column("settled_at", Milliseconds),
    UniqueConstraint("job_change_id", "lane_id"),
    Index("ix_deliveries_lane", "lane_id", "state", "id"),  # as good as the next one, which SQLite may pass over for it
    Index(
        "ix_deliveries_pending",
        "lane_id",
        "id",
        sqlite_where=text("state = 'pending'"),
        postgresql_where=text("state = 'pending'"),
    ),
    Index(
        "ix_deliveries_post",
        "post_id",
        sqlite_where=text("post_id IS NOT NULL"),
        postgresql_where=text("post_id IS NOT NULL"),
    ),
    Index(
        "ix_deliveries_buried",
        "workspace_id",
        "id",
        sqlite_where=text("state = 'buried'"),
        postgresql_where=text("state = 'buried'"),
    ),
)

trace = Table(  # what happened to a job change after it was routed, one row a step; only added to
    "trace",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("job_change_id", Text, ForeignKey("job_changes.id", ondelete="CASCADE"), nullable=False),
    Column("at", Milliseconds, nullable=False),
    Column("step", Text, nullable=False),
    Column("detail", Text, nullable=False, server_default=""),
    Index("ix_trace_job_change", "job_change_id", "id"),
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

mappings = Table(  # how a workspace reads the rows of a sender
    "mappings",
    metadata,
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True),
    Column("source", Text, primary_key=True),
    Column("definition", Text, nullable=False),  # JSON
    Column("made_by", Text, nullable=False),
    Column("made_at", Milliseconds, nullable=False),
)

intake_keys = Table(
    "intake_keys",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), nullable=False),
    Column("kind", Text, nullable=False),  # signing | bearer
    Column("secret", Text, nullable=False),  # signing: encrypted; bearer: its SHA-256
    Column("made_at", Milliseconds, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("expires_at", Milliseconds),  # null: in force; a rolled one stays good until then
    Index("ix_intake_keys_workspace", "workspace_id", "kind"),
)

imports = Table(  # how far the import of a file has come, until it has come to its end
    "imports",
    metadata,
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True),
    Column("digest", Text, primary_key=True),  # SHA-256 of the file and of how it is read
    Column("read", Integer, nullable=False),  # rows
    Column("accepted", Integer, nullable=False),
    Column("duplicate", Integer, nullable=False),
    Column("refused", Integer, nullable=False),
    Column("refused_bytes", BigInteger, nullable=False),  # size of the file of those refused
    Column("updated_at", Milliseconds, nullable=False),
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

audit = Table(
    "audit",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("workspace_id", Text, nullable=False),
    Column("at", Milliseconds, nullable=False),
    Column("actor", Text, nullable=False),  # a Slack user id, or operator
    Column("action", Text, nullable=False),
    Column("detail", Text, nullable=False, server_default=""),
    Index("ix_audit_workspace", "workspace_id", "id"),
)

ownership_rules = Table(  # published rule sets; the greatest version is in force, and none is ever changed
    "ownership_rules",
    metadata,
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("rules", Text, nullable=False),  # JSON
    Column("published_at", Milliseconds, nullable=False),
    Column("published_by", Text, nullable=False),  # a Slack user id, or operator
    Column("note", Text, nullable=False, server_default=""),
)

ownership_drafts = Table(  # what is being changed and not in force yet
    "ownership_drafts",
    metadata,
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True),
    Column(
        "revision", Integer, nullable=False
    ),  # grows with each change, so that nobody overwrites what they have not seen
    Column("based_on", Integer, nullable=False),  # the version it started from; 0: nothing was published
    Column("rules", Text, nullable=False),  # JSON
    Column("changed_at", Milliseconds, nullable=False),
    Column("changed_by", Text, nullable=False),
)

ownership_matching = Table(  # how owners are matched with Slack users beyond their e-mail address
    "ownership_matching",
    metadata,
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True),
    Column("email_field", Text),  # of Salesforce's User
    Column("alias_domains", Text, nullable=False, server_default="{}"),  # JSON: a domain, and the one Slack knows it by
)

ownership_links = Table(  # an owner whom an admin matched with a Slack user by hand
    "ownership_links",
    metadata,
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True),
    Column("owner", Text, primary_key=True),  # an e-mail address in lower case, or a Salesforce user id
    Column("user_id", Text, nullable=False),
    Column("linked_at", Milliseconds, nullable=False),
    Column("linked_by", Text, nullable=False),
)

ownership_unmatched = Table(  # what an owner without a Slack user has missed
    "ownership_unmatched",
    metadata,
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True),
    Column("owner", Text, primary_key=True),
    Column("job_change_id", Text, ForeignKey("job_changes.id", ondelete="CASCADE"), primary_key=True),
    Column("name", Text, nullable=False),
    Column("problem", Text, nullable=False),
    Column("why", Text, nullable=False),  # why it would have been theirs, as the message says it
    Column("side", Text),
    Column("seen_at", Milliseconds, nullable=False),
    Index("ix_ownership_unmatched_job_change", "job_change_id"),
)

ownership_pools = Table(  # whose turn it is
    "ownership_pools",
    metadata,
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True),
    Column("pool", Text, primary_key=True),
    Column("state", Text, nullable=False),  # JSON
)

ownership_accounts = Table(  # who of a pool has an account
    "ownership_accounts",
    metadata,
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True),
    Column("pool", Text, primary_key=True),
    Column("account", Text, primary_key=True),  # a Salesforce id, else a domain, else a name
    Column("member", Text, nullable=False),
    Column("taken_at", Milliseconds, nullable=False),
)

absences = Table(  # who is out of office
    "absences",
    metadata,
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", Text, primary_key=True),
    Column("since", Milliseconds, nullable=False),
    Column("until", Milliseconds),  # null: until they say so
    Column("delegate", Text),  # a Slack user id; null: nobody takes their place
)

mutes = Table(  # what a member does not want to hear
    "mutes",
    metadata,
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", Text, primary_key=True),
    Column("signal", Text, primary_key=True),  # or a change type, segment:… of an account, or *: every one
    Column("until", Milliseconds),  # null: until they say so
)

mute_limits = Table(  # what nobody in a workspace may mute
    "mute_limits",
    metadata,
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True),
    Column("what", Text, primary_key=True),  # as in mutes.signal, see store/ownership/muting.py
)

member_preferences = Table(  # when and how a member wants to be told, see domain/notification_hours.py
    "member_preferences",
    metadata,
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", Text, primary_key=True),
    Column("delivery", Text, nullable=False, server_default="direct"),  # direct | daily | weekly
    Column("digest_at", Integer, nullable=False, server_default="540"),  # minutes after midnight
    Column("weekday", Integer, nullable=False, server_default="0"),  # of a weekly digest; 0: Monday
    Column("quiet_from", Integer),  # minutes after midnight; null: there are no quiet hours
    Column("quiet_to", Integer),
    Column("quiet_weekends", Boolean, nullable=False, server_default=text("false")),
    Column("tz", Text),  # as Slack last told it; null: not known
    Column("changed_at", Milliseconds, nullable=False),
)

ownership_denials = Table(  # an owner of whom a member says that it is not them
    "ownership_denials",
    metadata,
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True),
    Column("owner", Text, primary_key=True),  # an e-mail address in lower case, or a Salesforce user id
    Column("user_id", Text, primary_key=True),
    Column("denied_at", Milliseconds, nullable=False),
)

handlings = Table(  # what came of a delivery after it was read; no row: nothing yet
    "handlings",
    metadata,
    Column("delivery_id", RowId, ForeignKey("deliveries.id", ondelete="CASCADE"), primary_key=True),
    Column("job_change_id", Text, ForeignKey("job_changes.id", ondelete="CASCADE"), nullable=False),
    Column("state", Text, nullable=False),  # open | taken | given | given_back
    Column("actor", Text),  # the Slack user who did it; null while open
    Column("at", Milliseconds),
    Column("given_to", Text),  # a Slack user
    Index("ix_handlings_job_change", "job_change_id", "delivery_id"),
)

laters = Table(  # deliveries that come back, once, because their reader asked
    "laters",
    metadata,
    Column("delivery_id", RowId, ForeignKey("deliveries.id", ondelete="CASCADE"), primary_key=True),
    Column("job_change_id", Text, ForeignKey("job_changes.id", ondelete="CASCADE"), nullable=False),
    Column("actor", Text, nullable=False),
    Column("due_at", Milliseconds),  # null: it came back
    Column("back_at", Milliseconds),
    Index("ix_laters_job_change", "job_change_id"),
    Index(
        "ix_laters_due",
        "due_at",
        sqlite_where=text("due_at IS NOT NULL"),
        postgresql_where=text("due_at IS NOT NULL"),
    ),
)

wrong_data = Table(  # what people say is wrong with a job change, one report each
    "wrong_data",
    metadata,
    Column("job_change_id", Text, ForeignKey("job_changes.id", ondelete="CASCADE"), primary_key=True),
    Column("actor", Text, primary_key=True),
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), nullable=False),
    Column("at", Milliseconds, nullable=False),
    Column("kind", Text, nullable=False),  # not_moved | wrong_person | wrong_job | old_news | other
    Column("words", Text),  # their own; null: none, or erased
    Index("ix_wrong_data_workspace", "workspace_id", "at"),
)

earlier_posts = Table(  # messages that carried a delivery before it was told again
    "earlier_posts",
    metadata,
    Column("post_id", Text, ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True),
    Column("delivery_id", RowId, ForeignKey("deliveries.id", ondelete="CASCADE"), primary_key=True),
    Index("ix_earlier_posts_delivery", "delivery_id"),
)

redraws = Table(  # messages that do not show yet what the rows say
    "redraws",
    metadata,
    Column("post_id", Text, ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True),
    Column("version", Integer, nullable=False),  # grows whenever there is more to show
    Column("due_at", Milliseconds, nullable=False),  # schedule, retry time and lease in one
    Column("lease", Text),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Index("ix_redraws_due", "due_at"),
)

reminders = Table(  # what was told to somebody who is to be reminded while nothing comes of it, once
    "reminders",
    metadata,
    Column("delivery_id", RowId, ForeignKey("deliveries.id", ondelete="CASCADE"), primary_key=True),
    Column("job_change_id", Text, ForeignKey("job_changes.id", ondelete="CASCADE"), nullable=False),
    Column("told_at", Milliseconds, nullable=False),
    Column("hours", Integer, nullable=False),  # working hours of its reader to wait, each time
    Column("due_at", Milliseconds),  # when to look, and lease in one; null: there is nothing more to do
    Column("lease", Text),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("begun_at", Milliseconds),  # when we set out to remind: written before Slack is called
    Column("reminded_at", Milliseconds),
    Column("escalated_at", Milliseconds),
    Column("escalated_to", Text),  # a destination
    Index("ix_reminders_job_change", "job_change_id"),
    Index(
        "ix_reminders_due",
        "due_at",
        sqlite_where=text("due_at IS NOT NULL"),
        postgresql_where=text("due_at IS NOT NULL"),
    ),
)

notices = Table(  # what somebody who looks after the app is told of it, in a direct message that is kept up to date
    "notices",
    metadata,
    Column("id", Text, primary_key=True),  # a UUID: the message's client_msg_id, and in its metadata
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), nullable=False),
    Column("kind", Text, nullable=False),  # see services/messages/notice_text.py
    Column("user_id", Text, nullable=False),
    Column("made_at", Milliseconds, nullable=False),
    Column("due_at", Milliseconds),  # when to look at it (again), and lease in one; null: it stays as it is
    Column("lease", Text),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("begun_at", Milliseconds),  # written before it is sent
    Column("channel", Text),  # where Slack put it
    Column("ts", Text),
    Column("shown", Text),  # a digest of what it says
    Index("ix_notices_workspace", "workspace_id", "kind"),
    Index(
        "ix_notices_due",
        "due_at",
        sqlite_where=text("due_at IS NOT NULL"),
        postgresql_where=text("due_at IS NOT NULL"),
    ),
)
