"""From rows to what is read: a delivery, what it tells of and what came of it, as a card. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from domain.delivery import NO_HISTORY, ClaimedDelivery, Handling, History, Snooze
from domain.job_change.model import JobChange
from domain.states import DEFAULT_CHANNEL, HandlingState, Role, is_person
from services.messages.available_actions import FAULTS, available_actions
from services.messages.compose import Card
from services.messages.wording import Side, slack_time

MOST_NOTES = 5
_SIDES = {"past", "current", "both"}


def cards(members: Sequence[ClaimedDelivery], destination: str, histories: Mapping[str, History]) -> list[Card]:
    """In order; without those that have been erased. *histories*: by job change, of those that somebody acted on."""
    found = (card(member, destination, histories.get(member.job_change_id, NO_HISTORY)) for member in members)
    return [each for each in found if each]


def card(member: ClaimedDelivery, destination: str, history: History = NO_HISTORY) -> Card | None:
    """None when the job change was erased, or cannot be read. *destination*: as of its lane."""
    change = JobChange.if_readable(member.payload)
    if change is None:
        return None
    links = json.loads(member.decision or "{}").get("links", {})
    state = next((each.state for each in history.handled if each.delivery_id == member.id), HandlingState.OPEN)
    return Card(
        job_change=change,
        reason=member.reason,
        role=Role(member.role),
        delivery_id=member.id,
        contact_url=links.get("contact") or links.get("lead"),
        account_url=links.get("account"),
        is_test=change.is_test,
        side=cast("Side", member.side) if member.side in _SIDES else None,
        notes=tuple(_notes(history, member.id, destination))[-MOST_NOTES:],
        actions=available_actions(member.role, state, in_person=is_person(destination)),
    )


def _notes(history: History, delivery_id: int, destination: str) -> Iterator[str]:
    """What came of it: of every delivery of the job change, but for what the reason of this one says already."""
    for handled in history.handled:
        if not _is_told(handled, destination):
            yield _handled(handled)
    yield from (_later(later) for later in history.later if later.delivery_id == delivery_id)
    if history.reports:
        who = ", ".join(f"<@{report.actor}>" for report in history.reports[-MOST_NOTES:])
        last = history.reports[-1]
        yield f"🚩 Wrong data ({FAULTS[last.kind].lower()}), says {who} · {slack_time(last.at)}"


def _is_told(handled: Handling, destination: str) -> bool:
    if handled.state == HandlingState.REASSIGNED:
        return handled.given_to == destination
    return handled.state == HandlingState.RETURNED and destination == DEFAULT_CHANNEL


def _handled(handled: Handling) -> str:
    who, when = f"<@{handled.actor}>", slack_time(handled.at)
    if handled.state == HandlingState.TAKEN:
        return f"✅ {who} is on it · {when}"
    if handled.state == HandlingState.REASSIGNED:
        return f"↪️ {who} gave it to <@{handled.given_to}> · {when}"
    return f"↩️ {who} gave it back to the channel · {when}"


def _later(later: Snooze) -> str:
    return f"⏰ Comes back {slack_time(later.due_at)}" if later.due_at else "⏰ Back, as you asked"
