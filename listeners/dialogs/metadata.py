"""The private_metadata of views: JSON, signed for one person, their workspace and one kind of view."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from listeners.dialogs.blocks import View
from store.encryption import Cipher

_SIGNATURE_LENGTH = 64
_WORKSPACE = re.compile(r"([A-Z0-9]{2,32})\n")


@dataclass(frozen=True)
class ViewSigner:
    """Signs the data in a view, so that it is accepted only from the person and the workspace that it was shown to."""

    cipher: Cipher = field(repr=False)

    def signed(self, view: View, workspace_id: str, user_id: str) -> View:
        """Return the view with its private_metadata signed."""
        carried = view.get("private_metadata")
        if not carried:
            return view
        signature = self.cipher.sign(_purpose(view), workspace_id, user_id, carried)
        return view | {"private_metadata": f"{signature}{carried}"}

    def checked(self, view: View, workspace_id: str, user_id: str) -> View | None:
        """Return the view with the private_metadata that `signed` was given, or None if it is forged or unsigned."""
        carried = view.get("private_metadata")
        if not carried:
            return view
        signature, text = carried[:_SIGNATURE_LENGTH], carried[_SIGNATURE_LENGTH:]
        if not self.cipher.is_signed(signature, _purpose(view), workspace_id, user_id, text):
            return None
        return view | {"private_metadata": text.removeprefix(f"{workspace_id}\n")}


def with_workspace(view: View, workspace_id: str) -> View:
    """
    Name the workspace in a view before it is signed, for an app that is installed in a whole organization.

    What people do in the view says who acts, but not in which workspace, see listeners/slack/workspace_id.py.
    """
    return view | {"private_metadata": f"{workspace_id}\n{view.get('private_metadata') or ''}"}


def workspace_in(view: Mapping[str, Any]) -> str | None:
    """
    Return the workspace that a signed view names, None if there is none.

    Its signature is not checked here: it contains the workspace, so that `checked` refuses a view with another one.
    """
    carried = view.get("private_metadata")
    named = _WORKSPACE.match(carried, _SIGNATURE_LENGTH) if isinstance(carried, str) else None
    return named[1] if named else None


def _purpose(view: View) -> str:
    """What a view is for: its callback_id, or else its title, which no two kinds of dialogs share."""
    if view["type"] == "home":  # in payloads, Slack gives it a title
        return "home"
    return str(view.get("callback_id") or view["title"]["text"])
