"""The dialog that lists failed job changes page by page, with Retry buttons. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from domain.delivery import FailedJobChange
from domain.job_change.model import JobChange
from listeners.dialogs.blocks import Block, View, actions, button, confirm, data_of, modal, noted, section
from services.messages.wording import headline, sentence, slack_time
from services.slack.mrkdwn import bold, escape

SHOW_FAILED, TITLE = "home_buried", "Failed job changes"
RETRY, RETRY_ALL = "buried_again", "buried_all_again"
NEXT_PAGE, FIRST_PAGE = "buried_more", "buried_from_the_start"
"""Action ids. They contain older words because buttons of earlier messages have them."""

PAGE_SIZE = 10
"""Job changes. A dialog is limited to 100 blocks."""

UNREADABLE = "A job change whose content was erased"


def failed_job_changes_view(
    listed: Sequence[FailedJobChange], after: tuple[int, str] | None, note: str | None = None
) -> View:
    """
    One page of the list.

    `listed` has one job change more than PAGE_SIZE if there is another page. `after` is the time and id of the last job
    change on the page before. `note` says what was just done.
    """
    page = listed[:PAGE_SIZE]
    intro = ":white_check_mark: No failed job changes"
    retry_all = None
    if page:
        intro = (
            "These job changes could not be delivered, newest first. Retry them once the cause is fixed. A message that"
            " may have arrived already can appear twice after a retry."
        )
        question = confirm("Retry all?", "Each job change is routed and sent again.", "Retry all")
        retry_all = button("Retry all", RETRY_ALL, confirm=question)
    blocks = [*noted(note), section(intro, retry_all)]
    for failed in page:
        retry = button("Retry", RETRY, failed.job_change_id)
        blocks.append(section(failed_line(failed), retry, f"buried-{failed.job_change_id}"))
    return modal(TITLE, [*blocks, *_pager(listed, after)], {"after": after})


def shown_after(view: View) -> tuple[int, str] | None:
    """The `after` of the page that is shown."""
    after = data_of(view).get("after")
    return (int(after[0]), str(after[1])) if after else None


def cursor_of(value: str) -> tuple[int, str]:
    """The `after` of the next page, from the value of its button."""
    ended_at, _, job_change_id = value.partition(":")
    return int(ended_at), job_change_id


def failed_line(failed: FailedJobChange) -> str:
    """Return in mrkdwn what happened, why it failed, and when."""
    change = JobChange.if_readable(failed.payload)
    title = sentence(headline(change, bold)) if change else f"{UNREADABLE}."
    reason = sentence(escape(failed.reason or "No reason was recorded", 300))
    return f"{title}\n{reason} Failed {slack_time(failed.ended_at)}."


def _pager(listed: Sequence[FailedJobChange], after: tuple[int, str] | None) -> list[Block]:
    buttons = [button("First page", FIRST_PAGE)] if after else []
    if len(listed) > PAGE_SIZE:
        last = listed[PAGE_SIZE - 1]
        buttons.append(button("Next", NEXT_PAGE, f"{last.ended_at}:{last.job_change_id}"))
    return actions(*buttons)
