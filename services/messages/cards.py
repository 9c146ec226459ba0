"""Cards: what a message shows of a delivery, its job change, and what people did with it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from domain.decision.record import Decision, RecordLinks
from domain.decision.sentences import SharedReason, for_reader, shared_by
from domain.delivery import NO_HISTORY, ClaimedDelivery, Handling, History, Report, Snooze
from domain.job_change.model import JobChange
from domain.job_change.parts import ChangeType, Company
from domain.messages.card_buttons import CardButton
from domain.states import DEFAULT_CHANNEL, HELD, HandlingState, Role, Side, is_person
from services.messages.available_actions import WRONG_DATA_KINDS, AvailableActions, available_actions
from services.messages.wording import field_text, slack_time

MOST_NOTES = 5
MOST_CONTEXT = 4
"""Fields of records on a card."""

_NO_ACTIONS = AvailableActions((), ())


@dataclass(frozen=True)
class Card:
    """
    One job change for one destination.

    `reason` says why it was sent here; it may contain foreign names, unescaped. `shared` is what it may have in common
    with other cards of a bundle; None means the reason itself. `contact_url` is the person's contact or lead in
    Salesforce. `side` is the side whose owner is notified; None means the usual one for the change type. `notes` say in
    mrkdwn what people did about it; `context` has what the admins want to see of its records, in mrkdwn. `buttons` are
    those that the admins have added, filled. `users` are mentioned in the reason in place of their addresses or ids.
    """

    job_change: JobChange
    reason: str
    role: Role
    delivery_id: int
    contact_url: str | None
    account_url: str | None
    is_test: bool = False
    side: Side | None = None
    notes: tuple[str, ...] = ()
    actions: AvailableActions = _NO_ACTIONS
    context: tuple[str, ...] = ()
    shared: SharedReason | None = None
    buttons: tuple[CardButton, ...] = ()
    users: Mapping[str, str] = field(default_factory=dict)

    @property
    def group(self) -> str:
        """What the cards of a bundle are grouped by."""
        return self.shared.heading if self.shared else self.reason

    @property
    def without_workflows(self) -> Card:
        """Without the buttons that start a workflow."""
        return replace(self, buttons=tuple(button for button in self.buttons if not button.is_workflow))


def cards(
    deliveries: Sequence[ClaimedDelivery],
    destination: str,
    histories: Mapping[str, History],
    buttons: Sequence[CardButton] = (),
) -> list[Card]:
    """Return the cards in order, without those of erased job changes. `histories` is keyed by job change id."""
    composed = (
        card(delivery, destination, histories.get(delivery.job_change_id, NO_HISTORY), buttons)
        for delivery in deliveries
    )
    return [built for built in composed if built]


def card(
    delivery: ClaimedDelivery, destination: str, history: History = NO_HISTORY, buttons: Sequence[CardButton] = ()
) -> Card | None:
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
        users=decision.nameless_users,
        buttons=_filled(buttons, delivery.job_change_id, change, links) if buttons else (),
    )


def _filled(
    buttons: Sequence[CardButton], job_change_id: str, change: JobChange, links: RecordLinks
) -> tuple[CardButton, ...]:
    """The buttons for this job change. The ids of records are those of its links, or else the sender's."""
    job, ids = change.previous if change.change_type is ChangeType.DEPARTURE else change.current, change.salesforce
    company = job.company or Company()
    values = {
        "contact_id": _record_id(links.contact) or ids.contact_id,
        "lead_id": _record_id(links.lead) or ids.lead_id,
        "account_id": _record_id(links.account) or company.salesforce_id,
        "job_change_id": job_change_id,
        "change_type": change.change_type.value,
        "person_name": change.person.name,
        "email": next(iter(change.person.emails), None),
        "linkedin_url": change.person.linkedin_url,
        "company": company.name or company.domain,
        "company_domain": company.domain,
    }
    present = {name: value for name, value in values.items() if value}
    return tuple(filled for button in buttons if (filled := button.filled(present)))


def _record_id(link: str | None) -> str:
    """The router makes these links out of the ids."""
    return (link or "").rpartition("/")[2]


def notes(history: History, reader: str) -> Iterator[str]:
    """
    What people did with the job change, the same in each of its messages; `reader` is the destination.

    Anything that the reason in the reader's own message says is left out.
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
    """The state of the job change with the time of the action that brought it there. None means that it is open."""
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
    snoozed = "Snoozed" if snooze.actor == reader else f"{_name(snooze.actor, reader)} snoozed it"
    return f"⏰ {snoozed} until {slack_time(due_at)}"


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
