"""Which events of Slack were handled. Slack sends an event again, with the same event_id, after a slow response."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Concatenate, ParamSpec

from sqlalchemy import Connection, delete

from store.schema import slack_events
from store.schema.upserts import insert_missing

P = ParamSpec("P")
Once = Callable[..., Awaitable[bool]]
"""`once` for one event, without the connection, the event and the time."""


def first_seen(connection: Connection, event_id: str, now: int) -> bool:
    """Mark an event as seen, and return whether it was new."""
    insert = insert_missing(connection, slack_events, "event_id").values(event_id=event_id, seen_at=now)
    # On PostgreSQL, the rowcount of an INSERT is not reliable.
    return connection.execute(insert.returning(slack_events.c.event_id)).one_or_none() is not None


def once(
    connection: Connection,
    event_id: str | None,
    now: int,
    act: Callable[Concatenate[Connection, P], object],
    *args: P.args,
    **kwargs: P.kwargs,
) -> bool:
    """
    Call `act(connection, …)` unless this event was seen before, and return whether it was called.

    Both happen in one transaction, so an event during which the process died is handled when Slack sends it again. An
    event without an id is always handled.
    """
    if event_id is not None and not first_seen(connection, event_id, now):
        return False
    act(connection, *args, **kwargs)
    return True


def prune(connection: Connection, before: int) -> int:
    """Delete the events seen before this time, and return how many there were. Slack repeats an event for a day."""
    return connection.execute(delete(slack_events).where(slack_events.c.seen_at < before)).rowcount
