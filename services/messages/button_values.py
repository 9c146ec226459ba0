"""The values of a message's buttons: the id of a delivery, signed for the workspace, the message and the action."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any

from services.messages.available_actions import ActionKind
from services.messages.compose import Message
from services.messages.elements import ACTION
from store.encryption import Cipher

_PURPOSE = "button"
_SIGNATURE_LENGTH = 32
"""Hexadecimal digits: 128 bits. The value of an option has room for 150 characters.
https://docs.slack.dev/reference/block-kit/composition-objects/option-object"""
_VALUE = re.compile(r"([0-9]{1,18})(?:\.([0-9a-f]{32}))?", re.ASCII)


@dataclass(frozen=True)
class ButtonPress:
    """
    A press of a button, or a choice in a menu. `value` is what `ButtonSigner.signed` put there.

    `message` is the channel and timestamp of the message that Slack says the button is in.
    """

    kind: ActionKind
    value: str
    message: tuple[str, str]

    @property
    def delivery_id(self) -> int:
        """0, which no delivery has, for a value of another form."""
        return delivery_id_in(self.value)

    @property
    def signature(self) -> str:
        """Empty in a message of version 0.2, whose values were not signed."""
        parts = _VALUE.fullmatch(self.value)
        return (parts and parts[2]) or ""


def delivery_id_in(value: str) -> int:
    """Return the id in the value of a button, signed or not; 0, which no delivery has, for anything else."""
    parts = _VALUE.fullmatch(value)
    return int(parts[1]) if parts else 0


@dataclass(frozen=True)
class ButtonSigner:
    """Signs the values of buttons, so that a delivery cannot be acted on by guessing its id."""

    cipher: Cipher = field(repr=False)

    def signed(self, message: Message, workspace_id: str, post_id: str) -> Message:
        """Return the message with signed values. `post_id` is known before Slack has the message, unlike its `ts`."""
        return replace(message, blocks=self._signed(message.blocks, (workspace_id, post_id)))

    def is_signed(self, press: ButtonPress, workspace_id: str, post_id: str) -> bool:
        """Whether `signed` put this value into the message of this post."""
        parts = (_PURPOSE, workspace_id, post_id, press.kind, str(press.delivery_id))
        return self.cipher.is_signed(press.signature, *parts, length=_SIGNATURE_LENGTH)

    def _signed(self, part: Any, message: tuple[str, str]) -> Any:
        """Sign every value in a part of a message: of its buttons, and of the options of its menus."""
        if isinstance(part, list):
            return [self._signed(item, message) for item in part]
        if not isinstance(part, dict) or part.get("type") == "workflow_button":  # its values are for the workflow
            return part
        signed = {
            name: self._signed(value, message) if isinstance(value, dict | list) else value
            for name, value in part.items()
        }
        if "value" in part:
            option, _, delivery = part["value"].rpartition(":")
            kind = option or part["action_id"].removeprefix(ACTION)
            signature = self.cipher.sign(_PURPOSE, *message, kind, delivery, length=_SIGNATURE_LENGTH)
            signed["value"] = f"{part['value']}.{signature}"
        return signed
