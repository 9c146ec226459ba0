"""Interaction payloads and slash commands, as Slack sends them to the app. Pure.

https://docs.slack.dev/reference/interaction-payloads
"""

from dataclasses import dataclass

from sandbox.slack.block_kit.inputs import Value, state_of, values_of
from sandbox.slack.shapes import enterprise_json, message_json, view_json
from sandbox.slack.state import App, Channel, Json, Message, Team, Token, User, View


@dataclass(frozen=True)
class Actor:
    """The user who acts, with the installation; `trigger_id` is new for each action."""

    app: App
    token: Token
    team: Team
    user: User
    trigger_id: str


def _common(actor: Actor, kind: str) -> Json:
    team, user = actor.team, actor.user
    team_json: Json = {"id": team.id, "domain": team.domain}
    if team.enterprise_id:
        team_json |= {"enterprise_id": team.enterprise_id, "enterprise_name": team.enterprise_name}
    return {
        "type": kind,
        # Their own workspace, whichever one they act in: https://github.com/slackapi/bolt-js/issues/1875
        "user": {"id": user.id, "username": user.name, "name": user.name, "team_id": user.team_id},
        "api_app_id": actor.app.id,
        "token": actor.app.verification_token,
        "trigger_id": actor.trigger_id,
        # None for an org-wide installation: https://github.com/slackapi/bolt-python/pull/23
        "team": None if actor.token.is_enterprise_install else team_json,
        "enterprise": enterprise_json(team),
        "is_enterprise_install": actor.token.is_enterprise_install,
    }


def action_json(block: Json, element: Json, value: Value, ts: str) -> Json:
    """An item of `actions`: the element that was used, and the value chosen in it."""
    data: Json = {"action_id": element["action_id"], "block_id": block["block_id"]}
    if element["type"] == "button":
        data |= {name: element[name] for name in ("text", "value", "style", "url") if name in element}
        data |= {"type": element["type"]}
    else:
        data |= state_of(element, value)
    return data | {"action_ts": ts}


def message_action(actor: Actor, channel: Channel, message: Message, action: Json, response_url: str) -> Json:
    """block_actions from a message. https://docs.slack.dev/reference/interaction-payloads/block_actions-payload"""
    ephemeral = message.ephemeral_to is not None
    container = {
        "type": "message",
        "message_ts": message.ts,
        "channel_id": channel.id,
        "is_ephemeral": ephemeral,
    }
    payload = _common(actor, "block_actions") | {
        "container": container,
        "channel": {"id": channel.id, "name": "privategroup" if channel.is_private else channel.name},
        "state": {"values": values_of(message.blocks or [], message.input_states)},
        "response_url": response_url,
        "actions": [action],
    }
    # Slack does not store ephemeral messages, so the payload does not contain them.
    return payload if ephemeral else payload | {"message": message_json(message, actor.app, with_metadata=False)}


def view_action(actor: Actor, view: View, action: Json) -> Json:
    """block_actions from a Home or a modal, with the view, and without a message or response_url."""
    return _common(actor, "block_actions") | {
        "container": {"type": "view", "view_id": view.id},
        "view": view_json(view, actor.app),
        "actions": [action],
    }


def view_submission(actor: Actor, view: View) -> Json:
    """https://docs.slack.dev/reference/interaction-payloads/view-interactions-payload#view_submission"""
    return _common(actor, "view_submission") | {
        "view": view_json(view, actor.app),
        "response_urls": [],
    }


def view_closed(actor: Actor, view: View, *, is_cleared: bool) -> Json:
    """https://docs.slack.dev/reference/interaction-payloads/view-interactions-payload#view_closed"""
    payload = _common(actor, "view_closed") | {
        "view": view_json(view, actor.app),
        "is_cleared": is_cleared,
    }
    del payload["trigger_id"]
    return payload


def slash_command(actor: Actor, channel: Channel, command: str, text: str, response_url: str) -> dict[str, str]:
    """The form fields, in which booleans are words. https://docs.slack.dev/interactivity/implementing-slash-commands"""
    team, user = actor.team, actor.user
    enterprise = {"enterprise_id": team.enterprise_id, "enterprise_name": team.enterprise_name}
    return {
        "token": actor.app.verification_token,
        "team_id": team.id,
        "team_domain": team.domain,
        **({name: value for name, value in enterprise.items() if value}),
        "channel_id": channel.id,
        "channel_name": "privategroup" if channel.is_private else channel.name,
        "user_id": user.id,
        "user_name": user.name,
        "command": command,
        "text": text,
        "api_app_id": actor.app.id,
        "is_enterprise_install": str(actor.token.is_enterprise_install).lower(),
        "response_url": response_url,
        "trigger_id": actor.trigger_id,
    }
