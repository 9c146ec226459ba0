"""Which queues have work that is due, in one statement for all of them and for all workspaces."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import BindParameter, Connection, bindparam, exists, select

from domain.salesforce import ACTIVE
from domain.states import WorkspaceState
from store.delivery.webhooks import is_open
from store.schema import (
    directory_listings,
    job_changes,
    lanes,
    laters,
    notices,
    redraws,
    reminders,
    salesforce_sources,
    webhook_events,
    webhooks,
    workspaces,
)


class Queue(StrEnum):
    """What a loop of the worker works through."""

    JOB_CHANGES = "job_changes"
    LANES = "lanes"
    MESSAGES = "messages"  # messages to redraw, and snoozed deliveries
    NOTICES = "notices"
    REMINDERS = "reminders"
    SOURCES = "sources"
    DIRECTORIES = "directories"  # listings of members
    WEBHOOKS = "webhooks"  # events for outgoing webhooks


_now: BindParameter[int] = bindparam("now")
_job_change = exists().where(job_changes.c.workspace_id == workspaces.c.id, job_changes.c.due_at <= _now)
_lane = exists().where(lanes.c.workspace_id == workspaces.c.id, lanes.c.due_at <= _now)
_event = exists().where(webhook_events.c.workspace_id == webhooks.c.workspace_id, webhook_events.c.due_at <= _now)
_is_active = workspaces.c.state == WorkspaceState.ACTIVE
_has_due = {
    # By workspace, as these tables have an index that begins with it.
    Queue.JOB_CHANGES: exists().where(_is_active, _job_change),
    Queue.LANES: exists().where(_is_active, _lane),
    Queue.MESSAGES: exists().where(redraws.c.due_at <= _now) | exists().where(laters.c.due_at <= _now),
    Queue.NOTICES: exists().where(notices.c.due_at <= _now),
    Queue.REMINDERS: exists().where(reminders.c.due_at <= _now),
    Queue.DIRECTORIES: exists().where(directory_listings.c.due_at <= _now),
    Queue.WEBHOOKS: exists().where(is_open, _event),
    Queue.SOURCES: exists().where(salesforce_sources.c.state == ACTIVE, salesforce_sources.c.due_at <= _now),
}
_due = select(*(has_due.label(queue) for queue, has_due in _has_due.items()))


def due_queues(connection: Connection, now: int) -> set[Queue]:
    """Return the queues with work that is due. Not all of it may be free or allowed now."""
    row = connection.execute(_due, {"now": now}).one()
    return {queue for queue, has_due in zip(_has_due, row, strict=True) if has_due}
