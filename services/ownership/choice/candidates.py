"""Candidates: people whom a job change may be sent to, with the reason for or against it, and who was chosen. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

from domain.decision.reasons import Reason, ReasonCode, Reasons
from domain.decision.record import ConsideredCandidate
from services.ownership.choice.case import Case, View
from services.ownership.choice.conditions import PreparedRules
from services.ownership.choice.pools import Turn
from services.ownership.rules.owner_sources import Side, is_salesforce_user, is_slack_user
from services.ownership.rules.rule_set import Rule, RuleSet, Segment
from services.salesforce.records import SalesforceUser

_QUEUE = "00G"


@dataclass(frozen=True)
class Candidate:
    """
    A person, user group or channel that an owner source named.

    `label` describes it in a sentence, such as "the contact's owner, Dana Reyes,". `why` is the reason that the message
    gives if it is notified; None means that it cannot be. `problem` says why it cannot be, as far as that is known
    before Slack is asked. `is_absent` is true if there is no record that could have an owner. `person_id` is the email
    address, Slack user id or Salesforce user id by which a rule names a person. `group`, `queue` (an id in Salesforce)
    and `channel` are set in place of a person.
    """

    source: str
    label: str
    why: Reason | None = None
    user: SalesforceUser | None = None
    person_id: str | None = None
    problem: Reason | None = None
    is_absent: bool = False
    group: str | None = None
    queue: str | None = None
    channel: str | None = None

    @property
    def name(self) -> str | None:
        return self.user.name if self.user else None

    @property
    def email(self) -> str | None:
        """The Salesforce user's email address, else the one by which a rule or a job change named them."""
        if self.user and self.user.email:
            return self.user.email
        return self.person_id if self.person_id and "@" in self.person_id else None

    @cached_property
    def link_keys(self) -> list[str]:
        """The Salesforce user id and the email addresses, in lower case, by which an owner can be linked."""
        user = self.user
        addresses = [user.email, user.alternate] if user else [self.person_id]
        keys = [address.lower() for address in addresses if address and "@" in address]
        return [user.id, *keys] if user else keys


class Chosen(NamedTuple):
    """What a source of the chain led to. The fields are those of SideChoice."""

    reasons: Reasons
    name: str | None = None
    recipients: tuple[str, ...] = ()
    channel: str | None = None
    by_default: bool = False
    turns: tuple[Turn, ...] = ()

    @classmethod
    def of(cls, candidate: Candidate, user_ids: tuple[str, ...]) -> Chosen:
        name = candidate.name or candidate.email or candidate.person_id or candidate.label
        return cls((candidate.why,) if candidate.why else (), name, user_ids)


@dataclass(frozen=True)
class SideChoice:
    """
    What was chosen for one side of a job change. `side` None belongs to the catch-all.

    `recipients` are Slack user ids; `channel` is set in their place. If both are empty, nobody was found. `reasons` say
    why the job change is theirs, or why nobody was found. `by_default` is true for a channel that is a fallback, after
    others were skipped. `unmatched` are owners without a Slack user. `place` is the chosen source's place in the rule's
    chain, None if nobody was found. A choice that `is_silent` leads to no message, because the same rule notifies the
    DRI of the other side. `informed` are the Slack users and channels that get the card without the duty to act.
    """

    side: Side | None
    rule: Rule
    considered: tuple[ConsideredCandidate, ...]
    reasons: Reasons
    name: str | None = None
    recipients: tuple[str, ...] = ()
    channel: str | None = None
    by_default: bool = False
    turns: tuple[Turn, ...] = ()
    unmatched: tuple[Candidate, ...] = ()
    place: int | None = None
    is_silent: bool = False
    informed: tuple[str, ...] = ()

    @property
    def destination(self) -> tuple[tuple[str, ...], str | None]:
        """The recipients or the channel, to compare with the other side's."""
        return self.recipients, self.channel

    def silenced_by(self, other: SideChoice) -> SideChoice:
        """This choice without its recipients, because the same rule notifies those of the other side."""
        recipient = (other.recipients and other.name) or "a channel"
        return SideChoice(
            self.side,
            self.rule,
            tuple(
                row.model_copy(update={"problem": ReasonCode.OTHER_SIDE.of(recipient=recipient), "match": None})
                if row.is_notified
                else row
                for row in self.considered
            ),
            (ReasonCode.RULE_NOTIFIES.of(rule=self.rule.name, recipient=recipient),),
            is_silent=True,
        )

    def problem_of(self, candidate: Candidate) -> Reason | None:
        """The problem of a candidate that was considered."""
        key = (candidate.source, candidate.name, candidate.email or candidate.person_id)
        return next((row.problem for row in self.considered if (row.source, row.name, row.email) == key), None)


