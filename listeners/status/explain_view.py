"""The answer to `/usergems-status explain`: everything about one job change. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from domain.decision.record import Decision
from domain.decision.sentences import for_others
from domain.delivery import (
    MOST_SEARCHED,
    MOST_SEARCHED_OF_MEMBER,
    DeliveryRecord,
    Explanation,
    JobChangeRecord,
    TraceStep,
)
from domain.job_change.model import JobChange
from domain.states import Outcome, is_person
from listeners.dialogs.blocks import Block, context, section, sections
from listeners.dialogs.mentions import mention
from listeners.messages.actions_view import candidate_lines
from listeners.status.failed_view import UNREADABLE
from services.messages.labels import ROLES, STATES, step_detail
from services.messages.wording import background, headline, sentence, slack_time
from services.slack.mrkdwn import bold, escape, with_mentions

MOST_CONSIDERED, MOST_STEPS, MOST_DELIVERIES = 15, 12, 8

_MEMBER = re.compile(r"\b([UW][A-Z0-9]{8,20})\b")
"""A Slack user in the detail of a step."""

_SENT_TO = {"dri": "Sent to the DRI", "channel": "Posted in a channel"}
_OUTCOMES: Mapping[str, str] = {
    Outcome.FAILED: "Failed: nobody could be notified",
    Outcome.MUTED: "Sent to nobody",
    Outcome.ATTACHED: "Attached to another sender's report of the same move",
}


def not_found(query: str, *, is_admin: bool) -> str:
    quoted = escape(query, 100)
    if not is_admin:
        searched = f"None of the latest {MOST_SEARCHED_OF_MEMBER:,} job changes" if "@" in query else "No job change"
        return f"{searched} sent to you matches “{quoted}”. Admins can look up those that were sent to others."
    searched = f"None of the latest {MOST_SEARCHED:,} job changes" if "@" in query else "No job change"
    return f"{searched} in this workspace matches “{quoted}”."


def explained_text(explanation: Explanation) -> str:
    """One line for notifications, which show no blocks."""
    return f"{_headline(explanation.change)} {_outcome(explanation.record)}"


def explained_blocks(explanation: Explanation, reader: str | None) -> list[Block]:
    """`reader` is the Slack user who may only see what was sent to them; None for an admin."""
    record, change = explanation.record, explanation.change
    news = "\n".join(filter(None, [_headline(change), background(change) if change else ""]))
    deliveries = [delivery for delivery in record.deliveries if reader in {None, delivery.destination}]
    history = [_step(step) for step in record.trace[-MOST_STEPS:]] if reader is None else []
    other_ids = ", ".join(f"`{other}`" for other in explanation.others)
    other_senders = dict.fromkeys(escape(report.source, 80) for report in record.reports)
    senders = escape(record.source, 80)
    senders += f" (also reported by {', '.join(other_senders)})" if other_senders else ""
    return [
        section(news),
        section(f"*Outcome*\n{_outcome(record)}"),
        *_decided(record.decision),
        *_titled("*Deliveries*", [_delivery(delivery, record.doubts) for delivery in deliveries[:MOST_DELIVERIES]]),
        *_titled("*History*", history),
        context(f"`{record.id}`, received from {senders} {slack_time(record.accepted_at)}"),
        *([context(f"Earlier job changes of this person: {other_ids}")] if other_ids else []),
    ]


def _headline(change: JobChange | None) -> str:
    return sentence(headline(change, bold)) if change else f"{UNREADABLE}."


def _outcome(record: JobChangeRecord) -> str:
    if record.ended_at is None:
        error = f" Last error: {sentence(escape(record.last_error, 300))}" if record.last_error else ""
        return ("Waiting to be sent." if record.routed_at is not None else "Waiting for its DRI to be found.") + error
    outcome = _SENT_TO.get(record.sent_to or "") or _OUTCOMES.get(record.outcome or "", "Delivered")
    reason = with_mentions(escape(for_others(record.reasons), 500), record.decision.nameless_users)
    return f"{outcome} {slack_time(record.ended_at)}.{f' {sentence(reason)}' if record.reasons else ''}"


def _decided(decision: Decision) -> Iterator[Block]:
    if not decision:
        return
    yield section(f"*Rule*\n{escape(decision.rule or 'none', 300)}")
    lines = candidate_lines(decision.considered, MOST_CONSIDERED, decision.nameless_users)
    yield from sections(["*Checked in this order*", *lines])


def _delivery(delivery: DeliveryRecord, doubts: int) -> str:
    destination = mention(delivery.destination)
    if not is_person(delivery.destination) and delivery.channel and delivery.destination != delivery.channel:
        destination = f"{destination} (<#{delivery.channel}>)"
    failed = delivery.last_error and delivery.state != "delivered"
    error = f". Last error: {escape(delivery.last_error or '', 200)}" if failed else ""
    role, state = ROLES.get(delivery.role, delivery.role), STATES.get(delivery.state, delivery.state)
    doubt = ". Slack did not confirm an earlier attempt, so the message may be there twice" if doubts else ""
    return f"• {destination}, {role}: {state}{error}{doubt}"


def _step(step: TraceStep) -> str:
    detail = _MEMBER.sub(r"<@\1>", escape(step_detail(step), 200)) if step.detail else ""
    return f"• {slack_time(step.at)} {escape(step.step, 60)}{f': {detail}' if detail else ''}"


def _titled(title: str, lines: Sequence[str]) -> list[Block]:
    return sections([title, *lines]) if lines else []
