"""Lets admins see the job changes that failed, and retry them."""

from __future__ import annotations

from slack_bolt.async_app import AsyncApp

from domain.day_counts import counted
from listeners.dialogs.blocks import View
from listeners.dialogs.decorators import opens, updates
from listeners.dialogs.dialog import Dialog
from listeners.status.failed_view import (
    FIRST_PAGE,
    NEXT_PAGE,
    PAGE_SIZE,
    RETRY,
    RETRY_ALL,
    SHOW_FAILED,
    TITLE,
    cursor_of,
    failed_job_changes_view,
    shown_after,
)
from services.delivery.failed import FailedJobChanges


def register(app: AsyncApp) -> None:
    app.action(SHOW_FAILED)(show)
    app.action(NEXT_PAGE)(turn_page)
    app.action(FIRST_PAGE)(turn_page)
    app.action(RETRY)(retry)
    app.action(RETRY_ALL)(retry_all)


@opens(TITLE)
async def show(dialog: Dialog, failed_job_changes: FailedJobChanges) -> View:
    return await _page(dialog, failed_job_changes, None)


@updates(TITLE)
async def turn_page(dialog: Dialog, failed_job_changes: FailedJobChanges) -> View:
    is_next = dialog.action["action_id"] == NEXT_PAGE
    return await _page(dialog, failed_job_changes, cursor_of(dialog.action["value"]) if is_next else None)


@updates(TITLE, publishes_home=True)
async def retry(dialog: Dialog, failed_job_changes: FailedJobChanges) -> View:
    count = await failed_job_changes.retry(dialog.workspace_id, dialog.user_id, [dialog.action["value"]])
    too_late = "This job change is already being retried, or has been delivered."
    note = ":white_check_mark: Retrying" if count else too_late
    return await _page(dialog, failed_job_changes, shown_after(dialog.view), note)


@updates(TITLE, publishes_home=True)
async def retry_all(dialog: Dialog, failed_job_changes: FailedJobChanges) -> View:
    count = await failed_job_changes.retry_all(dialog.workspace_id, dialog.user_id)
    retrying = f":white_check_mark: Retrying {counted(count, 'job change')}"
    note = retrying if count else "There are no failed job changes left."
    return await _page(dialog, failed_job_changes, None, note)


async def _page(
    dialog: Dialog, failed_job_changes: FailedJobChanges, after: tuple[int, str] | None, note: str | None = None
) -> View:
    listed = await failed_job_changes.page(dialog.workspace_id, after, PAGE_SIZE + 1)
    return failed_job_changes_view(listed, after, note)
