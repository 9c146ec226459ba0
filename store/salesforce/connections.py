"""Connections of workspaces to Salesforce orgs, with encrypted tokens, and the right to renew a session."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields
from enum import Enum, auto
from typing import Any

from sqlalchemy import Connection, Integer, Row, bindparam, case, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from domain.day_counts import DAY_MS
from domain.salesforce import (
    CLIENT_CREDENTIALS,
    WEB_SERVER,
    CallsMade,
    ConnectionStatus,
    SalesforceConnection,
    SalesforceTokens,
)
from store.encryption import Cipher
from store.schema import salesforce_connections as table
from store.schema import workspaces
from store.schema.postgresql import need_not_last
from store.schema.upserts import put

RENEWAL_LEASE_MS = 30_000
"""How long a replica may take to renew a session before another one may try. Longer than that call's timeout."""

_SECRETS = ("access_token", "refresh_token", "client_secret")


@dataclass(frozen=True, kw_only=True)
class OrgDetails:
    """Names of an org and of its connected user. A value is None if it could not be read."""

    org_name: str | None
    org_edition: str | None
    is_sandbox: bool | None
    user_name: str | None


class Renewal(Enum):
    """The answer to a replica that wants to renew a session."""

    OURS = auto()
    DONE = auto()  # it has been renewed already, and the connection has the new session
    BUSY = auto()  # another replica is renewing it


_find = select(table).where(table.c.workspace_id == bindparam("workspace_id"))


def find(connection: Connection, cipher: Cipher, workspace_id: str) -> SalesforceConnection | None:
    """Return the workspace's connection, or None. Raises WrongKeyError."""
    row = connection.execute(_find, {"workspace_id": workspace_id}).one_or_none()
    return _read(cipher, row) if row else None


def save(connection: Connection, cipher: Cipher, new: SalesforceConnection) -> None:
    """Store a connection, replacing an earlier one of the workspace."""
    put(connection, table, _encrypted(cipher, vars(new)), "workspace_id")


def add_if_absent(connection: Connection, cipher: Cipher, new: SalesforceConnection) -> SalesforceConnection | None:
    """Store `new` unless the workspace has a connection. Return its connection, or None for an unknown workspace."""
    try:
        with connection.begin_nested():
            connection.execute(insert(table).values(_encrypted(cipher, vars(new))))
    except IntegrityError:  # another replica was faster, or the workspace has been deleted
        return find(connection, cipher, new.workspace_id)
    return new


def claim_renewal(
    connection: Connection, cipher: Cipher, workspace_id: str, stale_token: str | None, now: int
) -> tuple[Renewal, SalesforceConnection] | None:
    """
    Claim the right to renew the session with `stale_token`, which is None if there was none.

    Returns None if nothing is connected. The claim removes the old token from the row, and expires after
    RENEWAL_LEASE_MS.

    This is not a LeaseQueue, because the row itself has to show the claim: without the old token, no other replica uses
    it meanwhile. Replicas of version 0.2, which may run beside this one, also look for the claim there. If both renewed
    at the same time, Salesforce would end a refresh token that it rotates. A renewed token is stored even after the
    claim has expired, so a fencing token would be checked nowhere.
    """
    row = connection.execute(_find.with_for_update(), {"workspace_id": workspace_id}).one_or_none()
    if row is None:
        return None
    stored = _read(cipher, row)
    if stored.access_token is not None and stored.access_token != stale_token:
        return Renewal.DONE, stored
    if stored.access_token is None and stored.renewed_at is not None and now < stored.renewed_at + RENEWAL_LEASE_MS:
        return Renewal.BUSY, stored
    _change(connection, workspace_id, access_token=None, renewed_at=now)
    return Renewal.OURS, stored


def store_tokens(connection: Connection, cipher: Cipher, workspace_id: str, tokens: SalesforceTokens, now: int) -> None:
    """Store a renewed session, even if the claim has expired: a rotated refresh token is the only valid one."""
    received = {name: value for name, value in vars(tokens).items() if value is not None}
    _change(connection, workspace_id, **_encrypted(cipher, received), renewed_at=now, problem=None)


def give_up_renewal(connection: Connection, workspace_id: str, problem: str | None) -> None:
    """Give the claim back after a failure. `problem` is what an admin has to fix, or None."""
    values = {} if problem is None else {"problem": problem}
    _change(connection, workspace_id, renewed_at=None, **values)


def refuse_renewal(
    connection: Connection, cipher: Cipher, workspace_id: str, refresh_token: str, problem: str
) -> SalesforceConnection | None:
    """
    Delete a refresh token that Salesforce refuses, so that it is not used again.

    If another replica has stored a newer token, nothing is deleted and the newer connection is returned.
    """
    row = connection.execute(_find.with_for_update(), {"workspace_id": workspace_id}).one_or_none()
    stored = _read(cipher, row) if row else None
    if stored is not None and stored.refresh_token not in {None, refresh_token}:
        return stored
    _change(connection, workspace_id, refresh_token=None, access_token=None, renewed_at=None, problem=problem)
    return None


