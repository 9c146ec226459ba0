"""The Home tab for dialogs of other subjects, which publish it again after a change."""

from __future__ import annotations

import json
from typing import Any, Protocol

from slack_sdk.web.async_client import AsyncWebClient

from listeners.dialogs.blocks import View


class HomeTab(Protocol):
    """Implemented by listeners/home/app_home.py."""

    async def publish(
        self,
        client: AsyncWebClient,
        workspace_id: str,
        user_id: str,
        notice: str | None = None,
        view: dict[str, Any] | None = None,
    ) -> None:
        """
        Publish the current Home of a user.

        `view` is the Home that they see now; None if that is not known.
        https://docs.slack.dev/reference/methods/views.publish
        """


def seen_version(view: View) -> int:
    """The version of the preferences that a view showed, or -1 if the view does not say."""
    try:
        version = json.loads(view.get("private_metadata") or "{}").get("version")
    except (ValueError, AttributeError):
        return -1
    return version if isinstance(version, int) else -1
