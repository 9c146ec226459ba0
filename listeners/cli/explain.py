"""The whole trace of one job change, for a person."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping
from html import unescape

from sqlalchemy import Connection

from domain.delivery import DeliveryRecord, JobChangeRecord
from domain.job_change.model import JobChange
from domain.job_change.validation import InvalidJobChangeError
from domain.states import DEFAULT_CHANNEL
from listeners.cli.terminal import RefusedError, Terminal, shown_time
from services.messages.wording import headline
from services.ownership.rules.words import outcome
from services.slack.mrkdwn import escape
from services.slack.names import ids_in, with_names
from store.intake import job_changes
from store.intake.job_changes import Origin
from store.slack import members


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("id", metavar="JOB_CHANGE_ID", help="the id that intake answered, or that buried lists")


def explain(asked: Namespace, terminal: Terminal) -> int:
    with terminal.database() as database:
        found = database.run_sync(_find, asked.id)
    if found is None:
        raise RefusedError(f"There is no job change {asked.id}.")
    terminal.write("\n".join(found))
    return 0


def _find(connection: Connection, job_change_id: str) -> list[str] | None:
    origin = job_changes.origin(connection, job_change_id)
    found = job_changes.find(connection, origin.workspace_id, job_change_id) if origin else None
    if origin is None or found is None:
        return None
    lines = list(_lines(origin, found))
    known = members.addresses(connection, origin.workspace_id, ids_in(lines))
    return [with_names(line, _names(found, known)) for line in lines]


def _names(found: JobChangeRecord, known: Mapping[str, str]) -> dict[str, str]:
    """By Slack id: the name that Salesforce had when it was decided, else the address; with the id. *known*: those."""
    considered = (found.decision or {}).get("considered", [])
    named = {each["email"].lower(): each["name"] for each in considered if each["email"]}
    return {user_id: f"{named.get(address) or address} ({user_id})" for user_id, address in known.items()}


def _lines(origin: Origin, found: JobChangeRecord) -> Iterator[str]:
    yield _headline(origin)
    yield f"  job change  {found.id}"
    yield f"  workspace   {origin.workspace_id}"
    yield f"  accepted    {shown_time(found.accepted_at)}, from {found.source}"
    if found.routed_at is not None:
        yield f"  routed      {shown_time(found.routed_at)}"
    yield f"  outcome     {_outcome(found)}"
    yield from _decision(found)
    for told in found.deliveries:
        yield from _delivery(told)
    yield "Steps"
    for step in found.trace:
        yield f"  {shown_time(step.at)}  {step.step}{f': {step.detail}' if step.detail else ''}"


def _headline(origin: Origin) -> str:
    if origin.payload is None:
        return "A job change whose content was erased"
    try:
        return unescape(headline(JobChange.from_stored(origin.payload), escape))
    except InvalidJobChangeError:
        return "A job change that cannot be read"


def _outcome(found: JobChangeRecord) -> str:
    if found.ended_at is None:
        trouble = f": {found.last_error}" if found.last_error else ""
        return f"none yet, {_attempts(found.attempts)} so far{trouble}" if found.attempts or trouble else "none yet"
    who = {"dri": "to the DRI", "channel": "to the default channel"}.get(found.sent_to or "", "")
    return " ".join(filter(None, [found.outcome, who, shown_time(found.ended_at)])) + (
        f"\n  because     {found.reason}" if found.reason else ""
    )


def _decision(found: JobChangeRecord) -> Iterator[str]:
    if not found.decision:
        return
    considered = found.decision.get("considered", [])
    yield f"Considered, by the rule: {found.decision.get('rule', 'none')}"
    for number, each in enumerate(considered, 1):
        who = " ".join(filter(None, [each["name"], f"<{each['email']}>" if each["email"] else ""]))
        yield f"  {number}. {each['source']}{f', {who}' if who else ''}: {outcome(each)}"
    if not considered:
        yield "  nobody"


def _delivery(told: DeliveryRecord) -> Iterator[str]:
    where = "the default channel" if told.destination == DEFAULT_CHANNEL else told.destination
    yield f"Delivery to {where} ({told.role}): {told.state} after {_attempts(told.attempts)}"
    if told.reason:  # else it was erased
        yield f"  reason      {told.reason}"
    if told.last_error:
        yield f"  last error  {told.last_error}"
    if told.ts:
        yield f"  message     {told.ts} in {told.channel}"


def _attempts(number: int) -> str:
    return f"{number} {'attempt' if number == 1 else 'attempts'}"
