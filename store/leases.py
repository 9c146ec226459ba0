"""Leases: how every queue lets one process at a time work on a row, until it gives the row back or dies."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import uuid4

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Row,
    Select,
    Table,
    Update,
    bindparam,
    delete,
    select,
    true,
    update,
)

from store.schema import turns, workspaces
from store.schema.lists import one_of
from store.schema.upserts import insert_missing

ROUTE, POST, FIND, RENEW = "route", "post", "find", "renew"
"""The work at which workspaces take turns: routing, posting, reading Salesforce objects, renewing Slack tokens."""

Key = TypeVar("Key", int, str)
AnySelect = TypeVar("AnySelect", bound=Select[*tuple[Any, ...]])


@dataclass(frozen=True)
class Lease:
    """
    The right to work on rows until a time in milliseconds.

    `token` is random and different for each claim. Whatever a process changes, it changes only while the row has its
    token, so that a process that outlived its lease changes nothing.
    """

    token: str
    until: int


class LeaseQueue:
    """
    Rows of one table, each leased by at most one process.

    `key` is the column that identifies a row, among the rows that match `part`. `until` is the column that says until
    when a lease holds. Where that is `due_at`, it is the schedule and the time of the next attempt, too. `claimed_at`
    is the column for the time of the latest claim, if there is one.
    """

    def __init__(
        self,
        table: Table,
        key: Column[Any],
        until: Column[int],
        *,
        part: ColumnElement[bool] | None = None,
        claimed_at: Column[int] | None = None,
    ) -> None:
        part = true() if part is None else part
        among = (part, one_of(key, "keys"))
        ours = (part, key == bindparam("of_key"), table.c.lease == bindparam("our_lease"))
        held = (part, table.c.lease.is_not(None), until > bindparam("new_until"))
        ended: dict[str, Any] = {"lease": None, until.name: bindparam("new_until")}
        leased: dict[str, Any] = {"lease": bindparam("new_lease"), until.name: bindparam("new_until")}
        self._claim_time: dict[str, Any] = {} if claimed_at is None else {claimed_at.name: bindparam("now")}
        self.table, self._key, self._order = table, key, (until, key)
        self._is_due = part & (until <= bindparam("now"))
        self._take = update(table).where(*among).values(leased | self._claim_time)
        self._lock = select(key, table.c.lease).where(*among).order_by(key).with_for_update()
        self._prolong = update(table).where(*ours).values({until.name: bindparam("new_until")})
        self._give_back = update(table).where(*ours).values(ended)
        self._drop = delete(table).where(*ours)
        self._release = update(table).where(*held).values(ended)

    def due(self, query: AnySelect, *order: ColumnElement[Any]) -> AnySelect:
        """Return the query for at most `:most` rows that are due at `:now` and that nobody else is claiming."""
        due = query.where(self._is_due).order_by(*(order or self._order)).limit(bindparam("most"))
        return due.with_for_update(of=self.table, skip_locked=True)

    def claim(
        self, connection: Connection, due: Select[Any], now: int, lease_ms: int, most: int = 1, **parameters: object
    ) -> tuple[Sequence[Row[Any]], Lease]:
        """Lease the rows that `due` finds, see `due`. Their key is among its columns."""
        rows = connection.execute(due, {"now": now, "most": most, **parameters}).all()
        keys = [row._mapping[self._key.name] for row in rows]  # noqa: SLF001 - its documented API
        return rows, self.take(connection, keys, now, lease_ms)

    def take(self, connection: Connection, keys: Collection[int | str], now: int, lease_ms: int) -> Lease:
        """Lease rows that the caller has locked."""
        lease = Lease(uuid4().hex, now + lease_ms)
        if keys:
            values = {"keys": list(keys), "new_lease": lease.token, "new_until": lease.until}
            connection.execute(self._take, values | ({"now": now} if self._claim_time else {}))
        return lease

    def lock(self, connection: Connection, keys: Collection[Key]) -> dict[Key, str | None]:
        """Lock rows in the order of their keys, so that two replicas cannot deadlock. Return the tokens they have."""
        rows = connection.execute(self._lock, {"keys": sorted(keys)})
        return {row[0]: row[1] for row in rows}

    def prolong(self, connection: Connection, key: int | str, token: str, until: int, **values: object) -> bool:
        """Extend a lease and store `values` in the row. Return False and store nothing if the lease was lost."""
        return self._change(connection, self._prolong, key, token, until, values)

    def give_back(
        self, connection: Connection, key: int | str, token: str, until: int | None, **values: object
    ) -> bool:
        """
        End a lease and store `values` in the row, which is due again at `until`.

        Return False and store nothing if the lease was lost.
        """
        return self._change(connection, self._give_back, key, token, until, values)

    def _change(
        self,
        connection: Connection,
        change: Update,
        key: int | str,
        token: str,
        until: int | None,
        values: dict[str, object],
    ) -> bool:
        change = change.values(values) if values else change
        return bool(connection.execute(change, {"of_key": key, "our_lease": token, "new_until": until}).rowcount)

    def drop(self, connection: Connection, key: int | str, token: str) -> bool:
        """Delete the row. Return False if the lease was lost."""
        return bool(connection.execute(self._drop, {"of_key": key, "our_lease": token}).rowcount)

    def release_all(self, connection: Connection, until: int) -> None:
        """End all leases that hold for longer than `until`. No other process may run."""
        connection.execute(self._release, {"new_until": until})


class TurnQueue(LeaseQueue):
    """
    Workspaces that take turns at one kind of work, each in one process at a time.

    `half` is the kind: a column of `turns`, which has a row for each workspace and kind of work.
    """

    def __init__(self, half: str) -> None:
        part = turns.c.half == half
        super().__init__(turns, turns.c.workspace_id, turns.c.lease_until, part=part, claimed_at=turns.c.served_at)
        self.half = half
        is_asked_for = turns.c.workspace_id == bindparam("of_workspace")
        self._of_workspace = self.due(select(turns.c.workspace_id).where(is_asked_for))

    def waiting(self, has_work: ColumnElement[bool], *columns: ColumnElement[Any]) -> Select[Any]:
        """Return the query for the active workspaces that are free and have work, the least recently served first."""
        query = select(turns.c.workspace_id, *columns).join(workspaces, workspaces.c.id == turns.c.workspace_id)
        return self.due(query.where(workspaces.c.state == "active", has_work), turns.c.served_at)

    def add(self, connection: Connection, workspace_id: str) -> None:
        """Let a workspace take turns, if it does not yet."""
        turn = {"workspace_id": workspace_id, "half": self.half}
        connection.execute(insert_missing(connection, turns, "workspace_id", "half"), [turn])

    def acquire(self, connection: Connection, workspace_id: str, now: int, lease_ms: int) -> Lease | None:
        """Lease this workspace. Return None if another process has it."""
        self.add(connection, workspace_id)
        rows, lease = self.claim(connection, self._of_workspace, now, lease_ms, of_workspace=workspace_id)
        return lease if rows else None

    def release(self, connection: Connection, workspace_id: str, token: str) -> bool:
        """End a lease. Return False if it was lost."""
        return self.give_back(connection, workspace_id, token, 0)
