"""Workspaces' own External Client Apps, and attempts to connect that are in progress. Secrets are encrypted."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from hmac import compare_digest

from sqlalchemy import Connection, bindparam, delete, insert, select

from domain.salesforce import SalesforceApp
from store.encryption import Cipher
from store.schema import salesforce_apps as apps
from store.schema import salesforce_attempts as attempts
from store.schema.upserts import put


@dataclass(frozen=True, kw_only=True)
class ConnectAttempt:
    """
    An admin's attempt to connect. `expires_at` is in milliseconds.

    Salesforce sends `state` back; `browser` is a cookie of the browser. Only their hashes are stored.
    """

    state: str = field(repr=False)
    workspace_id: str
    user_id: str
    browser: str = field(repr=False)
    login_url: str
    verifier: str = field(repr=False)
    expires_at: int


def find(connection: Connection, cipher: Cipher, workspace_id: str) -> SalesforceApp | None:
    """Return the workspace's own app, or None if it uses the operator's. Raises WrongKeyError."""
    row = connection.execute(select(apps).where(apps.c.workspace_id == workspace_id)).one_or_none()
    return SalesforceApp(row.client_id, cipher.decrypt(row.client_secret), row.set_by, row.set_at) if row else None


def save(connection: Connection, cipher: Cipher, workspace_id: str, app: SalesforceApp) -> None:
    """Store the app, replacing an earlier one."""
    secret = cipher.encrypt(app.client_secret)
    put(connection, apps, vars(app) | {"workspace_id": workspace_id, "client_secret": secret}, "workspace_id")


def remove(connection: Connection, workspace_id: str) -> bool:
    """Delete the workspace's own app. Return whether there was one."""
    return bool(connection.execute(delete(apps).where(apps.c.workspace_id == workspace_id)).rowcount)


def begin(connection: Connection, cipher: Cipher, attempt: ConnectAttempt, now: int) -> None:
    """Store an attempt, and delete those that have expired."""
    connection.execute(delete(attempts).where(attempts.c.expires_at <= now))
    stored = {
        "state": _hash(attempt.state),
        "browser": _hash(attempt.browser),
        "verifier": cipher.encrypt(attempt.verifier),
    }
    connection.execute(insert(attempts).values(vars(attempt) | stored))


_take = delete(attempts).where(attempts.c.state == bindparam("of_state")).returning(attempts)


def take(connection: Connection, cipher: Cipher, state: str, browser: str, now: int) -> ConnectAttempt | None:
    """
    Return the attempt with this state, which can be taken only once.

    Returns None if it is unknown, has expired or was started in another browser. Raises WrongKeyError.
    """
    row = connection.execute(_take, {"of_state": _hash(state)}).one_or_none()
    if row is None or row.expires_at <= now or not compare_digest(row.browser, _hash(browser)):
        return None
    return ConnectAttempt(
        state=state,
        workspace_id=row.workspace_id,
        user_id=row.user_id,
        browser=browser,
        login_url=row.login_url,
        verifier=cipher.decrypt(row.verifier),
        expires_at=row.expires_at,
    )


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()  # a cookie may contain any bytes
