"""What happened to one job change, and why, as plain text."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from html import unescape

from sqlalchemy import Connection

from domain.day_counts import counted
from domain.decision.record import ConsideredCandidate
from domain.decision.sentences import candidate_result, for_others
from domain.delivery import DeliveryRecord, JobChangeRecord
from domain.job_change.model import JobChange
from domain.job_change.validation import InvalidJobChangeError
from domain.notification_hours import utc_text
from domain.states import DEFAULT_CHANNEL, Outcome
from listeners.cli.terminal import RefusedError, Terminal
from services.messages.labels import ROLES, STATES, step_detail
from services.messages.wording import headline
from services.slack.mrkdwn import escape
from services.slack.names import ids_in, with_names
from store.intake import job_changes
from store.intake.job_changes import Origin
from store.slack import members

_OUTCOMES = {
    Outcome.DELIVERED: "Delivered",
    Outcome.FAILED: "Failed",
    Outcome.MUTED: "Muted",
    Outcome.ATTACHED: "Attached",
}
_DELIVERED_TO = {"dri": "Delivered to the DRI", "channel": "Delivered to a channel"}


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("id", metavar="JOB_CHANGE_ID", help="the id from the intake response, or as `failed` lists it")


def explain(options: Namespace, terminal: Terminal) -> int:
    with terminal.database() as database:
        lines = database.run_sync(_explanation, options.id)
    if lines is None:
        raise RefusedError(f"There is no job change with the id {options.id}.")
    terminal.write("\n".join(lines))
    return 0


def _explanation(connection: Connection, job_change_id: str) -> list[str] | None:
    origin = job_changes.origin(connection, job_change_id)
    job_change = job_changes.find(connection, origin.workspace_id, job_change_id) if origin else None
    if origin is None or job_change is None:
        return None
    lines = list(_lines(origin, job_change))
    addresses = members.emails_by_user(connection, origin.workspace_id, ids_in(lines))
    considered = job_change.decision.considered
    # The names that Salesforce had at the time. People without one are shown with their email address.
    names = {candidate.email.lower(): candidate.name for candidate in considered if candidate.email}
    shown = {user_id: f"{names.get(address) or address} ({user_id})" for user_id, address in addresses.items()}
    return [with_names(line, shown) for line in lines]


def _lines(origin: Origin, job_change: JobChangeRecord) -> Iterator[str]:
    yield _headline(origin)
    yield f"  Job change  {job_change.id}"
    yield f"  Workspace   {origin.workspace_id}"
    yield f"  Accepted    {utc_text(job_change.accepted_at)}, from {job_change.source}"
    if job_change.request_id:
        yield f"  Request     {job_change.request_id}"
    if job_change.routed_at is not None:
        yield f"  Routed      {utc_text(job_change.routed_at)}"
    yield f"  Outcome     {_outcome(job_change)}"
    if job_change.attached_to:
        yield f"  Attached to {job_change.attached_to}, another sender's report of the same move"
    for report in job_change.reports:
        yield f"  Also from   {report.source}, {utc_text(report.at)}: {report.job_change_id}"
    if job_change.ended_at is not None and job_change.reasons:
        yield f"  Reason      {for_others(job_change.reasons)}"
    yield from _decision(job_change)
    for delivery in job_change.deliveries:
        yield from _delivery(delivery, job_change.doubts)
    yield "History"
    for step in job_change.trace:
        detail = step_detail(step)
        yield f"  {utc_text(step.at, seconds=True)}  {step.step}{f': {detail}' if detail else ''}"


def _headline(origin: Origin) -> str:
    if origin.payload is None:
        return "A job change whose content was erased"
    try:
        return unescape(headline(JobChange.from_stored(origin.payload), escape))
    except InvalidJobChangeError:
        return "A job change that cannot be read"


def _outcome(job_change: JobChangeRecord) -> str:
    if job_change.ended_at is None:
        attempts = f", {counted(job_change.attempts, 'attempt')} so far" if job_change.attempts else ""
        return f"None yet{attempts}{f': {job_change.last_error}' if job_change.last_error else ''}"
    label = _DELIVERED_TO.get(job_change.sent_to or "") or _OUTCOMES[Outcome(job_change.outcome or "")]
    return f"{label}, {utc_text(job_change.ended_at)}"


def _decision(job_change: JobChangeRecord) -> Iterator[str]:
    if not job_change.decision:
        return
    yield f"Rule: {job_change.decision.rule or 'none'}"
    considered = job_change.decision.considered
    yield "Checked in this order:" if considered else "No candidates to check."
    for number, candidate in enumerate(considered, 1):
        yield f"  {number}. {candidate_line(candidate)}"
    for note in job_change.decision.notes:
        yield f"  {for_others([note])}"


def candidate_line(candidate: ConsideredCandidate) -> str:
    """A candidate from the stored decision: where they come from, who they are, and what became of them."""
    person = " ".join(filter(None, [candidate.name, f"<{candidate.email}>" if candidate.email else ""]))
    return f"{candidate.source}{f', {person}' if person else ''}: {candidate_result(candidate)}"


def destination_name(destination: str) -> str:
    return "the default channel" if destination == DEFAULT_CHANNEL else destination


def _delivery(delivery: DeliveryRecord, doubts: int) -> Iterator[str]:
    """`doubts` counts the attempts that Slack did not confirm, which may have arrived."""
    state, role = STATES[delivery.state], ROLES[delivery.role]
    attempts = counted(delivery.attempts, "attempt")
    doubt = f", not counting {doubts:,} that Slack did not confirm: the message may be there twice" if doubts else ""
    yield f"Delivery to {destination_name(delivery.destination)} ({role}): {state} after {attempts}{doubt}"
    if delivery.reasons:  # empty if it was erased
        yield f"  Reason      {for_others(delivery.reasons)}"
    if delivery.last_error:
        yield f"  Last error  {delivery.last_error}"
    if delivery.ts:
        yield f"  Message     {delivery.ts} in {delivery.channel}"
