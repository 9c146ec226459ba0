"""Builds cards from rows: a delivery, its job change, and what people did with it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from domain.decision.record import Decision
from domain.decision.sentences import SharedReason, for_reader, shared_by
from domain.delivery import NO_HISTORY, ClaimedDelivery, Handling, History, Report, Snooze
from domain.job_change.model import JobChange
from domain.states import DEFAULT_CHANNEL, HELD, HandlingState, Role, Side, is_person
from services.messages.available_actions import WRONG_DATA_KINDS, available_actions
from services.messages.compose import Card
from services.messages.wording import field_text, slack_time

MOST_NOTES = 5
MOST_CONTEXT = 4
"""Fields of records on a card."""


def cards(deliveries: Sequence[ClaimedDelivery], destination: str, histories: Mapping[str, History]) -> list[Card]:
    """Return the cards in order, without erased job changes. `histories` is keyed by job change id."""
    composed = (
        card(delivery, destination, histories.get(delivery.job_change_id, NO_HISTORY)) for delivery in deliveries
    )
    return [built for built in composed if built]


def card(delivery: ClaimedDelivery, destination: str, history: History = NO_HISTORY) -> Card | None:
    """Return None if the job change was erased or cannot be read. `destination` is the lane's."""
    change = JobChange.if_readable(delivery.payload)
    if change is None:
        return None
    decision, in_person = Decision.from_stored(delivery.decision), is_person(destination)
    links = decision.links
    closed = history.closed_by(delivery.id, delivery.created_at, in_person=in_person)
    is_passed_on = closed is not None and closed.delivery_id == delivery.id and closed.state not in HELD
    is_theirs = not (is_passed_on and in_person)
    return Card(
        job_change=change,
        reason=for_reader(delivery.reasons) if is_theirs else "",
        shared=shared_by(delivery.reasons) if is_theirs else SharedReason(""),
        role=Role(delivery.role),
        delivery_id=delivery.id,
        contact_url=links.contact or links.lead,
        account_url=links.account,
        is_test=change.is_test,
        side=Side.of(delivery.side),
        context=tuple(map(field_text, decision.context_of(delivery.side)[:MOST_CONTEXT])),
        notes=tuple(notes(history, destination))[-MOST_NOTES:],
        actions=available_actions(
            delivery.role,
            closed.state if closed else HandlingState.OPEN,
            in_person=in_person,
            is_own=closed is not None and closed.actor == destination,
        ),
    )


def notes(history: History, reader: str) -> Iterator[str]:
    """
    What people did with the job change, the same in each of its messages; `reader` is the destination.

    What the reason of the reader's own message says already is left out.
    """
    for handling in history.handlings:
        is_reassigned_here = handling.state == HandlingState.REASSIGNED and handling.given_to == reader
        is_returned_here = handling.state == HandlingState.RETURNED and reader == DEFAULT_CHANNEL
        if not (is_reassigned_here or is_returned_here):
            yield _handling_note(handling, reader)
    for snooze in history.snoozes:
        if snooze.due_at:
            yield _snooze_note(snooze, snooze.due_at, reader)
        elif snooze.actor == reader:
            yield "⏰ Snooze ended"
    if history.reports:
        yield _report_note(history.reports, reader)


def state_text(history: History, reader: str) -> str | None:
    """The state of the job change with the time of the action that brought it there. None: it is open."""
    if history.held:
        return _handling_note(history.held, reader)
    if history.reports:
        return _report_note(history.reports, reader)
    for snooze in history.snoozes:
        if snooze.due_at:
            return _snooze_note(snooze, snooze.due_at, reader)
    if not history.handlings:
        return None
    last = history.handlings[-1]
    is_theirs = last.state == HandlingState.REASSIGNED and last.given_to == reader
    return None if is_theirs else _handling_note(last, reader)


def _snooze_note(snooze: Snooze, due_at: int, reader: str) -> str:
    who = "Snoozed" if snooze.actor == reader else f"{_name(snooze.actor, reader)} snoozed it"
    return f"⏰ {who} until {slack_time(due_at)}"


def _report_note(reports: Sequence[Report], reader: str) -> str:
    people = ", ".join(_name(report.actor, reader, "you") for report in reports[-MOST_NOTES:])
    last = reports[-1]
    return f"🚩 Wrong data reported by {people}: {WRONG_DATA_KINDS[last.kind].lower()} · {slack_time(last.at)}"


def _handling_note(handling: Handling, reader: str) -> str:
    name, time = _name(handling.actor, reader), slack_time(handling.at)
    match handling.state:
        case HandlingState.TAKEN:
            return f"✅ You're on it · {time}" if name == "You" else f"✅ {name} is on it · {time}"
        case HandlingState.DONE:
            return f"🏁 {name} marked it as done · {time}"
        case HandlingState.NOT_RELEVANT:
            return f"🚫 {name} marked it as not relevant · {time}"
        case HandlingState.REASSIGNED:
            return f"↪️ {name} reassigned it to <@{handling.given_to}> · {time}"
    return f"↩️ {name} returned it to the channel · {time}"


def _name(actor: str, reader: str, you: str = "You") -> str:
    """Operators act at the terminal and have no Slack user."""
    return you if actor == reader else f"<@{actor}>" if is_person(actor) else "An operator"
