"""The text of a reminder, and why a manager or a channel is notified after one. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from domain.job_change.model import JobChange
from domain.preferences import ESCALATE_TO_CHANNEL, ESCALATE_TO_MANAGER
from services.messages.wording import Side, headline, sentence
from services.slack.mrkdwn import bold, link

_NEXT = {ESCALATE_TO_MANAGER: "your manager is notified", ESCALATE_TO_CHANNEL: "it is posted in the channel"}
_NEXT_OF_SEVERAL = _NEXT | {ESCALATE_TO_CHANNEL: "they are posted in the channel"}


@dataclass(frozen=True)
class OpenJobChange:
    """A job change that its reader has not acted on. `url` links to its message if the reminder is elsewhere."""

    job_change: JobChange
    side: Side | None
    url: str | None = None


def reminder_text(job_changes: Sequence[OpenJobChange], hours: int, escalation: str) -> str:
    """In mrkdwn. `hours` are the working hours until the escalation, one of REMINDER_ESCALATIONS."""
    lines = [
        " ".join(filter(None, [sentence(headline(item.job_change, bold, item.side)), link(item.url, "Open message")]))
        for item in job_changes
    ]
    time = f"{hours} more working hour{'' if hours == 1 else 's'}"
    if len(lines) == 1:
        then = f" After {time}, {_NEXT[escalation]}." if escalation in _NEXT else ""
        return f"⏰ *Still open*: {lines[0]}\nTake it, reassign it or snooze it with the buttons on its message.{then}"
    then = f" After {time}, {_NEXT_OF_SEVERAL[escalation]}." if escalation in _NEXT_OF_SEVERAL else ""
    title, items = f"⏰ *{len(lines)} job changes are still open*:", (f"• {line}" for line in lines)
    return "\n".join([title, *items, f"Take, reassign or snooze them in their messages.{then}"])


def escalation_reason(reader: str, report_of: str | None, escalation: str) -> str:
    """
    Why someone else is notified, as the reason of their delivery.

    `reader` is the name of the person who was reminded. `report_of` is the name of their manager if the manager is
    notified, and None if a channel is.
    """
    reason = f"{reader} was notified and reminded, and has not acted on it."
    if report_of is not None:
        return f"{reason} They report to you in Salesforce."
    return f"{reason} Their manager could not be notified." if escalation == ESCALATE_TO_MANAGER else reason
