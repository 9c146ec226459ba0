"""What the Slack app is, as manifest.json says it: scopes, events, addresses, and the link that creates it. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from services.settings import is_loopback

PLACEHOLDER_URL = "https://example.com"
"""Stands in manifest.json where the public URL goes."""

REASONS = {
    "chat:write": "Tell people about job changes in a direct message, and answer them there.",
    "chat:write.public": "Post to the default channel without having to be invited to it first.",
    "commands": "Answer /usergems-status, which shows how things are going.",
    "users:read": "Know who is active, who is a guest and who is an admin, so that only the right person is told.",
    "users:read.email": "Match the owner of a Salesforce record to a Slack member by e-mail address.",
    "channels:read": "List public channels to choose from, and notice when the chosen one is renamed or archived.",
    "groups:read": "The same for private channels that the app has been invited to. It sees no others.",
    "im:history": (
        "After a crash, check its own direct messages to see whether a message went out, so that nothing is told twice."
    ),
    "usergroups:read": (
        "Know who is in a user group, if one of your rules tells everybody in it. Without it, such a rule moves on to"
        " the next person it names."
    ),
}
"""Why each scope is asked for, as the people who are asked to allow it read it."""


@dataclass(frozen=True)
class Manifest:
    """The manifest as https://docs.slack.dev/reference/app-manifest describes it."""

    values: dict[str, Any]

    @classmethod
    def parse(cls, text: str) -> Manifest:
        """*text*: what stands in manifest.json."""
        return cls(json.loads(text))

    @property
    def name(self) -> str:
        """What the app is called in Slack. https://docs.slack.dev/reference/app-manifest"""
        name: str = self.values["display_information"]["name"]
        return name

    @property
    def scopes(self) -> tuple[str, ...]:
        """Every bot scope that is asked for, the optional ones among them."""
        return tuple(self.values["oauth_config"]["scopes"]["bot"])

    @property
    def optional_scopes(self) -> tuple[str, ...]:
        """Those that an installer may leave out."""
        return tuple(self.values["oauth_config"]["scopes"]["bot_optional"])

    @property
    def events(self) -> tuple[str, ...]:
        return tuple(self.values["settings"]["event_subscriptions"]["bot_events"])

    def at(self, public_url: str) -> Manifest:
        """
        The same app, served at this address. Raises ValueError if Slack could not reach it safely.

        *public_url*: https, or http on this machine to try things out.
        """
        fault = _url_fault(public_url)
        if fault:
            raise ValueError(f"{public_url!r} {fault}")
        # Inside JSON strings the address needs JSON's own escaping.
        address = json.dumps(public_url.rstrip("/"))[1:-1]
        return Manifest.parse(json.dumps(self.values).replace(PLACEHOLDER_URL, address))

    def by_socket(self) -> Manifest:
        """
        The same app, to which Slack speaks by WebSocket: it needs no address that Slack can reach.

        https://docs.slack.dev/apis/events-api/using-socket-mode
        """
        values = json.loads(json.dumps(self.values))
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
        Opens Slack's page that creates an app from this manifest; whoever follows it owns the new app.

        https://docs.slack.dev/app-manifests/configuring-apps-with-app-manifests#sharing
        """
        compact = json.dumps(self.values, separators=(",", ":"))
        return f"https://api.slack.com/apps?new_app=1&manifest_json={quote(compact, safe='')}"


def _url_fault(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return "is not an address"
    if not host or parts.scheme not in {"http", "https"}:
        return "must be an address that starts with https://"
    if parts.query or parts.fragment or parts.username:
        return "must be a plain address, without ?, # or a user name"
    if parts.scheme == "http" and not is_loopback(host):
        return "must start with https://; plain http is accepted for this machine (localhost) only"
    return None
