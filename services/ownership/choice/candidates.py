"""Candidates: somebody whose job a job change may be, and why, or why they cannot be told. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from services.ownership.choice.case import Case, View, segments_of
from services.ownership.rules.owner_sources import Side, is_salesforce_user, is_slack_user
from services.ownership.rules.rule_set import Rule, RuleSet, Segment
from services.salesforce.records import SalesforceUser

UNREADABLE = "cannot be read in Salesforce"

_UNSET = "is not set or cannot be seen"
_QUEUE = "00G"


@dataclass(frozen=True)
class Candidate:
    """
    Somebody whose job it may be.

    *label*: who that is, as in "the contact's owner, Dana Reyes,". *why*: what the message says if they are told.
    *problem*: why they cannot be told, known before Slack is asked. *is_absent*: there is no record to have an owner.
    *who*: the e-mail address, Slack user id or Salesforce user id by which a rule names them. One of *group* and
    *channel* may stand in place of a person.
    """

    source: str
    label: str
    why: str
    user: SalesforceUser | None = None
    who: str | None = None
    problem: str | None = None
    is_absent: bool = False
    group: str | None = None
    channel: str | None = None

    @property
    def name(self) -> str | None:
        return self.user.name if self.user else None

    @property
    def email(self) -> str | None:
        """Of the Salesforce user, else the name by which a rule or a sender meant them, if it is an address."""
        if self.user and self.user.email:
            return self.user.email
        return self.who if self.who and "@" in self.who else None


@dataclass(frozen=True)
class Place:
    """Where a source is asked: *view* of the side on which its rule matched."""

    case: Case
    rule: Rule
    rules: RuleSet
    side: Side | None

    def view(self, side: Side | None) -> View:
        return self.case.views[side or self.side]

    @property
    def segments(self) -> frozenset[Segment]:
        """Those of this side's account; empty where Salesforce could not be asked."""
        return segments_of(self.view(None).account, self.rules.segments) if self.case.records else frozenset()


def named(who: str, source: str, why: str, case: Case) -> Candidate:
    """Somebody whom a rule, a pool or a table names."""
    user = case.users.get(who[:15]) if is_salesforce_user(who) else None
    label = user.name if user else f"the Slack user {who}" if is_slack_user(who) else who
    problem = "is not a user of Salesforce that we can see" if is_salesforce_user(who) and user is None else None
    return _checked(Candidate(source, label, why, user, None if user else who, problem))


def absent(source: str, missing: str, place: Place) -> Candidate:
    """There is no such record, or nobody could ask for one."""
    problem = place.case.no_records if place.case.records is None else f"{missing} is in Salesforce"
    return Candidate(source, "", "", problem=problem, is_absent=True)


def owned(source: str, role: str, why: str, owner: SalesforceUser | None) -> Candidate:
    """*role*: what they are to the record, such as account owner; *owner* None: the field is empty."""
    if owner is None:
        return Candidate(source, role, why, problem=_UNSET)
    return _checked(Candidate(source, f"{role}, {owner.name},", why, owner))


def of_lookup(source: str, role: str, why: str, user_id: str | None, case: Case) -> Candidate:
    """The user that a lookup field holds."""
    if not user_id:
        return Candidate(source, role, why, problem="is not set")
    if user_id.startswith(_QUEUE):
        return Candidate(source, role, why, problem="is a queue")
    user = case.users.get(user_id[:15])
    if user is None:
        return Candidate(source, role, why, problem="is nobody that we can see in Salesforce")
    return owned(source, role, why, user)


def known(found: Candidate, case: Case) -> Candidate:
    """With all that was asked of Salesforce about the user, not only what came with the record."""
    user = found.user and case.users.get(found.user.id[:15])
    return replace(found, user=user) if user else found


def _checked(found: Candidate) -> Candidate:
    user = found.user
    problem = found.problem
    if user is None or problem:
        return found
    if user.kind == "queue":
        problem = "is a queue"
    elif not user.is_active:
        problem = "is inactive in Salesforce"
    return replace(found, problem=problem)
