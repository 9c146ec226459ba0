"""What could not be delivered, page by page, with the button that tries it again. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence

from domain.delivery import FailedJobChange
from domain.job_change.model import JobChange
from domain.job_change.validation import InvalidJobChangeError
from listeners.dialogs.blocks import Block, View, button, modal, plain, section
from services.messages.wording import headline, sentence, slack_time
from services.slack.mrkdwn import bold, escape

SHOW_FAILED, TITLE = "home_buried", "Not delivered"
AGAIN, ALL_AGAIN = "buried_again", "buried_all_again"
MORE, FROM_THE_START = "buried_more", "buried_from_the_start"

A_PAGE = 10
"""Of these; a dialog holds 100 blocks."""

UNREADABLE = "A job change whose content is not kept any more"


def burials_view(listed: Sequence[FailedJobChange], after: tuple[int, str] | None, note: str | None = None) -> View:
    """*listed*: those from the one *after* on, one more than a page if there are more. *note*: what was just done."""
    some = listed[:A_PAGE]
    blocks = [
        *([section(note)] if note else []),
        *([_all_again()] if some else [section(":white_check_mark: Nothing is left here: everything was delivered.")]),
        *[_burial(each) for each in some],
        *_pager(listed, after),
    ]
    return modal(TITLE, blocks) | {"private_metadata": json.dumps({"after": after})}


def shown_after(view: View) -> tuple[int, str] | None:
    """From which one on the page was shown."""
    after = json.loads(view.get("private_metadata") or "{}").get("after")
    return (int(after[0]), str(after[1])) if after else None


def cursor_of(value: str) -> tuple[int, str]:
    """What the button for more says."""
    ended_at, _, job_change_id = value.partition(":")
    return int(ended_at), job_change_id


def name_of(each: FailedJobChange) -> str:
    """What happened, in mrkdwn."""
    try:
        return sentence(headline(JobChange.from_stored(each.payload or ""), bold))
    except InvalidJobChangeError:
        return f"{UNREADABLE}."


def line_of(each: FailedJobChange) -> str:
    """In mrkdwn: what happened, why nobody read it, and when we gave up."""
    why = sentence(escape(each.reason or "nobody knows why any more", 300))
    return f"{name_of(each)}\n{why} {slack_time(each.ended_at)}"


def _burial(each: FailedJobChange) -> Block:
    again = button("Try again", AGAIN, each.job_change_id)
    return section(line_of(each), again, f"buried-{each.job_change_id}")


def _all_again() -> Block:
    text = "These reached nobody, the newest first. What stood in the way may be over by now."
    confirm = {
        "title": plain("Try all of them again?"),
        "text": plain("Each goes to whom it was meant for, as if for the first time."),
        "confirm": plain("Try all"),
        "deny": plain("Not now"),
    }
    return section(text, button("Try all again", ALL_AGAIN) | {"confirm": confirm})


def _pager(listed: Sequence[FailedJobChange], after: tuple[int, str] | None) -> list[Block]:
    turns = [button("From the start", FROM_THE_START)] if after else []
    if len(listed) > A_PAGE:
        last = listed[A_PAGE - 1]
        turns.append(button("More", MORE, f"{last.ended_at}:{last.job_change_id}"))
    return [{"type": "actions", "elements": turns}] if turns else []
