"""Which of Slack's events were seen: it repeats one that it got no quick answer to, with the same event_id."""

from __future__ import annotations

from collections.abc import Callable
from typing import Concatenate, ParamSpec

from sqlalchemy import Connection, delete

from store.database import insert_missing
from store.schema import slack_events

P = ParamSpec("P")


def first_seen(connection: Connection, event_id: str, now: int) -> bool:
    """True for the first who brings this event, and False from then on."""
    insert = insert_missing(connection, slack_events, "event_id").values(event_id=event_id, seen_at=now)
    # The rowcount of an INSERT says nothing on PostgreSQL.
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
    Call `act(connection, …)` unless this event was seen before; whether it was called.

    One transaction holds both, so an event that we died over is acted on when Slack repeats it. None as *event_id*:
    an event that cannot be told from another is acted on.
    """
    if event_id is not None and not first_seen(connection, event_id, now):
        return False
    act(connection, *args, **kwargs)
    return True


def prune(connection: Connection, before: int) -> int:
    """Forget the events seen before that moment; how many. Slack repeats itself for a day at most."""
    return connection.execute(delete(slack_events).where(slack_events.c.seen_at < before)).rowcount
