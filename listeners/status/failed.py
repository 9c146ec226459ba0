"""Admins look at what could not be delivered, and try it again."""

from __future__ import annotations

from slack_bolt.async_app import AsyncApp

from listeners.dialogs.blocks import View
from listeners.dialogs.dialog import Dialog
from listeners.dialogs.home_tab import HomeTab
from listeners.status.failed_view import (
    A_PAGE,
    AGAIN,
    ALL_AGAIN,
    FROM_THE_START,
    MORE,
    SHOW_FAILED,
    TITLE,
    burials_view,
    cursor_of,
    shown_after,
)
from services.delivery.failed import FailedJobChanges


def register(app: AsyncApp) -> None:
    app.action(SHOW_FAILED)(show)
    app.action(MORE)(turn)
    app.action(FROM_THE_START)(turn)
    app.action(AGAIN)(try_again)
    app.action(ALL_AGAIN)(try_all_again)


async def show(dialog: Dialog, failed_job_changes: FailedJobChanges) -> None:
    async def make_view() -> View:
        return await _page(dialog, failed_job_changes, None)

    await dialog.open(TITLE, make_view)


async def turn(dialog: Dialog, failed_job_changes: FailedJobChanges) -> None:
    async def make_view() -> View:
        is_more = dialog.action["action_id"] == MORE
        return await _page(dialog, failed_job_changes, cursor_of(dialog.action["value"]) if is_more else None)

    await dialog.change(TITLE, make_view)


async def try_again(dialog: Dialog, failed_job_changes: FailedJobChanges, home_tab: HomeTab) -> None:
    async def make_view() -> View:
        again = await failed_job_changes.retry(dialog.workspace_id, dialog.user_id, [dialog.action["value"]])
        note = ":white_check_mark: It is on its way again." if again else "That one is not buried any more."
        return await _page(dialog, failed_job_changes, shown_after(dialog.view), note)

    await dialog.change(TITLE, make_view)
    await home_tab.publish(dialog.client, dialog.workspace_id, dialog.user_id)


async def try_all_again(dialog: Dialog, failed_job_changes: FailedJobChanges, home_tab: HomeTab) -> None:
    async def make_view() -> View:
        again = await failed_job_changes.retry_all(dialog.workspace_id, dialog.user_id)
        many = "One job change is" if again == 1 else f"{again:,} job changes are"
        note = f":white_check_mark: {many} on the way again." if again else "Nothing is buried any more."
        return await _page(dialog, failed_job_changes, None, note)

    await dialog.change(TITLE, make_view)
    await home_tab.publish(dialog.client, dialog.workspace_id, dialog.user_id)


async def _page(
    dialog: Dialog, failed_job_changes: FailedJobChanges, after: tuple[int, str] | None, note: str | None = None
) -> View:
    listed = await failed_job_changes.page(dialog.workspace_id, after, A_PAGE + 1)
    return burials_view(listed, after, note)
