"""Renewing the bot tokens of apps with token rotation: https://docs.slack.dev/authentication/using-token-rotation"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from hmac import compare_digest

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from domain.errors import PermanentError, TransientError
from services.slack.call import body, call, error_code, failure
from services.slack.errors import RenewalRefusedError
from services.slack.shapes import Json, text_of
from store.database import Database
from store.encryption import Cipher
from store.slack import tokens
from store.slack.installations import AsyncInstallationStore
from store.slack.tokens import RotatingToken

EARLY_MS = 2 * 60 * 60_000
"""How long before it expires a token is renewed. If Slack refuses, admins have this time to add the app again."""

LAST_MS = 60_000
"""A token that is about to expire is renewed before it is used."""

LEASE_MS = 30_000
"""How long a replica may take to renew a token. Longer than the timeout of a call."""

EVERY_MS = 60_000
BUSY_RETRY_SECONDS = 2.0

log = logging.getLogger(__name__)


@dataclass
class BotTokens:
    """
    The bot tokens of all workspaces. Those that expire are renewed in time, by one replica at a time.

    slack_sdk's TokenRotator is not used: it has no lease, and its own clock. `client` is as in services/slack/api.py.
    """

    client: AsyncWebClient = field(repr=False)
    installations: AsyncInstallationStore
    database: Database
    cipher: Cipher = field(repr=False)
    client_id: str
    client_secret: str = field(repr=False)
    now: Callable[[], int]
    _due_at: int = field(default=0, init=False)

    async def current(self, workspace_id: str) -> str | None:
        """
        Return the token of a workspace, None if there is none.

        Raises TransientError, RenewalRefusedError, and what AsyncInstallationStore does.
        """
        stored = await self.installations.stored_token(workspace_id)
        if stored is None or stored.expires_at is None or self.now() < stored.expires_at - LAST_MS:
            return stored.token if stored else None
        return await self.renew(workspace_id, stored.token)

    async def renew(self, workspace_id: str, stale_token: str) -> str | None:
        """
        Return a token other than `stale_token`, renewed once for all replicas. None if the token does not expire.

        Raises TransientError, also while another replica is renewing, and RenewalRefusedError.
        """
        renewal = await self.database.run(tokens.claim, self.cipher, self.client_id, workspace_id, self.now(), LEASE_MS)
        if renewal is None:
            return None
        try:
            if not compare_digest(renewal.stored.token, stale_token):
                return renewal.stored.token
            if renewal.lease is None:
                raise TransientError("the app's Slack token is being renewed", retry_after=BUSY_RETRY_SECONDS)
            return await self._renew(workspace_id, renewal.stored)
        finally:
            if renewal.lease:
                await self.database.run(tokens.release, renewal.leader, renewal.lease)

    async def renew_due(self) -> bool:
        """Renew the tokens that expire soon. Always return False: there is never more to do right away."""
        if self.now() < self._due_at:
            return False
        self._due_at = self.now() + EVERY_MS
        for workspace_id in await self.database.run(tokens.expiring, self.client_id, self.now() + EARLY_MS):
            stored = await self.installations.stored_token(workspace_id)
            try:
                if stored and (stored.expires_at or 0) < self.now() + EARLY_MS:  # else it is shared and renewed
                    await self.renew(workspace_id, stored.token)
            except (PermanentError, TransientError) as error:
                log.warning("The Slack token of workspace %s was not renewed: %s", workspace_id, error)
        return False

    async def _renew(self, workspace_id: str, stored: RotatingToken) -> str:
        if stored.refresh_token is None:
            raise RenewalRefusedError
        form: Json = {"grant_type": "refresh_token", "refresh_token": stored.refresh_token}
        credentials = {"Authorization": aiohttp.encode_basic_auth(self.client_id, self.client_secret)}
        try:
            answer = body(await call(self.client, "oauth.v2.access", credentials, data=form))
        except SlackApiError as error:
            if error_code(error) != "invalid_refresh_token":
                raise failure("oauth.v2.access", error) from error
            # It was used by a replica that has stored the new one, or by a process that died before it could.
            newer = await self.database.run(
                tokens.refuse, self.cipher, self.client_id, workspace_id, stored.refresh_token
            )
            if newer is None:
                raise RenewalRefusedError from error
            return newer.token
        seconds = answer.get("expires_in")
        if not isinstance(seconds, int):
            raise TransientError("Slack sent an invalid response to oauth.v2.access")
        token, refresh_token = text_of(answer, "access_token"), text_of(answer, "refresh_token")
        new = RotatingToken(token, refresh_token, self.now() + seconds * 1_000, stored.owner_id)
        # It is stored before anything uses it, as soon as the database is available: only this process knows it.
        await self.database.run_until_available(
            tokens.store, self.cipher, self.client_id, workspace_id, stored.refresh_token, new
        )
        return new.token
