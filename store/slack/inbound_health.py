"""What the rows tell of Slack that Slack cannot be asked: signs of life, and of a switch that is off."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, literal, select, update

from domain.states import DeliveryState
from store.database import insert_missing
from store.schema import deliveries, lanes, slack_signs

GENUINE, EVENT, REFUSED = "genuine", "event", "refused"
"""Slack's signature was right; so it was, and it was an event; it looked like one, and was not right."""


# Literally, or SQLite could not use the indexes over those that wait and those that are buried.
_PENDING, _BURIED = (literal(state, literal_execute=True) for state in (DeliveryState.PENDING, DeliveryState.FAILED))


@dataclass(frozen=True)
class InboundHealth:
    """When each last came, in milliseconds; None: it never did."""

    genuine: int | None = None
    event: int | None = None
    refused: int | None = None


def record(connection: Connection, sign: str, now: int) -> None:
    """*sign*: one of those above."""
    connection.execute(insert_missing(connection, slack_signs, "sign").values(sign=sign, at=now))
    connection.execute(update(slack_signs).where(slack_signs.c.sign == sign).values(at=now))


def read(connection: Connection) -> InboundHealth:
    return InboundHealth(**{row.sign: row.at for row in connection.execute(select(slack_signs))})


def has_failed_with(connection: Connection, workspace_id: str, words: str) -> bool:
    """Whether a delivery that waits, or is buried, failed last with an error that has these words in it."""
    failed = select(deliveries.c.id).where(deliveries.c.last_error.contains(words, autoescape=True)).limit(1)
    buried = failed.where(deliveries.c.workspace_id == workspace_id, deliveries.c.state == _BURIED)
    waiting = failed.join(lanes, lanes.c.id == deliveries.c.lane_id).where(
        lanes.c.workspace_id == workspace_id, deliveries.c.state == _PENDING
    )
    return any(connection.execute(stuck).one_or_none() is not None for stuck in (buried, waiting))
