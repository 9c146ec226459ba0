"""Events about members and channels, which keep our copy of them up to date."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slack_bolt.async_app import AsyncApp, AsyncBoltContext
from sqlalchemy import Connection

from services.slack.directory import member_of
from services.slack.shapes import SlackUser
from store.home import member_preferences
from store.slack import members, workspaces
from store.slack.seen_events import Once

PROBLEMS = {
    "archive": "it was archived; unarchive it or choose another channel",
    "deleted": "it was deleted; choose another channel",
    "left": "the app was removed from it; invite the app again or choose another channel",
}
"""Why the default channel cannot be posted to, by the event that says so."""


def register(app: AsyncApp) -> None:
    for event in ("team_join", "user_change"):
        app.event(event)(refresh_member)
    for event in ("channel_rename", "group_rename"):
        app.event(event)(rename_channel)
    for event in ("archive", "deleted", "left"):
        for kind in ("channel", "group"):
            app.event(f"{kind}_{event}")(record_channel_problem)
    for event in ("channel_unarchive", "group_unarchive"):
        app.event(event)(clear_channel_problem)
    app.event("member_joined_channel")(notice_app_joined)
    app.event("channel_id_changed")(move_channel)


async def refresh_member(event: dict[str, Any], workspace_id: str, once: Once, now: Callable[[], int]) -> None:
    """
    Refresh the member in each workspace of an organization: Slack sends one event for all of them.

    The event holds the whole user: https://docs.slack.dev/reference/events/user_change
    """
    await once(_refresh_all, workspace_id, event["user"], now())


def _refresh_all(connection: Connection, workspace_id: str, raw_user: dict[str, Any], now: int) -> None:
    (team,) = workspaces.slack_teams(connection, [workspace_id])
    everywhere = workspaces.of_organization(connection, team.enterprise_id or "") if team.is_org_wide else []
    _refresh(connection, workspace_id, SlackUser.of(raw_user, team), now)
    for workspace in everywhere:
        if workspace.id != workspace_id:
            _refresh(connection, workspace.id, SlackUser.of(raw_user, workspace.slack_team), now)


def _refresh(connection: Connection, workspace_id: str, user: SlackUser, now: int) -> None:
    members.refresh(connection, workspace_id, user.email, member_of(user), now)
    member_preferences.update_time_zone(connection, workspace_id, user.id, user.tz, now)


async def rename_channel(event: dict[str, Any], workspace_id: str, once: Once) -> None:
    channel = event["channel"]
    await once(workspaces.rename_default_channel, workspace_id, channel["id"], channel["name"])


async def record_channel_problem(event: dict[str, Any], workspace_id: str, once: Once) -> None:
    """
    Record that the default channel cannot be posted to. The worker notifies admins, see services/messages/notices.py.

    The app could still post in a public channel that it was removed from, but removing it means that it should not.
    https://docs.slack.dev/reference/events/channel_archive, /channel_deleted, /channel_left, and the same with group_
    """
    problem = PROBLEMS[event["type"].partition("_")[2]]
    await once(workspaces.mark_default_channel_broken, workspace_id, event["channel"], problem)


async def clear_channel_problem(event: dict[str, Any], workspace_id: str, once: Once, now: Callable[[], int]) -> None:
    await once(workspaces.mark_default_channel_working, workspace_id, event["channel"], now())


async def notice_app_joined(
    event: dict[str, Any], context: AsyncBoltContext, workspace_id: str, once: Once, now: Callable[[], int]
) -> None:
    """
    Clear the channel's problem if the member who joined is the app itself.

    https://docs.slack.dev/reference/events/member_joined_channel
    """
    if event.get("user") == context.bot_user_id:
        await clear_channel_problem(event, workspace_id, once, now)


async def move_channel(event: dict[str, Any], workspace_id: str, once: Once) -> None:
    """https://docs.slack.dev/reference/events/channel_id_changed"""
    await once(workspaces.move_channel, workspace_id, event["old_channel_id"], event["new_channel_id"])
