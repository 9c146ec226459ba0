"""The interactive elements and composition objects of Block Kit, with their limits. Pure.

https://docs.slack.dev/reference/block-kit/block-elements and /composition-objects
"""

from collections.abc import Mapping

from sandbox.slack.block_kit.schema import (
    Check,
    Shape,
    Typed,
    anything,
    boolean,
    choice,
    integer,
    items,
    string,
    text,
    url,
)

any_type: dict[str, Check] = {"type": anything}
action_id: dict[str, Check] = {"action_id": string(255)}
plain = "plain_text"

# /composition-objects/confirmation-dialog-object
confirm = Shape(
    {"title": text(100, plain), "text": text(300), "confirm": text(30, plain), "deny": text(30, plain)},
    {"style": choice("primary", "danger")},
)
# /composition-objects/option-object, /option-group-object
option = Shape({"text": text(75, plain), "value": string(150)}, {"description": text(75, plain), "url": url(3000)})
option_with_mrkdwn = Shape({"text": text(75), "value": string(150)}, {"description": text(75)})
option_group = Shape({"label": text(75, plain), "options": items(option, 100)})
# /composition-objects/conversation-filter-object: "at least one of these, include not empty"
conversation_filter = Shape(
    {},
    {
        "include": items(choice("im", "mpim", "private", "public"), 4),
        "exclude_external_shared_channels": boolean,
        "exclude_bot_users": boolean,
    },
    one_of=("include", "exclude_external_shared_channels", "exclude_bot_users"),
)
dispatch = Shape({}, {"trigger_actions_on": items(choice("on_enter_pressed", "on_character_entered"), 2)})


def element(
    required: Mapping[str, Check], optional: Mapping[str, Check] | None = None, one_of: tuple[str, ...] = ()
) -> Shape:
    return Shape({**any_type, **required}, {**action_id, "confirm": confirm, **(optional or {})}, one_of)


def field(
    optional: Mapping[str, Check], required: Mapping[str, Check] | None = None, one_of: tuple[str, ...] = ()
) -> Shape:
    """An element with a value, which may also have a placeholder and take the focus."""
    common: dict[str, Check] = {"placeholder": text(150, plain), "focus_on_load": boolean}
    return element(required or {}, {**common, **optional}, one_of)


several: dict[str, Check] = {"max_selected_items": integer}
chosen = items(string(255), 100)
conversations: dict[str, Check] = {"filter": conversation_filter, "default_to_current_conversation": boolean}
response_url: dict[str, Check] = {"response_url_enabled": boolean}
options: dict[str, Check] = {"options": items(option, 100), "option_groups": items(option_group, 100)}

button = element(
    {"text": text(75, plain)},
    {
        "url": url(3000),
        "value": string(2000),
        "style": choice("primary", "danger"),
        "accessibility_label": string(75),
        "agent_prompt": string(4000),
        "agent_prompt_display": anything,
        "visible_to_user_ids": anything,
    },
)
overflow = element({"options": items(option, 5)})
image = Shape(
    {**any_type, "alt_text": string(2000)},
    {"image_url": url(3000), "slack_file": anything},
    ("image_url", "slack_file"),
)

selects: dict[str, Shape] = {
    "static_select": field({**options, "initial_option": option}, one_of=("options", "option_groups")),
    "external_select": field({"initial_option": option, "min_query_length": integer}),
    "users_select": field({"initial_user": string(255)}),
    "conversations_select": field({"initial_conversation": string(255), **conversations, **response_url}),
    "channels_select": field({"initial_channel": string(255), **response_url}),
    "multi_static_select": field(
        {**options, **several, "initial_options": items(option, 100)}, one_of=("options", "option_groups")
    ),
    "multi_external_select": field({**several, "initial_options": items(option, 100), "min_query_length": integer}),
    "multi_users_select": field({**several, "initial_users": chosen}),
    "multi_conversations_select": field({**several, **conversations, "initial_conversations": chosen}),
    "multi_channels_select": field({**several, "initial_channels": chosen}),
}
pickers: dict[str, Shape] = {
    "checkboxes": field({"initial_options": items(option_with_mrkdwn, 10)}, {"options": items(option_with_mrkdwn, 10)}),
    "radio_buttons": field({"initial_option": option_with_mrkdwn}, {"options": items(option_with_mrkdwn, 10)}),
    "datepicker": field({"initial_date": string(10)}),
    "timepicker": field({"initial_time": string(5), "timezone": string(255)}),
    "datetimepicker": field({"initial_date_time": integer}),
}
_text_input: dict[str, Check] = {"dispatch_action_config": dispatch, "initial_value": string(3000)}
inputs: dict[str, Shape] = {
    "plain_text_input": field({**_text_input, "multiline": boolean, "min_length": integer, "max_length": integer}),
    "email_text_input": field(_text_input),
    "url_text_input": field(_text_input),
    "number_input": field(
        {**_text_input, "min_value": string(30), "max_value": string(30)}, {"is_decimal_allowed": boolean}
    ),
    "file_input": field({"filetypes": anything, "max_files": integer}),
    "rich_text_input": field({"dispatch_action_config": dispatch, "initial_value": anything}),
}
# /composition-objects/trigger-object, /composition-objects/workflow-object
trigger = Shape(
    {"url": url()},
    {"customizable_input_parameters": items(Shape({"name": string(255, 1), "value": string(3000)}), 100, 0)},
)
workflow_button = Shape(
    {**any_type, "text": text(75, plain), "workflow": Shape({"trigger": trigger}), "action_id": string(255, 1)},
    {"style": choice("primary", "danger"), "accessibility_label": string(75), "confirm": confirm},
)
buttons: dict[str, Shape] = {"button": button, "overflow": overflow, "workflow_button": workflow_button}

# Which elements a block may hold: the "Works with block types" line of each element's page.
in_section = Typed({**buttons, **selects, **pickers, "image": image})
in_actions = Typed({**buttons, **selects, **pickers, "rich_text_input": inputs["rich_text_input"]})
in_input = Typed({**selects, **pickers, **inputs})
in_card = Typed({"button": button})  # an overflow menu "must be used inside of the section block or actions block"
