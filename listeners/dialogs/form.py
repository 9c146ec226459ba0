"""Forms: the typed fields of a dialog, from which it is rendered, read back, validated and shown again. Pure.

Blocks are plain dicts. Rendering the largest form with the models of slack_sdk would take 22 ms of the event loop, and
takes 0.2 ms with dicts. `tests/listeners/dialogs/test_golden_dialogs.py` checks every dialog with those models instead.

https://docs.slack.dev/reference/block-kit/blocks/input-block
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from datetime import date, datetime
from typing import Any, Generic, TypeVar

from domain.preferences import Preference, clock
from listeners.dialogs.blocks import Block, View, modal, options, plain

LONGEST_TEXT = 3_000
"""https://docs.slack.dev/reference/block-kit/block-elements/plain-text-input-element"""

LONGEST_ERROR = 300

Shown = TypeVar("Shown")
Value = TypeVar("Value")
FieldErrors = Mapping[str, str]
"""Error messages by the names of their fields."""


class InvalidFormError(Exception):
    """What a person entered cannot be used. `errors` are shown at their fields."""

    def __init__(self, errors: FieldErrors) -> None:
        super().__init__(", ".join(errors))
        self.errors = errors


@dataclass(frozen=True)
class Field(ABC, Generic[Shown, Value]):
    """
    An input of a form. `name` is its block_id, and its action_id if there is no other.

    `row` is the block_id of a row of several inputs that it is a part of, see `row_block`.
    """

    name: str
    label: str
    _: KW_ONLY
    hint: str | None = None
    optional: bool = False
    placeholder: str | None = None
    action_id: str | None = None
    row: str | None = None

    def block(self, shown: Shown | None = None) -> Block:
        """Render the field with the value that is shown at first."""
        control = self.control(shown)
        block = {"type": "input", "block_id": self.name, "label": plain(self.label), "element": control}
        return block | {"optional": self.optional} | ({"hint": plain(self.hint)} if self.hint else {})

    def control(self, shown: Shown | None = None) -> Block:
        """Render the field without its label, such as for a section."""
        control = self.element(shown) | {"action_id": self.action_id or self.name}
        return control | ({"placeholder": plain(self.placeholder)} if self.placeholder else {})

    def state_in(self, states: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any] | None:
        """The state of the element in those of a view; None if it was not shown."""
        if self.row is not None:
            return states.get(self.row, {}).get(self.action_id or self.name)
        inputs = states.get(self.name)
        return None if inputs is None else next(iter(inputs.values()), {})

    def error(self, message: str) -> InvalidFormError:
        """Return the error that shows `message` at this field."""
        return InvalidFormError({self.name: message[:LONGEST_ERROR]})

    @abstractmethod
    def element(self, shown: Shown | None) -> Block:
        """Render the Block Kit element without its action_id."""

    @abstractmethod
    def parse(self, state: Mapping[str, Any]) -> Value:
        """Read the submitted state of the element. Raises ValueError with a sentence for the person."""


@dataclass(frozen=True)
class _TextField(Field[str, Value]):
    longest: int = field(default=LONGEST_TEXT, kw_only=True)
    multiline: bool = field(default=False, kw_only=True)

    def element(self, shown: str | None) -> Block:
        element: Block = {"type": "plain_text_input", "max_length": self.longest, "multiline": self.multiline}
        return element | ({"initial_value": shown[: self.longest]} if shown else {})


@dataclass(frozen=True)
class Text(_TextField[str]):
    """Text without the spaces around it; empty if nothing was entered."""

    def parse(self, state: Mapping[str, Any]) -> str:
        return str(state.get("value") or "").strip()


@dataclass(frozen=True)
class ParsedText(_TextField[Value]):
    """Text that `read` turns into a value. `read` raises ValueError with a sentence for the person."""

    read: Callable[[str], Value] = field(kw_only=True)

    def parse(self, state: Mapping[str, Any]) -> Value:
        return self.read(str(state.get("value") or "").strip())


@dataclass(frozen=True)
class Number(Field[str, str]):
    """A number as text; empty if nothing was entered."""

    decimals: bool = field(default=False, kw_only=True)
    least: int | None = field(default=None, kw_only=True)

    def element(self, shown: str | None) -> Block:
        element: Block = {"type": "number_input", "is_decimal_allowed": self.decimals}
        element |= {"min_value": str(self.least)} if self.least is not None else {}
        return element | ({"initial_value": shown} if shown else {})

    def parse(self, state: Mapping[str, Any]) -> str:
        return str(state.get("value") or "")


@dataclass(frozen=True)
class Choice(Field[str, str]):
    """
    One of `choices`, which has labels by value; `default`, or else empty, if none was chosen.

    A field whose choices depend on the state is declared without them and rendered with `dataclasses.replace`.
    `groups` has choices under headings instead.
    """

    choices: Mapping[str, str] = field(default_factory=dict)
    groups: Mapping[str, Mapping[str, str]] = field(default_factory=dict, kw_only=True)
    default: str = field(default="", kw_only=True)
    radio: bool = field(default=False, kw_only=True)

    @classmethod
    def of(cls, preference: Preference, *, radio: bool = False) -> Choice:
        """The field of a preference."""
        default, hint = preference.text_of(preference.default), preference.about or None
        return cls(preference.name, preference.label, preference.choices(), hint=hint, default=default, radio=radio)

    def element(self, shown: str | None) -> Block:
        chosen = shown or self.default
        groups = {heading: options(choices) for heading, choices in self.groups.items() if choices}
        offered = {
            value: option for group in (options(self.choices), *groups.values()) for value, option in group.items()
        }
        element: Block = {"type": "radio_buttons" if self.radio else "static_select"}
        if groups:
            element["option_groups"] = [
                {"label": plain(heading), "options": list(group.values())} for heading, group in groups.items()
            ]
        else:
            element["options"] = list(offered.values())
        return element | ({"initial_option": offered[chosen]} if chosen in offered else {})

    def parse(self, state: Mapping[str, Any]) -> str:
        chosen = str((state.get("selected_option") or {}).get("value") or "")
        if not chosen and (self.optional or self.default):
            return self.default
        if not chosen or (self.choices and chosen not in self.choices):
            raise ValueError("Choose an option.")
        return chosen


