"""A workspace's own External Client App, its secret encrypted, and the attempts to connect that are under way."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from hmac import compare_digest

from sqlalchemy import Connection, bindparam, delete, insert, select

from domain.salesforce import SalesforceApp
from store.database import put
from store.encryption import Cipher
from store.schema import salesforce_apps as apps
from store.schema import salesforce_attempts as attempts


@dataclass(frozen=True, kw_only=True)
class ConnectAttempt:
    """
    An admin is on the way to Salesforce and back. *expires_at* in milliseconds.

    *state* is what Salesforce hands back, *browser* the cookie of the browser that went; only their hashes are stored.
    """

    state: str = field(repr=False)
    workspace_id: str
    user_id: str
    browser: str = field(repr=False)
    login_url: str
    verifier: str = field(repr=False)
    expires_at: int


def find(connection: Connection, cipher: Cipher, workspace_id: str) -> SalesforceApp | None:
    """None: it uses the operator's. Raises WrongKeyError."""
    row = connection.execute(select(apps).where(apps.c.workspace_id == workspace_id)).one_or_none()
    return SalesforceApp(row.client_id, cipher.decrypt(row.client_secret), row.set_by, row.set_at) if row else None


def save(connection: Connection, cipher: Cipher, workspace_id: str, app: SalesforceApp) -> None:
    """In place of the one it had."""
    secret = cipher.encrypt(app.client_secret)
    put(connection, apps, vars(app) | {"workspace_id": workspace_id, "client_secret": secret}, "workspace_id")


def remove(connection: Connection, workspace_id: str) -> bool:
    """Whether there was one."""
    return bool(connection.execute(delete(apps).where(apps.c.workspace_id == workspace_id)).rowcount)


def begin(connection: Connection, cipher: Cipher, attempt: ConnectAttempt, now: int) -> None:
    """Remember an attempt, and forget those that are over."""
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
    The attempt that comes back, once; whoever brings its state has used it up.

    None: unknown, over, or begun in another browser. Raises WrongKeyError.
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
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()  # a cookie may be any bytes
