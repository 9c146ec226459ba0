"""The state that decisions depend on: turns in pools, sticky accounts, absences, mutes, and recent deliveries."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, bindparam, delete, func, null, or_, select, update

from domain.day_counts import DAY_MS
from domain.people import Absence
from domain.rule_versions import PoolAssignment
from domain.states import Role
from store.schema import (
    PENDING,
    absences,
    deliveries,
    lanes,
    mute_limits,
    mutes,
    ownership_accounts,
    ownership_pools,
    posts,
)
from store.schema.lists import one_of
from store.schema.upserts import insert_missing, put


@dataclass(frozen=True)
class ChoiceState:
    """
    The state of a workspace before a batch.

    `pools` holds the state of each pool as JSON. `delegates` holds the delegates of absent people, by Slack user.
    `recent_counts` is the number of job changes in the last 24 hours by Slack user; it is empty unless requested.
    `muted` holds users with what they mute, see muting.py; `required` is what is delivered even if it is muted.
    """

    pools: Mapping[str, str] = field(default_factory=dict)
    delegates: Mapping[str, str | None] = field(default_factory=dict)
    recent_counts: Mapping[str, int] = field(default_factory=dict)
    muted: frozenset[tuple[str, str]] = frozenset()
    required: frozenset[str] = frozenset()


_accounts = select(ownership_accounts.c.pool, ownership_accounts.c.account, ownership_accounts.c.member).where(
    # Not as pairs: SQLite would then read all rows of the workspace. Other combinations are filtered out afterwards.
    ownership_accounts.c.workspace_id == bindparam("of_workspace"),
    one_of(ownership_accounts.c.pool, "pools"),
    one_of(ownership_accounts.c.account, "accounts"),
)
_pools = select(ownership_pools.c.pool, ownership_pools.c.state).where(
    ownership_pools.c.workspace_id == bindparam("of_workspace")
)
_away = select(absences.c.user_id, absences.c.delegate).where(
    absences.c.workspace_id == bindparam("of_workspace"),
    absences.c.since <= bindparam("now"),
    or_(absences.c.until.is_(None), absences.c.until > bindparam("now")),
)
_muted = (  # required notifications are in it without a user
    select(mutes.c.user_id, mutes.c.signal)
    .where(
        mutes.c.workspace_id == bindparam("of_workspace"),
        or_(mutes.c.until.is_(None), mutes.c.until > bindparam("now")),
    )
    .union_all(select(null(), mute_limits.c.what).where(mute_limits.c.workspace_id == bindparam("of_workspace")))
)


def load(connection: Connection, workspace_id: str, now: int, *, count_recent: bool) -> ChoiceState:
    """The state of a workspace. `count_recent` is needed if the rules have a daily limit per person."""
    parameters = {"of_workspace": workspace_id, "now": now}
    muted = connection.execute(_muted, parameters).all()
    since = {"of_workspace": workspace_id, "since": now - DAY_MS}
    recent = connection.execute(_recent, since).all() if count_recent else ()
    return ChoiceState(
        pools={row.pool: row.state for row in connection.execute(_pools, {"of_workspace": workspace_id})},
        delegates={row.user_id: row.delegate for row in connection.execute(_away, parameters)},
        recent_counts={row.destination: row.recent for row in recent},
        muted=frozenset((row.user_id, row.signal) for row in muted if row.user_id is not None),
        required=frozenset(row.signal for row in muted if row.user_id is None),
    )


_planned = (deliveries.c.role == Role.DRI) & (deliveries.c.created_at > bindparam("since"))
_posted = (  # found by their posts: no post was tried before its deliveries were created
    select(deliveries.c.lane_id)
    .join(posts, posts.c.id == deliveries.c.post_id)
    .where(posts.c.workspace_id == bindparam("of_workspace"), posts.c.tried_at > bindparam("since"), _planned)
)
_waiting = (
    select(deliveries.c.lane_id)
    .join(lanes, lanes.c.id == deliveries.c.lane_id)
    .where(
        lanes.c.workspace_id == bindparam("of_workspace"),
        deliveries.c.state == PENDING,
        _planned,
    )
)
_recent_lanes = _posted.union_all(_waiting).subquery()
_recent = (
    select(lanes.c.destination, func.count().label("recent"))
    .join(_recent_lanes, _recent_lanes.c.lane_id == lanes.c.id)
    .group_by(lanes.c.destination)
)


def accounts(
    connection: Connection, workspace_id: str, wanted: Collection[tuple[str, str]]
) -> dict[tuple[str, str], str]:
    """The pool members who hold these accounts, by pool and account."""
    if not wanted:
        return {}
    pools, names = ({pair[place] for pair in wanted} for place in (0, 1))
    parameters = {"of_workspace": workspace_id, "pools": sorted(pools), "accounts": sorted(names)}
    rows = connection.execute(_accounts, parameters)
    return {(pool, account): member for pool, account, member in rows if (pool, account) in wanted}


_set_pool = (
    update(ownership_pools)
    .where(ownership_pools.c.workspace_id == bindparam("of_workspace"), ownership_pools.c.pool == bindparam("of_pool"))
    .values(state=bindparam("new_state"))
)
_set_account = (
    update(ownership_accounts)
    .where(
        ownership_accounts.c.workspace_id == bindparam("of_workspace"),
        ownership_accounts.c.pool == bindparam("of_pool"),
        ownership_accounts.c.account == bindparam("of_account"),
    )
    .values(member=bindparam("new_member"), taken_at=bindparam("at"))
)


def advance(
    connection: Connection,
    workspace_id: str,
    pools: Mapping[str, str],
    assignments: Sequence[PoolAssignment],
    now: int,
) -> None:
    """Store the state of pools after a batch, in the transaction that settles it."""
    if pools:
        rows = [{"of_workspace": workspace_id, "of_pool": pool, "new_state": pools[pool]} for pool in sorted(pools)]
        missing = insert_missing(connection, ownership_pools, "workspace_id", "pool")
        new = missing.values(
            workspace_id=bindparam("of_workspace"), pool=bindparam("of_pool"), state=bindparam("new_state")
        )
        connection.execute(new, rows)
        connection.execute(_set_pool, rows)
    if assignments:
        account_rows = [
            {
                "of_workspace": workspace_id,
                "of_pool": assignment.pool,
                "of_account": assignment.account,
                "new_member": assignment.member,
                "at": now,
            }
            for assignment in sorted(assignments, key=lambda assignment: (assignment.pool, assignment.account))
        ]
        missing = insert_missing(connection, ownership_accounts, "workspace_id", "pool", "account").values(
            workspace_id=bindparam("of_workspace"),
            pool=bindparam("of_pool"),
            account=bindparam("of_account"),
            member=bindparam("new_member"),
            taken_at=bindparam("at"),
        )
        connection.execute(missing, account_rows)
        connection.execute(_set_account, account_rows)


def set_absence(
    connection: Connection, workspace_id: str, user_id: str, since: int, until: int | None, delegate: str | None
) -> None:
    """Set a member out of office. `until` None means until they end it; `delegate` None means none."""
    key = {"workspace_id": workspace_id, "user_id": user_id}
    put(connection, absences, key | {"since": since, "until": until, "delegate": delegate}, *key)


def absence_of(connection: Connection, workspace_id: str, user_id: str, now: int) -> Absence | None:
    """The current or next absence."""
    of_member = (absences.c.workspace_id == workspace_id) & (absences.c.user_id == user_id)
    not_over = or_(absences.c.until.is_(None), absences.c.until > now)
    columns = (absences.c[name] for name in Absence.__dataclass_fields__)
    row = connection.execute(select(*columns).where(of_member, not_over)).one_or_none()
    return Absence(*row) if row else None


def end_absence(connection: Connection, workspace_id: str, user_id: str) -> None:
    """End a member's absence."""
    of_member = (absences.c.workspace_id == workspace_id) & (absences.c.user_id == user_id)
    connection.execute(delete(absences).where(of_member))


def mute(connection: Connection, workspace_id: str, user_id: str, signal: str, until: int | None = None) -> None:
    """Mute a signal, a change type, a segment, or * for everything. `until` None means until it is unmuted."""
    key = {"workspace_id": workspace_id, "user_id": user_id, "signal": signal}
    put(connection, mutes, key | {"until": until}, *key)


def unmute(connection: Connection, workspace_id: str, user_id: str, signal: str) -> None:
    of_mute = (mutes.c.workspace_id == workspace_id) & (mutes.c.user_id == user_id) & (mutes.c.signal == signal)
    connection.execute(delete(mutes).where(of_mute))
