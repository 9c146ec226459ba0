"""What became of one job change, as /usergems-status explain tells it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from domain.delivery import MOST_SEARCHED, DeliveryRecord, Explanation, JobChangeRecord, TraceStep
from domain.job_change.model import JobChange
from domain.states import Role, is_person
from listeners.dialogs.blocks import Block, context, section, sections
from listeners.dialogs.mentions import mention
from listeners.messages.why_view import considered_lines
from listeners.status.failed_view import UNREADABLE
from services.messages.wording import background, headline, sentence, slack_time
from services.slack.mrkdwn import bold, escape

MOST_CONSIDERED, MOST_STEPS, MOST_DELIVERIES = 15, 12, 8

_MEMBER = re.compile(r"\b([UW][A-Z0-9]{8,20})\b")
"""A Slack user, as the trace names them."""

_ROLES: Mapping[str, str] = {
    Role.DRI: "as the DRI",
    Role.FALLBACK: "as no DRI was found",
    Role.CHANNEL: "by a rule",
    Role.COPY: "as a copy",
}
_ENDED = {"buried": "Buried: nobody could be told", "muted": "Sent to nobody"}


def not_found(which: str, *, may: bool) -> str:
    """*may*: whether whoever asked may read of all of them."""
    asked = escape(which, 100)
    if not may:
        return f"No job change like “{asked}” came to you. Admins can ask for those that came to others."
    looked = f" among the latest {MOST_SEARCHED:,}" if "@" in which else ""
    return f"There is no job change like “{asked}”{looked} in this workspace."


def explained_text(explained: Explanation) -> str:
    """In one line, where blocks are not shown."""
    return f"{_headline(explained.change)} {_outcome(explained.found)}"


def explained_blocks(explained: Explanation, reader: str | None) -> list[Block]:
    """*reader*: the Slack user who may read only of what came to them; None: of everything."""
    found, change = explained.found, explained.change
    about = "\n".join(filter(None, [_headline(change), background(change) if change else ""]))
    told = [each for each in found.deliveries if reader in {None, each.destination}]
    return [
        section(about),
        section(f"*What became of it*\n{_outcome(found)}"),
        *_decided(found.decision or {}),
        *_titled("*Where it went*", [_delivery(each) for each in told[:MOST_DELIVERIES]]),
        *(_titled("*Step by step*", [_step(each) for each in found.trace[-MOST_STEPS:]]) if reader is None else []),
        context(f"`{found.id}`, from {escape(found.source, 80)}, came in {slack_time(found.accepted_at)}."),
        *([context(_others(explained.others))] if explained.others else []),
    ]


def _headline(change: JobChange | None) -> str:
    return sentence(headline(change, bold)) if change else f"{UNREADABLE}."


def _outcome(found: JobChangeRecord) -> str:
    if found.ended_at is None:
        trouble = f" The last try: {sentence(escape(found.last_error, 300))}" if found.last_error else ""
        where = "It waits to be told." if found.routed_at is not None else "It waits for its DRI to be found."
        return where + trouble
    who = {"dri": "Sent to the DRI", "channel": "Sent to a channel"}.get(found.sent_to or "", "")
    how = who or _ENDED.get(found.outcome or "", "Ended")
    why = f" {sentence(escape(found.reason, 500))}" if found.reason else ""
    why = f" They read: “{why.strip()}”" if why and found.sent_to == "dri" else why  # it speaks to them
    return f"{how}, {slack_time(found.ended_at)}.{why}"


def _decided(decision: Mapping[str, Any]) -> Iterator[Block]:
    if not decision:
        return
    yield section(f"*The rule*\n{escape(decision.get('rule') or 'none', 300)}")
    yield from sections(["*Asked, in this order*", *considered_lines(decision.get("considered", []), MOST_CONSIDERED)])


def _delivery(told: DeliveryRecord) -> str:
    who = mention(told.destination)
    if not is_person(told.destination) and told.channel:
        who = f"{who} (<#{told.channel}>)" if told.destination != told.channel else who
    error = f", the last try: {escape(told.last_error, 200)}" if told.last_error and told.state != "delivered" else ""
    return f"• {who}, {_ROLES.get(told.role, told.role)}: {told.state}{error}"


def _step(step: TraceStep) -> str:
    detail = _MEMBER.sub(r"<@\1>", escape(step.detail, 200)) if step.detail else ""
    return f"• {slack_time(step.at)} {escape(step.step, 60)}{': ' if detail else ''}{detail}"


def _titled(title: str, lines: Sequence[str]) -> list[Block]:
    return sections([title, *lines]) if lines else []


def _others(others: Sequence[str]) -> str:
    ids = ", ".join(f"`{each}`" for each in others)
    return f"Earlier ones of the same person: {ids}."
