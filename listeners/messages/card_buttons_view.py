"""The dialog about the buttons that admins add to cards. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from domain.messages.card_buttons import (
    LONGEST_LABEL,
    LONGEST_TEMPLATE,
    MOST_BUTTONS,
    PLACEHOLDERS,
    ButtonKind,
    CardButton,
    InvalidButtonsError,
    card_buttons,
)
from domain.workspace import Workspace
from listeners.dialogs.blocks import Block, View, context, divider, section
from listeners.dialogs.form import Choice, Entered, Form, InvalidFormError, ParsedText, Text
from services.slack.mrkdwn import escape

CHANGE_BUTTONS, TITLE = "home_card_buttons", "Buttons on cards"

_KINDS: Mapping[str, str] = {ButtonKind.LINK: "Opens a web page", ButtonKind.WORKFLOW: "Starts a workflow in Slack"}
_INTRO = (
    f"Up to {MOST_BUTTONS} buttons on the card of each job change. The link of a page and the inputs of a workflow can"
    " have placeholders. If one of them has no value, the card does not have that button."
)
_SEEN = "Everybody who sees a card can see these values. A workflow gets only inputs that its link allows to be set."


def read_inputs(text: str) -> dict[str, str]:
    """Read the values of inputs by their names. Raises ValueError."""
    lines = [line.partition("=") for line in text.splitlines() if line.strip()]
    if not all(equals for _, equals, _ in lines):
        raise ValueError("Enter one input per line, such as contact = {contact_id}")
    return {name.strip(): value.strip() for name, _, value in lines}


@dataclass(frozen=True)
class _ButtonFields:
    """The fields of one button."""

    label: Text
    kind: Choice
    url: Text
    inputs: ParsedText[dict[str, str]]


def _fields_of(place: int) -> _ButtonFields:
    label = Text(f"label_{place}", f"Label of button {place + 1}", longest=LONGEST_LABEL, optional=True)
    kind = Choice(f"kind_{place}", "What it does", _KINDS, default=ButtonKind.LINK)
    url = Text(
        f"url_{place}",
        "Link",
        hint="The address of the page, or the one that starts the workflow.",
        placeholder="https://crm.example/{contact_id}",
        longest=LONGEST_TEMPLATE,
        optional=True,
    )
    inputs = ParsedText(
        f"inputs_{place}",
        "Inputs of the workflow",
        read=read_inputs,
        placeholder="contact = {contact_id}",
        multiline=True,
        optional=True,
    )
    return _ButtonFields(label, kind, url, inputs)


_BUTTONS = [_fields_of(place) for place in range(MOST_BUTTONS)]
FORM = Form(CHANGE_BUTTONS, TITLE, "Save", [field for fields in _BUTTONS for field in vars(fields).values()])


def buttons_line(workspace: Workspace) -> str:
    """The buttons, as Home lists them."""
    if not workspace.card_buttons:
        return "None. Add a link to your CRM, or start a workflow in Slack."
    labels = ", ".join(f"“{escape(button.label, LONGEST_LABEL)}”" for button in workspace.card_buttons)
    return labels if workspace.card_buttons_problem is None else f"{labels}\n{_problem_line(workspace)}"


def buttons_view(workspace: Workspace) -> View:
    placeholders = " · ".join(f"`{{{name}}}` {about}" for name, about in PLACEHOLDERS.items())
    blocks: list[Block] = [section(_INTRO), context(placeholders)]
    if workspace.card_buttons_problem is not None:
        blocks.append(section(_problem_line(workspace)))
    for place, fields in enumerate(_BUTTONS):
        button = workspace.card_buttons[place] if place < len(workspace.card_buttons) else None
        inputs = "\n".join(f"{name} = {value}" for name, value in button.inputs.items()) if button else ""
        blocks += [
            divider(),
            fields.label.block(button.label if button else None),
            fields.kind.block(button.kind if button else None),
            fields.url.block(button.url if button else None),
            fields.inputs.block(inputs),
        ]
    return FORM.view([*blocks, context(_SEEN)], {"version": workspace.version})


def chosen_buttons(entered: Entered) -> tuple[CardButton, ...]:
    """The buttons with a label or a link. Raises InvalidFormError."""
    used = [fields for fields in _BUTTONS if entered[fields.label] or entered[fields.url]]
    raw = [{name: entered[field] for name, field in vars(fields).items()} for fields in used]
    try:
        return card_buttons(raw)
    except InvalidButtonsError as error:
        errors = {vars(used[place or 0])[name].name: fault for (place, name), fault in error.faults.items()}
        raise InvalidFormError(errors) from None


def _problem_line(workspace: Workspace) -> str:
    problem = escape(workspace.card_buttons_problem or "", 200)
    refused = ":warning: Slack does not accept the link or an input of a workflow, so cards do not have its button"
    return f"{refused}: {problem}. To try again, save it."
