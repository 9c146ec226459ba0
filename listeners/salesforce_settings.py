"""An admin connects and disconnects Salesforce from App Home, and enters the workspace's own app."""

from __future__ import annotations

from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from listeners.app_home import publish
from listeners.app_home_view import seen_version
from listeners.blocks import NO_RIGHT, View
from listeners.salesforce_connect import Connecting
from listeners.salesforce_view import (
    CLIENT_ID,
    CLIENT_SECRET,
    CONNECT,
    CONNECT_LINK,
    DAILY,
    DISCONNECT,
    SET_APP,
    TITLE,
    connect_view,
    said_view,
    wait_view,
)
from services.directory import Directory
from services.home import Home
from services.preferences import Preferences
from services.salesforce_connect import NotAnAdminError


def register(app: AsyncApp) -> None:
    app.action(CONNECT)(offer)
    app.action(CONNECT_LINK)(follow)
    app.view(SET_APP)(set_app)
    app.action(DISCONNECT)(disconnect)
    app.action(DAILY)(choose_our_share)


async def offer(
    ack: AsyncAck,
    body: dict[str, Any],
    client: AsyncWebClient,
    workspace_id: str,
    directory: Directory,
    connecting: Connecting,
) -> None:
    """The dialog with the way to the browser."""
    await ack()
    opened = await client.views_open(trigger_id=body["trigger_id"], view=wait_view(TITLE))
    user_id, view = body["user"]["id"], said_view(TITLE)
    if await directory.is_admin(workspace_id, user_id):
        view = await _connect_view(connecting, workspace_id, user_id)
    await client.views_update(view_id=opened["view"]["id"], view=view)


async def follow(ack: AsyncAck) -> None:
    """Slack tells of the link as well, and wants an answer."""
    await ack()


async def set_app(ack: AsyncAck, body: dict[str, Any], workspace_id: str, connecting: Connecting) -> None:
    """Key and secret come together or not at all."""
    values, user_id = body["view"]["state"]["values"], body["user"]["id"]
    client_id, secret = ((values[name][name].get("value") or "").strip() for name in (CLIENT_ID, CLIENT_SECRET))
    if bool(client_id) != bool(secret):
        missing = CLIENT_SECRET if client_id else CLIENT_ID
        await ack(response_action="errors", errors={missing: "Enter both, the consumer key and the consumer secret."})
        return
    note = "Nothing was entered, so nothing was changed."
    if client_id:
        try:
            await connecting.connect.set_app(workspace_id, user_id, client_id, secret)
        except NotAnAdminError:
            await ack(response_action="update", view=said_view(TITLE))
            return
        note = ":white_check_mark: Saved. Go on in the browser to connect with it."
    await ack(response_action="update", view=await _connect_view(connecting, workspace_id, user_id, note))


async def disconnect(
    ack: AsyncAck,
    body: dict[str, Any],
    client: AsyncWebClient,
    workspace_id: str,
    connecting: Connecting,
    home: Home,
) -> None:
    await ack()
    user_id = body["user"]["id"]
    try:
        gone = await connecting.connect.disconnect(workspace_id, user_id)
        notice = (
            "Salesforce is disconnected, and its token revoked. All rules stay." if gone else "Nothing was connected."
        )
    except NotAnAdminError:
        notice = NO_RIGHT
    await publish(client, home, workspace_id, user_id, notice, body["view"])


async def choose_our_share(
    ack: AsyncAck,
    action: dict[str, Any],
    body: dict[str, Any],
    client: AsyncWebClient,
    workspace_id: str,
    directory: Directory,
    preferences: Preferences,
    home: Home,
) -> None:
    await ack()
    user_id, view, notice = body["user"]["id"], body["view"], NO_RIGHT
    if await directory.is_admin(workspace_id, user_id):
        calls = int(action["selected_option"]["value"])
        answer = await preferences.set_salesforce_daily_calls(workspace_id, user_id, calls, seen_version(view))
        notice = answer.text
    await publish(client, home, workspace_id, user_id, notice, view)


async def _connect_view(connecting: Connecting, workspace_id: str, user_id: str, note: str | None = None) -> View:
    auth = connecting.connect.auth
    link = connecting.link_for(workspace_id, user_id) if await auth.app_of(workspace_id) else None
    return connect_view(link, await auth.own_app_of(workspace_id), connecting.connect.redirect_uri, note)
