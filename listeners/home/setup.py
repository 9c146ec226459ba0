"""The buttons of the setup checklist in Home that are not those of a section below it."""

from __future__ import annotations

from slack_bolt.async_app import AsyncApp

from listeners.dialogs.blocks import ADMINS_ONLY
from listeners.dialogs.dialog import Dialog
from listeners.home.admin_home_view import SEND_TEST
from listeners.ownership.dialogs import OwnershipDialogs
from listeners.ownership.home_view import KEEP_DEFAULT
from services.intake.sample import SampleSender
from services.ownership.rules.rule_set import NO_RULES


def register(app: AsyncApp) -> None:
    app.action(SEND_TEST)(send_test)
    app.action(KEEP_DEFAULT)(keep_default_owners)


async def send_test(dialog: Dialog, sample_sender: SampleSender) -> None:
    await dialog.ack()
    notice = ADMINS_ONLY
    if await dialog.is_admin():
        job_change_id, problem = await sample_sender.send(dialog.workspace_id, dialog.user_id)
        sent = ":white_check_mark: Test sent. It arrives in your direct messages with this app within seconds."
        notice = sent if job_change_id else f":no_entry: {problem}"
    await dialog.publish_home(notice)


async def keep_default_owners(dialog: Dialog, ownership: OwnershipDialogs) -> None:
    """Publish version 1 without rules, unless rules were published in the meantime."""
    await dialog.ack()
    notice = ADMINS_ONLY
    if await dialog.is_admin():
        result = await ownership.rulebook.publish(
            dialog.workspace_id, dialog.user_id, NO_RULES, 0, "kept the default owners"
        )
        kept = ":white_check_mark: Saved. The owner of the record is responsible."
        notice = kept if result.stored else f":no_entry: {result.text}"
    await dialog.publish_home(notice)
