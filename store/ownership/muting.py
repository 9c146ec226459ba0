"""What members do not want to hear of, and what nobody may mute, as their workspace has it."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, bindparam, delete, insert, or_, select

from domain.audit import AuditEntry
from domain.delivery import Delivery, TraceStep
from domain.preferences import SEGMENT
from domain.states import Step
from store import audit
from store.database import insert_missing
from store.delivery.trace import add_steps
from store.ownership import choice_state
from store.schema import mute_limits, mutes

_segments = (
    select(mutes.c.signal)
    .where(mutes.c.workspace_id == bindparam("of_workspace"), mutes.c.signal.startswith(SEGMENT))
    .union(
        select(mute_limits.c.what).where(
            mute_limits.c.workspace_id == bindparam("of_workspace"), mute_limits.c.what.startswith(SEGMENT)
        )
    )
)


def muted(connection: Connection, workspace_id: str, user_id: str, now: int) -> frozenset[str]:
    """What this Slack user has muted, also where that is without effect because nobody may."""
    mine = (mutes.c.workspace_id == workspace_id) & (mutes.c.user_id == user_id)
    in_force = or_(mutes.c.until.is_(None), mutes.c.until > now)
    return frozenset(connection.execute(select(mutes.c.signal).where(mine, in_force)).scalars())


def segments(connection: Connection, workspace_id: str) -> frozenset[str]:
    """The segments that anybody has muted, or nobody may, without SEGMENT: what must be known of accounts."""
    found = connection.execute(_segments, {"of_workspace": workspace_id}).scalars()
    return frozenset(what.removeprefix(SEGMENT) for what in found)


def mute(connection: Connection, delivery: Delivery, user_id: str, what: str, now: int) -> None:
    """*what*: a signal or a change type; the trace of the job change says that it was the last straw."""
    choice_state.mute(connection, delivery.workspace_id, user_id, what)
    add_steps(connection, [TraceStep(delivery.job_change_id, now, Step.MUTED, f"{what}, by {user_id}")])


def unmute(connection: Connection, delivery: Delivery, user_id: str, what: str, now: int) -> None:
    """As `mute`, undone; both are steps of the trace."""
    choice_state.unmute(connection, delivery.workspace_id, user_id, what)
    add_steps(connection, [TraceStep(delivery.job_change_id, now, Step.UNMUTED, f"{what}, by {user_id}")])


def mute_only(connection: Connection, workspace_id: str, user_id: str, chosen: Collection[str]) -> None:
    """All that this Slack user does not want to hear of from now on."""
    mine = (mutes.c.workspace_id == workspace_id) & (mutes.c.user_id == user_id)
    connection.execute(delete(mutes).where(mine, mutes.c.signal.not_in(chosen)))
    rows = [{"workspace_id": workspace_id, "user_id": user_id, "signal": what} for what in sorted(chosen)]
    if rows:
        connection.execute(insert_missing(connection, mutes, "workspace_id", "user_id", "signal"), rows)


def limits(connection: Connection, workspace_id: str) -> frozenset[str]:
    """What nobody may mute."""
    mine = mute_limits.c.workspace_id == workspace_id
    return frozenset(connection.execute(select(mute_limits.c.what).where(mine)).scalars())


def limit(connection: Connection, workspace_id: str, chosen: Collection[str], change: AuditEntry) -> None:
    """All that nobody may mute from now on; what is muted already is without effect while it stands here."""
    connection.execute(delete(mute_limits).where(mute_limits.c.workspace_id == workspace_id))
    if chosen:
        rows = [{"workspace_id": workspace_id, "what": what} for what in sorted(chosen)]
        connection.execute(insert(mute_limits), rows)
    audit.record(connection, workspace_id, change)
