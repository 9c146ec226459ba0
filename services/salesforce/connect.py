"""Connecting a workspace to Salesforce by an admin in a browser, and disconnecting it."""

from __future__ import annotations

import secrets
from contextlib import suppress
from dataclasses import dataclass, field

from sqlalchemy import Connection

from domain.audit import AuditEntry
from domain.errors import PermanentError, TransientError
from domain.salesforce import SalesforceApp, SalesforceConnection
from services.salesforce.login import authorize_url, challenge_of, login_url_of
from services.salesforce.queries.describe import SalesforceDescribe
from services.salesforce.sessions import SalesforceSessions
from services.slack.directory import Directory
from store import audit
from store.salesforce import apps
from store.salesforce.apps import ConnectAttempt

CALLBACK_PATH = "/salesforce/callback"
ATTEMPT_SECONDS = 10 * 60


@dataclass(frozen=True)
class ConsentRedirect:
    """The address of the consent page, and the cookie that the browser must send when it comes back."""

    url: str
    browser: str = field(repr=False)


class AttemptExpiredError(PermanentError):
    """The attempt took too long, was completed before, or was started in another browser."""


class NotAnAdminError(PermanentError):
    """Slack does not confirm that this person is an admin."""


@dataclass(frozen=True)
class SalesforceConnect:
    """Every change checks with Slack that its actor is an admin, and is recorded in the audit log."""

    sessions: SalesforceSessions
    directory: Directory
    describe: SalesforceDescribe
    public_url: str

    async def begin(
        self, workspace_id: str, user_id: str, choice: str, domain: str, *, expires_at: int
    ) -> ConsentRedirect:
        """
        Start an attempt and return where to send the browser. For `choice` and `domain` see `login_url_of`.

        The attempt ends after ATTEMPT_SECONDS, and at the latest at `expires_at`, in milliseconds.

        Raises PermanentError with a text that says what to enter or to set up first.
        """
        await self._require_admin(workspace_id, user_id)
        app = await self.sessions.app_of(workspace_id)
        if app is None:
            raise PermanentError("No External Client App is set up. Enter one in the app's Home.")
        attempt = ConnectAttempt(
            state=secrets.token_urlsafe(32),
            workspace_id=workspace_id,
            user_id=user_id,
            browser=secrets.token_urlsafe(32),
            login_url=login_url_of(choice, domain, await self.sessions.login_url_for(workspace_id)),
            verifier=secrets.token_urlsafe(64),
            expires_at=min(self.sessions.now() + ATTEMPT_SECONDS * 1_000, expires_at),
        )
        await self.sessions.database.run(apps.begin, self.sessions.cipher, attempt, self.sessions.now())
        url = authorize_url(
            attempt.login_url,
            client_id=app[0],
            redirect_uri=self.redirect_uri,
            state=attempt.state,
            code_challenge=challenge_of(attempt.verifier),
        )
        return ConsentRedirect(url, attempt.browser)

    async def take(self, state: str, browser: str) -> ConnectAttempt:
        """Return the attempt of a callback. Each can be taken once. Raises AttemptExpiredError."""
        attempt = await self.sessions.database.run(apps.take, self.sessions.cipher, state, browser, self.sessions.now())
        if attempt is None:
            raise AttemptExpiredError(
                "This attempt to connect Salesforce has expired, or was started in another browser."
            )
        return attempt

    async def finish(self, attempt: ConnectAttempt, code: str) -> SalesforceConnection:
        """Connect, and return the connection. Raises NotAnAdminError, PermanentError, TransientError."""
        await self._require_admin(attempt.workspace_id, attempt.user_id)
        await self.sessions.exchange_code(
            attempt.workspace_id,
            login_url=attempt.login_url,
            connected_by=attempt.user_id,
            code=code,
            code_verifier=attempt.verifier,
            redirect_uri=self.redirect_uri,
        )
        with suppress(PermanentError, TransientError):  # it is connected anyway, and the name can be read later
            await self.describe.refresh_org_details(attempt.workspace_id)
        connection = await self.sessions.connection_of(attempt.workspace_id)
        if connection is None:
            raise PermanentError("Salesforce was disconnected in the meantime.")
        user = connection.user_name or connection.user_id
        detail = f"{connection.login_url}, org {connection.org_id} ({connection.org_name}), user {user}"
        await self._record(attempt.workspace_id, attempt.user_id, "salesforce_connected", detail)
        return connection

    async def try_again(self, workspace_id: str, user_id: str) -> None:
        """Renew the session and call the org. Raises NotAnAdminError, PermanentError, TransientError."""
        await self._require_admin(workspace_id, user_id)
        connection = await self.sessions.connection_of(workspace_id)
        if connection is not None:
            await self.sessions.renew(workspace_id, connection.access_token)
            await self.describe.refresh_org_details(workspace_id)

    async def disconnect(self, workspace_id: str, user_id: str) -> bool:
        """
        Delete and revoke the tokens, and keep all rules. Raises NotAnAdminError.

        Returns False if nothing was connected.
        """
        await self._require_admin(workspace_id, user_id)
        connection = await self.sessions.connection_of(workspace_id)
        if connection is None or connection.uses_operator_app:
            return False
        was_connected = await self.sessions.disconnect(workspace_id)
        org = f"org {connection.org_id} ({connection.org_name})"
        await self._record(workspace_id, user_id, "salesforce_disconnected", org)
        return was_connected

    async def set_app(self, workspace_id: str, user_id: str, client_id: str, client_secret: str) -> None:
        """Set the workspace's own External Client App; an empty id removes it. Raises NotAnAdminError."""
        await self._require_admin(workspace_id, user_id)
        now = self.sessions.now()
        app = SalesforceApp(client_id, client_secret, user_id, now) if client_id else None
        entry = AuditEntry(now, user_id, "salesforce_app", f"id {client_id[:12]}…" if client_id else "removed")
        await self.sessions.database.run(_set_app, self, workspace_id, app, entry)

    @property
    def redirect_uri(self) -> str:
        """The callback URL that the External Client App must have."""
        return self.public_url + CALLBACK_PATH

    async def _require_admin(self, workspace_id: str, user_id: str) -> None:
        if not await self.directory.is_admin(workspace_id, user_id):
            raise NotAnAdminError("Slack did not confirm that you are an admin or owner of this workspace.")

    async def _record(self, workspace_id: str, user_id: str, action: str, detail: str) -> None:
        entry = AuditEntry(self.sessions.now(), user_id, action, detail)
        await self.sessions.database.run(audit.record, workspace_id, entry)


def _set_app(
    connection: Connection, connect: SalesforceConnect, workspace_id: str, app: SalesforceApp | None, entry: AuditEntry
) -> None:
    if app is None:
        apps.remove(connection, workspace_id)
    else:
        apps.save(connection, connect.sessions.cipher, workspace_id, app)
    audit.record(connection, workspace_id, entry)
