"""What choosing remembers between batches: whose turn it is, who has which account, who is away or has had enough."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, bindparam, delete, func, literal, null, or_, select, update

from domain.people import Absence
from domain.rule_versions import PoolAssignment
from domain.states import DeliveryState, Role
from store.database import insert_missing, put
from store.schema import absences, deliveries, lanes, mute_limits, mutes, ownership_accounts, ownership_pools, posts

DAY_MS = 24 * 60 * 60 * 1000


@dataclass(frozen=True)
class State:
    """
    How it stands before a batch. *pools*: the state of each as JSON. *delegates*: of those who are away, by Slack user.

    *told*: by Slack user, how many job changes in 24 hours; empty unless asked for. *muted*: users with what they do
    not want to hear of, see store/ownership/muting.py; *unmutable*: what they hear of all the same.
    """

    pools: Mapping[str, str] = field(default_factory=dict)
    delegates: Mapping[str, str | None] = field(default_factory=dict)
    told: Mapping[str, int] = field(default_factory=dict)
    muted: frozenset[tuple[str, str]] = frozenset()
    unmutable: frozenset[str] = frozenset()


_accounts = select(ownership_accounts.c.pool, ownership_accounts.c.account, ownership_accounts.c.member).where(
    # Not as pairs: SQLite would read all of the workspace's for them. What matches besides is passed over.
    ownership_accounts.c.workspace_id == bindparam("of_workspace"),
    ownership_accounts.c.pool.in_(bindparam("pools", expanding=True)),
    ownership_accounts.c.account.in_(bindparam("accounts", expanding=True)),
)
_pools = select(ownership_pools.c.pool, ownership_pools.c.state).where(
    ownership_pools.c.workspace_id == bindparam("of_workspace")
)
_away = select(absences.c.user_id, absences.c.delegate).where(
    absences.c.workspace_id == bindparam("of_workspace"),
    absences.c.since <= bindparam("now"),
    or_(absences.c.until.is_(None), absences.c.until > bindparam("now")),
)
_muted = (  # and what may not be, which is nobody's
    select(mutes.c.user_id, mutes.c.signal)
    .where(
        mutes.c.workspace_id == bindparam("of_workspace"),
        or_(mutes.c.until.is_(None), mutes.c.until > bindparam("now")),
    )
    .union_all(select(null(), mute_limits.c.what).where(mute_limits.c.workspace_id == bindparam("of_workspace")))
)


def state(connection: Connection, workspace_id: str, now: int, *, count_told: bool) -> State:
    """
    All that choosing needs to know of a workspace beside its rules.

    *count_told*: whether anybody's daily cap asks for it.
    """
    asked = {"of_workspace": workspace_id, "now": now}
    muted = connection.execute(_muted, asked).all()
    return State(
        pools={row.pool: row.state for row in connection.execute(_pools, {"of_workspace": workspace_id})},
        delegates={row.user_id: row.delegate for row in connection.execute(_away, asked)},
        told=_told_since(connection, workspace_id, now - DAY_MS) if count_told else {},
        muted=frozenset((row.user_id, row.signal) for row in muted if row.user_id is not None),
        unmutable=frozenset(row.signal for row in muted if row.user_id is None),
    )


_promised = (deliveries.c.role == Role.DRI) & (deliveries.c.created_at > bindparam("since"))
_posted = (  # by their posts, of which none was tried before what it carries was promised
    select(deliveries.c.lane_id)
    .join(posts, posts.c.id == deliveries.c.post_id)
    .where(posts.c.workspace_id == bindparam("of_workspace"), posts.c.tried_at > bindparam("since"), _promised)
)
_waiting = (
    select(deliveries.c.lane_id)
    .join(lanes, lanes.c.id == deliveries.c.lane_id)
    .where(
        lanes.c.workspace_id == bindparam("of_workspace"),
        deliveries.c.state
        == literal(DeliveryState.PENDING, literal_execute=True),  # literal: the partial index must match
        _promised,
    )
)
_told_lanes = _posted.union_all(_waiting).subquery()
_told = (
    select(lanes.c.destination, func.count().label("told"))
    .join(_told_lanes, _told_lanes.c.lane_id == lanes.c.id)
    .group_by(lanes.c.destination)
)


def _told_since(connection: Connection, workspace_id: str, since: int) -> dict[str, int]:
    rows = connection.execute(_told, {"of_workspace": workspace_id, "since": since})
    return {row.destination: row.told for row in rows}


def accounts(
    connection: Connection, workspace_id: str, wanted: Collection[tuple[str, str]]
) -> dict[tuple[str, str], str]:
    """Who has these accounts, by pool and account."""
    if not wanted:
        return {}
    pools, names = ({pair[place] for pair in wanted} for place in (0, 1))
    asked = {"of_workspace": workspace_id, "pools": sorted(pools), "accounts": sorted(names)}
    rows = connection.execute(_accounts, asked)
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
    connection: Connection, workspace_id: str, pools: Mapping[str, str], taken: Sequence[PoolAssignment], now: int
) -> None:
    """Store how pools stand after a batch, in the transaction that settles it."""
    if pools:
        rows = [{"of_workspace": workspace_id, "of_pool": pool, "new_state": pools[pool]} for pool in sorted(pools)]
        missing = insert_missing(connection, ownership_pools, "workspace_id", "pool")
        new = missing.values(
            workspace_id=bindparam("of_workspace"), pool=bindparam("of_pool"), state=bindparam("new_state")
        )
        connection.execute(new, rows)
        connection.execute(_set_pool, rows)
    if taken:
        rows_taken = [
            {
                "of_workspace": workspace_id,
                "of_pool": each.pool,
                "of_account": each.account,
                "new_member": each.member,
                "at": now,
            }
            for each in sorted(taken, key=lambda one: (one.pool, one.account))
        ]
        missing = insert_missing(connection, ownership_accounts, "workspace_id", "pool", "account").values(
            workspace_id=bindparam("of_workspace"),
            pool=bindparam("of_pool"),
            account=bindparam("of_account"),
            member=bindparam("new_member"),
            taken_at=bindparam("at"),
        )
        connection.execute(missing, rows_taken)
        connection.execute(_set_account, rows_taken)


def set_absence(
    connection: Connection, workspace_id: str, user_id: str, since: int, until: int | None, delegate: str | None
) -> None:
    """Somebody is out of office; *until* None: until they say so, *delegate* None: nobody takes their place."""
    key = {"workspace_id": workspace_id, "user_id": user_id}
    put(connection, absences, key | {"since": since, "until": until, "delegate": delegate}, *key)


def absence_of(connection: Connection, workspace_id: str, user_id: str, now: int) -> Absence | None:
    """The one that lasts, or is to come."""
    mine = (absences.c.workspace_id == workspace_id) & (absences.c.user_id == user_id)
    not_over = or_(absences.c.until.is_(None), absences.c.until > now)
    columns = (absences.c[name] for name in Absence.__dataclass_fields__)
    row = connection.execute(select(*columns).where(mine, not_over)).one_or_none()
    return Absence(*row) if row else None


def end_absence(connection: Connection, workspace_id: str, user_id: str) -> None:
    """They are back, whenever they said they would be."""
    mine = (absences.c.workspace_id == workspace_id) & (absences.c.user_id == user_id)
    connection.execute(delete(absences).where(mine))


def mute(connection: Connection, workspace_id: str, user_id: str, signal: str, until: int | None = None) -> None:
    """*signal*: one of JobChange's, or * for all; *until* None: until they say so."""
    key = {"workspace_id": workspace_id, "user_id": user_id, "signal": signal}
    put(connection, mutes, key | {"until": until}, *key)


def unmute(connection: Connection, workspace_id: str, user_id: str, signal: str) -> None:
    """They hear of it again; what was told meanwhile to others stays there."""
    mine = (mutes.c.workspace_id == workspace_id) & (mutes.c.user_id == user_id) & (mutes.c.signal == signal)
    connection.execute(delete(mutes).where(mine))
