"""Builds cards from rows: a delivery, its job change, and what people did with it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from domain.decision.record import Decision
from domain.decision.sentences import for_reader
from domain.delivery import NO_HISTORY, ClaimedDelivery, Handling, History
from domain.job_change.model import JobChange
from domain.states import DEFAULT_CHANNEL, HandlingState, Role, Side, is_person
from services.messages.available_actions import WRONG_DATA_KINDS, available_actions
from services.messages.compose import Card
from services.messages.wording import slack_time

MOST_NOTES = 5


def cards(deliveries: Sequence[ClaimedDelivery], destination: str, histories: Mapping[str, History]) -> list[Card]:
    """In order, without erased job changes. `histories` is keyed by job change id."""
    composed = (
        card(delivery, destination, histories.get(delivery.job_change_id, NO_HISTORY)) for delivery in deliveries
    )
    return [built for built in composed if built]


def card(delivery: ClaimedDelivery, destination: str, history: History = NO_HISTORY) -> Card | None:
    """None if the job change was erased or cannot be read. `destination` is the lane's."""
    change = JobChange.if_readable(delivery.payload)
    if change is None:
        return None
    links = Decision.from_stored(delivery.decision).links
    states = (handling.state for handling in history.handlings if handling.delivery_id == delivery.id)
    return Card(
        job_change=change,
        reason=for_reader(delivery.reasons),
        role=Role(delivery.role),
        delivery_id=delivery.id,
        contact_url=links.contact or links.lead,
        account_url=links.account,
        is_test=change.is_test,
        side=Side.of(delivery.side),
        notes=tuple(_notes(history, delivery.id, destination))[-MOST_NOTES:],
        actions=available_actions(delivery.role, next(states, HandlingState.OPEN), in_person=is_person(destination)),
    )


def _notes(history: History, delivery_id: int, destination: str) -> Iterator[str]:
    """What people did with any delivery of the job change, except for what the reason of this one says already."""
    for handling in history.handlings:
        is_reassigned_here = handling.state == HandlingState.REASSIGNED and handling.given_to == destination
        is_returned_here = handling.state == HandlingState.RETURNED and destination == DEFAULT_CHANNEL
        if not (is_reassigned_here or is_returned_here):
            yield _handling_note(handling)
    for snooze in history.snoozes:
        if snooze.delivery_id == delivery_id:
            yield f"⏰ Snoozed until {slack_time(snooze.due_at)}" if snooze.due_at else "⏰ Snooze ended"
    if history.reports:
        people = ", ".join(f"<@{report.actor}>" for report in history.reports[-MOST_NOTES:])
        last = history.reports[-1]
        yield f"🚩 Wrong data reported by {people}: {WRONG_DATA_KINDS[last.kind].lower()} · {slack_time(last.at)}"


def _handling_note(handling: Handling) -> str:
    actor, time = f"<@{handling.actor}>", slack_time(handling.at)
    if handling.state == HandlingState.TAKEN:
        return f"✅ {actor} is on it · {time}"
    if handling.state == HandlingState.REASSIGNED:
        return f"↪️ {actor} reassigned it to <@{handling.given_to}> · {time}"
    return f"↩️ {actor} returned it to the channel · {time}"
