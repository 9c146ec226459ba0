"""Tables of the engine: routing turns, lanes, posts, deliveries, redraws and reminders."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, Table, Text, UniqueConstraint, literal, text

from domain.states import DeliveryState
from store.schema.base import Milliseconds, RowId, metadata, reasons_of

turns = Table(  # fair turns between workspaces, and one process at a time for each of them
    "turns",
    metadata,
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True),
    Column("half", Text, primary_key=True),  # route | post | find | renew
    Column("served_at", Milliseconds, nullable=False, server_default="0"),
    Column("lease_until", Milliseconds, nullable=False, server_default="0"),
    Column("lease", Text),  # null: nobody holds it
)

pauses = Table(  # an API that asked us to wait, or that keeps failing
    "pauses",
    metadata,
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True),
    Column("subject", Text, primary_key=True),  # slack, slack:chat.postMessage, salesforce, …
    Column("until", Milliseconds, nullable=False),
    Column("failures", Integer, nullable=False, server_default="0"),  # in a row; 0: it asked us to wait
    Column("since", Milliseconds, nullable=False),  # the first of these failures
    Column("reason", Text, nullable=False, server_default=""),
)

lanes = Table(
    "lanes",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), nullable=False),
    Column("destination", Text, nullable=False),  # a Slack user id, a channel id, or DEFAULT_CHANNEL
    # Pace, Retry-After, backoff and lease in one: when this lane may post next. Null: empty, or parked.
    Column("due_at", Milliseconds),
    # The earliest time of the next message, even while the lane is empty.
    Column("paced_until", Milliseconds, nullable=False, server_default="0"),
    Column("lease", Text),
    Column("failures", Integer, nullable=False, server_default="0"),  # in a row
    Column("dm", Text),  # of a person: the id of our direct message with them, once it is known
    Column("kept_until", Milliseconds),  # until when the hours of its reader hold it back; null or past: not held back
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

posts = Table(  # one Slack message; the row is written before the message is sent
    "posts",
    metadata,
    Column("id", Text, primary_key=True),  # a UUID: the client_msg_id of the message, and in its metadata
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), nullable=False),
    Column("lane_id", RowId, ForeignKey("lanes.id", ondelete="CASCADE"), nullable=False),
    Column("state", Text, nullable=False),  # sending | sent | failed
    Column("tries", Integer, nullable=False, server_default="1"),
    Column("doubts", Integer, nullable=False, server_default="0"),  # ambiguous answers
    Column("begun_at", Milliseconds, nullable=False),
    Column("tried_at", Milliseconds, nullable=False),
    Column("channel", Text),  # where Slack posted it
    Column("ts", Text),
    Column("digest", Text),  # daily | weekly; null: not a digest
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
    Column("id", RowId, primary_key=True),  # ascending: the order inside a lane
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), nullable=False),
    Column("job_change_id", Text, ForeignKey("job_changes.id", ondelete="CASCADE"), nullable=False),
    Column("lane_id", RowId, ForeignKey("lanes.id", ondelete="CASCADE"), nullable=False),
    Column("role", Text, nullable=False),  # dri | fallback | channel | copy; a copy never decides the outcome
    Column("reason", Text, nullable=False),  # the same as a sentence, for processes of the version before
    Column("reasons", Text),  # JSON: why it is delivered here; null: only the sentence was stored
    Column("side", Text),  # past | current | both: whose owner is notified; null: as the change type suggests
    Column("state", Text, nullable=False),  # pending | sending | delivered | buried | moved
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("plainness", Integer, nullable=False, server_default="0"),  # 0: may be bundled, 1: alone, 2: plain text
    Column("post_id", Text, ForeignKey("posts.id", ondelete="SET NULL")),
    Column("last_error", Text),
    Column("last_code", Text),  # Slack's code of that error; null: none
    Column("created_at", Milliseconds, nullable=False),
    Column("settled_at", Milliseconds),
    Column("rule", Text),  # the key of the rule that chose the lane; empty: none matched; null: not in the scorecard
    UniqueConstraint("job_change_id", "lane_id"),
    Index("ix_deliveries_lane", "lane_id", "state", "id"),  # SQLite may prefer it to the next one, which is as good
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

PENDING = literal(DeliveryState.PENDING, literal_execute=True)
"""A literal, because SQLite does not use a partial index for a bound parameter."""

delivery_reasons = reasons_of(deliveries.c.reasons, deliveries.c.reason)
"""The column that says why a delivery goes to its destination."""

rule_results = Table(  # what became of the deliveries that rules have chosen, for the scorecard
    "rule_results",
    metadata,
    Column("delivery_id", RowId, ForeignKey("deliveries.id", ondelete="CASCADE"), primary_key=True),
    Column("workspace_id", Text, nullable=False),  # no key refers to workspaces, whose rows are locked before lanes
    Column("rule", Text, nullable=False),
    Column("sent_at", Milliseconds, nullable=False),  # the first time
    Column("acted_at", Milliseconds),  # when a person first acted on the job change, in whichever message
    Column("not_mine", Integer, nullable=False, server_default="0"),  # 1: its reader said so
    Column("wrong_data", Integer, nullable=False, server_default="0"),  # 1: a person reported wrong data
    # With everything that is counted, so that counting reads no rows.
    Index("ix_rule_results_sent", "workspace_id", "sent_at", "rule", "acted_at", "not_mine", "wrong_data"),
)

trace = Table(  # what happened to a job change after it was routed; rows are only added
    "trace",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("job_change_id", Text, ForeignKey("job_changes.id", ondelete="CASCADE"), nullable=False),
    Column("at", Milliseconds, nullable=False),
    Column("step", Text, nullable=False),  # see Step in domain/states.py; older rows hold other words
    Column("detail", Text, nullable=False, server_default=""),
    Index("ix_trace_job_change", "job_change_id", "id"),
)

earlier_posts = Table(  # messages that carried a delivery before it was sent again
    "earlier_posts",
    metadata,
    Column("post_id", Text, ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True),
    Column("delivery_id", RowId, ForeignKey("deliveries.id", ondelete="CASCADE"), primary_key=True),
    Index("ix_earlier_posts_delivery", "delivery_id"),
)

redraws = Table(  # messages that have to be updated in Slack
    "redraws",
    metadata,
    Column("post_id", Text, ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True),
    Column("version", Integer, nullable=False),  # grows with each change
    Column("due_at", Milliseconds, nullable=False),  # schedule, retry time and lease in one
    Column("lease", Text),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Index("ix_redraws_due", "due_at"),
)

reminders = Table(  # deliveries whose reader is reminded once if they do not act
    "reminders",
    metadata,
    Column("delivery_id", RowId, ForeignKey("deliveries.id", ondelete="CASCADE"), primary_key=True),
    Column("job_change_id", Text, ForeignKey("job_changes.id", ondelete="CASCADE"), nullable=False),
    Column("told_at", Milliseconds, nullable=False),  # when it was delivered
    # Working hours to wait before the reminder, and again before the escalation.
    Column("hours", Integer, nullable=False),
    Column("due_at", Milliseconds),  # schedule and lease in one; null: finished
    Column("lease", Text),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("begun_at", Milliseconds),  # written before Slack is called
    Column("post_id", Text),  # a UUID: the client_msg_id of its message, and in its metadata
    Column("thread_ts", Text),  # of the message to which it is a reply; null: it is none
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

webhooks = Table(  # where a workspace wants its events; see OutgoingWebhook in domain/workspace.py
    "webhooks",
    metadata,
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True),
    Column("url", Text, nullable=False),  # encrypted
    Column("secret", Text, nullable=False),  # encrypted
    Column("host", Text, nullable=False),
    Column("events", Integer, nullable=False),  # the sum of WebhookEvents
    Column("failures", Integer, nullable=False, server_default="0"),  # since the last attempt that worked
    Column("paused_until", Milliseconds, nullable=False, server_default="0"),  # no attempt before
    Column("off_at", Milliseconds),  # null: it is on
    Column("off_because", Text),
    Column("old_secret", Text),  # encrypted; it also signs until the time below
    Column("old_secret_until", Milliseconds),
)

webhook_events = Table(  # what waits to be sent; a row is deleted once it is sent
    "webhook_events",
    metadata,
    Column("id", Text, primary_key=True),  # the webhook-id
    # No key refers to workspaces, whose rows are locked before lanes.
    Column("workspace_id", Text, ForeignKey("webhooks.workspace_id", ondelete="CASCADE"), nullable=False),
    Column("job_change_id", Text, ForeignKey("job_changes.id", ondelete="CASCADE"), nullable=False),
    Column("event", Integer, nullable=False),  # a WebhookEvent
    Column("at", Milliseconds, nullable=False),
    Column("due_at", Milliseconds, nullable=False),  # schedule and lease in one
    Column("lease", Text),
    Index("ix_webhook_events_due", "workspace_id", "due_at"),
    Index("ix_webhook_events_job_change", "job_change_id"),
)
