"""Which Salesforce org each workspace is connected to, its tokens encrypted, and who may renew them now."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import Enum, auto
from typing import Any

from sqlalchemy import Connection, Integer, Row, bindparam, case, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from domain.salesforce import (
    CLIENT_CREDENTIALS,
    WEB_SERVER,
    ConnectionStatus,
    SalesforceConnection,
    SalesforceTokens,
)
from store.database import put
from store.encryption import Cipher
from store.schema import salesforce_connections as table
from store.schema import workspaces

RENEWAL_LEASE_MS = 30_000
"""How long one replica has to renew a session, longer than the time limit of that call, before another may try."""

DAY_MS = 24 * 60 * 60 * 1_000

_SECRETS = ("access_token", "refresh_token", "client_secret")


@dataclass(frozen=True, kw_only=True)
class OrgDetails:
    """What an org says of itself and of the user we are in it; None: it does not say."""

    org_name: str | None
    org_edition: str | None
    is_sandbox: bool | None
    user_name: str | None


class Renewal(Enum):
    """Who renews a session."""

    OURS = auto()
    DONE = auto()  # somebody has renewed it already: the connection carries the new session
    BUSY = auto()  # somebody else is at it


_find = select(table).where(table.c.workspace_id == bindparam("workspace_id"))


def find(connection: Connection, cipher: Cipher, workspace_id: str) -> SalesforceConnection | None:
    """Raises WrongKeyError."""
    row = connection.execute(_find, {"workspace_id": workspace_id}).one_or_none()
    return _read(cipher, row) if row else None


def save(connection: Connection, cipher: Cipher, new: SalesforceConnection) -> None:
    """Connect a workspace, in place of what it was connected to."""
    put(connection, table, _encrypted(cipher, vars(new)), "workspace_id")


def add_if_absent(connection: Connection, cipher: Cipher, new: SalesforceConnection) -> SalesforceConnection | None:
    """The connection of this workspace: *new* if it had none. None when there is no such workspace."""
    try:
        with connection.begin_nested():
            connection.execute(insert(table).values(_encrypted(cipher, vars(new))))
    except IntegrityError:  # another replica was faster, or the workspace is gone
        return find(connection, cipher, new.workspace_id)
    return new


def claim_renewal(
    connection: Connection, cipher: Cipher, workspace_id: str, stale_token: str | None, now: int
) -> tuple[Renewal, SalesforceConnection] | None:
    """
    Ask for the right to renew the session *stale_token* (None: there was none); None when nothing is connected.

    The right is held by taking the old token out of the row. Whoever dies with it loses it after RENEWAL_LEASE_MS.
    """
    row = connection.execute(_find.with_for_update(), {"workspace_id": workspace_id}).one_or_none()
    if row is None:
        return None
    known = _read(cipher, row)
    if known.access_token is not None and known.access_token != stale_token:
        return Renewal.DONE, known
    if known.access_token is None and known.renewed_at is not None and now < known.renewed_at + RENEWAL_LEASE_MS:
        return Renewal.BUSY, known
    _change(connection, workspace_id, access_token=None, renewed_at=now)
    return Renewal.OURS, known


def store_tokens(connection: Connection, cipher: Cipher, workspace_id: str, tokens: SalesforceTokens, now: int) -> None:
    """The session is renewed. Stored even by one whose lease ran out: a rotated refresh token is the only one."""
    told = {name: value for name, value in vars(tokens).items() if value is not None}
    _change(connection, workspace_id, **_encrypted(cipher, told), renewed_at=now, problem=None)


def give_up_renewal(connection: Connection, workspace_id: str, problem: str | None) -> None:
    """Renewing failed: anybody may try again. *problem* is what an admin must mend, None if nothing."""
    told = {} if problem is None else {"problem": problem}
    _change(connection, workspace_id, renewed_at=None, **told)


def refuse_renewal(
    connection: Connection, cipher: Cipher, workspace_id: str, refresh_token: str, problem: str
) -> SalesforceConnection | None:
    """
    Salesforce will not take this refresh token any more: forget it, so that nobody asks with it again.

    Unless somebody else has stored a newer one meanwhile, which it answers then.
    """
    row = connection.execute(_find.with_for_update(), {"workspace_id": workspace_id}).one_or_none()
    known = _read(cipher, row) if row else None
    if known is not None and known.refresh_token not in {None, refresh_token}:
        return known
    _change(connection, workspace_id, refresh_token=None, access_token=None, renewed_at=None, problem=problem)
    return None


def idle(connection: Connection, before: int) -> list[str]:
    """The workspaces whose refresh token was last used before then, or in vain."""
    long_ago = (table.c.renewed_at < before) | table.c.renewed_at.is_(None)
    asked = select(table.c.workspace_id).where(table.c.flow == WEB_SERVER, table.c.refresh_token.is_not(None), long_ago)
    return list(connection.execute(asked).scalars())


def not_begun(connection: Connection) -> list[str]:
    """The active workspaces that nobody has connected, and for which the operator's credentials gave no session yet."""
    uses_operator_app = (table.c.flow == CLIENT_CREDENTIALS) & table.c.client_id.is_(None)
    not_yet = table.c.renewed_at.is_(None) & table.c.last_success_at.is_(None)
    asked = (
        select(workspaces.c.id)
        .outerjoin(table, table.c.workspace_id == workspaces.c.id)
        .where(workspaces.c.state == "active", table.c.workspace_id.is_(None) | (uses_operator_app & not_yet))
        .order_by(workspaces.c.id)
    )
    return list(connection.execute(asked).scalars())


