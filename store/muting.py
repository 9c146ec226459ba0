"""What a member does not want to hear of any more, and taking that back."""

from __future__ import annotations

from sqlalchemy import Connection, or_, select

from store import choosing
from store.acting import Delivery
from store.schema import mutes
from store.trace import Step, add_steps


def muted(connection: Connection, workspace_id: str, user_id: str, now: int) -> frozenset[str]:
    """The signals and change types that this Slack user has muted; * stands for all."""
    mine = (mutes.c.workspace_id == workspace_id) & (mutes.c.user_id == user_id)
    in_force = or_(mutes.c.until.is_(None), mutes.c.until > now)
    return frozenset(connection.execute(select(mutes.c.signal).where(mine, in_force)).scalars())


def mute(connection: Connection, delivery: Delivery, user_id: str, what: str, now: int) -> None:
    """*what*: a signal or a change type; the trace of the job change says that it was the last straw."""
    choosing.mute(connection, delivery.workspace_id, user_id, what)
    add_steps(connection, [Step(delivery.job_change_id, now, "muted", f"{what}, by {user_id}")])


def unmute(connection: Connection, delivery: Delivery, user_id: str, what: str, now: int) -> None:
    choosing.unmute(connection, delivery.workspace_id, user_id, what)
    add_steps(connection, [Step(delivery.job_change_id, now, "unmuted", f"{what}, by {user_id}")])