@dataclass(frozen=True)
class Several(Field[Collection[str], list[str]]):
    """Any number of `choices`, which has labels by value: checkboxes, or a menu."""

    choices: Mapping[str, str] = field(default_factory=dict)
    menu: bool = field(default=False, kw_only=True)

    def element(self, shown: Collection[str] | None) -> Block:
        offered = options(self.choices)
        in_order = shown if isinstance(shown, Sequence) else [value for value in offered if value in (shown or ())]
        initial = [offered[value] for value in in_order if value in offered]
        kind = "multi_static_select" if self.menu else "checkboxes"
        element: Block = {"type": kind, "options": list(offered.values())}
        return element | ({"initial_options": initial} if initial else {})

    def parse(self, state: Mapping[str, Any]) -> list[str]:
        return [str(option["value"]) for option in state.get("selected_options") or ()]


@dataclass(frozen=True)
class User(Field[str, str]):
    """The id of a Slack user; empty if none was chosen."""

    def element(self, shown: str | None) -> Block:
        return {"type": "users_select"} | ({"initial_user": shown} if shown else {})

    def parse(self, state: Mapping[str, Any]) -> str:
        return str(state.get("selected_user") or "")


@dataclass(frozen=True)
class Users(Field[Collection[str], list[str]]):
    """The ids of Slack users."""

    def element(self, shown: Collection[str] | None) -> Block:
        return {"type": "multi_users_select"} | ({"initial_users": list(shown)} if shown else {})

    def parse(self, state: Mapping[str, Any]) -> list[str]:
        return list(map(str, state.get("selected_users") or ()))


@dataclass(frozen=True)
class Channel(Field[str, str]):
    """The id of a public or private channel; empty if none was chosen."""

    def element(self, shown: str | None) -> Block:
        channels = {"include": ["public", "private"], "exclude_bot_users": True}
        element: Block = {"type": "conversations_select", "filter": channels}
        return element | ({"initial_conversation": shown} if shown else {})

    def parse(self, state: Mapping[str, Any]) -> str:
        return str(state.get("selected_conversation") or "")


@dataclass(frozen=True)
class Day(Field[date, date | None]):
    """A date; None if none was chosen."""

    def element(self, shown: date | None) -> Block:
        return {"type": "datepicker"} | ({"initial_date": shown.isoformat()} if shown else {})

    def parse(self, state: Mapping[str, Any]) -> date | None:
        chosen = state.get("selected_date")
        return date.fromisoformat(chosen) if chosen else None


@dataclass(frozen=True)
class TimeOfDay(Field[int, int | None]):
    """Minutes after midnight; None if no time was chosen."""

    def element(self, shown: int | None) -> Block:
        return {"type": "timepicker"} | ({"initial_time": clock(shown)} if shown is not None else {})

    def parse(self, state: Mapping[str, Any]) -> int | None:
        if not (chosen := state.get("selected_time")):
            return None
        at = datetime.strptime(chosen, "%H:%M")  # noqa: DTZ007 - a time of day, not a moment
        return at.hour * 60 + at.minute


def row_block(row: str, *elements: Block) -> Block:
    """One row of inputs and buttons. https://docs.slack.dev/reference/block-kit/blocks/actions-block"""
    return {"type": "actions", "block_id": row, "elements": list(elements)}


@dataclass(frozen=True)
class Entered:
    """The values of a submitted form, by the names of the fields that were shown. Others read as empty."""

    values: Mapping[str, Any]

    def __getitem__(self, key: Field[Any, Value]) -> Value:
        value: Value = self.values[key.name] if key.name in self.values else key.parse({})
        return value

    def __contains__(self, key: Field[Any, Any]) -> bool:
        return key.name in self.values


@dataclass(frozen=True)
class Form:
    """A dialog to fill in. Only admins can submit it, unless `for_members`."""

    callback_id: str
    title: str
    submit: str
    fields: Sequence[Field[Any, Any]]
    close: str = "Cancel"
    for_members: bool = False

    def view(self, blocks: Sequence[Block], data: object = None) -> View:
        """Render the dialog. `blocks` has those of the fields; `data` comes back with the submission."""
        buttons = {"submit": plain(self.submit), "close": plain(self.close)}
        return modal(self.title, blocks, data) | {"callback_id": self.callback_id} | buttons

    def read(self, view: View) -> Entered:
        """Read what was entered in the fields that were shown. Raises InvalidFormError."""
        values: dict[str, Any] = {}
        errors: dict[str, str] = {}
        for shown in self.fields:
            state = shown.state_in(view["state"]["values"])
            if state is None:
                continue
            try:
                values[shown.name] = shown.parse(state)
            except ValueError as error:
                errors[shown.name] = str(error)[:LONGEST_ERROR]
        if errors:
            raise InvalidFormError(errors)
        return Entered(values)
