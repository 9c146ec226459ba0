"""manifest.json is valid for Slack, and the app reads its scopes and events from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from services.slack.manifest import REASONS, Manifest

FILE = Path(__file__).parents[2] / "manifest.json"


@pytest.fixture
def manifest() -> Manifest:
    return Manifest.parse(FILE.read_text())


# The documented format of each part that the app uses: https://docs.slack.dev/reference/app-manifest
URL = {"type": "string", "pattern": "^https?://", "maxLength": 3000}
NAMES = {"type": "array", "items": {"type": "string", "maxLength": 50}, "uniqueItems": True}


def obj(required: str = "", **properties: Any) -> dict[str, Any]:
    """A JSON Schema object with these properties and no others."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": required.split(),
        "properties": properties,
    }


def text(most: int, least: int = 1, **more: Any) -> dict[str, Any]:
    return {"type": "string", "minLength": least, "maxLength": most, **more}


FLAG = {"type": "boolean"}
LIMITS = obj(
    "display_information",
    _metadata=obj(major_version={"enum": [1, 2]}, minor_version={"type": "integer"}),
    display_information=obj(
        "name",
        name=text(35),
        description=text(140),
        long_description=text(4000, least=175),
        background_color=text(7, pattern="^#([0-9a-fA-F]{3}){1,2}$"),
    ),
    features=obj(
        app_home=obj(home_tab_enabled=FLAG, messages_tab_enabled=FLAG, messages_tab_read_only_enabled=FLAG),
        bot_user=obj("display_name", display_name=text(80), always_online=FLAG),
        slash_commands={
            "type": "array",
            "minItems": 1,
            "maxItems": 50,
            "items": obj(
                "command description",
                command=text(32, least=2, pattern="^/"),
                url=URL,
                description=text(2000),
                usage_hint=text(1000),
                should_escape=FLAG,
            ),
        },
    ),
    oauth_config=obj(
        redirect_urls={"type": "array", "items": URL, "maxItems": 1000, "uniqueItems": True},
        scopes=obj(bot={**NAMES, "maxItems": 255}, bot_optional={**NAMES, "maxItems": 255}),
    ),
    settings=obj(
        event_subscriptions=obj(request_url=URL, bot_events={**NAMES, "maxItems": 100}),
        interactivity=obj("is_enabled", is_enabled=FLAG, request_url=URL),
        org_deploy_enabled=FLAG,
        socket_mode_enabled=FLAG,
        token_rotation_enabled=FLAG,
    ),
)


def test_the_manifest_keeps_to_the_documented_limits(manifest: Manifest) -> None:
    """Slack refuses a manifest with an unknown key, or with a text that is too long or too short."""
    jsonschema = pytest.importorskip("jsonschema")

    assert [fault.message for fault in jsonschema.Draft7Validator(LIMITS).iter_errors(manifest.values)] == []


def test_an_optional_scope_is_also_among_the_bot_scopes(manifest: Manifest) -> None:
    """Slack requires optional scopes in both lists."""
    assert manifest.optional_scopes == ("chat:write.public", "im:history", "usergroups:read")
    assert set(manifest.optional_scopes) < set(manifest.scopes)


def test_six_scopes_are_required(manifest: Manifest) -> None:
    """Delivering a job change to a DRI needs no others."""
    assert set(manifest.scopes) - set(manifest.optional_scopes) == {
        *("chat:write", "commands", "users:read", "users:read.email"),
        *("channels:read", "groups:read"),
    }


def test_every_scope_has_a_reason(manifest: Manifest) -> None:
    """The landing page shows the reason for each permission, and no others."""
    assert sorted(REASONS) == sorted(manifest.scopes)


# The scope that each event requires: https://docs.slack.dev/reference/events
REQUIRED_SCOPES = {
    "app_home_opened": None,
    "app_uninstalled": None,
    "tokens_revoked": None,
    "team_access_granted": None,
    "team_access_revoked": None,
    "team_join": "users:read",
    "user_change": "users:read",
    **dict.fromkeys(
        (
            *("channel_archive", "channel_deleted", "channel_id_changed", "channel_left", "channel_rename"),
            *("channel_unarchive", "member_joined_channel"),
        ),
        "channels:read",
    ),
    **dict.fromkeys(("group_archive", "group_deleted", "group_left", "group_rename", "group_unarchive"), "groups:read"),
}


