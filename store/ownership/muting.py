"""What members mute, and the notifications that a workspace requires."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, bindparam, delete, insert, or_, select

from domain.audit import AuditEntry
from domain.delivery import Delivery, TraceStep
from domain.preferences import SEGMENT
from domain.states import Step
from store import audit
from store.delivery.trace import add_steps
from store.ownership import choice_state
from store.schema import mute_limits, mutes
from store.schema.upserts import insert_missing

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
    """What this Slack user has muted, including mutes that have no effect because the notifications are required."""
    of_member = (mutes.c.workspace_id == workspace_id) & (mutes.c.user_id == user_id)
    in_force = or_(mutes.c.until.is_(None), mutes.c.until > now)
    return frozenset(connection.execute(select(mutes.c.signal).where(of_member, in_force)).scalars())


def segments(connection: Connection, workspace_id: str) -> frozenset[str]:
    """The account segments, without SEGMENT, that anyone has muted or that are required, so they must be looked up."""
    names = connection.execute(_segments, {"of_workspace": workspace_id}).scalars()
    return frozenset(name.removeprefix(SEGMENT) for name in names)


def mute(connection: Connection, delivery: Delivery, user_id: str, name: str, now: int, *, muted: bool) -> None:
    """Mute (or unmute) a signal or a change type from a message. The trace of its job change gets a step."""
    change, step = (choice_state.mute, Step.MUTED) if muted else (choice_state.unmute, Step.UNMUTED)
    change(connection, delivery.workspace_id, user_id, name)
    add_steps(connection, [TraceStep(delivery.job_change_id, now, step, f"{name}, by {user_id}")])


def set_mutes(connection: Connection, workspace_id: str, user_id: str, chosen: Collection[str]) -> None:
    """Replace everything that this Slack user has muted."""
    of_member = (mutes.c.workspace_id == workspace_id) & (mutes.c.user_id == user_id)
    connection.execute(delete(mutes).where(of_member, mutes.c.signal.not_in(chosen)))
    rows = [{"workspace_id": workspace_id, "user_id": user_id, "signal": name} for name in sorted(chosen)]
    if rows:
        connection.execute(insert_missing(connection, mutes, "workspace_id", "user_id", "signal"), rows)


def required(connection: Connection, workspace_id: str) -> frozenset[str]:
    """The notifications that members cannot mute."""
    of_workspace = mute_limits.c.workspace_id == workspace_id
    return frozenset(connection.execute(select(mute_limits.c.what).where(of_workspace)).scalars())


def set_required(connection: Connection, workspace_id: str, chosen: Collection[str], change: AuditEntry) -> None:
    """Replace the required notifications. Existing mutes of them are kept, and have no effect."""
    connection.execute(delete(mute_limits).where(mute_limits.c.workspace_id == workspace_id))
    if chosen:
        rows = [{"workspace_id": workspace_id, "what": name} for name in sorted(chosen)]
        connection.execute(insert(mute_limits), rows)
    audit.record(connection, workspace_id, change)