_standing = (
    select(*(table.c[one.name] for one in fields(ConnectionStatus)))
    .join(workspaces, workspaces.c.id == table.c.workspace_id)
    .order_by(table.c.workspace_id)
)


def status_of(connection: Connection, workspace_id: str) -> ConnectionStatus | None:
    """None: it is not connected, or the operator's credentials have not been used for it yet."""
    row = connection.execute(_standing.where(table.c.workspace_id == workspace_id)).one_or_none()
    return ConnectionStatus(**row._mapping) if row else None  # noqa: SLF001 - its documented API


def standing(connection: Connection) -> list[ConnectionStatus]:
    """Of every active workspace that is connected."""
    rows = connection.execute(_standing.where(workspaces.c.state == "active"))
    return [ConnectionStatus(**row._mapping) for row in rows]  # noqa: SLF001 - its documented API


_answered = (
    update(table)
    .where(table.c.workspace_id == bindparam("of_workspace"))
    .values(
        last_success_at=bindparam("now"),
        problem=None,
        api_used=func.coalesce(bindparam("used", type_=Integer), table.c.api_used),
        api_limit=func.coalesce(bindparam("limit", type_=Integer), table.c.api_limit),
    )
)


def note_answer(connection: Connection, workspace_id: str, now: int, usage: tuple[int, int] | None) -> None:
    """Salesforce answered; *usage* is API calls used and allowed in 24 hours, None if it did not say."""
    used, limit = usage or (None, None)
    connection.execute(_answered, {"of_workspace": workspace_id, "now": now, "used": used, "limit": limit})


_spend = (
    update(table)
    .where(table.c.workspace_id == bindparam("of_workspace"))
    .values(
        our_calls=case((table.c.our_calls_day == bindparam("day"), table.c.our_calls), else_=0) + bindparam("calls"),
        our_calls_day=bindparam("day"),
    )
)


def spend(connection: Connection, workspace_id: str, now: int, calls: int) -> None:
    """We have made so many API calls, answered or not."""
    connection.execute(_spend, {"of_workspace": workspace_id, "day": now // DAY_MS, "calls": calls})


def describe(connection: Connection, workspace_id: str, about: OrgDetails) -> None:
    _change(connection, workspace_id, **vars(about))


def note_unreadable(connection: Connection, workspace_id: str, unreadable: str | None) -> None:
    """What we may not read, in words for an admin; None: nothing that we know of."""
    _change(connection, workspace_id, unreadable=unreadable)


def note_problem(connection: Connection, workspace_id: str, problem: str) -> None:
    """What an admin must mend, until Salesforce answers again."""
    _change(connection, workspace_id, problem=problem)


def remove(connection: Connection, workspace_id: str) -> bool:
    """Whether there was one."""
    return bool(connection.execute(delete(table).where(table.c.workspace_id == workspace_id)).rowcount)


def _change(connection: Connection, workspace_id: str, **values: object) -> None:
    if values:
        connection.execute(update(table).where(table.c.workspace_id == workspace_id).values(values))


def _read(cipher: Cipher, row: Row[Any]) -> SalesforceConnection:
    values = {one.name: row._mapping[one.name] for one in fields(SalesforceConnection)}  # noqa: SLF001 - documented API
    for name in _SECRETS:
        if values[name] is not None:
            values[name] = cipher.decrypt(values[name])
    return SalesforceConnection(**values)


def _encrypted(cipher: Cipher, values: dict[str, Any]) -> dict[str, Any]:
    secrets = {name: cipher.encrypt(values[name]) for name in _SECRETS if values.get(name) is not None}
    return values | secrets