def test_the_manifest_requests_the_scope_of_every_event(manifest: Manifest) -> None:
    """Slack does not send an event without its scope."""
    assert set(manifest.events) == set(REQUIRED_SCOPES)
    assert {REQUIRED_SCOPES[event] for event in manifest.events} - {None} <= set(manifest.scopes)


def test_slack_sends_everything_to_one_url(manifest: Manifest) -> None:
    """Events, interactivity and the slash command share the URL where signatures are checked."""
    values = manifest.at("https://gems.example.com/").values

    assert {
        values["settings"]["event_subscriptions"]["request_url"],
        values["settings"]["interactivity"]["request_url"],
        *(command["url"] for command in values["features"]["slash_commands"]),
    } == {"https://gems.example.com/slack/events"}
    assert values["oauth_config"]["redirect_urls"] == ["https://gems.example.com/slack/oauth_redirect"]


def test_filling_in_the_url_leaves_no_placeholder(manifest: Manifest) -> None:
    """A placeholder would send a workspace's events to somebody else's server."""
    assert "https://example.com" in manifest.as_json()
    assert "example.com" not in manifest.at("https://gems.acme.test").as_json()


@pytest.mark.parametrize("url", ["https://gems.example.com", "http://localhost:3000", "http://127.0.0.1:3000"])
def test_https_is_required_except_on_loopback(manifest: Manifest, url: str) -> None:
    """Slack calls https URLs only. http on loopback is for local trials."""
    assert f"{url}/slack/events" in manifest.at(url).as_json()


@pytest.mark.parametrize(
    "url",
    [
        "http://gems.example.com",
        "gems.example.com",
        "ftp://gems.example.com",
        "https://",
        "https://gems.example.com:port",
        "https://gems.example.com/?a=1",
        "https://user@gems.example.com",
        "https://[gems",
        "",
    ],
)
def test_a_url_that_slack_cannot_use_is_refused(manifest: Manifest, url: str) -> None:
    """The error comes from the app and not from Slack after the app was created."""
    with pytest.raises(ValueError, match=r"must|is not a valid URL"):
        manifest.at(url)


def test_the_share_link_carries_the_whole_manifest(manifest: Manifest) -> None:
    """Opening the link creates the app with nothing to copy, and the link fits in an address bar."""
    filled_in = manifest.at("https://gems.example.com")

    link = urlsplit(filled_in.share_link)

    assert (link.scheme, link.netloc, link.path) == ("https", "api.slack.com", "/apps")
    query = parse_qs(link.query)
    assert query["new_app"] == ["1"]
    assert json.loads(query["manifest_json"][0]) == filled_in.values
    assert len(filled_in.share_link) < 8000


def test_a_socket_mode_manifest_has_no_request_url(manifest: Manifest) -> None:
    """Only the redirect URL for browsers is left; scopes and events are the same."""
    by_socket = manifest.at("https://gems.example.com").by_socket()

    assert list(pytest.importorskip("jsonschema").Draft7Validator(LIMITS).iter_errors(by_socket.values)) == []
    assert by_socket.values["settings"]["socket_mode_enabled"] is True
    assert "/slack/events" not in by_socket.as_json()
    assert by_socket.values["oauth_config"]["redirect_urls"] == ["https://gems.example.com/slack/oauth_redirect"]
    assert (by_socket.scopes, by_socket.events) == (manifest.scopes, manifest.events)
    assert manifest.values["settings"]["socket_mode_enabled"] is False


def test_a_socket_mode_manifest_without_an_address_has_no_redirect_url(manifest: Manifest) -> None:
    """Nothing in it points to the placeholder or to this machine."""
    by_socket = manifest.by_socket()

    assert "redirect_urls" not in by_socket.values["oauth_config"]
    assert "example.com" not in by_socket.as_json()
    assert "localhost" not in by_socket.as_json()


def test_the_manifest_requests_nothing_unnecessary(manifest: Manifest) -> None:
    """No user scopes, no token rotation and no Socket Mode."""
    assert set(manifest.values["oauth_config"]["scopes"]) == {"bot", "bot_optional"}
    assert manifest.values["settings"]["token_rotation_enabled"] is False
    assert manifest.values["settings"]["socket_mode_enabled"] is False
