"""Outgoing webhooks: where each workspace wants its events, and the events that wait to be sent."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from sqlalchemy import Connection, Insert, Text, bindparam, delete, exists, literal, select, update

from domain.job_change.model import TEST_SOURCE
from domain.states import Step, WorkspaceState
from domain.workspace import OutgoingWebhook, WebhookEvent
from store.leases import LeaseQueue
from store.schema import job_changes, webhook_events, webhooks, workspaces
from store.schema.lists import one_of
from store.schema.upserts import insert_missing, put

_EVENTS: Mapping[str, WebhookEvent] = {
    Step.TAKEN: WebhookEvent.TAKEN,
    Step.REASSIGNED: WebhookEvent.REASSIGNED,
    Step.DONE: WebhookEvent.DONE,
    Step.NOT_RELEVANT: WebhookEvent.DONE,
    Step.REPORTED: WebhookEvent.WRONG_DATA,
}
"""What people do, as events."""


@dataclass(frozen=True)
class ClaimedEvent:
    """An event, claimed under `lease`, with the webhook that it is for. `id` is the same in each attempt."""

    id: str
    job_change_id: str
    event: WebhookEvent
    at: int
    lease: str
    webhook: OutgoingWebhook


_wanted = (
    select(
        job_changes.c.id + bindparam("suffix", type_=Text),
        job_changes.c.workspace_id,
        job_changes.c.id,
        bindparam("event", type_=webhook_events.c.event.type),
        bindparam("at", type_=webhook_events.c.at.type),
        bindparam("at", type_=webhook_events.c.at.type),
    )
    .join(webhooks, webhooks.c.workspace_id == job_changes.c.workspace_id)
    .where(
        one_of(job_changes.c.id, "ids"),
        job_changes.c.source != literal(TEST_SOURCE),
        webhooks.c.off_at.is_(None),
        webhooks.c.events.bitwise_and(bindparam("event")) != 0,
    )
)


@cache  # building the statement costs more than running it
def _insert_wanted(insert: Insert) -> Insert:
    return insert.from_select(("id", "workspace_id", "job_change_id", "event", "at", "due_at"), _wanted)


def queue(connection: Connection, event: WebhookEvent, job_change_ids: Collection[str], at: int) -> None:
    """
    Queue an event of these job changes, in the transaction in which it happens. Tests are not reported.

    Nothing is queued for a workspace without a webhook. Call this last, because lanes are locked before job changes.
    """
    if job_change_ids:
        insert = _insert_wanted(insert_missing(connection, webhook_events, "id"))
        values = {"event": event.value, "suffix": f"_{(event.name or '').lower()}_{at}", "at": at}
        connection.execute(insert, values | {"ids": sorted(set(job_change_ids))})


def queue_action(connection: Connection, step: str, job_change_id: str, at: int) -> None:
    """Queue what a person did, if it is an event."""
    if event := _EVENTS.get(step):
        queue(connection, event, [job_change_id], at)


_COLUMNS = [webhooks.c[name] for name in OutgoingWebhook.__dataclass_fields__]
_find = select(*_COLUMNS).where(webhooks.c.workspace_id == bindparam("of_workspace"))


def find(connection: Connection, workspace_id: str) -> OutgoingWebhook | None:
    row = connection.execute(_find, {"of_workspace": workspace_id}).one_or_none()
    return _webhook(row) if row else None


def _webhook(columns: Sequence[Any]) -> OutgoingWebhook:
    webhook = OutgoingWebhook(*columns)
    return replace(webhook, events=WebhookEvent(webhook.events))


def save(connection: Connection, webhook: OutgoingWebhook) -> None:
    """Store the webhook of a workspace, which is on from now."""
    values = vars(webhook) | {"events": webhook.events.value, "paused_until": 0}
    put(connection, webhooks, values, "workspace_id")


def remove(connection: Connection, workspace_id: str) -> bool:
    """Delete the webhook with everything that waits. Return False if there was none."""
    return bool(connection.execute(delete(webhooks).where(webhooks.c.workspace_id == workspace_id)).rowcount)


EVENTS = LeaseQueue(webhook_events, webhook_events.c.id, webhook_events.c.due_at)
is_open = webhooks.c.off_at.is_(None) & (webhooks.c.paused_until <= bindparam("now"))
"""Whether a webhook may be called now."""

_open = select(webhooks.c.workspace_id).where(
    is_open, exists().where(workspaces.c.id == webhooks.c.workspace_id, workspaces.c.state == WorkspaceState.ACTIVE)
)
_due = EVENTS.due(
    select(*(webhook_events.c[name] for name in ("id", "job_change_id", "event", "at")), *_COLUMNS)
    .join(webhooks, webhooks.c.workspace_id == webhook_events.c.workspace_id)
    .where(webhook_events.c.workspace_id.in_(_open))
)


def claim(connection: Connection, now: int, lease_ms: int, most: int) -> list[ClaimedEvent]:
    """Claim the events that have been due for longest, of the webhooks that may be called now."""
    rows, lease = EVENTS.claim(connection, _due, now, lease_ms, most)
    return [
        ClaimedEvent(row.id, row.job_change_id, WebhookEvent(row.event), row.at, lease.token, _webhook(row[4:]))
        for row in rows
    ]


def settle_sent(connection: Connection, event: ClaimedEvent) -> None:
    """Delete an event that was sent, or whose job change is gone."""
    EVENTS.drop(connection, event.id, event.lease)
    if event.webhook.failures:
        of_workspace = webhooks.c.workspace_id == event.webhook.workspace_id
        connection.execute(update(webhooks).where(of_workspace).values(failures=0, paused_until=0))


def postpone(connection: Connection, event: ClaimedEvent, due_at: int) -> None:
    """Try again at `due_at`, and call the webhook for no other event before."""
    if EVENTS.give_back(connection, event.id, event.lease, due_at):
        of_workspace = webhooks.c.workspace_id == event.webhook.workspace_id
        values = {"failures": event.webhook.failures + 1, "paused_until": due_at}
        connection.execute(update(webhooks).where(of_workspace).values(values))


def switch_off(connection: Connection, event: ClaimedEvent, because: str, now: int) -> None:
    """Stop calling the webhook, and forget what waits. Nothing changes if an admin has changed it meanwhile."""
    is_same = (webhooks.c.workspace_id == event.webhook.workspace_id) & (webhooks.c.url == event.webhook.url)
    values = {"off_at": now, "off_because": because}
    if connection.execute(update(webhooks).where(is_same, webhooks.c.off_at.is_(None)).values(values)).rowcount:
        of_workspace = webhook_events.c.workspace_id == event.webhook.workspace_id
        connection.execute(delete(webhook_events).where(of_workspace))
