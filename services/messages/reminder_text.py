"""The text of a reminder, and why a manager or a channel is notified after one. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from domain.day_counts import counted
from domain.decision.reasons import ReasonCode, Reasons
from domain.job_change.model import JobChange
from domain.preferences import ESCALATE_TO_CHANNEL, ESCALATE_TO_MANAGER
from domain.states import Side
from services.messages.wording import headline, sentence
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
    time = f"{counted(hours, 'more working hour')}"
    if len(lines) == 1:
        then = f" After {time}, {_NEXT[escalation]}." if escalation in _NEXT else ""
        return f"⏰ *Still open*: {lines[0]}\nTake it, reassign it or snooze it with the buttons on its message.{then}"
    then = f" After {time}, {_NEXT_OF_SEVERAL[escalation]}." if escalation in _NEXT_OF_SEVERAL else ""
    title, items = f"⏰ *{len(lines)} job changes are still open*:", (f"• {line}" for line in lines)
    return "\n".join([title, *items, f"Take, reassign or snooze them in their messages.{then}"])


def escalation_reasons(reader: str, escalation: str, *, to_manager: bool) -> Reasons:
    """Why someone else is notified: the manager of the person who was reminded, or a channel."""
    reason = ReasonCode.NOT_ACTED_ON.of(person=reader)
    if to_manager:
        return (reason, ReasonCode.REPORTS_TO.of())
    return (reason, ReasonCode.MANAGER_NOT_NOTIFIED.of()) if escalation == ESCALATE_TO_MANAGER else (reason,)
