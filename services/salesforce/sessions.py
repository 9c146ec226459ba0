"""Salesforce sessions: one per workspace, shared by all replicas, renewed by one of them at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import aiohttp
from sqlalchemy import Connection

from domain.errors import PermanentError, TransientError
from domain.messages.notices import SALESFORCE_BROKEN
from domain.salesforce import (
    CLIENT_CREDENTIALS,
    WEB_SERVER,
    ConnectionStatus,
    SalesforceApp,
    SalesforceConnection,
    SalesforceTokens,
)
from domain.workspace import Workspace
from services.salesforce.login import PRODUCTION_LOGIN
from services.salesforce.tokens import GrantRefusedError, LoginRestrictedError, read_tokens
from services.settings import is_loopback
from store.database import Database
from store.delivery import pauses, routing
from store.encryption import Cipher
from store.salesforce import apps, connections, sources
from store.salesforce.connections import Renewal
from store.slack import workspaces

TIMEOUT = aiohttp.ClientTimeout(total=15)  # well below RENEWAL_LEASE_MS
BUSY_RETRY_SECONDS = 2.0
DAILY_LIMIT_RETRY_SECONDS = 15 * 60.0

# The client credentials flow works on an org's own domain only, never on these:
# https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_oauth_client_credentials_flow.htm
SHARED_LOGIN_HOSTS = {"login.salesforce.com", "test.salesforce.com"}


@dataclass(frozen=True)
class Session:
    """What a call to the REST API of a workspace's org needs."""

    workspace_id: str
    instance_url: str
    access_token: str = field(repr=False)
    may_be_sandbox: bool = False


