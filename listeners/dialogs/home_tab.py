"""The Home tab as the dialogs of other subjects see it: something that can be shown again after a change."""

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
        Show a user their Home as it is now.

        `view` is the Home they see at the moment, None when there is none or it is not known.
        https://docs.slack.dev/reference/methods/views.publish
        """


def seen_version(view: View) -> int:
    """The version of the preferences that a view showed; -1 when it does not say."""
    try:
        version = json.loads(view.get("private_metadata") or "{}").get("version")
    except (ValueError, AttributeError):
        return -1
    return version if isinstance(version, int) else -1