@dataclass(frozen=True)
class RuleContext:
    """A job change and the rule that matched it, on one side. `side` None means that no rule matched."""

    case: Case
    rule: Rule
    prepared: PreparedRules
    side: Side | None

    @property
    def rules(self) -> RuleSet:
        return self.prepared.rule_set

    def view(self, side: Side | None) -> View:
        """The records on this side; None means the side that the rule matched."""
        return self.case.view(side or self.side)

    @property
    def segments(self) -> frozenset[Segment]:
        """The segments of this side's account. Empty if Salesforce could not be asked."""
        return self.case.segments(self.side, self.prepared.segment_tests)


def named_person(person_id: str, source: str, why: Reason | None, case: Case) -> Candidate:
    """A person whom a rule, a pool or a mapping table names."""
    user = case.users.get(person_id[:15]) if is_salesforce_user(person_id) else None
    if user:
        return _with_user_problem(Candidate(source, user.name, why, user))
    label = f"the Slack user {person_id}" if is_slack_user(person_id) else person_id
    problem = ReasonCode.NO_SALESFORCE_USER.of() if is_salesforce_user(person_id) else None
    return Candidate(source, label, why, person_id=person_id, problem=problem)


def absent(source: str, kind: str, record: str, context: RuleContext) -> Candidate:
    """A candidate of a record that does not exist, or could not be looked up: such as the "contact" for "Ada Smith"."""
    case = context.case
    if case.records is None:
        problem = case.no_records_reason
    elif hidden := case.unsearched_field(kind):
        problem = ReasonCode.SKIPPED.of(whom=hidden, problem=(ReasonCode.UNREADABLE.of(),))
    else:
        problem = ReasonCode.NO_RECORD.of(kind=kind, record=record)
    return Candidate(source, "", problem=problem, is_absent=True)


def record_user(source: str, role: str, why: Reason, user: SalesforceUser | None) -> Candidate:
    """The user in a field of a record. `role` is what they are to it, such as "the contact's owner"."""
    if user is None:
        return Candidate(source, role, problem=ReasonCode.NOT_SET_OR_HIDDEN.of())
    return _with_user_problem(Candidate(source, f"{role}, {user.name},", why, user))


def lookup_user(source: str, role: str, why: Reason, user_id: str | None, case: Case) -> Candidate:
    """The user whose id is in a lookup field."""
    if not user_id:
        return Candidate(source, role, problem=ReasonCode.NOT_SET.of())
    if user_id.startswith(_QUEUE):
        return Candidate(source, role, problem=ReasonCode.QUEUE.of())
    user = case.users.get(user_id[:15])
    if user is None:
        return Candidate(source, role, problem=ReasonCode.NO_USER_IN_FIELD.of())
    return record_user(source, role, why, user)


def with_full_user(candidate: Candidate, case: Case) -> Candidate:
    """The candidate with all fields of the user that were queried, not only those that came with the record."""
    user = candidate.user and case.users.get(candidate.user.id[:15])
    return replace(candidate, user=user) if user and user is not candidate.user else candidate


def _with_user_problem(candidate: Candidate) -> Candidate:
    user = candidate.user
    if user is not None and user.kind == "queue":
        return replace(candidate, problem=ReasonCode.QUEUE.of())
    if user is not None and not user.is_active:
        return replace(candidate, problem=ReasonCode.INACTIVE.of())
    return candidate
