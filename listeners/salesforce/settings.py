"""Admins connect and disconnect Salesforce from App Home, and enter their own External Client App."""

from __future__ import annotations

from slack_bolt.async_app import AsyncAck, AsyncApp

from domain.errors import PermanentError, TransientError
from listeners.dialogs.blocks import ADMINS_ONLY, View
from listeners.dialogs.decorators import opens, submits
from listeners.dialogs.dialog import Dialog
from listeners.dialogs.form import Entered
from listeners.salesforce.connect import ConnectRoutes
from listeners.salesforce.settings_view import (
    CLIENT_ID,
    CLIENT_SECRET,
    CONNECT,
    CONNECT_FORM,
    CONNECT_LINK,
    DISCONNECT,
    TITLE,
    TRY_AGAIN,
    connect_view,
)
from services.salesforce.connect import NotAnAdminError


def register(app: AsyncApp) -> None:
    app.action(CONNECT)(open_dialog)
    app.action(CONNECT_LINK)(ack_link)
    app.view(CONNECT_FORM.callback_id)(set_app)
    app.action(DISCONNECT)(disconnect)
    app.action(TRY_AGAIN)(try_again)


@opens(TITLE)
async def open_dialog(dialog: Dialog, connect_routes: ConnectRoutes) -> View:
    return await _connect_view(connect_routes, dialog.workspace_id, dialog.user_id)


async def ack_link(ack: AsyncAck) -> None:
    """Slack sends an action for a link button too, and expects an acknowledgement."""
    await ack()


@submits(CONNECT_FORM)
async def set_app(dialog: Dialog, entered: Entered, connect_routes: ConnectRoutes) -> View:
    client_id, secret = entered[CLIENT_ID], entered[CLIENT_SECRET]
    if bool(client_id) != bool(secret):
        missing = CLIENT_SECRET if client_id else CLIENT_ID
        raise missing.error("Enter both the consumer key and the consumer secret.")
    note = "Nothing changed, because both fields were empty."
    if client_id:
        await connect_routes.connect.set_app(dialog.workspace_id, dialog.user_id, client_id, secret)
        note = ":white_check_mark: Saved. Continue in the browser to connect with this app."
    return await _connect_view(connect_routes, dialog.workspace_id, dialog.user_id, note)


async def disconnect(dialog: Dialog, connect_routes: ConnectRoutes) -> None:
    await dialog.ack()
    try:
        was_connected = await connect_routes.connect.disconnect(dialog.workspace_id, dialog.user_id)
        done = ":white_check_mark: Salesforce disconnected. Your rules were kept."
        notice = done if was_connected else "Salesforce was not connected."
    except NotAnAdminError:
        notice = ADMINS_ONLY
    await dialog.publish_home(notice)


async def try_again(dialog: Dialog, connect_routes: ConnectRoutes) -> None:
    """Home itself shows why it failed, so the notice does not repeat it."""
    await dialog.ack()
    try:
        await connect_routes.connect.try_again(dialog.workspace_id, dialog.user_id)
        notice = ":white_check_mark: Salesforce is working again."
    except NotAnAdminError:
        notice = ADMINS_ONLY
    except PermanentError:
        notice = ":no_entry: Salesforce still refuses the connection."
    except TransientError:
        notice = ":no_entry: Salesforce did not respond. Try again in a moment."
    await dialog.publish_home(notice)


async def _connect_view(routes: ConnectRoutes, workspace_id: str, user_id: str, note: str | None = None) -> View:
    sessions = routes.connect.sessions
    link = routes.link_for(workspace_id, user_id) if await sessions.app_of(workspace_id) else None
    return connect_view(link, await sessions.own_app_of(workspace_id), routes.connect.redirect_uri, note)
