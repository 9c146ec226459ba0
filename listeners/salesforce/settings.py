"""An admin connects and disconnects Salesforce from App Home, and enters the workspace's own app."""

from __future__ import annotations

from functools import partial

from slack_bolt.async_app import AsyncAck, AsyncApp

from domain.errors import PermanentError, TransientError
from listeners.dialogs.blocks import ADMINS_ONLY, View
from listeners.dialogs.dialog import Dialog
from listeners.dialogs.home_tab import HomeTab, seen_version
from listeners.salesforce.connect import ConnectRoutes
from listeners.salesforce.settings_view import (
    CLIENT_ID,
    CLIENT_SECRET,
    CONNECT,
    CONNECT_LINK,
    DAILY,
    DISCONNECT,
    SET_APP,
    TITLE,
    TRY_AGAIN,
    connect_view,
)
from services.home.preferences import Preferences
from services.salesforce.connect import NotAnAdminError


def register(app: AsyncApp) -> None:
    app.action(CONNECT)(offer)
    app.action(CONNECT_LINK)(follow)
    app.view(SET_APP)(set_app)
    app.action(DISCONNECT)(disconnect)
    app.action(TRY_AGAIN)(try_again)
    app.action(DAILY)(choose_our_share)


async def offer(dialog: Dialog, connecting: ConnectRoutes) -> None:
    """The dialog with the way to the browser."""
    await dialog.open(TITLE, partial(_connect_view, connecting, dialog.workspace_id, dialog.user_id))


async def follow(ack: AsyncAck) -> None:
    """Slack tells of the link as well, and wants an answer."""
    await ack()


async def set_app(dialog: Dialog, connecting: ConnectRoutes) -> None:
    """Key and secret come together or not at all."""
    client_id, secret = ((dialog.value_of(name) or "").strip() for name in (CLIENT_ID, CLIENT_SECRET))
    if bool(client_id) != bool(secret):
        missing = CLIENT_SECRET if client_id else CLIENT_ID
        await dialog.show_errors({missing: "Enter both, the consumer key and the consumer secret."})
        return

    async def make_view() -> View:
        note = "Nothing was entered, so nothing was changed."
        if client_id:
            await connecting.connect.set_app(dialog.workspace_id, dialog.user_id, client_id, secret)
            note = ":white_check_mark: Saved. Go on in the browser to connect with it."
        return await _connect_view(connecting, dialog.workspace_id, dialog.user_id, note)

    await dialog.answer(TITLE, make_view)


async def disconnect(dialog: Dialog, connecting: ConnectRoutes, home_tab: HomeTab) -> None:
    await dialog.ack()
    try:
        gone = await connecting.connect.disconnect(dialog.workspace_id, dialog.user_id)
        notice = (
            "Salesforce is disconnected, and its token revoked. All rules stay." if gone else "Nothing was connected."
        )
    except NotAnAdminError:
        notice = ADMINS_ONLY
    await home_tab.publish(dialog.client, dialog.workspace_id, dialog.user_id, notice, dialog.view)


async def try_again(dialog: Dialog, connecting: ConnectRoutes, home_tab: HomeTab) -> None:
    """What has failed is in Home itself, so that it is not said twice."""
    await dialog.ack()
    try:
        await connecting.connect.try_again(dialog.workspace_id, dialog.user_id)
        notice = "Salesforce answers again."
    except NotAnAdminError:
        notice = ADMINS_ONLY
    except PermanentError:
        notice = "Salesforce still refuses us."
    except TransientError:
        notice = "Salesforce did not answer. Try again in a moment."
    await home_tab.publish(dialog.client, dialog.workspace_id, dialog.user_id, notice, dialog.view)


async def choose_our_share(dialog: Dialog, preferences: Preferences, home_tab: HomeTab) -> None:
    await dialog.ack()
    notice = ADMINS_ONLY
    if await dialog.is_admin():
        calls, seen = int(dialog.action["selected_option"]["value"]), seen_version(dialog.view)
        answer = await preferences.set_salesforce_daily_calls(dialog.workspace_id, dialog.user_id, calls, seen)
        notice = answer.text
    await home_tab.publish(dialog.client, dialog.workspace_id, dialog.user_id, notice, dialog.view)


async def _connect_view(connecting: ConnectRoutes, workspace_id: str, user_id: str, note: str | None = None) -> View:
    sessions = connecting.connect.sessions
    link = connecting.link_for(workspace_id, user_id) if await sessions.app_of(workspace_id) else None
    return connect_view(link, await sessions.own_app_of(workspace_id), connecting.connect.redirect_uri, note)
