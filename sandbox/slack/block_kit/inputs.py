"""What a person can enter into blocks, and how it reads in state.values and in actions. Pure."""

from collections.abc import Iterator, Mapping, Sequence

from sandbox.slack.block_kit.parts import elements_of
from sandbox.slack.state import Json

# For each element: the field its value stands in, and the field of the element that fills it to begin with.
# https://docs.slack.dev/reference/block-kit/block-elements, and the payloads under /reference/interaction-payloads
_FIELDS = {
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
    """Whether it keeps what was entered: a button does not, nor an overflow menu."""
    return element["type"] in _FIELDS and element["type"] != "overflow"


def parts_of(blocks: list[Json]) -> Iterator[tuple[Json, Json]]:
    """Every block with each of its elements."""
    for block in blocks:
        for element in elements_of(block):
            yield block, element


def find(blocks: list[Json], action_id: str, value: Value = None, block_id: str | None = None) -> tuple[Json, Json]:
    """The block and element a person means; a button is told from its namesakes by its `value`.

    Raises LookupError where there is none: nobody can press what is not shown.
    """
    parts = list(parts_of(blocks))
    for block, element in parts:
        if element.get("action_id") != action_id or (block_id and block.get("block_id") != block_id):
            continue
        if element["type"] == "button" and value is not None and element.get("value") != value:
            continue
        return block, element
    shown = sorted({str(element.get("action_id")) for _, element in parts})
    raise LookupError(f"nothing here has the action_id {action_id!r} (value {value!r}); there is {shown}")


def state_of(element: Json, value: Value) -> Json:
    """How `value`, a person's choice, reads in Slack's payloads. An option is meant by its value."""
    kind = element["type"]
    field = _FIELDS[kind][0]
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
    offered = [option["value"] for option in options]
    raise LookupError(f"{element.get('action_id')} offers no {value!r}; it offers {offered}")


def initial_state(element: Json) -> Json:
    field, initial = _FIELDS[element["type"]]
    empty: list[str] | None = [] if field.endswith("s") else None
    return {"type": element["type"], field: element.get(initial, empty)}


def values_of(blocks: list[Json], typed: Mapping[tuple[str, str], Json]) -> Json:
    """`state.values`: for each block, for each of its elements that hold a value, what they hold now."""
    values: Json = {}
    for block, element in parts_of(blocks):
        if not holds_state(element):
            continue
        place = (block["block_id"], element["action_id"])
        values.setdefault(place[0], {})[place[1]] = typed.get(place) or initial_state(element)
    return values
