"""Validation of blocks and views for each surface, with Slack's error messages. Pure.

https://docs.slack.dev/reference/block-kit/blocks, https://docs.slack.dev/reference/views
"""

from sandbox.slack.block_kit.elements import image, in_actions, in_card, in_input, in_section
from sandbox.slack.block_kit.parts import elements_of
from sandbox.slack.block_kit.schema import (
    Check,
    Errors,
    Shape,
    Typed,
    add_error,
    anything,
    boolean,
    choice,
    items,
    string,
    text,
    url,
)
from sandbox.slack.block_kit.tables import check_tables, data_table, rich_text, table

_base: dict[str, Check] = {"block_id": string(255)}
_any_type: dict[str, Check] = {"type": anything}
_plain = "plain_text"


def _block(required: dict[str, Check], optional: dict[str, Check] | None = None, one_of: tuple[str, ...] = ()) -> Shape:
    return Shape({**_any_type, **required}, {**_base, **(optional or {})}, one_of)


_context_text = Shape({**_any_type, "text": string(3000, 1)}, {"verbatim": boolean, "emoji": boolean})
_context = Typed({"image": image, "mrkdwn": _context_text, "plain_text": _context_text})
_card = _block(
    {},
    {
        "title": text(150),
        "subtitle": text(150),
        "body": text(200),
        "icon": image,
        "hero_image": image,
        "actions": items(in_card, 3),
    },
    ("hero_image", "title", "actions", "body"),
)
_everywhere: dict[str, Shape] = {
    "section": _block(
        {},
        {"text": text(3000), "fields": items(text(2000), 10), "accessory": in_section, "expand": boolean},
        ("text", "fields"),
    ),
    "divider": _block({}),
    "image": _block(
        {"alt_text": string(2000)},
        {"image_url": url(3000), "slack_file": anything, "title": text(2000, _plain)},
        ("image_url", "slack_file"),
    ),
    "header": _block({"text": text(150, _plain)}, {"level": anything}),
    "actions": _block({"elements": items(in_actions, 25)}),
    "context": _block({"elements": items(_context, 10)}),
    "input": _block(
        {"label": text(2000, _plain), "element": in_input},
        {"hint": text(2000, _plain), "optional": boolean, "dispatch_action": boolean},
    ),
    "rich_text": rich_text,
    "video": _block(
        {"alt_text": string(2000), "title": text(200, _plain), "thumbnail_url": url(), "video_url": url()},
        {
            "title_url": url(),
            "author_name": string(50),
            "description": text(200, _plain),
            "provider_icon_url": url(),
            "provider_name": string(255),
        },
    ),
}
_carousel = _block({"elements": items(Typed({"card": _card}), 10)})
_message_only: dict[str, Check] = {
    "markdown": _block({"text": string(12_000, 1)}),
    "table": table,
    "data_table": data_table,
    "data_visualization": _block({"title": anything, "chart": anything}),
    "container": _block(
        {"child_blocks": items(Typed(_everywhere), 10)},
        {
            "title": text(150, _plain),
            "rich_text_title": anything,
            "subtitle": text(150, _plain),
            "icon": anything,
            "width": choice("narrow", "standard", "wide", "full"),
            "is_collapsible": boolean,
            "default_collapsed": boolean,
            "has_header_divider": boolean,
        },
        ("title", "rich_text_title"),
    ),
    "plan": _block({"title": anything}, {"tasks": anything}),
    "task_card": _block(
        {"task_id": string(255), "title": string(3000)},
        {"status": anything, "details": anything, "output": anything, "sources": anything},
    ),
    "context_actions": _block({"elements": items(anything, 5)}),
    "call": _block({"call_id": string(255)}),
}
_alert = _block({"text": text(200)}, {"level": choice("default", "info", "warning", "error", "success")})

_blocks_of: dict[str, Typed] = {
    "message": Typed({**_everywhere, **_message_only, "card": _card, "carousel": _carousel}),
    "home": Typed({**_everywhere, "card": _card, "carousel": _carousel}),
    "modal": Typed({**_everywhere, "alert": _alert}),
}
# See "Works with surfaces" on the page of each element.
_elements_not_on: dict[str, frozenset[str]] = {
    "message": frozenset({"number_input", "url_text_input", "email_text_input", "file_input"}),
    "home": frozenset(
        {"number_input", "url_text_input", "email_text_input", "file_input", "datetimepicker", "workflow_button"}
    ),
    "modal": frozenset({"workflow_button"}),
}


def check_message(blocks: object) -> Errors:
    """The errors of a message's blocks, each with its JSON pointer; empty if Slack would accept them."""
    errors: Errors = []
    items(_blocks_of["message"], 50, 0)(blocks, "/blocks", errors)
    return errors or check_tables(blocks) or _check_ids(blocks, "message", "/blocks")


def check_view(view: object, *allowed: str) -> Errors:
    """The errors of a view, whose type must be one of `allowed` (home, modal)."""
    if not isinstance(view, dict):
        return ["must provide an object [json-pointer:/view]"]
    if view.get("type") not in allowed:
        return [f"must be one of: {', '.join(allowed)} [json-pointer:/view/type]"]
    errors: Errors = []
    _views[view["type"]](view, "/view", errors)
    if errors:
        return errors
    if view["type"] == "modal" and "submit" not in view and any(b["type"] == "input" for b in view["blocks"]):
        add_error(errors, "/view", "`submit` is required when an `input` block is within the blocks array")
    return errors or _check_ids(view["blocks"], view["type"], "/view/blocks")


_view: dict[str, Check] = {
    "private_metadata": string(3000),
    "callback_id": string(255),
    "external_id": string(255),
}
_views: dict[str, Shape] = {
    "home": Shape({**_any_type, "blocks": items(_blocks_of["home"], 100, 0)}, _view),
    "modal": Shape(
        {**_any_type, "title": text(24, _plain), "blocks": items(_blocks_of["modal"], 100, 0)},
        {
            **_view,
            "submit": text(24, _plain),
            "close": text(24, _plain),
            "clear_on_close": boolean,
            "notify_on_close": boolean,
            "submit_disabled": boolean,
        },
    ),
}


def _check_ids(blocks: object, surface: str, pointer: str) -> Errors:
    """A `block_id` must be unique in its message or view, an `action_id` in its block."""
    errors: Errors = []
    seen: set[str | None] = set()
    for position, block in enumerate(blocks if isinstance(blocks, list) else []):
        block_pointer = f"{pointer}/{position}"
        name = block.get("block_id")
        if name and name in seen:
            add_error(errors, f"{block_pointer}/block_id", f"`block_id` {name} already exists")
        seen.add(name)
        actions: set[str | None] = set()
        for element in elements_of(block):
            action = element.get("action_id")
            if action and action in actions:
                add_error(errors, block_pointer, f"`action_id` {action} already exists for block id {name or ''}")
            actions.add(action)
            if element["type"] in _elements_not_on[surface]:
                add_error(errors, block_pointer, f"unsupported type: {element['type']}")
    return errors
