"""Sessions with Salesforce: getting one, renewing it once for everybody, and letting go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import aiohttp
from sqlalchemy import Connection

from domain.errors import PermanentError, TransientError
from domain.notices import SALESFORCE_BROKEN
from domain.salesforce import (
    CLIENT_CREDENTIALS,
    WEB_SERVER,
    SalesforceApp,
    SalesforceConnection,
    SalesforceTokens,
)
from domain.workspace import Workspace
from services.salesforce.tokens import GrantRefusedError, read_tokens
from store.database import Database
from store.delivery import pauses, routing
from store.encryption import Cipher
from store.salesforce import apps, connections, sources
from store.salesforce.connections import Renewal
from store.slack import workspaces

TIMEOUT = aiohttp.ClientTimeout(total=15)  # well inside RENEWAL_LEASE_MS
BUSY_RETRY_SECONDS = 2.0
SHARE_RETRY_SECONDS = 15 * 60.0

# The client credentials flow is answered on an org's own domain only, never on these:
# https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_oauth_client_credentials_flow.htm
SHARED_LOGIN_HOSTS = {"login.salesforce.com", "test.salesforce.com"}


@dataclass(frozen=True)
class Session:
    """What a call to the REST API of a workspace's org needs."""

    workspace_id: str
    instance_url: str
    access_token: str = field(repr=False)