def idle(connection: Connection, before: int) -> list[str]:
    """Return the workspaces whose refresh token was not used successfully since `before`."""
    long_ago = (table.c.renewed_at < before) | table.c.renewed_at.is_(None)
    query = select(table.c.workspace_id).where(table.c.flow == WEB_SERVER, table.c.refresh_token.is_not(None), long_ago)
    return list(connection.execute(query).scalars())


def never_used(connection: Connection, served: Collection[str]) -> list[str]:
    """Return the active ones of the workspaces `served` by the operator's credentials that have had no session yet."""
    uses_operator_app = (table.c.flow == CLIENT_CREDENTIALS) & table.c.client_id.is_(None)
    not_yet = table.c.renewed_at.is_(None) & table.c.last_success_at.is_(None)
    query = (
        select(workspaces.c.id)
        .outerjoin(table, table.c.workspace_id == workspaces.c.id)
        .where(workspaces.c.id.in_(served), workspaces.c.state == "active")
        .where(table.c.workspace_id.is_(None) | (uses_operator_app & not_yet))
        .order_by(workspaces.c.id)
    )
    return list(connection.execute(query).scalars())


_statuses = (
    select(*(table.c[column.name] for column in fields(ConnectionStatus)))
    .join(workspaces, workspaces.c.id == table.c.workspace_id)
    .order_by(table.c.workspace_id)
)


def status_of(connection: Connection, workspace_id: str) -> ConnectionStatus | None:
    """Return the status, or None if the workspace is not connected or has not used the operator's credentials yet."""
    row = connection.execute(_statuses.where(table.c.workspace_id == workspace_id)).one_or_none()
    return ConnectionStatus(**row._mapping) if row else None  # noqa: SLF001 - its documented API


def all_statuses(connection: Connection) -> list[ConnectionStatus]:
    """Return the status of every active workspace that is connected."""
    rows = connection.execute(_statuses.where(workspaces.c.state == "active"))
    return [ConnectionStatus(**row._mapping) for row in rows]  # noqa: SLF001 - its documented API


_count_calls = (
    update(table)
    .where(table.c.workspace_id == bindparam("of_workspace"))
    .values(
        our_calls=case((table.c.our_calls_day == bindparam("day"), table.c.our_calls), else_=0) + bindparam("calls"),
        our_calls_day=bindparam("day"),
    )
)
_note_answer = _count_calls.values(
    last_success_at=bindparam("now"),
    problem=None,
    api_used=func.coalesce(bindparam("used", type_=Integer), table.c.api_used),
    api_limit=func.coalesce(bindparam("limit", type_=Integer), table.c.api_limit),
).returning(table.c.our_calls)


def count_calls(connection: Connection, workspace_id: str, now: int, calls: int) -> None:
    """Add to the API calls that we made today. A crash of the server may lose the latest."""
    need_not_last(connection)
    connection.execute(_count_calls, {"of_workspace": workspace_id, "day": now // DAY_MS, "calls": calls})


def note_answer(connection: Connection, workspace_id: str, now: int, calls: CallsMade) -> int | None:
    """Record that Salesforce answered, and count the calls. Return how many we made today, None if not connected."""
    used, limit = calls.usage or (None, None)
    values = {"of_workspace": workspace_id, "now": now, "day": now // DAY_MS, "calls": calls.count}
    our_calls: int | None = connection.execute(
        _note_answer, values | {"used": used, "limit": limit}
    ).scalar_one_or_none()
    return our_calls


def save_org_details(connection: Connection, workspace_id: str, details: OrgDetails) -> None:
    _change(connection, workspace_id, **vars(details))


def note_unreadable(connection: Connection, workspace_id: str, unreadable: str | None) -> None:
    """Store what the connected user cannot read, as a text for admins, or None."""
    _change(connection, workspace_id, unreadable=unreadable)


def note_problem(connection: Connection, workspace_id: str, problem: str) -> None:
    """Store what an admin has to fix. The next successful call clears it."""
    _change(connection, workspace_id, problem=problem)


def remove(connection: Connection, workspace_id: str) -> bool:
    """Delete the connection. Return whether there was one."""
    return bool(connection.execute(delete(table).where(table.c.workspace_id == workspace_id)).rowcount)


def _change(connection: Connection, workspace_id: str, **values: object) -> None:
    if values:
        connection.execute(update(table).where(table.c.workspace_id == workspace_id).values(values))


def _read(cipher: Cipher, row: Row[Any]) -> SalesforceConnection:
    values = {field.name: row._mapping[field.name] for field in fields(SalesforceConnection)}  # noqa: SLF001 - documented API
    for name in _SECRETS:
        if values[name] is not None:
            values[name] = cipher.decrypt(values[name])
    return SalesforceConnection(**values)


def _encrypted(cipher: Cipher, values: dict[str, Any]) -> dict[str, Any]:
    secrets = {name: cipher.encrypt(values[name]) for name in _SECRETS if values.get(name) is not None}
    return values | secrets
