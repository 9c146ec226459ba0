"""From a decision to what is promised: deliveries with a destination each, or an end at once; and the trace. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from domain.delivery import MissedJobChange, NewDelivery
from domain.states import DEFAULT_CHANNEL, Role
from domain.workspace import Workspace
from services.ownership.choice.candidates import Candidate
from services.ownership.choice.chain import SideChoice
from services.ownership.choice.decide import Decision
from services.ownership.choice.reasons import all_reasons
from services.ownership.rules.descriptions import Names, sentence
from services.ownership.rules.rule_set import CATCH_ALL, TEST_RULE

BOTH = "both"
"""The side of a delivery that tells one destination of both."""

MUTED = "muted"

_WEIGHT = {Role.DRI: 0, Role.FALLBACK: 1, Role.CHANNEL: 1, Role.COPY: 2}


@dataclass(frozen=True)
class Promised:
    """*outcome* and *reason*: of what ends at once, because its rule tells nobody."""

    deliveries: tuple[NewDelivery, ...]
    outcome: str | None = None
    reason: str | None = None

    @property
    def told(self) -> frozenset[str]:
        """The Slack users who are told as DRIs."""
        return frozenset(each.destination for each in self.deliveries if each.role == Role.DRI)


def promised(job_change_id: str, decision: Decision, workspace: Workspace, signal: str) -> Promised:
    """Whom to tell, given who was chosen and what the workspace prefers; each destination once."""
    channel = workspace.channel_of(signal)
    wanted = [
        replace(each, destination=DEFAULT_CHANNEL) if each.destination == workspace.default_channel_id else each
        for choice in decision.choices
        for each in _of_choice(job_change_id, choice, workspace, channel)
    ]
    told = [each for each in wanted if each.role == Role.DRI]
    if told and _is_copied(decision, workspace, channel):
        in_person = [one.name for one in decision.choices if one.told and one.rule.deliver.to != "channel"]
        reason = " ".join(dict.fromkeys(f"{name} was told in person." for name in in_person))
        wanted.append(NewDelivery(job_change_id, channel, Role.COPY, reason, _side(each.side for each in told)))
    if not wanted:
        return Promised((), MUTED, " ".join(dict.fromkeys(choice.reason for choice in decision.choices)))
    return Promised(tuple(_merged(wanted)))


def _is_copied(decision: Decision, workspace: Workspace, channel: str) -> bool:
    """Whether a channel reads, too, what DRIs are told in person; not while there is none."""
    if workspace.channel_gets != "everything" or any(choice.rule is TEST_RULE for choice in decision.choices):
        return False
    return channel != DEFAULT_CHANNEL or workspace.default_channel_id is not None


def _of_choice(job_change_id: str, choice: SideChoice, workspace: Workspace, channel: str) -> Iterator[NewDelivery]:
    """*channel*: what is told where no DRI is."""
    deliver, side = choice.rule.deliver, choice.side

    def delivery(destination: str, role: Role, reason: str) -> NewDelivery:
        return NewDelivery(job_change_id, destination, role, reason, side)

    if deliver.to == "nobody":
        return
    if choice.rule is TEST_RULE:
        yield from (delivery(user_id, Role.DRI, choice.reason) for user_id in choice.told)
        return
    if deliver.to == "channel" and deliver.channel:
        who = f" The DRI is {choice.name}." if choice.told else ""
        yield delivery(deliver.channel, Role.CHANNEL, f"The rule “{choice.rule.name}” tells this channel.{who}")
        return
    if not choice.told:
        yield delivery(choice.channel or channel, _channel_role(choice), choice.reason)
    elif workspace.tell_dris:
        yield from (delivery(user_id, Role.DRI, choice.reason) for user_id in choice.told)
    else:
        reason = f"The DRI is {choice.name}. This workspace tells DRIs here, not in person."
        yield delivery(channel, Role.FALLBACK, reason)
    if deliver.to == "dri_and_channel" and deliver.channel:
        in_person = choice.told and workspace.tell_dris
        yield delivery(deliver.channel, Role.COPY, f"{choice.name} was told in person." if in_person else choice.reason)


def _channel_role(choice: SideChoice) -> Role:
    return Role.FALLBACK if choice.channel is None or choice.by_default else Role.CHANNEL


def _merged(wanted: Iterable[NewDelivery]) -> Iterator[NewDelivery]:
    """What goes to one destination goes there once, with all its reasons, in the role that decides most."""
    by_destination: dict[str, list[NewDelivery]] = {}
    for each in wanted:
        by_destination.setdefault(each.destination, []).append(each)
    for same in by_destination.values():
        foremost = min(same, key=lambda each: _WEIGHT[each.role])
        counted = [each for each in same if each.role != Role.COPY or foremost.role == Role.COPY]
        reason = all_reasons(each.reason for each in counted)
        yield replace(foremost, reason=reason, side=_side(each.side for each in counted))


def _side(sides: Iterable[str | None]) -> str | None:
    distinct = set(sides)
    return distinct.pop() if len(distinct) == 1 else BOTH


def trace_of(decision: Decision, promised: Promised, version: int, notes: Iterable[str]) -> dict[str, Any]:
    """
    As it is stored with the job change and shown by explain.

    *version* of the rules (0: none were published). `sides` has one entry a choice; `considered`, in order, everybody.
    """
    choices = decision.choices
    return {
        "rules_version": version,
        "rule": "; ".join(choice.rule.name for choice in choices),
        "considered": [asdict(each) for choice in choices for each in choice.considered],
        "chosen": ", ".join(choice.name or "" for choice in choices if choice.told) or None,
        "reason": all_reasons(choice.reason for choice in choices),
        "sides": [_traced(choice, Names(labels=decision.labels)) for choice in choices],
        "destinations": [
            {"destination": each.destination, "role": each.role, "side": each.side} for each in promised.deliveries
        ],
        "notes": list(notes),
    }


def _traced(choice: SideChoice, names: Names) -> Mapping[str, Any]:
    told = sentence(choice.rule, names)
    return {
        "side": choice.side,
        "rule": choice.rule.name,
        "sentence": f"Everything else: {told}" if choice.rule is CATCH_ALL else told,
        "chosen": choice.name if choice.told or choice.channel else None,
        "reason": choice.reason,
    }


def missed(job_change_id: str, decision: Decision) -> list[MissedJobChange]:
    """
    What owners without a Slack user did not get, so that an admin can link them and they are told after all.

    Only where a channel read it in their place: if somebody else in the chain was told, they missed nothing.
    """
    return [
        MissedJobChange(owner, job_change_id, found.name or owner, choice.result_of(found), found.why, choice.side)
        for choice in decision.choices
        if not choice.told
        for found in choice.unmatched
        if (owner := _owner_key(found))
    ]


def _owner_key(found: Candidate) -> str | None:
    """By what an owner is linked: their e-mail address, else their Salesforce user id."""
    return found.email.lower() if found.email else found.user.id if found.user else None
