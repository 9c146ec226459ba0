"""The availability of candidates: who they are in Slack, whether they are away, muted or over a limit. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from domain.decision.reasons import Reason, ReasonCode
from domain.people import NOT_IN_SLACK, UNKNOWN, Member, OwnerMatching
from domain.preferences import EVERYTHING, SEGMENT
from services.ownership.choice.candidates import Candidate, RuleContext
from services.ownership.choice.pools import PoolState, Turn
from services.ownership.rules.owner_sources import is_slack_user
from services.ownership.rules.rule_set import Guards


@dataclass(frozen=True)
class Matching:
    """
    How owners are matched to Slack users, beyond their email address.

    `links` holds Slack users by an owner's email address or Salesforce user id; admins set them. `email_field` is a
    field of User with another email address. `alias_domains` maps a domain to another that has the same local parts in
    Slack. `denied` holds pairs of an owner (as in `links`) and a Slack user who reported "Not my account".
    """

    links: Mapping[str, str] = field(default_factory=dict)
    email_field: str | None = None
    alias_domains: Mapping[str, str] = field(default_factory=dict)
    denied: frozenset[tuple[str, str]] = frozenset()

    @classmethod
    def of(cls, stored: OwnerMatching) -> Matching:
        return cls(stored.links, stored.email_field, stored.alias_domains, stored.denied)

    def addresses(self, candidate: Candidate) -> list[str]:
        """The email addresses, or the one Slack user id, to look up in Slack, in order and in lower case."""
        if candidate.person_id and is_slack_user(candidate.person_id):
            return [candidate.person_id.lower()]
        for key in candidate.link_keys:
            if key in self.links:
                return [self.links[key].lower()]
        addresses = [key for key in candidate.link_keys if "@" in key]
        parts = [address.rpartition("@") for address in addresses] if self.alias_domains else []
        aliases = [
            f"{local}@{self.alias_domains[domain]}" for local, _, domain in parts if domain in self.alias_domains
        ]
        slack_id = _slack_id_of(candidate)
        return list(dict.fromkeys([*([slack_id] if slack_id else []), *addresses, *aliases]))

    def describe(self, candidate: Candidate, address: str) -> Reason | None:
        """
        How this address was matched to the candidate. None means that a rule names the candidate by it.

        It does not contain the address itself, because decisions are kept after people are erased.
        """
        user, keys = candidate.user, candidate.link_keys
        if address == _slack_id_of(candidate) and address not in map(str.lower, self.links.values()):
            return ReasonCode.MATCHED_BY_SLACK_ID.of()
        if "@" not in address:
            return ReasonCode.LINKED.of() if keys else None
        if address not in keys:
            return ReasonCode.MATCHED_BY_ALIAS.of(domain=address.rpartition("@")[2])
        if user and address != (user.email or "").lower():
            return ReasonCode.MATCHED_BY_FIELD.of()
        return ReasonCode.MATCHED_BY_EMAIL.of()

    def is_denied(self, candidate: Candidate, user_id: str) -> bool:
        """Whether this Slack user reported that they are not this owner."""
        return bool(self.denied) and any((key, user_id) in self.denied for key in candidate.link_keys)


def _slack_id_of(candidate: Candidate) -> str | None:
    """The Slack user id in the field of the Salesforce user that the workspace has chosen, in lower case."""
    slack_id = candidate.user.slack_id if candidate.user else None
    if not slack_id or not is_slack_user(slack_id.strip()):
        return None
    return slack_id.strip().lower()


@dataclass(frozen=True)
class Absence:
    """Out of office. `delegate` is the Slack user who takes their place; None means that nobody does."""

    delegate: str | None = None


@dataclass(frozen=True)
class MissingLookups:
    """Email addresses (or Slack ids) and user groups that must be looked up in Slack before a decision can be made."""

    addresses: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.addresses or self.groups)

    def __or__(self, other: MissingLookups) -> MissingLookups:
        return MissingLookups(self.addresses | other.addresses, self.groups | other.groups)


class MissingLookupsError(Exception):
    """Raised while a decision is made, and caught by `decide`: something must be looked up first."""

    def __init__(self, lookups: MissingLookups) -> None:
        super().__init__("not looked up yet")
        self.lookups = lookups


@dataclass(frozen=True)
class Group:
    """The Slack ids of a user group's members. `problem` says why the group cannot be notified."""

    user_ids: tuple[str, ...] = ()
    problem: Reason | None = None


