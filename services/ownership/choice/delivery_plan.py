"""Turns a choice into deliveries, or into an outcome without any, and into the decision that is stored. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from domain.decision.reasons import Reason, ReasonCode, Reasons, combined
from domain.decision.record import DecidedDestination, Decision, SideDecision
from domain.delivery import MissedJobChange, NewDelivery
from domain.rule_versions import EVERYTHING_ELSE
from domain.states import DEFAULT_CHANNEL, Role, Side, is_person
from domain.workspace import Workspace
from services.ownership.choice.candidates import Candidate, SideChoice
from services.ownership.choice.decide import Choice
from services.ownership.rules.descriptions import DisplayNames, describe_rule
from services.ownership.rules.rule_set import CATCH_ALL, TEST_RULE

MUTED = "muted"

_ROLE_ORDER = {Role.DRI: 0, Role.FALLBACK: 1, Role.CHANNEL: 1, Role.COPY: 2}


@dataclass(frozen=True)
class DeliveryPlan:
    """The deliveries of a job change. If its rules notify nobody, `outcome` and `reasons` are set instead."""

    deliveries: tuple[NewDelivery, ...]
    outcome: str | None = None
    reasons: Reasons = ()

    @property
    def dris(self) -> frozenset[str]:
        """The Slack users who are notified as DRIs."""
        return frozenset(delivery.destination for delivery in self.deliveries if delivery.role == Role.DRI)


def plan_deliveries(job_change_id: str, chosen: Choice, workspace: Workspace, signal: str) -> DeliveryPlan:
    """Plan one delivery for each destination, from the choices and the workspace's preferences."""
    channel = workspace.channel_of(signal)
    planned = [
        replace(delivery, destination=DEFAULT_CHANNEL)
        if delivery.destination == workspace.default_channel_id
        else delivery
        for choice in chosen.choices
        if not choice.is_silent
        for delivery in (
            *_deliveries_of(job_change_id, choice, workspace, channel),
            *_informing(job_change_id, choice, workspace),
        )
    ]
    to_dris = [delivery for delivery in planned if delivery.role == Role.DRI]
    is_test = any(choice.rule is TEST_RULE for choice in chosen.choices)
    has_channel = channel != DEFAULT_CHANNEL or workspace.default_channel_id is not None
    if to_dris and has_channel and workspace.channel_gets == "everything" and not is_test:
        direct = [choice for choice in chosen.choices if choice.recipients and choice.rule.deliver.to != "channel"]
        reasons = combined(reason for choice in direct for reason in _notified_directly(choice))
        side = _common_side(delivery.side for delivery in to_dris)
        planned.append(NewDelivery(job_change_id, channel, Role.COPY, reasons, side))
    if not planned:
        return DeliveryPlan((), MUTED, combined(reason for choice in chosen.choices for reason in choice.reasons))
    return DeliveryPlan(tuple(_merged(planned)))


def _deliveries_of(job_change_id: str, choice: SideChoice, workspace: Workspace, channel: str) -> Iterator[NewDelivery]:
    """The deliveries of one choice. `channel` gets what cannot be sent to a DRI."""
    deliver, side = choice.rule.deliver, choice.side
    # The key under which the scorecard counts it. Tests are not counted.
    key = None if choice.rule is TEST_RULE else EVERYTHING_ELSE if choice.rule is CATCH_ALL else choice.rule.key

    def delivery(destination: str, role: Role, *reasons: Reason) -> NewDelivery:
        return NewDelivery(job_change_id, destination, role, reasons, side, None if role == Role.COPY else key)

    if deliver.to == "nobody":
        return
    if choice.rule is TEST_RULE:
        yield from (delivery(user_id, Role.DRI, *choice.reasons) for user_id in choice.recipients)
        return
    if deliver.to == "channel" and deliver.channel:
        reasons = [
            ReasonCode.CHANNEL_OF_RULE.of(rule=choice.rule.name),
            *(_dri_is(choice) if choice.recipients else ()),
        ]
        yield delivery(deliver.channel, Role.CHANNEL, *reasons)
        return
    if not choice.recipients:
        is_fallback = choice.channel is None or choice.by_default
        role = Role.FALLBACK if is_fallback else Role.CHANNEL
        yield delivery(choice.channel or channel, role, *choice.reasons)
    elif workspace.tell_dris:
        yield from (delivery(user_id, Role.DRI, *choice.reasons) for user_id in choice.recipients)
    else:
        yield delivery(channel, Role.FALLBACK, *_dri_is(choice), ReasonCode.DRIS_NOTIFIED_HERE.of())
    if deliver.to == "dri_and_channel" and deliver.channel:
        is_direct = choice.recipients and workspace.tell_dris
        yield delivery(deliver.channel, Role.COPY, *(_notified_directly(choice) if is_direct else choice.reasons))


