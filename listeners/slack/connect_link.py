"""The short-lived link to the page where an admin connects Salesforce: for whom, and for which workspace. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from urllib.parse import urlencode

from store.encryption import Cipher

PATH = "/salesforce/connect"
PURPOSE = "salesforce-connect"
LIFETIME_SECONDS = 15 * 60


@dataclass(frozen=True)
class ConnectLink:
    """What a link says. Browsers carry no Slack identity, so App Home hands this to the admin who asks for it."""

    workspace_id: str
    user_id: str

    def address(self, cipher: Cipher) -> str:
        """Where it leads, on this server."""
        return f"{PATH}?{urlencode({'link': self.seal(cipher)})}"

    def seal(self, cipher: Cipher) -> str:
        return cipher.seal(PURPOSE, asdict(self))

    @classmethod
    def unseal(cls, cipher: Cipher, sealed: str, now: int) -> ConnectLink | None:
        """None: made up, or too old. *now* in milliseconds."""
        claims = cipher.unseal(PURPOSE, sealed, now=now, max_age=LIFETIME_SECONDS)
        return None if claims is None else cls(**claims)
