"""Short-lived, sealed links to our own pages: choosing the default channel, and connecting Salesforce."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import asdict, dataclass
from urllib.parse import urlencode

from store.encryption import Cipher

CHANNEL_PATH = "/slack/default-channel"
MORE_CHANNELS_PATH = f"{CHANNEL_PATH}/more"
CONNECT_PATH = "/salesforce/connect"

CHANNEL_COOKIE = "default_channel"
CHANNEL_LIFETIME_SECONDS = 60 * 60
CONNECT_LIFETIME_SECONDS = 15 * 60

CHANNEL_PURPOSE = "default-channel"
CONNECT_PURPOSE = "salesforce-connect"


@dataclass(frozen=True, kw_only=True)
class InstallLink:
    """
    The claims of a link to the page that chooses the default channel.

    `installed_at`, in milliseconds, ties the link to one installation: a later installation makes it stale. `browser`
    is the hash of the cookie set in the installer's browser; the link does not work in any other browser. `team_id` is
    the workspace's id at Slack.
    """

    workspace_id: str
    team_id: str
    app_id: str
    user_id: str
    installed_at: str
    browser: str

    def is_for_browser(self, cookie: str) -> bool:
        """Whether `cookie` is the one that was set in the installer's browser."""
        return hmac.compare_digest(self.browser, hash_of(cookie))

    def seal(self, cipher: Cipher) -> str:
        return cipher.seal(CHANNEL_PURPOSE, asdict(self))

    @classmethod
    def unseal(cls, cipher: Cipher, sealed: str, now: int) -> InstallLink | None:
        """Return None if the link is forged or older than an hour. `now` is in milliseconds."""
        claims = cipher.unseal(CHANNEL_PURPOSE, sealed, now=now, max_age=CHANNEL_LIFETIME_SECONDS)
        return None if claims is None else cls(**claims)

    @property
    def app_link(self) -> str | None:
        """A link that opens the app's Home in the Slack client: https://docs.slack.dev/interactivity/deep-linking"""
        return self._link("slack://app", "id", tab="home")

    @property
    def home_link(self) -> str | None:
        """A link that opens the app's Home from a browser. It grants nothing, so it is safe to share."""
        return self._link("https://slack.com/app_redirect", "app", tab="home")

    def _link(self, address: str, app: str, **more: str) -> str | None:
        if not (self.team_id and self.app_id):
            return None
        return f"{address}?{urlencode({'team': self.team_id, app: self.app_id, **more})}"


@dataclass(frozen=True)
class ConnectLink:
    """
    The claims of a link to the page that connects Salesforce.

    A browser carries no Slack identity, so App Home gives this link to the admin who asks to connect.
    """

    workspace_id: str
    user_id: str
    expires_at: int
    """The lifetime in milliseconds. Links that are made after a failed attempt expire with the first one."""

    def address(self, cipher: Cipher) -> str:
        """Path and query on this server."""
        return f"{CONNECT_PATH}?{urlencode({'link': self.seal(cipher)})}"

    def seal(self, cipher: Cipher) -> str:
        return cipher.seal(CONNECT_PURPOSE, {name: str(value) for name, value in asdict(self).items()})

    @classmethod
    def unseal(cls, cipher: Cipher, sealed: str, now: int) -> ConnectLink | None:
        """Return None if the link is forged or has expired. `now` is in milliseconds."""
        claims = cipher.unseal(CONNECT_PURPOSE, sealed, now=now, max_age=CONNECT_LIFETIME_SECONDS)
        if claims is None or now > int(claims["expires_at"]):
            return None
        return cls(claims["workspace_id"], claims["user_id"], int(claims["expires_at"]))


def hash_of(cookie: str) -> str:
    """The hash that a link carries in place of the cookie."""
    return hashlib.sha256(cookie.encode("utf-8", "surrogateescape")).hexdigest()


def channel_address(sealed: str) -> str:
    """Path and query of the default channel page for a sealed link."""
    return f"{CHANNEL_PATH}?{urlencode({'link': sealed})}"