def _informing(job_change_id: str, choice: SideChoice, workspace: Workspace) -> Iterator[NewDelivery]:
    """Copies for those whom the rule informs in addition to the DRI."""
    why = ReasonCode.INFORMED_WITHOUT_DRI.of(rule=choice.rule.name)
    if choice.recipients:
        why = ReasonCode.INFORMED.of(person=choice.name or "", rule=choice.rule.name)
    for destination in choice.informed:
        if workspace.tell_dris or not is_person(destination):
            yield NewDelivery(job_change_id, destination, Role.COPY, (why,), choice.side)


def _notified_directly(choice: SideChoice) -> Reasons:
    return (ReasonCode.DRI_NOTIFIED.of(person=choice.name or ""),)


def _dri_is(choice: SideChoice) -> Reasons:
    return (ReasonCode.DRI_IS.of(person=choice.name or ""),)


def _merged(planned: Iterable[NewDelivery]) -> Iterator[NewDelivery]:
    """One delivery for each destination, with all reasons, in the most important role."""
    by_destination: dict[str, list[NewDelivery]] = {}
    for delivery in planned:
        by_destination.setdefault(delivery.destination, []).append(delivery)
    for deliveries in by_destination.values():
        first = min(deliveries, key=lambda delivery: _ROLE_ORDER[delivery.role])
        counted = [delivery for delivery in deliveries if delivery.role != Role.COPY or first.role == Role.COPY]
        reasons = combined(reason for delivery in counted for reason in delivery.reasons)
        yield replace(first, reasons=reasons, side=_common_side(delivery.side for delivery in counted))


def _common_side(sides: Iterable[str | None]) -> str | None:
    distinct = set(sides)
    return distinct.pop() if len(distinct) == 1 else Side.BOTH


def decision_of(chosen: Choice, plan: DeliveryPlan, rules_version: int, notes: Iterable[Reason]) -> Decision:
    """The decision as it is stored with the job change, still without its segments and links."""
    names = DisplayNames(labels=chosen.labels)
    sides = chosen.choices
    return Decision(
        rules_version=rules_version,
        rule="; ".join(dict.fromkeys(side.rule.name for side in sides)),
        considered=tuple(candidate for side in sides for candidate in side.considered),
        chosen=", ".join(side.name or "" for side in sides if side.recipients) or None,
        reasons=combined(reason for side in sides if not side.is_silent for reason in side.reasons),
        sides=tuple(
            SideDecision(
                side=side.side,
                rule=side.rule.name,
                sentence=f"{'Everything else: ' if side.rule is CATCH_ALL else ''}{describe_rule(side.rule, names)}",
                chosen=side.name if side.recipients or side.channel else None,
                reasons=side.reasons,
            )
            for side in sides
        ),
        destinations=tuple(
            DecidedDestination(destination=delivery.destination, role=delivery.role, side=delivery.side)
            for delivery in plan.deliveries
        ),
        notes=tuple(notes),
    )


def missed_job_changes(job_change_id: str, chosen: Choice) -> list[MissedJobChange]:
    """
    What owners without a Slack user missed, so that it can be sent to them once an admin has linked them.

    They missed nothing if another person in the chain was notified.
    """
    return [
        MissedJobChange(
            owner,
            job_change_id,
            candidate.name or owner,
            choice.problem_of(candidate) or ReasonCode.NOT_IN_SLACK.of(),
            (candidate.why,) if candidate.why else (),
            choice.side,
        )
        for choice in chosen.choices
        if not choice.recipients
        for candidate in choice.unmatched
        if (owner := _link_key(candidate))
    ]


def _link_key(candidate: Candidate) -> str | None:
    """The key by which an owner is linked: their email address, else their Salesforce user id."""
    if candidate.email:
        return candidate.email.lower()
    return candidate.user.id if candidate.user else None
