"""What Home looks like. Pure.

https://docs.slack.dev/surfaces/app-home, https://docs.slack.dev/reference/block-kit/blocks
"""

from __future__ import annotations

import json

from listeners.blocks import Block, View, button, context, header, moment, plain, section, select
from listeners.intake_keys_view import KEY_NAMES, KEY_TITLES
from listeners.ownership_home_view import ownership_blocks
from listeners.salesforce_view import salesforce_blocks
from services.home import HomeState
from services.intake_keys import ListedKey
from services.mrkdwn import escape
from store.audit import OPERATOR
from store.workspaces import Workspace

CHOOSE_CHANNEL = "home_choose_channel"
CHECK_CHANNEL = "home_check_channel"
CHANNEL_GETS = "home_channel_gets"
TELL_DRIS = "home_tell_dris"
MAKE_KEY = "home_make_key"  # with _signing or _bearer behind it
HOW_TO_SEND = "home_how_to_send"

_GETS = {"unmatched": "Those without a DRI", "everything": "Every job change"}
_TELL = {"yes": "Yes, in a direct message", "no": "No, only in the channel"}


def home_view(state: HomeState, notice: str | None = None) -> View:
    """The Home tab of one person. *notice*: what came of what they just did, in mrkdwn."""
    blocks = [
        header("Job changes"),
        *([section(notice)] if notice else []),
        *_health(state),
        {"type": "divider"},
        *_channel(state),
        *_choices(state),
        {"type": "divider"},
        *salesforce_blocks(state),
        {"type": "divider"},
        *ownership_blocks(state),
        {"type": "divider"},
        *(_sending(state) if state.is_admin else [context("Workspace admins and owners can change these settings.")]),
    ]
    # Whoever changes something says which version they saw, so that nobody overwrites what they have not seen.
    seen = json.dumps({"version": state.workspace.version})
    return {"type": "home", "private_metadata": seen, "blocks": blocks}


def seen_version(view: View) -> int:
    """The version of the preferences that a Home showed; -1, which never was, when it does not say."""
    try:
        version = json.loads(view.get("private_metadata") or "{}").get("version")
    except (ValueError, AttributeError):
        return -1
    return version if isinstance(version, int) else -1


def _health(state: HomeState) -> list[Block]:
    workspace = state.workspace
    kept = f" {_count(state.waiting)} kept until then." if state.waiting else ""
    if workspace.default_channel_id is None:
        who = "Choose one below" if state.is_admin else "Ask a workspace admin to choose one here"
        text = f":warning: *No default channel yet.* {who}, so that job changes without a DRI are read.{kept}"
        return [section(text)]
    if workspace.default_channel_problem:
        why = escape(workspace.default_channel_problem, 300)
        text = f":warning: *<#{workspace.default_channel_id}> cannot be posted to:* {why}.{kept}"
        advice = " Mend it and check again, or choose another channel." if state.is_admin else ""
        return [section(text + advice, button("Check again", CHECK_CHANNEL) if state.is_admin else None)]
    return [section(_arriving(state))]


def _arriving(state: HomeState) -> str:
    if state.salesforce and state.salesforce.problem:
        return ":warning: *Salesforce needs attention*, see below: until then no owners are looked up."
    if state.is_admin and not state.keys and not state.salesforce:
        return ":point_down: *Nothing sends job changes yet.* Make a key for a sender below."
    return ":white_check_mark: All is well: job changes are told as they come in."


def _channel(state: HomeState) -> list[Block]:
    workspace = state.workspace
    chosen = f"<#{workspace.default_channel_id}>" if workspace.default_channel_id else "_none yet_"
    text = f"*Default channel*: {chosen}"
    if not state.is_admin:
        return [section(text)]
    picker = {
        "type": "conversations_select",
        "action_id": CHOOSE_CHANNEL,
        "placeholder": plain("Choose a channel"),
        "filter": {"include": ["public", "private"]},
    }
    hint = "A line is posted there when you choose it. Into a private channel the app must be invited first."
    return [section(text, picker, _fresh("channel", state)), context(hint)]


def _choices(state: HomeState) -> list[Block]:
    workspace = state.workspace
    gets, told = _gets(workspace), "yes" if workspace.tell_dris else "no"
    if not state.is_admin:
        return [
            section(f"*What the channel gets*: {_lower(_GETS[gets])}"),
            section(f"*DRIs are told directly*: {_lower(_TELL[told])}"),
        ]
    blocks = [section("*Tell DRIs directly?*", select(TELL_DRIS, _TELL, told), _fresh("tell", state))]
    if workspace.tell_dris:  # else the channel gets everything, there is nothing to choose
        blocks.append(section("*What the channel gets*", select(CHANNEL_GETS, _GETS, gets), _fresh("gets", state)))
    return blocks


def _gets(workspace: Workspace) -> str:
    return workspace.channel_gets if workspace.tell_dris else "everything"


def _sending(state: HomeState) -> list[Block]:
    text = f"*Sending job changes*\nPost them to `{state.intake_url}`, signed with a secret or with an API key."
    buttons = [_key_button(kind, state) for kind in KEY_NAMES]
    known = "\n".join(_known(key) for key in state.keys[:8])
    return [
        section(text),
        {"type": "actions", "elements": [*buttons, button("How to send", HOW_TO_SEND)]},
        *([context(known)] if known else []),
    ]


def _known(key: ListedKey) -> str:
    maker = "the operator" if key.made_by == OPERATOR else f"<@{key.made_by}>"
    until = f", good until {moment(key.expires_at)}" if key.expires_at else ""
    return f"{KEY_TITLES[key.kind]} of {moment(key.made_at)}, made by {maker}{until}"


def _key_button(kind: str, state: HomeState) -> Block:
    name = KEY_NAMES[kind]
    in_force = any(key.kind == kind and key.expires_at is None for key in state.keys)
    made = button(f"{'Roll' if in_force else 'Make'} {name}", f"{MAKE_KEY}_{kind}", kind)
    if not in_force:
        return made
    confirm = {
        "title": plain(f"Roll the {name}?"),
        "text": plain("You get a new one, shown once. The one in use stays good for 24 hours."),
        "confirm": plain("Roll it"),
        "deny": plain("Keep it"),
    }
    return made | {"confirm": confirm}


def _fresh(name: str, state: HomeState) -> str:
    """A new block_id each time: with the old one Slack keeps showing what was picked, also when it was refused."""
    return f"{name}-{state.shown_at}"


def _count(waiting: int) -> str:
    return "One job change is" if waiting == 1 else f"{waiting:,} job changes are"


def _lower(label: str) -> str:
    return label[0].lower() + label[1:]
