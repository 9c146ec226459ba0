"""Events and interactions have the shapes of recorded ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

RECORDED = json.loads((Path(__file__).parents[3] / "sandbox/slack/outgoing/recorded.json").read_text())
"""The keys of Slack's payloads, from the `source` in it. Keys that Slack sends only sometimes are among them."""

ONLY_SOMETIMES = {"enterprise", "view"}
"""Keys of events that depend on the organization, or on what was published before."""

MORE = {
    # https://docs.slack.dev/reference/events/user_change
    "user_change": {"cache_ts"},
    # https://docs.slack.dev/apis/events-api/#callback-field
    "app_uninstalled": {"event_ts"},
    "tokens_revoked": {"event_ts"},
    "team_join": {"event_ts"},
    # https://docs.slack.dev/reference/interaction-payloads/view-interactions-payload
    "view_submission": {"response_urls", "view.blocks"},
    "view_closed": {"view.blocks"},
    # https://docs.slack.dev/reference/interaction-payloads/block_actions-payload
    "block_actions": {"view.blocks", "state.values"},
}
"""Keys that the reference has, and the recordings have not."""


def keys_of(value: dict[str, Any], depth: int, prefix: str = "") -> set[str]:
    keys = set()
    for name, part in value.items():
        keys.add(f"{prefix}{name}")
        if isinstance(part, dict) and depth:
            keys |= keys_of(part, depth - 1, f"{prefix}{name}.")
    return keys


async def cause(acme, kind: str) -> None:
    """Do in the workspace what causes this event."""
    slack, dana = acme.slack, acme.dana.id
    channel = slack.add_channel(acme.team, "deals", is_private=kind.startswith("group_"), is_member=True)
    causes = {
        "archive": lambda: slack.archive_channel(channel.id),
        "unarchive": lambda: slack.unarchive_channel(channel.id),
        "rename": lambda: slack.rename_channel(channel.id, "won"),
        "deleted": lambda: slack.delete_channel(channel.id),
        "left": lambda: slack.remove_bot(channel.id),
        "id_changed": lambda: slack.change_channel_id(channel.id, "C0NEW"),
        "member_joined_channel": lambda: slack.invite_bot(channel.id),
        "app_home_opened": lambda: slack.open_home(dana),
        "team_join": lambda: slack.join_user(acme.team, "Mo Ito", "mo@acme.example"),
        "user_change": lambda: slack.change_user(dana, title="CRO"),
        "app_uninstalled": lambda: slack.uninstall(acme.team.id),
        "tokens_revoked": lambda: slack.uninstall(acme.team.id),
    }
    await causes[kind.removeprefix("channel_").removeprefix("group_")]()


EVENTS = sorted(set(RECORDED["events"]) - {"app_rate_limited", "team_access_granted", "team_access_revoked"})


@pytest.mark.parametrize("kind", EVENTS)
async def test_an_event_has_the_keys_of_the_recorded_one(acme, receiver, kind):
    """No key is of our own making. The events of channels have all recorded keys; those of users have some hundreds."""
    await cause(acme, kind)
    envelopes = [json.loads(body) for body in receiver.bodies]
    envelope = next(envelope for envelope in envelopes if envelope["event"]["type"] == kind)
    sent, recorded = keys_of(envelope["event"], 2), set(RECORDED["events"][kind])

    assert set(envelope) <= set(RECORDED["envelope"])
    assert {key for key in sent if not key.startswith("view.")} <= recorded | {"event_ts"} | MORE.get(kind, set())
    if not kind.startswith(("team_", "user_")):
        assert recorded - ONLY_SOMETIMES <= sent


def button() -> dict[str, Any]:
    return {"type": "button", "text": {"type": "plain_text", "text": "Mute"}, "action_id": "mute", "value": "1"}


async def interact(acme, kind: str) -> None:
    """Do in the workspace what causes this interaction."""
    row = {"type": "actions", "block_id": "row", "elements": [button()]}
    view = {"type": "modal", "callback_id": "form", "notify_on_close": True, "blocks": [row]}
    view |= {name: {"type": "plain_text", "text": name.title()} for name in ("title", "submit", "close")}
    if kind == "block_actions":
        posted = await acme.client.chat_postMessage(channel=acme.dana.id, text="a", blocks=[row])
        await acme.slack.press(acme.dana.id, posted["channel"], posted["ts"], "mute")
        return
    await acme.client.views_open(trigger_id=acme.slack.world.new_trigger(acme.dana), view=view)
    if kind == "view_submission":
        await acme.slack.submit_view(acme.dana.id)
    else:
        await acme.slack.close_view(acme.dana.id)


@pytest.mark.parametrize("kind", ["block_actions", "view_submission", "view_closed"])
async def test_an_interaction_has_no_keys_but_recorded_ones(acme, receiver, kind):
    """What the app reads of it is sent by Slack, too."""
    await interact(acme, kind)
    payload = json.loads(parse_qs(receiver.bodies[-1])["payload"][0])
    sent = keys_of(payload, 1)

    assert sent <= set(RECORDED["interactions"][kind]) | MORE[kind]
    assert {"type", "user", "team", "enterprise", "api_app_id", "token", "is_enterprise_install"} <= sent


async def test_a_slash_command_has_the_fields_of_the_recorded_one(acme, receiver):
    """Those of an organization are left out in a workspace without one."""
    await acme.slack.command(acme.dana.id, "/usergems-status", wait=False)
    sent = set(receiver.form())
    recorded = set(RECORDED["interactions"]["slash_command"])

    assert sent <= recorded
    assert recorded - {"enterprise_id", "enterprise_name", "text"} <= sent
