"""People and channels changed in Slack: what we remember of them follows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slack_bolt.async_app import AsyncApp, AsyncBoltContext
from sqlalchemy import Connection

from services.slack.directory import member_of
from services.slack.shapes import SlackUser
from store.database import Database
from store.home import member_preferences
from store.slack import members, seen_events, workspaces

BROKEN = {
    "archive": "it was archived; unarchive it, or choose another",
    "deleted": "it was deleted; choose another",
    "left": "the app was removed from it; invite it again, or choose another",
}


def register(app: AsyncApp) -> None:
    for event in ("team_join", "user_change"):
        app.event(event)(refresh_member)
    for event in ("channel_rename", "group_rename"):
        app.event(event)(rename_channel)
    for event in ("archive", "deleted", "left"):
        for kind in ("channel", "group"):
            app.event(f"{kind}_{event}")(break_channel)
    for event in ("channel_unarchive", "group_unarchive"):
        app.event(event)(mend_channel)
    app.event("member_joined_channel")(welcome_back)
    app.event("channel_id_changed")(move_channel)


async def refresh_member(
    event: dict[str, Any], body: dict[str, Any], workspace_id: str, database: Database, now: Callable[[], int]
) -> None:
    """https://docs.slack.dev/reference/events/user_change: the user as they are now, as an object."""
    user = SlackUser.of(event["user"])
    await database.run(seen_events.once, body.get("event_id"), now(), _refresh, workspace_id, user, now())


def _refresh(connection: Connection, workspace_id: str, user: SlackUser, now: int) -> None:
    members.refresh(connection, workspace_id, user.email, member_of(user, workspace_id), now)
    member_preferences.follow(connection, workspace_id, user.id, user.tz, now)


async def rename_channel(
    event: dict[str, Any], body: dict[str, Any], workspace_id: str, database: Database, now: Callable[[], int]
) -> None:
    channel_id, name = event["channel"]["id"], event["channel"]["name"]
    rename = workspaces.rename_default_channel
    await database.run(seen_events.once, body.get("event_id"), now(), rename, workspace_id, channel_id, name)


async def break_channel(
    event: dict[str, Any], body: dict[str, Any], workspace_id: str, database: Database, now: Callable[[], int]
) -> None:
    """
    Whoever looks after the app is told by the worker, see services/operations/notices.py.

    A public channel that the app was removed from could still be posted to; whoever removed it did not want that.
    https://docs.slack.dev/reference/events/channel_archive, /channel_deleted, /channel_left, and the same of group_
    """
    problem = BROKEN[event["type"].partition("_")[2]]
    broken = workspaces.break_default_channel
    await database.run(seen_events.once, body.get("event_id"), now(), broken, workspace_id, event["channel"], problem)


async def mend_channel(
    event: dict[str, Any], body: dict[str, Any], workspace_id: str, database: Database, now: Callable[[], int]
) -> None:
    mend = workspaces.mend_default_channel
    await database.run(seen_events.once, body.get("event_id"), now(), mend, workspace_id, event["channel"], now())


async def welcome_back(
    event: dict[str, Any],
    body: dict[str, Any],
    context: AsyncBoltContext,
    workspace_id: str,
    database: Database,
    now: Callable[[], int],
) -> None:
    """https://docs.slack.dev/reference/events/member_joined_channel comes for everybody; the app itself matters."""
    if event.get("user") == context.bot_user_id:
        await mend_channel(event, body, workspace_id, database, now)


async def move_channel(
    event: dict[str, Any], body: dict[str, Any], workspace_id: str, database: Database, now: Callable[[], int]
) -> None:
    """https://docs.slack.dev/reference/events/channel_id_changed"""
    old_id, new_id = event["old_channel_id"], event["new_channel_id"]
    move = workspaces.move_channel
    await database.run(seen_events.once, body.get("event_id"), now(), move, workspace_id, old_id, new_id)
