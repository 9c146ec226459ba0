"""Admins set, test and remove the outgoing webhook of their workspace."""

from __future__ import annotations

from slack_bolt.async_app import AsyncApp

from domain.errors import PermanentError, TransientError
from domain.workspace import SecretChange, WebhookEvent
from listeners.dialogs.blocks import View
from listeners.dialogs.decorators import opens, updates
from listeners.dialogs.dialog import Dialog
from listeners.dialogs.form import Entered
from listeners.messages.webhook_view import (
    CHANGE_WEBHOOK,
    EVENTS,
    FORM,
    REMOVE_WEBHOOK,
    SECRET,
    TEST_WEBHOOK,
    TITLE,
    URL,
    secret_view,
    webhook_view,
)
from services.delivery.webhooks import Webhooks
from services.slack.mrkdwn import escape


def register(app: AsyncApp) -> None:
    app.action(CHANGE_WEBHOOK)(show)
    app.action(TEST_WEBHOOK)(test)
    app.action(REMOVE_WEBHOOK)(remove)
    app.view(FORM.callback_id)(save)


@opens(TITLE)
async def show(dialog: Dialog, webhooks: Webhooks) -> View:
    return await _view(dialog, webhooks)


async def save(dialog: Dialog, webhooks: Webhooks) -> None:
    """Store what was entered. A secret that was made is shown once."""

    async def work(entered: Entered) -> View | str:
        url, events = entered[URL], WebhookEvent(sum(int(value) for value in entered[EVENTS]))
        if fault := webhooks.calls.url_fault(url):
            raise URL.error(fault)
        change = SecretChange(entered[SECRET])
        secret = await webhooks.save(dialog.workspace_id, dialog.user_id, url, events, change)
        if secret is None:
            return "saved"
        saved = await webhooks.find(dialog.workspace_id)
        return secret_view(secret, saved.old_secret_until if saved else None)

    if await dialog.submit(FORM, work):
        await dialog.publish_home(":white_check_mark: Saved. Events are sent from now on.", CHANGE_WEBHOOK)


@updates(TITLE)
async def test(dialog: Dialog, webhooks: Webhooks) -> View:
    """Post a test at once, and show the answer."""
    try:
        note = f":white_check_mark: It answered with status {await webhooks.test(dialog.workspace_id)}."
    except (PermanentError, TransientError) as error:
        note = f":no_entry: The test failed: {escape(str(error).removesuffix('.'), 300)}."
    return await _view(dialog, webhooks, note)


async def remove(dialog: Dialog, webhooks: Webhooks) -> None:
    async def make_view() -> View:
        removed = await webhooks.remove(dialog.workspace_id, dialog.user_id)
        return await _view(dialog, webhooks, "Removed. Events are no longer sent." if removed else None)

    await dialog.update(TITLE, make_view)
    await dialog.publish_home(control=CHANGE_WEBHOOK)


async def _view(dialog: Dialog, webhooks: Webhooks, note: str | None = None) -> View:
    webhook = await webhooks.find(dialog.workspace_id)
    return webhook_view(webhook, webhooks.url_of(webhook) if webhook else None, note)