class Resolved(NamedTuple):
    """
    The Slack user of a candidate. `problem` says why there is none, or why they cannot be notified.

    `match` says how they were found; None means by nothing but a Slack id.
    """

    user_id: str | None
    problem: Reason | None = None
    match: Reason | None = None


@dataclass(frozen=True)
class Availability:
    """
    What is known about the people of a workspace.

    `members` holds Slack's answers by email address or Slack id in lower case. `recent_counts` is the number of job
    changes that each Slack user received in the last 24 hours. `muted` holds Slack users with what they mute, see
    store/ownership/muting.py; `required` is what is delivered even if it is muted.
    """

    matching: Matching = field(default_factory=Matching)
    members: Mapping[str, Member] = field(default_factory=dict)
    groups: Mapping[str, Group] = field(default_factory=dict)
    absences: Mapping[str, Absence] = field(default_factory=dict)
    recent_counts: Mapping[str, int] = field(default_factory=dict)
    muted: frozenset[tuple[str, str]] = frozenset()
    required: frozenset[str] = frozenset()

    def resolve(self, candidate: Candidate) -> Resolved:
        """Find the candidate's Slack user. Raises MissingLookupsError."""
        first_problem: Reason | None = None
        for address in self.matching.addresses(candidate):
            member = self.members.get(address)
            if member is None or member.problem == UNKNOWN:
                raise MissingLookupsError(MissingLookups(addresses=frozenset({address})))
            if member.problem is None and member.user_id:
                if self.matching.is_denied(candidate, member.user_id):
                    return Resolved(None, ReasonCode.NOT_THEIR_ACCOUNT.of())
                return Resolved(member.user_id, match=self.matching.describe(candidate, address))
            first_problem = first_problem or slack_problem(member)
        return Resolved(None, first_problem or ReasonCode.NO_EMAIL.of())

    def problem_of(self, user_id: str, context: RuleContext, batch: BatchState) -> Reason | None:
        """Why a Slack user cannot be notified now. None means that they can be."""
        if user_id in self.absences:
            return ReasonCode.OUT_OF_OFFICE.of()
        limit = context.rules.guards.daily_cap
        if limit is not None and self.recent_counts.get(user_id, 0) + batch.counts.get(user_id, 0) >= limit:
            return ReasonCode.DAILY_LIMIT.of(limit=limit)
        return self._mute_of(user_id, context) if self.muted else None

    def _mute_of(self, user_id: str, context: RuleContext) -> Reason | None:
        signal, change_type = context.case.change.signal.value, context.case.change.change_type.value
        segments = {f"{SEGMENT}{segment}" for segment in context.segments}
        if self.required & {signal, change_type, *segments}:
            return None
        if {(user_id, signal), (user_id, EVERYTHING)} & self.muted:
            return ReasonCode.MUTED_SIGNAL.of()
        if (user_id, change_type) in self.muted:
            return ReasonCode.MUTED_CHANGE_TYPE.of()
        if any((user_id, segment) in self.muted for segment in segments):
            return ReasonCode.MUTED_SEGMENT.of()
        return None


def slack_problem(member: Member) -> Reason:
    """Why Slack has no user to notify for this answer."""
    if member.error is not None:
        return ReasonCode.NOT_LOOKED_UP.of(error=member.error)
    return ReasonCode(member.problem or NOT_IN_SLACK).of()


def is_excluded(candidate: Candidate, user_id: str | None, guards: Guards) -> bool:
    """Whether the rules exclude this person, by any id or email address that they are known by."""
    if not guards.excluded:
        return False
    email = candidate.email and candidate.email.lower()
    names = {candidate.person_id, email, user_id, candidate.user and candidate.user.id}
    return not names.isdisjoint(guards.excluded)


@dataclass(frozen=True)
class BatchState:
    """
    What earlier decisions of a batch change for later ones: turns in pools, sticky accounts, and the number of job
    changes by Slack user.
    """

    pools: Mapping[str, PoolState] = field(default_factory=dict)
    sticky: Mapping[tuple[str, str], str] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)

    def after(self, turns: tuple[Turn, ...], recipients: frozenset[str]) -> BatchState:
        """The state after one more job change was decided."""
        if not turns and not recipients:
            return self
        pools, sticky = dict(self.pools), dict(self.sticky)
        for turn in turns:
            state = pools.get(turn.pool, PoolState())
            pools[turn.pool] = state.after_turn(turn.rota.pool, turn.user)
            if turn.account is not None:
                sticky[turn.pool, turn.account] = turn.user
        counts = {**self.counts, **{user: self.counts.get(user, 0) + 1 for user in recipients}}
        return BatchState(pools, sticky, counts)
