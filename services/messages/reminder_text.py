"""What somebody reads who was told and has not acted, and whoever is told then. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from domain.job_change.model import JobChange
from domain.preferences import ESCALATE_TO_CHANNEL, ESCALATE_TO_MANAGER
from services.messages.wording import Side, headline, sentence
from services.slack.mrkdwn import bold, link

_NEXT = {ESCALATE_TO_MANAGER: "your manager is told", ESCALATE_TO_CHANNEL: "the channel is told"}


@dataclass(frozen=True)
class OpenJobChange:
    """What nobody has acted on. *address*: of the message that tells of it; None: not known, or it is the same one."""

    job_change: JobChange
    side: Side | None
    address: str | None = None


def reminder_text(some: Sequence[OpenJobChange], hours: int, escalation: str) -> str:
    """In mrkdwn. *hours*: working hours until somebody else is told, one of the three above."""
    lines = [_line(each) for each in some]
    if len(lines) == 1:
        told = [f"⏰ *Still open*: {lines[0]}", "Take it, hand it on or put it off with the buttons of its message."]
    else:
        told = [f"⏰ *{len(lines)} job changes are still open*:", *(f"• {line}" for line in lines)]
        told.append("Take them, hand them on or put them off in their messages.")
    return "\n".join(told) + _then(hours, escalation)


def escalation_reason(reader: str, report_of: str | None, escalation: str) -> str:
    """
    Why somebody else reads it, as a delivery's reason. *reader*: the name of who was told first.

    *report_of*: the name of their manager, who reads it; None: the channel does.
    """
    was = f"{reader} was told of this and reminded, and has not acted on it."
    if report_of is not None:
        return f"{was} They report to you in Salesforce."
    return f"{was} No manager of theirs could be told." if escalation == ESCALATE_TO_MANAGER else was


def _line(each: OpenJobChange) -> str:
    opened = link(each.address, "open it")
    return " ".join(filter(None, [sentence(headline(each.job_change, bold, each.side)), opened]))


def _then(hours: int, escalation: str) -> str:
    if escalation not in _NEXT:
        return ""
    spelled = f"{hours} more working hour{'' if hours == 1 else 's'}"
    return f" If nothing happens for {spelled}, {_NEXT[escalation]}."
