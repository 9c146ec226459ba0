"""The structure of Slack's payloads: https://docs.slack.dev/reference/interaction-payloads. Pure.

Only the parts are checked that Bolt or many listeners read, so that they do not fail on them. Slack adds others at any
time, and may leave out what a listener can do without.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

_Id = Annotated[str, Field(min_length=1)]


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")


class _Person(_Part):
    id: _Id


class _Text(_Part):
    text: str


class _Option(_Part):
    value: str


class _State(_Part):
    """What was entered or chosen in an element."""

    value: str | None = None
    selected_option: _Option | None = None
    selected_options: list[_Option] | None = None
    selected_user: str | None = None
    selected_users: list[str] | None = None
    selected_conversation: str | None = None
    selected_date: str | None = None
    selected_time: str | None = None


class _States(_Part):
    values: dict[str, dict[str, _State]] = {}


class _Action(_State):
    action_id: str
    block_id: str | None = None


class _Block(_Part):
    type: str
    block_id: str | None = None
    element: dict[str, object] = {}
    elements: list[dict[str, object]] = []


class _View(_Part):
    id: _Id
    type: str
    title: _Text | None = None
    callback_id: str | None = None
    private_metadata: str | None = None
    blocks: list[_Block] = []
    state: _States | None = None
    root_view_id: str | None = None
    previous_view_id: str | None = None


class _NamedView(_View):
    callback_id: str


class _Container(_Part):
    type: str | None = None
    channel_id: str | None = None
    message_ts: str | None = None


class _Event(_Part):
    type: str
    view: dict[str, object] | None = None


class _Payload(_Part):
    callback_id: str | None = None
    trigger_id: str | None = None
    event: _Event | None = None
    view: _View | None = None
    message: dict[str, object] | None = None
    container: _Container | None = None
    actions: list[dict[str, object]] = Field(default=[{}], min_length=1)


class _Command(_Payload):
    command: str
    user_id: _Id
    text: str | None = None


class _EventCallback(_Payload):
    event: _Event
    event_id: str | None = None


class _BlockActions(_Payload):
    user: _Person
    actions: list[_Action] = Field(min_length=1)  # type: ignore[assignment]  # each has more than those of other types


class _InteractiveMessage(_Payload):
    actions: list[dict[str, object]] = Field(min_length=1)


class _ViewSubmission(_Payload):
    user: _Person
    view: _NamedView


_PAYLOADS: dict[object, type[_Payload]] = {
    "event_callback": _EventCallback,
    "block_actions": _BlockActions,
    "interactive_message": _InteractiveMessage,
    "view_submission": _ViewSubmission,
    "view_closed": _ViewSubmission,
    **dict.fromkeys(
        ("url_verification", "app_rate_limited", "block_suggestion", "shortcut", "message_action"), _Payload
    ),
    **dict.fromkeys(("dialog_submission", "dialog_cancellation", "dialog_suggestion"), _Payload),
}
"""The forms of payloads by their types. Slash commands have none, nor has Slack's check of the certificate."""


def is_well_formed(payload: Any) -> bool:
    """Whether Slack could have sent this JSON, or these fields of a form."""
    if not isinstance(payload, dict):
        return False
    kind = payload.get("type")
    form = (_Payload if "ssl_check" in payload else _Command) if kind is None else _PAYLOADS.get(str(kind))
    if form is None:
        return False
    try:
        form.model_validate(payload)
    except ValidationError:
        return False
    return _is_storable("".join(_texts(payload)))


def _is_storable(text: str) -> bool:
    """Whether every database takes the text: no half of a surrogate pair, and no NUL, which PostgreSQL refuses."""
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False


def _texts(value: object) -> Iterator[str]:
    """Every text in a JSON value, names included."""
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, str):
            yield part
        elif isinstance(part, dict):
            waiting += [*part, *part.values()]
        elif isinstance(part, list):
            waiting += part
