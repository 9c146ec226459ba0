"""views.*: the Home tab and modals."""

import json
from typing import Any

from sandbox.slack.block_kit.blocks import check_view
from sandbox.slack.block_kit.parts import with_ids
from sandbox.slack.shapes import view_json
from sandbox.slack.state import Json, Trigger, View
from sandbox.slack.web_api.calls import ApiError, Call, invalid_arguments

MAX_BYTES = 250_000  # "Error returned if the provided view is greater than 250kb.", views.publish
TRIGGER_LIFETIME = 3  # seconds; https://docs.slack.dev/interactivity/handling-user-interaction#modal_responses
STACK = 3  # "Currently the limit is 3.", views.push


def publish(call: Call) -> Json:
    """https://docs.slack.dev/reference/methods/views.publish"""
    user = call.user("user_id")
    definition = _definition(call, "home", user.id)
    if not call.world.app.home_tab_enabled:
        raise ApiError("not_enabled")
    home = call.world.homes.get(user.id)
    if call.text("hash") and (home is None or call.text("hash") != home.hash):
        raise ApiError("hash_conflict")
    if home is None:
        home = call.world.homes[user.id] = call.world.new_view(call.bot, user, definition)
    else:
        _replace(call, home, definition)
    call.world.touch()
    return _response(call, home)


def open_modal(call: Call) -> Json:
    """https://docs.slack.dev/reference/methods/views.open"""
    trigger = _trigger(call)
    definition = _definition(call, "modal", trigger.user_id)
    trigger.used = True
    view = call.world.new_view(call.bot, call.world.users[trigger.user_id], definition)
    call.world.modals[trigger.user_id] = [view]
    call.world.touch()
    return _response(call, view)


def push(call: Call) -> Json:
    """https://docs.slack.dev/reference/methods/views.push"""
    trigger = _trigger(call)
    definition = _definition(call, "modal", trigger.user_id)
    trigger.used = True
    stack = call.world.modals.get(trigger.user_id, [])
    if not stack or stack[0].id != trigger.root_view_id:
        raise ApiError("not_found")
    if len(stack) >= STACK:
        raise ApiError("push_limit_reached")
    view = call.world.new_view(call.bot, call.world.users[trigger.user_id], definition)
    view.root_view_id, view.previous_view_id = stack[0].id, stack[-1].id
    stack.append(view)
    call.world.touch()
    return _response(call, view)


def update(call: Call) -> Json:
    """https://docs.slack.dev/reference/methods/views.update"""
    view = call.world.view(call.text("view_id") or None, call.text("external_id") or None)
    if view is None or view.bot_id != call.bot.bot_id:
        raise ApiError("not_found")
    definition = _definition(call, str(view.definition["type"]), view.user_id, replaced=view)
    if call.text("hash") and call.text("hash") != view.hash:
        raise ApiError("hash_conflict")
    _replace(call, view, definition)
    call.world.touch()
    return _response(call, view)


def _replace(call: Call, view: View, definition: Json) -> None:
    """Entered values are kept for the same block_id and action_id: https://docs.slack.dev/surfaces/modals#updating"""
    view.definition, view.hash = definition, call.world.new_hash()


def _definition(call: Call, kind: str, viewer: str, replaced: View | None = None) -> Json:
    definition: Any = call.json("view", "invalid_arguments")
    if definition is None:
        raise invalid_arguments("missing required field: view")
    errors = check_view(definition, kind) or call.world.hidden_choices(definition["blocks"], viewer)
    if errors:
        raise invalid_arguments(*errors)
    if len(json.dumps(definition, ensure_ascii=False).encode()) > MAX_BYTES:
        raise ApiError("view_too_large")
    external_id = definition.get("external_id")
    holder = call.world.view(external_id=external_id) if external_id else None
    if holder is not None and holder is not replaced:
        raise ApiError("duplicate_external_id")
    return {**definition, "blocks": with_ids(definition["blocks"])}


def _trigger(call: Call) -> Trigger:
    """https://docs.slack.dev/reference/methods/views.open: valid once, for three seconds."""
    trigger = call.world.triggers.get(call.required("trigger_id"))
    if trigger is None or not call.can_access_team(trigger.team_id):
        raise ApiError("invalid_trigger_id")
    if trigger.used:
        raise ApiError("exchanged_trigger_id")
    if call.world.now() - trigger.created_at > TRIGGER_LIFETIME:
        raise ApiError("expired_trigger_id")
    return trigger


def _response(call: Call, view: View) -> Json:
    return {"ok": True, "view": view_json(view, call.world.app)}
