"""What the rows tell of Slack that Slack cannot be asked: signs of life, and of a switch that is off."""

from __future__ import annotations

from sqlalchemy import Connection, func, or_, select

from store.deliveries import BURIED, PENDING
from store.schema import deliveries, slack_events


def last_slack_event(connection: Connection) -> int | None:
    """When the last genuine event of Slack's came, in milliseconds; None: none in two days."""
    last: int | None = connection.execute(select(func.max(slack_events.c.seen_at))).scalar()
    return last


def has_failed_with(connection: Connection, workspace_id: str, words: str) -> bool:
    """Whether a delivery that waits, or is buried, failed last with an error that has these words in it."""
    stuck = or_(deliveries.c.state == PENDING, deliveries.c.state == BURIED)
    failed = select(deliveries.c.id).where(
        deliveries.c.workspace_id == workspace_id, stuck, deliveries.c.last_error.contains(words, autoescape=True)
    )
    return connection.execute(failed.limit(1)).one_or_none() is not None
