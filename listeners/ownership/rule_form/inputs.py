"""The inputs of the rule dialog, with their values. Pure.

https://docs.slack.dev/reference/block-kit/blocks/input-block
"""

from __future__ import annotations

from collections.abc import Mapping

from listeners.dialogs.blocks import Block, plain
from listeners.ownership.rule_form.form import LONGEST_ENTRY, RuleForm
from services.slack.mrkdwn import plain as plain_text


def text_input(
    form: RuleForm,
    name: str,
    label: str,
    *,
    hint: str | None = None,
    optional: bool = True,
    longest: int = LONGEST_ENTRY,
) -> Block | None:
    """A text input. None means that its value is too long for Slack."""
    if name in form.too_long:
        return None
    text = form.entries[name]
    element = {"type": "plain_text_input", "action_id": name, "max_length": longest}
    block = labelled(name, label, element | ({"initial_value": text} if text else {}), optional=optional)
    return block | ({"hint": plain(hint)} if hint else {})


def choice_input(form: RuleForm, name: str, label: str, choices: Mapping[str, str]) -> Block:
    """A select menu with `choices`. The first one is the default."""
    chosen = form.entries[name]
    return labelled(
        name, label, static_menu(name, choices, chosen if chosen and chosen in choices else next(iter(choices)))
    )


def several_input(form: RuleForm, name: str, label: str, choices: Mapping[str, str], none: str) -> Block:
    """A multi-select menu. `none` is the placeholder, which says what an empty selection means."""
    options = {value: _option(value, text) for value, text in choices.items()}
    element: Block = {
        "type": "multi_static_select",
        "action_id": name,
        "options": list(options.values()),
        "placeholder": plain(none),
    }
    chosen = [options[value] for value in form.several[name]]
    return labelled(name, label, element | ({"initial_options": chosen} if chosen else {}), optional=True)


def picker_input(form: RuleForm, name: str, label: str, element: Block, hint: str | None = None) -> Block | None:
    """A picker for a person or a channel. None means that its value cannot be shown."""
    if name in form.too_long:
        return None
    chosen = form.entries[name]
    initial = "initial_user" if element["type"] == "users_select" else "initial_conversation"
    element = element | {"action_id": name} | ({initial: chosen} if chosen else {})
    block = labelled(name, label, element, optional=True)
    return block | ({"hint": plain(hint)} if hint else {})


def channels_select() -> Block:
    return {"type": "conversations_select", "filter": {"include": ["public", "private"], "exclude_bot_users": True}}


def group_select(handles: Mapping[str, str], chosen: str | None) -> Block:
    """A select menu of user groups, for which Slack has no picker. `handles` is keyed by id."""
    by_handle = sorted(handles.items(), key=lambda item: item[1])
    options = {group: _option(group, f"@{handle}") for group, handle in by_handle}
    if chosen and chosen not in options:
        options[chosen] = _option(chosen, chosen)
    menu: Block = {"type": "static_select", "options": list(options.values()), "placeholder": plain("Choose a group")}
    return menu | ({"initial_option": options[chosen]} if chosen else {})


def static_menu(name: str, choices: Mapping[str, str], chosen: str) -> Block:
    """A select menu. `choices` has labels by value."""
    options = {value: _option(value, text) for value, text in choices.items()}
    return {
        "type": "static_select",
        "action_id": name,
        "options": list(options.values()),
        "initial_option": options[chosen],
    }


def _option(value: str, label: str) -> Block:
    return {"text": plain(plain_text(label, 73)), "value": value}


def labelled(name: str, label: str, element: Block, *, optional: bool = False) -> Block:
    return {"type": "input", "block_id": name, "label": plain(label), "element": element, "optional": optional}
