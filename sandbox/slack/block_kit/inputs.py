"""The values people enter into blocks, as they appear in `state.values` and in actions. Pure."""

from collections.abc import Iterator, Mapping, Sequence

from sandbox.slack.block_kit.parts import elements_of
from sandbox.slack.state import Json

# For each element, the payload field of its value and the element's field for its initial value.
# https://docs.slack.dev/reference/block-kit/block-elements and /reference/interaction-payloads
_VALUE_FIELDS = {
    "static_select": ("selected_option", "initial_option"),
    "external_select": ("selected_option", "initial_option"),
    "radio_buttons": ("selected_option", "initial_option"),
    "overflow": ("selected_option", ""),
    "checkboxes": ("selected_options", "initial_options"),
    "multi_static_select": ("selected_options", "initial_options"),
    "multi_external_select": ("selected_options", "initial_options"),
    "users_select": ("selected_user", "initial_user"),
    "multi_users_select": ("selected_users", "initial_users"),
    "conversations_select": ("selected_conversation", "initial_conversation"),
    "multi_conversations_select": ("selected_conversations", "initial_conversations"),
    "channels_select": ("selected_channel", "initial_channel"),
    "multi_channels_select": ("selected_channels", "initial_channels"),
    "datepicker": ("selected_date", "initial_date"),
    "timepicker": ("selected_time", "initial_time"),
    "datetimepicker": ("selected_date_time", "initial_date_time"),
    "plain_text_input": ("value", "initial_value"),
    "email_text_input": ("value", "initial_value"),
    "url_text_input": ("value", "initial_value"),
    "number_input": ("value", "initial_value"),
}

Value = str | int | Sequence[str] | None


def holds_state(element: Json) -> bool:
    """Whether the element keeps its value; buttons and overflow menus do not."""
    return element["type"] in _VALUE_FIELDS and element["type"] != "overflow"


def elements_in(blocks: list[Json]) -> Iterator[tuple[Json, Json]]:
    """Each element with its block."""
    for block in blocks:
        for element in elements_of(block):
            yield block, element


def find_element(
    blocks: list[Json], action_id: str, value: Value = None, block_id: str | None = None
) -> tuple[Json, Json]:
    """The element with this id, and its block. `value` selects one of several buttons with the same id.

    Raises LookupError if there is none, since people can only use what is shown.
    """
    pairs = list(elements_in(blocks))
    for block, element in pairs:
        if element.get("action_id") != action_id or (block_id and block.get("block_id") != block_id):
            continue
        if element["type"] == "button" and value is not None and element.get("value") != value:
            continue
        return block, element
    shown = sorted({str(element.get("action_id")) for _, element in pairs})
    raise LookupError(f"no element has the action_id {action_id!r} (value {value!r}); there are {shown}")


def state_of(element: Json, value: Value) -> Json:
    """`value` as it appears in Slack's payloads. Options are given by their value. Raises LookupError."""
    kind = element["type"]
    field = _VALUE_FIELDS[kind][0]
    if kind in ("external_select", "multi_external_select") or value is None:
        return {"type": kind, field: value}
    if field == "selected_option":
        return {"type": kind, field: _option(element, str(value))}
    if field == "selected_options":
        chosen = [value] if isinstance(value, str) else list(value) if isinstance(value, Sequence) else []
        return {"type": kind, field: [_option(element, item) for item in chosen]}
    return {"type": kind, field: value}


def _option(element: Json, value: str) -> Json:
    groups = element.get("option_groups") or []
    options: list[Json] = list(element.get("options") or []) + [item for group in groups for item in group["options"]]
    for option in options:
        if option["value"] == value:
            return option
    values = [option["value"] for option in options]
    raise LookupError(f"{element.get('action_id')} has no option {value!r}; it has {values}")


def values_of(blocks: list[Json], input_states: Mapping[tuple[str, str], Json]) -> Json:
    """`state.values`: the current states of all elements with a value, by block_id and action_id."""
    values: Json = {}
    for block, element in elements_in(blocks):
        if not holds_state(element):
            continue
        block_id, action_id = block["block_id"], element["action_id"]
        field, initial = _VALUE_FIELDS[element["type"]]
        empty: list[str] | None = [] if field.endswith("s") else None
        untouched = {"type": element["type"], field: element.get(initial, empty)}
        values.setdefault(block_id, {})[action_id] = input_states.get((block_id, action_id)) or untouched
    return values
