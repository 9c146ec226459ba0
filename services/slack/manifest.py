"""The Slack app's manifest: scopes, events, addresses, and the link that creates the app. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from services.settings import is_loopback

PLACEHOLDER_URL = "https://example.com"
"""The public URL in manifest.json, which is replaced."""

REASONS = {
    "chat:write": "Send job changes in direct messages and channels.",
    "chat:write.public": (
        "Post in public channels without being invited first. Without this permission, invite the app to each channel"
        " that it should post in."
    ),
    "commands": "Answer the command /usergems-status.",
    "users:read": "See who is active, who is a guest and who is an admin, so that only the right people are notified.",
    "users:read.email": "Match Salesforce owners to Slack members by email address.",
    "channels:read": "List public channels to choose from, and notice when a chosen channel is renamed or archived.",
    "groups:read": "The same for private channels that the app was invited to. It cannot see any others.",
    "im:history": "After a crash, check the app's own direct messages, so that no message is sent twice.",
    "usergroups:read": (
        "See who is in a user group, if a rule assigns job changes to one. Without this permission, such a rule skips"
        " the group."
    ),
}
"""Why the app needs each scope, for the people who are asked to grant it."""


@dataclass(frozen=True)
class Manifest:
    """https://docs.slack.dev/reference/app-manifest"""

    values: dict[str, Any]

    @classmethod
    def parse(cls, text: str) -> Manifest:
        """`text` is the content of manifest.json."""
        return cls(json.loads(text))

    @property
    def name(self) -> str:
        name: str = self.values["display_information"]["name"]
        return name

    @property
    def scopes(self) -> tuple[str, ...]:
        """All bot scopes, including the optional ones."""
        return tuple(self.values["oauth_config"]["scopes"]["bot"])

    @property
    def optional_scopes(self) -> tuple[str, ...]:
        return tuple(self.values["oauth_config"]["scopes"]["bot_optional"])

    @property
    def events(self) -> tuple[str, ...]:
        return tuple(self.values["settings"]["event_subscriptions"]["bot_events"])

    def at(self, public_url: str) -> Manifest:
        """
        Return the manifest of the same app at this address. Raises ValueError if Slack cannot reach it safely.

        `public_url` uses https, or http on this machine for a sandbox.
        """
        fault = _url_fault(public_url)
        if fault:
            raise ValueError(f"{public_url!r} {fault}")
        # The address is inserted into JSON strings, so it is escaped for JSON.
        address = json.dumps(public_url.rstrip("/"))[1:-1]
        return Manifest.parse(json.dumps(self.values).replace(PLACEHOLDER_URL, address))

    def by_socket(self) -> Manifest:
        """
        Return the manifest of the same app in Socket Mode, which needs no address that Slack can reach.

        An app without any address has no redirect URL either: it is installed in Slack's own settings.
        https://docs.slack.dev/apis/events-api/using-socket-mode
        """
        values = json.loads(json.dumps(self.values))
        if any(url.startswith(PLACEHOLDER_URL) for url in values["oauth_config"]["redirect_urls"]):
            del values["oauth_config"]["redirect_urls"]
        values["settings"]["socket_mode_enabled"] = True
        for part in ("event_subscriptions", "interactivity"):
            del values["settings"][part]["request_url"]
        for command in values["features"]["slash_commands"]:
            del command["url"]
        return Manifest(values)

    def as_json(self) -> str:
        return json.dumps(self.values, indent=2, ensure_ascii=False)

    @property
    def share_link(self) -> str:
        """
        A link to Slack's page that creates an app from this manifest, owned by the person who opens it.

        https://docs.slack.dev/app-manifests/configuring-apps-with-app-manifests#sharing
        """
        compact = json.dumps(self.values, separators=(",", ":"))
        return f"https://api.slack.com/apps?new_app=1&manifest_json={quote(compact, safe='')}"


def _url_fault(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return "is not a valid URL"
    if not host or parts.scheme not in {"http", "https"}:
        return "must start with https://"
    if parts.query or parts.fragment or parts.username:
        return "must not contain ?, # or a user name"
    if parts.scheme == "http" and not is_loopback(host):
        return "must start with https://"
    return None