@dataclass(frozen=True)
class SalesforceSessions:
    """
    Keeps one session a workspace, shared by all replicas through the database.

    With the operator's client id and secret and an org's own login URL every workspace is connected from the start,
    by client credentials; else an admin connects each (`exchange_code`).
    """

    database: Database
    cipher: Cipher
    http: aiohttp.ClientSession
    login_url: str
    client_id: str | None
    client_secret: str | None = field(repr=False)
    now: Callable[[], int]
    _renewing: dict[str, asyncio.Lock] = field(default_factory=dict, init=False, repr=False)

    async def session_for(self, workspace_id: str) -> Session | None:
        """
        The session to use; None: no Salesforce is connected.

        Raises PermanentError, and TransientError also when our share of the day's API calls is used up.
        """
        stored, workspace = await self.database.run(_connection_and_workspace, self.cipher, workspace_id)
        known = await self._in_use(workspace_id, stored)
        if known is None:
            return None
        if workspace is not None:
            self._keep_within_share(workspace, known)
        if known.access_token is None or known.instance_url is None:
            return await self.renew(workspace_id, known.access_token)
        return Session(workspace_id, known.instance_url, known.access_token)

    async def connection_of(self, workspace_id: str) -> SalesforceConnection | None:
        """How the workspace is connected; None: it is not."""
        return await self._in_use(workspace_id, await self.database.run(connections.find, self.cipher, workspace_id))

    async def _in_use(self, workspace_id: str, known: SalesforceConnection | None) -> SalesforceConnection | None:
        """*known* as it is stored, or the operator's in its place."""
        if known is not None and not known.uses_operator_app:
            return known
        if not self.serves_every_workspace:
            return None
        if known is not None and known.login_url == self.login_url:
            return known
        new = SalesforceConnection(
            workspace_id=workspace_id, flow=CLIENT_CREDENTIALS, login_url=self.login_url, connected_at=self.now()
        )
        if known is None:
            return await self.database.run(connections.add_if_absent, self.cipher, new)
        await self.database.run(connections.save, self.cipher, new)  # the operator moved to another org
        return new

    async def renew(self, workspace_id: str, stale_token: str | None) -> Session | None:
        """
        A session other than *stale_token*, asked for once however many need it, here and on other replicas.

        None: Salesforce was disconnected meanwhile. Raises PermanentError, and TransientError also while another
        replica is at it.
        """
        async with self._renewing.setdefault(workspace_id, asyncio.Lock()):
            claimed = await self.database.run(
                connections.claim_renewal, self.cipher, workspace_id, stale_token, self.now()
            )
            if claimed is None:
                return None
            whose, known = claimed
            if whose is Renewal.BUSY:
                raise TransientError("the Salesforce session is being renewed", retry_after=BUSY_RETRY_SECONDS)
            if whose is Renewal.OURS:
                return await self._renewed(known)
            return _session(workspace_id, known.instance_url, known.access_token)

    async def can_renew(self, workspace_id: str) -> bool:
        """Whether a session can be had without an admin: what there is must not be given up where it cannot."""
        known = await self.connection_of(workspace_id)
        return known is not None and (known.flow == CLIENT_CREDENTIALS or known.refresh_token is not None)

    async def app_of(self, workspace_id: str) -> tuple[str, str] | None:
        """Id and secret of the External Client App that this workspace connects through; None: there is none."""
        own = await self.own_app_of(workspace_id)
        if own is not None:
            return own.client_id, own.client_secret
        if self.client_id is None or self.client_secret is None:
            return None
        return self.client_id, self.client_secret

    async def own_app_of(self, workspace_id: str) -> SalesforceApp | None:
        """The one that an admin of this workspace has entered; None: it uses the operator's, if there is one."""
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
        """Connect the workspace with the code that came back. Raises PermanentError, TransientError."""
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
        asked = {"grant_type": "authorization_code", "code": code, "code_verifier": code_verifier}
        tokens = await self._ask(new, asked | {"redirect_uri": redirect_uri})
        await self.database.run(_connect, self.cipher, new, tokens, self.now())

    async def disconnect(self, workspace_id: str) -> bool:
        """Forget the tokens, and ask Salesforce to do the same if it can be reached; False: nothing was connected."""
        known = await self.database.run(connections.find, self.cipher, workspace_id)
        if known is None:
            return False
        await self.database.run(connections.remove, workspace_id)
        token = known.refresh_token or known.access_token
        if token is not None:
            await self._revoke(known.login_url, token)
        return True

    def _keep_within_share(self, workspace: Workspace, known: SalesforceConnection) -> None:
        if known.our_calls_on(self.now()) >= workspace.salesforce_daily_calls:
            share = f"{workspace.salesforce_daily_calls:,}"
            raise TransientError(
                f"our share of {share} Salesforce API calls a day is used up", retry_after=SHARE_RETRY_SECONDS
            )

    @property
    def serves_every_workspace(self) -> bool:
        """Whether the operator's credentials may do for client credentials, which only an org's own domain answers."""
        has_credentials = self.client_id is not None and self.client_secret is not None
        return has_credentials and urlsplit(self.login_url).hostname not in SHARED_LOGIN_HOSTS

    async def _renewed(self, known: SalesforceConnection) -> Session | None:
        asked = {"grant_type": CLIENT_CREDENTIALS}
        if known.flow == WEB_SERVER:
            if known.refresh_token is None:  # Salesforce has refused it before: asking again would not help
                problem = known.problem or "Salesforce gave us no refresh token: connect Salesforce again"
                await self.database.run(connections.give_up_renewal, known.workspace_id, problem)
                raise PermanentError(problem)
            asked = {"grant_type": "refresh_token", "refresh_token": known.refresh_token}
        try:
            tokens = await self._ask(known, asked)
        except GrantRefusedError as error:
            return await self._refused(known, error)
        except (PermanentError, TransientError) as error:
            told = str(error) if isinstance(error, PermanentError) else None
            await self.database.run(connections.give_up_renewal, known.workspace_id, told)
            raise
        # Stored before it is used: a refresh token may be good once, and then this is the only copy of the next.
        # And stored whatever the database does meanwhile, for the same reason.
        await self.database.run_until_available(
            connections.store_tokens, self.cipher, known.workspace_id, tokens, self.now()
        )
        return Session(known.workspace_id, tokens.instance_url, tokens.access_token)

    async def _refused(self, known: SalesforceConnection, error: PermanentError) -> Session | None:
        """Over for good, unless somebody else has renewed it while we asked with a token that was used up by then."""
        if known.refresh_token is None:  # client credentials: an admin mends it in Salesforce, and then it works
            await self.database.run(connections.give_up_renewal, known.workspace_id, str(error))
            raise error
        newer = await self.database.run(
            connections.refuse_renewal, self.cipher, known.workspace_id, known.refresh_token, str(error)
        )
        if newer is None:
            raise error
        return _session(newer.workspace_id, newer.instance_url, newer.access_token)

    async def _ask(self, known: SalesforceConnection, asked: dict[str, str]) -> SalesforceTokens:
        client_id, secret = known.client_id or self.client_id, known.client_secret or self.client_secret
        if client_id is None or secret is None:
            raise PermanentError(
                "there is no External Client App to connect through: set SALESFORCE_CLIENT_ID and"
                " SALESFORCE_CLIENT_SECRET, or enter the workspace's own in App Home"
            )
        form = asked | {"client_id": client_id, "client_secret": secret}
        url = f"{known.login_url}/services/oauth2/token"
        try:
            async with self.http.post(url, data=form, timeout=TIMEOUT, allow_redirects=False) as response:
                status, body = response.status, await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise TransientError(f"Salesforce did not answer: {type(error).__name__}") from error
        return read_tokens(status, body, known.login_url)

    async def _revoke(self, login_url: str, token: str) -> None:
        """https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_revoke_token.htm"""
        url = f"{login_url}/services/oauth2/revoke"
        try:
            async with self.http.post(url, data={"token": token}, timeout=TIMEOUT, allow_redirects=False):
                return
        except (aiohttp.ClientError, TimeoutError):
            return  # we have forgotten it; an admin can still revoke it in Salesforce's Setup


def _connection_and_workspace(
    connection: Connection, cipher: Cipher, workspace_id: str
) -> tuple[SalesforceConnection | None, Workspace | None]:
    return connections.find(connection, cipher, workspace_id), workspaces.find(connection, workspace_id)


def _session(workspace_id: str, instance_url: str | None, access_token: str | None) -> Session | None:
    return Session(workspace_id, instance_url, access_token) if instance_url and access_token else None


def _connect(
    connection: Connection, cipher: Cipher, new: SalesforceConnection, tokens: SalesforceTokens, now: int
) -> None:
    connections.save(connection, cipher, new)
    connections.store_tokens(connection, cipher, new.workspace_id, tokens, now)
    workspaces.clear_notice(connection, new.workspace_id, SALESFORCE_BROKEN)
    pauses.clear(connection, new.workspace_id, "salesforce")
    routing.wake(connection, new.workspace_id, now)
    sources.wake(connection, new.workspace_id, now)
