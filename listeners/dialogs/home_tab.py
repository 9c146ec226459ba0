"""The Home tab for dialogs of other subjects, which publish it again after a change."""

from __future__ import annotations

from typing import Protocol

from slack_sdk.web.async_client import AsyncWebClient

from listeners.dialogs.blocks import View, data_of
from services.home.home_state import HomeNotice
from services.home.preferences import Change
from services.slack.directory import Person


class HomeTab(Protocol):
    """Implemented by listeners/home/app_home.py."""

    async def publish(
        self,
        client: AsyncWebClient,
        workspace_id: str,
        user_id: str,
        notice: HomeNotice | None = None,
        view: View | None = None,
        person: Person | None = None,
    ) -> None:
        """
        Publish the current Home of a user.

        `view` is the Home that they see now; None if that is not known. `person` is what Slack has just said about
        them; None asks Slack. https://docs.slack.dev/reference/methods/views.publish
        """

    async def change(
        self, client: AsyncWebClient, workspace_id: str, user_id: str, change: Change, control: str, view: View | None
    ) -> None:
        """Make a change if the user is an admin, and publish their Home with the result beside the `control`."""


def seen_version(view: View) -> int:
    """The version of the preferences that a view showed, or -1 if the view does not say."""
    try:
        version = data_of(view).get("version")
    except (ValueError, AttributeError):
        return -1
    return version if isinstance(version, int) else -1