@dataclass(frozen=True)
class SalesforceSessions:
    """
    Keeps one session per workspace, shared by all replicas through the database.

    If the operator has set a client id, a secret and an org's own login URL, the workspaces in `operator_workspaces`
    are connected from the start with client credentials. If it is empty, that is only the workspace that was installed
    first, because a stranger who installs the app must not read the operator's org. In every other workspace, an admin
    connects the workspace's own org (`exchange_code`).
    """

    database: Database
    cipher: Cipher
    http: aiohttp.ClientSession
    login_url: str
    client_id: str | None
    client_secret: str | None = field(repr=False)
    now: Callable[[], int]
    operator_workspaces: frozenset[str] = frozenset()
    _renewing: dict[str, asyncio.Lock] = field(default_factory=dict, init=False, repr=False)

    async def session_for(self, workspace_id: str) -> Session | None:
        """
        Return the session to use, or None if Salesforce is not connected.

        Raises PermanentError and TransientError, the latter also if the workspace's daily API limit is reached.
        """
        stored, serves, workspace = await self.database.read(self._stored_and_workspace, workspace_id)
        connection = await self._in_use(workspace_id, stored, serves=serves)
        if connection is None:
            return None
        if workspace is not None:
            limit = workspace.salesforce_daily_calls
            if connection.our_calls_on(self.now()) >= limit:
                raise TransientError(
                    f"the app's daily limit of {limit:,} Salesforce API calls is reached",
                    retry_after=DAILY_LIMIT_RETRY_SECONDS,
                )
        if connection.access_token is None or connection.instance_url is None:
            return await self.renew(workspace_id, connection.access_token)
        return _session(connection, connection.instance_url, connection.access_token)

    async def connection_of(self, workspace_id: str) -> SalesforceConnection | None:
        """Return how the workspace is connected, or None if it is not."""
        stored, serves = await self.database.read(self._stored, workspace_id)
        return await self._in_use(workspace_id, stored, serves=serves)

    def _stored(self, connection: Connection, workspace_id: str) -> tuple[SalesforceConnection | None, bool]:
        """Return the stored connection, and whether the operator's org serves the workspace."""
        return connections.find(connection, self.cipher, workspace_id), self.serves(connection, workspace_id)

    def _stored_and_workspace(
        self, connection: Connection, workspace_id: str
    ) -> tuple[SalesforceConnection | None, bool, Workspace | None]:
        return *self._stored(connection, workspace_id), workspaces.find(connection, workspace_id)

    async def _in_use(
        self, workspace_id: str, stored: SalesforceConnection | None, *, serves: bool
    ) -> SalesforceConnection | None:
        """Return the stored connection, or the operator's if that `serves` a workspace without its own."""
        if stored is not None and not stored.uses_operator_app:
            return stored
        if not serves:
            if stored is not None:  # of an earlier version, or of earlier settings
                await self.database.run(connections.remove, workspace_id)
            return None
        if stored is not None and stored.login_url == self.login_url:
            return stored
        new = SalesforceConnection(
            workspace_id=workspace_id, flow=CLIENT_CREDENTIALS, login_url=self.login_url, connected_at=self.now()
        )
        if stored is None:
            return await self.database.run(connections.add_if_absent, self.cipher, new)
        await self.database.run(connections.save, self.cipher, new)  # the operator has changed to another org
        return new

    async def renew(self, workspace_id: str, stale_token: str | None) -> Session | None:
        """
        Return a session with another token than `stale_token`, renewed once for all replicas.

        Returns None if Salesforce was disconnected in the meantime. Raises PermanentError and TransientError, the
        latter also while another replica is renewing.
        """
        async with self._renewing.setdefault(workspace_id, asyncio.Lock()):
            claimed = await self.database.run(
                connections.claim_renewal, self.cipher, workspace_id, stale_token, self.now()
            )
            if claimed is None:
                return None
            renewal, connection = claimed
            if renewal is Renewal.BUSY:
                raise TransientError("the Salesforce session is being renewed", retry_after=BUSY_RETRY_SECONDS)
            if renewal is Renewal.OURS:
                return await self._renew(connection)
            return _session(connection, connection.instance_url, connection.access_token)

    async def can_renew(self, workspace_id: str) -> bool:
        """Whether a new session is possible without an admin. If not, the existing one must not be given up."""
        connection = await self.connection_of(workspace_id)
        if connection is None:
            return False
        return connection.flow == CLIENT_CREDENTIALS or connection.refresh_token is not None

    async def app_of(self, workspace_id: str) -> tuple[str, str] | None:
        """Return id and secret of the External Client App that the workspace connects through, or None."""
        own = await self.own_app_of(workspace_id)
        if own is not None:
            return own.client_id, own.client_secret
        if self.client_id is None or self.client_secret is None:
            return None
        return self.client_id, self.client_secret

    async def own_app_of(self, workspace_id: str) -> SalesforceApp | None:
        """Return the app that an admin of this workspace has entered, or None if they have not."""
        return await self.database.run(apps.find, self.cipher, workspace_id)

    async def exchange_code(
        self,
        workspace_id: str,
        *,
        login_url: str,
        connected_by: str,
        code: str,
        code_verifier: str,
        redirect_uri: str,
    ) -> None:
        """Connect the workspace with the code from the callback. Raises PermanentError, TransientError."""
        own = await self.own_app_of(workspace_id)
        new = SalesforceConnection(
            workspace_id=workspace_id,
            flow=WEB_SERVER,
            login_url=login_url,
            connected_at=self.now(),
            connected_by=connected_by,
            client_id=own.client_id if own else None,
            client_secret=own.client_secret if own else None,
        )
        grant = {"grant_type": "authorization_code", "code": code, "code_verifier": code_verifier}
        tokens = await self._request_tokens(new, grant | {"redirect_uri": redirect_uri})
        await self.database.run(_connect, self.cipher, new, tokens, self.now())

    async def disconnect(self, workspace_id: str) -> bool:
        """Delete the tokens, and revoke them if Salesforce can be reached. False means that nothing was connected."""
        connection = await self.database.run(connections.find, self.cipher, workspace_id)
        if connection is None:
            return False
        await self.database.run(connections.remove, workspace_id)
        token = connection.refresh_token or connection.access_token
        if token is not None:
            # https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_revoke_token.htm
            url, form = f"{connection.login_url}/services/oauth2/revoke", {"token": token}
            with suppress(aiohttp.ClientError, TimeoutError):  # an admin can revoke it in Salesforce Setup
                async with self.http.post(url, data=form, timeout=TIMEOUT, allow_redirects=False):
                    pass
        return True

    async def uses_operator_org(self, workspace_id: str) -> bool:
        """Whether the operator's client credentials serve this workspace, unless it has connected an org of its own."""
        return self.has_operator_org and await self.database.run(self.serves, workspace_id)

    def serves(self, connection: Connection, workspace_id: str) -> bool:
        """Return what `uses_operator_org` does, in a transaction that is open already."""
        return workspace_id in self.served(connection)

    def served(self, connection: Connection) -> frozenset[str]:
        """Return all workspaces that the operator's client credentials serve."""
        if self.operator_workspaces or not self.has_operator_org:
            return self.operator_workspaces if self.has_operator_org else frozenset()
        first = workspaces.first_installed(connection)
        return frozenset() if first is None else frozenset({first})

    def is_current(self, connection: Connection, workspace_id: str, status: ConnectionStatus | None) -> bool:
        """Whether `connection_of` would return what is stored, without having to store or remove the operator's."""
        if status is not None and not status.uses_operator_app:
            return True
        serves = self.serves(connection, workspace_id)
        return status.login_url == self.login_url if status is not None and serves else (status is None) != serves

    async def login_url_for(self, workspace_id: str) -> str:
        """Return the login URL that is proposed to an admin who connects: the operator's org is not for everybody."""
        is_shared = urlsplit(self.login_url).hostname in SHARED_LOGIN_HOSTS
        is_here = is_loopback(urlsplit(self.login_url).hostname)
        if is_shared or is_here or await self.uses_operator_org(workspace_id):
            return self.login_url
        return PRODUCTION_LOGIN

    @property
    def has_operator_org(self) -> bool:
        """Whether the operator's credentials can use the client credentials flow, which needs an org's own domain."""
        has_credentials = self.client_id is not None and self.client_secret is not None
        return has_credentials and urlsplit(self.login_url).hostname not in SHARED_LOGIN_HOSTS

    async def _renew(self, connection: SalesforceConnection) -> Session | None:
        grant = {"grant_type": CLIENT_CREDENTIALS}
        if connection.flow == WEB_SERVER:
            if connection.refresh_token is None:  # Salesforce has refused it before, so another try would not help
                problem = connection.problem or "Salesforce returned no refresh token. Connect Salesforce again"
                await self.database.run(connections.give_up_renewal, connection.workspace_id, problem)
                raise PermanentError(problem)
            grant = {"grant_type": "refresh_token", "refresh_token": connection.refresh_token}
        try:
            tokens = await self._request_tokens(connection, grant)
        except GrantRefusedError as error:
            if connection.refresh_token is None:  # client credentials work again once an admin has fixed Salesforce
                await self.database.run(connections.give_up_renewal, connection.workspace_id, str(error))
                raise
            newer = await self.database.run(
                connections.refuse_renewal, self.cipher, connection.workspace_id, connection.refresh_token, str(error)
            )
            if newer is None:
                raise
            return _session(newer, newer.instance_url, newer.access_token)
        except (PermanentError, TransientError) as error:
            # An admin has to know about restricted logins, although a retry may help.
            reason = str(error) if isinstance(error, PermanentError | LoginRestrictedError) else None
            await self.database.run(connections.give_up_renewal, connection.workspace_id, reason)
            raise
        # A refresh token may work only once, and then this is the only copy of the next one. So it is stored before it
        # is used, and storing it is retried until the database is available.
        await self.database.run_until_available(
            connections.store_tokens, self.cipher, connection.workspace_id, tokens, self.now()
        )
        return _session(connection, tokens.instance_url, tokens.access_token)

    async def _request_tokens(self, connection: SalesforceConnection, grant: dict[str, str]) -> SalesforceTokens:
        client_id = connection.client_id or self.client_id
        secret = connection.client_secret or self.client_secret
        if client_id is None or secret is None:
            raise PermanentError(
                "no External Client App is set up: set SALESFORCE_CLIENT_ID and SALESFORCE_CLIENT_SECRET, or enter the"
                " workspace's own app in App Home"
            )
        form = grant | {"client_id": client_id, "client_secret": secret}
        url = f"{connection.login_url}/services/oauth2/token"
        try:
            async with self.http.post(url, data=form, timeout=TIMEOUT, allow_redirects=False) as response:
                status, body = response.status, await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise TransientError(f"Salesforce did not respond ({type(error).__name__})") from error
        return read_tokens(status, body, connection.login_url)


def _session(connection: SalesforceConnection, instance_url: str | None, access_token: str | None) -> Session | None:
    """Return a session. Until the org's details have been read, it may be a sandbox."""
    if not instance_url or not access_token:
        return None
    return Session(connection.workspace_id, instance_url, access_token, connection.is_sandbox is not False)


def _connect(
    connection: Connection, cipher: Cipher, new: SalesforceConnection, tokens: SalesforceTokens, now: int
) -> None:
    connections.save(connection, cipher, new)
    connections.store_tokens(connection, cipher, new.workspace_id, tokens, now)
    workspaces.clear_notice(connection, new.workspace_id, SALESFORCE_BROKEN)
    pauses.clear(connection, new.workspace_id, "salesforce")
    routing.wake(connection, new.workspace_id, now)
    sources.wake(connection, new.workspace_id, now)
