"""The short-lived link to the page that picks the default channel: who may use it, for which installation. Pure."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import asdict, dataclass
from urllib.parse import urlencode

from store.encryption import Cipher

PATH = "/slack/default-channel"
PURPOSE = "default-channel"
COOKIE = "default_channel"
LIFETIME_SECONDS = 60 * 60


@dataclass(frozen=True, kw_only=True)
class InstallLink:
    """
    What a link says. *installed_at*, in milliseconds, ties it to one installation: the next one makes it stale.

    *browser*: the mark of the cookie of whoever installed; in another browser the link opens nothing. *team_id* is
    empty for an organisation that installed as a whole.
    """

    workspace_id: str
    team_id: str
    app_id: str
    user_id: str
    installed_at: str
    browser: str

    def is_of(self, cookie: str) -> bool:
        """Whether this is the browser that installed, by the cookie it was given then."""
        return hmac.compare_digest(self.browser, mark_of(cookie))

    def seal(self, cipher: Cipher) -> str:
        return cipher.seal(PURPOSE, asdict(self))

    @classmethod
    def unseal(cls, cipher: Cipher, sealed: str, now: int) -> InstallLink | None:
        """None: made up, or older than an hour. *now* in milliseconds."""
        claims = cipher.unseal(PURPOSE, sealed, now=now, max_age=LIFETIME_SECONDS)
        return None if claims is None else cls(**claims)

    @property
    def app_link(self) -> str | None:
        """Opens the app's Home in Slack's own app. https://docs.slack.dev/interactivity/deep-linking"""
        return self._link("slack://app", "id", tab="home")

    @property
    def home_link(self) -> str | None:
        """The same from a browser. It carries no permission, so that it can be sent to anybody."""
        return self._link("https://slack.com/app_redirect", "app", tab="home")

    def _link(self, address: str, app: str, **more: str) -> str | None:
        if not (self.team_id and self.app_id):
            return None
        return f"{address}?{urlencode({'team': self.team_id, app: self.app_id, **more})}"


def mark_of(cookie: str) -> str:
    """What a link says of a cookie, which is not the cookie itself."""
    return hashlib.sha256(cookie.encode("utf-8", "surrogateescape")).hexdigest()


def address(sealed: str) -> str:
    """Where a sealed link leads, on this server."""
    return f"{PATH}?{urlencode({'link': sealed})}"
