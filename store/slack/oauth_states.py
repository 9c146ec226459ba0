"""OAuth states of installations: sealed, so that anyone may start an installation and nothing is stored for it."""

from __future__ import annotations

import hashlib
import logging
import secrets
from collections.abc import Callable

from slack_sdk.oauth.state_store.async_state_store import AsyncOAuthStateStore as SlackAsyncOAuthStateStore

from store.database import Database
from store.encryption import Cipher
from store.slack import seen_events

STATE_SECONDS = 600
"""How long a person may take on Slack's consent page."""

PURPOSE = "slack-installation"

log = logging.getLogger(__name__)


class AsyncOAuthStateStore(SlackAsyncOAuthStateStore):
    """States that work for one callback, within STATE_SECONDS. Only used states are stored."""

    def __init__(self, database: Database, cipher: Cipher, now: Callable[[], int]) -> None:
        """`now` returns milliseconds."""
        self._database = database
        self._cipher = cipher
        self._now = now

    @property
    def logger(self) -> logging.Logger:
        return log

    async def async_issue(self, *_args: object, **_kwargs: object) -> str:
        # Without padding: a cookie with "=" in its value would be quoted, and Bolt would not recognize it.
        return self._cipher.seal(PURPOSE, {"nonce": secrets.token_urlsafe(16)}).rstrip("=")

    async def async_consume(self, state: str) -> bool:
        """Return False if the state is forged, was used before, or has expired. Raises DatabaseUnavailableError."""
        now, padding = self._now(), "=" * (-len(state) % 4)
        if self._cipher.unseal(PURPOSE, state + padding, now=now, max_age=STATE_SECONDS) is None:
            return False
        used = f"state-{hashlib.sha256(state.encode()).hexdigest()}"
        return await self._database.run(seen_events.first_seen, used, now)
