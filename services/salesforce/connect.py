"""An admin connects Salesforce in a browser: on the way there, back again, and letting go."""

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
    """Where the browser goes, and the cookie it must bring back."""

    url: str
    browser: str = field(repr=False)


class AttemptExpiredError(PermanentError):
    """It took too long, was finished before, or was begun in another browser."""


class NotAnAdminError(PermanentError):
    """Slack does not say that this person is an admin (any more)."""


@dataclass(frozen=True)
class SalesforceConnect:
    """Whoever connects, changes or lets go is asked for as an admin each time, and it is written into the audit."""

    sessions: SalesforceSessions
    directory: Directory
    describe: SalesforceDescribe
    public_url: str

    async def begin(self, workspace_id: str, user_id: str, choice: str, domain: str) -> ConsentRedirect:
        """
        On the way to Salesforce. *choice*, *domain*: see `login_url_of`.

        Raises PermanentError, which says what to enter or to set up first.
        """
        await self._is_admin(workspace_id, user_id)
        app = await self.sessions.app_of(workspace_id)
        if app is None:
            raise PermanentError("There is no External Client App to connect through. Enter one in the app's Home.")
        attempt = ConnectAttempt(
            state=secrets.token_urlsafe(32),
            workspace_id=workspace_id,
            user_id=user_id,
            browser=secrets.token_urlsafe(32),
            login_url=login_url_of(choice, domain, self.sessions.login_url),
            verifier=secrets.token_urlsafe(64),
            expires_at=self.sessions.now() + ATTEMPT_SECONDS * 1_000,
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
        """The attempt that comes back, used up. Raises AttemptOverError."""
        attempt = await self.sessions.database.run(apps.take, self.sessions.cipher, state, browser, self.sessions.now())
        if attempt is None:
            raise AttemptExpiredError("This attempt to connect Salesforce is over, or was begun in another browser.")
        return attempt

    async def finish(self, attempt: ConnectAttempt, code: str) -> SalesforceConnection:
        """Connected, with what the org says of itself. Raises NotAnAdminError, PermanentError, TransientError."""
        await self._is_admin(attempt.workspace_id, attempt.user_id)
        await self.sessions.exchange_code(
            attempt.workspace_id,
            login_url=attempt.login_url,
            connected_by=attempt.user_id,
            code=code,
            code_verifier=attempt.verifier,
            redirect_uri=self.redirect_uri,
        )
        with suppress(PermanentError, TransientError):  # connected all the same: its name is asked for another time
            await self.describe.introduce(attempt.workspace_id)
        known = await self.sessions.connection_of(attempt.workspace_id)
        if known is None:
            raise PermanentError("Salesforce was disconnected again meanwhile.")
        detail = f"{known.login_url}, org {known.org_id} ({known.org_name}), user {known.user_name or known.user_id}"
        await self._record(attempt.workspace_id, attempt.user_id, "salesforce_connected", detail)
        return known

    async def try_again(self, workspace_id: str, user_id: str) -> None:
        """A new session, and a word with the org. Raises NotAnAdminError, PermanentError, TransientError."""
        await self._is_admin(workspace_id, user_id)
        known = await self.sessions.connection_of(workspace_id)
        if known is not None:
            await self.sessions.renew(workspace_id, known.access_token)
            await self.describe.introduce(workspace_id)

    async def disconnect(self, workspace_id: str, user_id: str) -> bool:
        """Forget and revoke the tokens, keep all rules; False: nothing was connected. Raises NotAnAdminError."""
        await self._is_admin(workspace_id, user_id)
        known = await self.sessions.connection_of(workspace_id)
        if known is None or known.uses_operator_app:
            return False
        gone = await self.sessions.disconnect(workspace_id)
        await self._record(workspace_id, user_id, "salesforce_disconnected", f"org {known.org_id} ({known.org_name})")
        return gone

    async def set_app(self, workspace_id: str, user_id: str, client_id: str, client_secret: str) -> None:
        """The workspace's own External Client App; empty id: the operator's again. Raises NotAnAdminError."""
        await self._is_admin(workspace_id, user_id)
        now = self.sessions.now()
        app = SalesforceApp(client_id, client_secret, user_id, now) if client_id else None
        done = AuditEntry(now, user_id, "salesforce_app", f"id {client_id[:12]}…" if client_id else "removed")
        await self.sessions.database.run(_set_app, self, workspace_id, app, done)

    @property
    def redirect_uri(self) -> str:
        """What the External Client App has to name as its callback URL."""
        return self.public_url + CALLBACK_PATH

    async def _is_admin(self, workspace_id: str, user_id: str) -> None:
        if not await self.directory.is_admin(workspace_id, user_id):
            raise NotAnAdminError("Slack did not confirm that you are an admin or owner of this workspace.")

    async def _record(self, workspace_id: str, user_id: str, action: str, detail: str) -> None:
        change = AuditEntry(self.sessions.now(), user_id, action, detail)
        await self.sessions.database.run(audit.record, workspace_id, change)


def _set_app(
    connection: Connection, connect: SalesforceConnect, workspace_id: str, app: SalesforceApp | None, done: AuditEntry
) -> None:
    if app is None:
        apps.remove(connection, workspace_id)
    else:
        apps.save(connection, connect.sessions.cipher, workspace_id, app)
    audit.record(connection, workspace_id, done)
