"""Bot tokens: which one a workspace uses, and renewing those that expire, by one replica at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    bindparam,
    case,
    func,
    or_,
    select,
    update,
)

from domain.states import WorkspaceState
from store.encryption import Cipher
from store.leases import RENEW, TurnQueue
from store.schema import workspaces as workspaces_table
from store.slack import workspaces
from store.slack.sdk_stores import bots, installations, is_of

RENEWALS = TurnQueue(RENEW)
"""One replica at a time renews the token of a workspace."""


@dataclass(frozen=True)
class RotatingToken:
    """
    A bot token that expires at a time in milliseconds, and its owner: the workspace, or the organization.

    `refresh_token` is None if Slack has refused it, so that the token cannot be renewed any more.
    """

    token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_at: int
    owner_id: str


@dataclass(frozen=True)
class Renewal:
    """The token to renew, the workspace that has the lease, and its token, None if another replica has the lease."""

    stored: RotatingToken
    leader: str
    lease: str | None


@dataclass(frozen=True)
class EncryptedToken:
    """
    A token as it is stored, the client id of its Slack app, and its owner: the workspace, or the organization.

    `expires_at` is in UTC without a time zone, as slack_sdk stores it; None if the token does not expire.
    """

    client_id: str
    owner_id: str
    token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_at: datetime | None


_organization = (
    select(workspaces_table.c.enterprise_id)
    .where(
        workspaces_table.c.id == bindparam("of_workspace"),
        workspaces_table.c.is_enterprise_install,
        workspaces.takes_job_changes,
    )
    .scalar_subquery()
)
"""The organization whose token a workspace uses, null if it uses its own or does not have the app."""

# Reads the encrypted text, because a statement with an EncryptedText column cannot be cached.
_newest = (
    select(
        bots.c.client_id,
        func.coalesce(bots.c.team_id, bots.c.enterprise_id),
        bots.c.bot_token,
        bots.c.bot_refresh_token,
        bots.c.bot_token_expires_at,
    )
    .where(
        or_(
            bots.c.team_id == bindparam("of_workspace"),
            and_(bots.c.team_id.is_(None), bots.c.enterprise_id == bindparam("of_workspace")),
            and_(bots.c.team_id.is_(None), bots.c.enterprise_id == _organization),
        ),
        bots.c.bot_token.is_not(None),
    )
    .order_by(case((bots.c.client_id == bindparam("of_client"), 0), else_=1))
    .order_by(bots.c.team_id.is_(None))  # the workspace's own before that of its organization
    .order_by(bots.c.installed_at.desc(), bots.c.id.desc())
    .limit(1)
)


def newest(connection: Connection, client_id: str, workspace_id: str) -> EncryptedToken | None:
    """Return the token of our own Slack app, or that of another one if there is none."""
    row = connection.execute(_newest, {"of_client": client_id, "of_workspace": workspace_id}).one_or_none()
    return EncryptedToken(*row) if row else None


def find(connection: Connection, cipher: Cipher, client_id: str, workspace_id: str) -> RotatingToken | None:
    """Return the token that the workspace uses, or None if it does not expire."""
    stored = newest(connection, client_id, workspace_id)
    if stored is None or stored.client_id != client_id or stored.expires_at is None:
        return None
    refresh_token = cipher.decrypt(stored.refresh_token) if stored.refresh_token else None
    expires_at = milliseconds(stored.expires_at)
    return RotatingToken(cipher.decrypt(stored.token), refresh_token, expires_at, stored.owner_id)


def claim(
    connection: Connection, cipher: Cipher, client_id: str, workspace_id: str, now: int, lease_ms: int
) -> Renewal | None:
    """Claim the right to renew the token that the workspace uses. None if it does not expire."""
    stored = find(connection, cipher, client_id, workspace_id)
    if stored is None:
        return None
    # One workspace has the lease for all workspaces of an organization, which share a token.
    leader: str | None = connection.execute(
        select(func.min(workspaces_table.c.id)).where(_uses_token_of(stored.owner_id))
    ).scalar_one()
    if leader is None:
        return None
    lease = RENEWALS.acquire(connection, leader, now, lease_ms)
    stored = find(connection, cipher, client_id, workspace_id)  # again: another replica may just have renewed it
    return Renewal(stored, leader, lease.token if lease else None) if stored else None


def release(connection: Connection, workspace_id: str, lease: str) -> None:
    RENEWALS.release(connection, workspace_id, lease)


def store(
    connection: Connection,
    cipher: Cipher,
    client_id: str,
    workspace_id: str,
    used_refresh_token: str,
    new: RotatingToken,
) -> None:
    """
    Store a renewed token, even if the lease has ended: its refresh token is the only valid one.

    Nothing is stored if the app was installed again or removed in the meantime.
    """
    stored = find(connection, cipher, client_id, workspace_id)
    if stored is None or stored.refresh_token not in {None, used_refresh_token}:
        return
    values = {
        "bot_token": cipher.encrypt(new.token),
        "bot_refresh_token": cipher.encrypt(new.refresh_token) if new.refresh_token else None,
        "bot_token_expires_at": datetime.fromtimestamp(new.expires_at / 1_000, UTC).replace(tzinfo=None),
    }
    _change(connection, client_id, stored.owner_id, values)
    _store_end(connection, stored.owner_id, None)


def refuse(
    connection: Connection, cipher: Cipher, client_id: str, workspace_id: str, refresh_token: str
) -> RotatingToken | None:
    """
    Delete a refresh token that Slack refuses, and store when the token ends.

    If another replica has stored a newer one, return that token.
    """
    stored = find(connection, cipher, client_id, workspace_id)
    if stored is None or stored.refresh_token != refresh_token:
        return stored
    _change(connection, client_id, stored.owner_id, {"bot_refresh_token": None})
    _store_end(connection, stored.owner_id, stored.expires_at)
    return None


def _change(connection: Connection, client_id: str, owner_id: str, values: Mapping[str, object]) -> None:
    for table in (bots, installations):
        is_ours = (table.c.client_id == client_id) & is_of(table, owner_id)
        connection.execute(update(table).where(is_ours).values(values))


def _store_end(connection: Connection, owner_id: str, ends_at: int | None) -> None:
    values = {"token_ends_at": ends_at}
    connection.execute(update(workspaces_table).where(_uses_token_of(owner_id)).values(values))


def _uses_token_of(owner_id: str) -> ColumnElement[bool]:
    """The workspace with a token of its own, or those that use the token of this organization."""
    c = workspaces_table.c
    return or_(c.id == owner_id, (c.enterprise_id == owner_id) & c.is_enterprise_install)


def expiring(connection: Connection, client_id: str, before: int) -> list[str]:
    """Return the active workspaces whose token expires before this time, and can be renewed."""
    c, moment = workspaces_table.c, datetime.fromtimestamp(before / 1_000, UTC).replace(tzinfo=None)
    shares = bots.c.team_id.is_(None) & (bots.c.enterprise_id == c.enterprise_id) & c.is_enterprise_install
    query = (
        select(c.id)
        .join(bots, or_(is_of(bots, c.id), shares))
        .where(
            c.state == WorkspaceState.ACTIVE,
            bots.c.client_id == client_id,
            bots.c.bot_refresh_token.is_not(None),
            bots.c.bot_token_expires_at < moment,
        )
        .order_by(c.id)
        .distinct()
    )
    return list(connection.execute(query).scalars())


def milliseconds(moment: datetime) -> int:
    """slack_sdk stores times in UTC without a time zone."""
    return round(moment.replace(tzinfo=UTC).timestamp() * 1_000)
