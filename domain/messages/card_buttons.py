"""The buttons that admins add to the cards of job changes: what they may be, and how they are filled. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Annotated
from urllib.parse import quote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError, field_validator
from pydantic_core import PydanticCustomError
from pydantic_core.core_schema import ValidationInfo

MOST_BUTTONS = 2
LONGEST_LABEL = 30
"""Slack cuts longer ones: https://docs.slack.dev/reference/block-kit/block-elements/workflow-button-element"""

LONGEST_TEMPLATE, LONGEST_URL = 1_000, 3_000
"""Characters of a URL with placeholders, and of what comes out of it, which Slack limits:
https://docs.slack.dev/reference/block-kit/block-elements/button-element"""

MOST_INPUTS = 10
PLACEHOLDERS: Mapping[str, str] = {
    "contact_id": "the contact in Salesforce",
    "lead_id": "the lead in Salesforce",
    "account_id": "the account in Salesforce",
    "job_change_id": "this job change",
    "change_type": "such as new_company",
    "person_name": "the person",
    "email": "their email address",
    "linkedin_url": "their LinkedIn profile",
    "company": "the company they joined or, in a departure, left",
    "company_domain": "its domain",
}
"""What a button on a card can be filled with, and what each placeholder stands for."""

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_INPUT_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}", re.ASCII)
_TRIGGER = re.compile(r"https://slack(-gov)?\.com/shortcuts/Ft[A-Z0-9]{1,40}/[A-Za-z0-9]{1,100}", re.ASCII)


class ButtonKind(StrEnum):
    """What a button on a card does: open a web page, or start a workflow in Slack."""

    LINK = "link"
    WORKFLOW = "workflow"


class CardButton(BaseModel):
    """
    A button that the admins add to cards.

    A link may have placeholders after the host. A workflow is started by the URL of its link trigger, and `inputs` are
    the values, perhaps with placeholders, of the inputs that it allows buttons to set.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: ButtonKind = ButtonKind.LINK
    label: Annotated[str, StringConstraints(strip_whitespace=True)]
    url: Annotated[str, StringConstraints(strip_whitespace=True)]
    inputs: dict[str, str] = Field(default_factory=dict, max_length=MOST_INPUTS)

    @property
    def is_workflow(self) -> bool:
        return self.kind is ButtonKind.WORKFLOW

    @field_validator("label")
    @classmethod
    def _usable_label(cls, label: str) -> str:
        _refuse(None if 1 <= len(label) <= LONGEST_LABEL else f"A label has 1 to {LONGEST_LABEL} characters.")
        return label

    @field_validator("url")
    @classmethod
    def _usable_url(cls, url: str, info: ValidationInfo) -> str:
        if info.data.get("kind") is not ButtonKind.WORKFLOW:
            _refuse(_link_fault(url))
        elif not _TRIGGER.fullmatch(url):
            _refuse("Copy the link that starts the workflow, such as https://slack.com/shortcuts/Ft0123ABC456/…")
        return url

    @field_validator("inputs")
    @classmethod
    def _usable_inputs(cls, inputs: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        if inputs and info.data.get("kind") is ButtonKind.LINK:
            _refuse("Only a workflow has inputs.")
        for name, value in inputs.items():
            is_name = _INPUT_NAME.fullmatch(name) is not None
            _refuse(_placeholder_fault(value) if is_name else f"“{name[:80]}” is not the name of an input.")
        return inputs

    def filled(self, values: Mapping[str, str]) -> CardButton | None:
        """With values in place of the placeholders. None if one of them has no value, or if the URL is too long."""
        templates = (self.url, *self.inputs.values())
        names = {name for template in templates for name in _PLACEHOLDER.findall(template)}
        if not all(values.get(name, "").strip(".") for name in names):  # a browser would go up a folder for ".."
            return None
        encoded = {name: quote(values[name], safe="") for name in names}
        inputs = {name: template.format_map(values) for name, template in self.inputs.items()}
        url = self.url if self.is_workflow else self.url.format_map(encoded)
        return self.model_copy(update={"url": url, "inputs": inputs}) if len(url) <= LONGEST_URL else None


class InvalidButtonsError(Exception):
    """`faults` are sentences by the place of the button, from 0, and its field; None for the list itself."""

    def __init__(self, faults: Mapping[tuple[int | None, str], str]) -> None:
        paths = ("buttons" if place is None else f"buttons.{place}.{name}" for place, name in faults)
        super().__init__("\n".join(map("{}: {}".format, paths, faults.values())))
        self.faults = faults


_BUTTONS = TypeAdapter(Annotated[tuple[CardButton, ...], Field(max_length=MOST_BUTTONS)])


def card_buttons(raw: object) -> tuple[CardButton, ...]:
    """Read the buttons out of decoded JSON. Raises InvalidButtonsError."""
    try:
        return _BUTTONS.validate_python(raw)
    except ValidationError as error:
        faults = dict[tuple[int | None, str], str]()
        for fault in error.errors(include_url=False):
            place, field = (*fault["loc"], None, "")[:2]
            faults[place if isinstance(place, int) else None, str(field or "")] = fault["msg"]
        raise InvalidButtonsError(faults) from None


def buttons_to_json(buttons: Iterable[CardButton], indent: int | None = None) -> str:
    return _BUTTONS.dump_json(tuple(buttons), exclude_defaults=True, indent=indent).decode()


def stored_buttons(text: str) -> tuple[CardButton, ...]:
    """Read back what `buttons_to_json` wrote. Empty for what another version of the app has stored otherwise."""
    try:
        return _BUTTONS.validate_json(text) if text != "[]" else ()
    except ValidationError:
        return ()


def usable_buttons(text: str, problem: str | None) -> tuple[CardButton, ...]:
    """Stored buttons, without those that start a workflow if Slack refuses them."""
    return tuple(button for button in stored_buttons(text) if problem is None or not button.is_workflow)


def _refuse(fault: str | None) -> None:
    if fault is not None:
        raise PydanticCustomError("card_button", "{fault}", {"fault": fault})


def _link_fault(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "This is not a valid URL."
    if len(url) > LONGEST_TEMPLATE or not url.isascii() or any(character.isspace() for character in url):
        return f"A URL has up to {LONGEST_TEMPLATE:,} ASCII characters and no spaces."
    if parts.scheme != "https" or not parts.hostname or port == 0:
        return "The URL must start with https://"
    if "{" in parts.netloc or "}" in parts.netloc or "@" in parts.netloc:
        return "The host has neither placeholders nor a password. Placeholders can follow it."
    return _placeholder_fault(url)


def _placeholder_fault(template: str) -> str | None:
    unknown = [name for name in _PLACEHOLDER.findall(template) if name not in PLACEHOLDERS]
    if unknown:
        known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
        return f"Unknown placeholder {{{unknown[0][:80]}}}. Use {known}."
    has_others = "{" in _PLACEHOLDER.sub("", template) or "}" in _PLACEHOLDER.sub("", template)
    return "A brace has to be part of a placeholder, such as {contact_id}." if has_others else None
