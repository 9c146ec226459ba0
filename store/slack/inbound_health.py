"""When signed requests of Slack last arrived, and whether messages failed with a given error code."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, literal, select, update

from domain.states import DeliveryState
from store.schema import PENDING, deliveries, lanes, slack_signs
from store.schema.upserts import insert_missing

GENUINE, EVENT, REFUSED = "genuine", "event", "refused"
"""A request with a valid signature, such a request with an event, and a request whose signature was not valid."""

_FAILED = literal(DeliveryState.FAILED, literal_execute=True)
"""A literal, like PENDING."""


@dataclass(frozen=True)
class InboundHealth:
    """When a request of each kind last arrived, in milliseconds. None means never."""

    genuine: int | None = None
    event: int | None = None
    refused: int | None = None


def record(connection: Connection, kind: str, now: int) -> None:
    """Store that a request arrived now. `kind` is GENUINE, EVENT or REFUSED."""
    connection.execute(insert_missing(connection, slack_signs, "sign").values(sign=kind, at=now))
    connection.execute(update(slack_signs).where(slack_signs.c.sign == kind).values(at=now))


def read(connection: Connection) -> InboundHealth:
    return InboundHealth(**{row.sign: row.at for row in connection.execute(select(slack_signs))})


def has_failed_with(connection: Connection, workspace_id: str, code: str) -> bool:
    """Whether the last error of any pending or failed delivery has this code of Slack."""
    with_error = select(deliveries.c.id).where(deliveries.c.last_code == code).limit(1)
    failed = with_error.where(deliveries.c.workspace_id == workspace_id, deliveries.c.state == _FAILED)
    pending = with_error.join(lanes, lanes.c.id == deliveries.c.lane_id).where(
        lanes.c.workspace_id == workspace_id, deliveries.c.state == PENDING
    )
    return any(connection.execute(query).one_or_none() is not None for query in (failed, pending))
