"""How people stand in Slack right now: who they are there, who is away, who has had enough. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from domain.people import BOT, DEACTIVATED, GUEST, NOT_IN_SLACK, STRANGER, UNKNOWN, Member
from domain.preferences import EVERYTHING, SEGMENT
from services.ownership.choice.candidates import Candidate, Place
from services.ownership.choice.pools import PoolState, Turn
from services.ownership.rules.owner_sources import is_slack_user
from services.ownership.rules.rule_set import Guards, RuleSet

SLACK_PROBLEMS = {
    NOT_IN_SLACK: "is not in Slack, or is deactivated there",  # Slack gives one answer to both
    DEACTIVATED: "is deactivated in Slack",
    BOT: "is a bot in Slack",
    GUEST: "is a guest in Slack",
    STRANGER: "belongs to another Slack workspace",
}
"""Why a Slack user cannot be told, as the end of a sentence about them."""


@dataclass(frozen=True)
class Matching:
    """
    How owners are matched with Slack users beyond their e-mail address.

    *links*: a Slack user by an e-mail address or a Salesforce user id, set by hand. *email_field*: of User, which holds
    another address. *alias_domains*: a domain by another one of which the same addresses may be known in Slack.
    *denied*: owners, as in *links*, with a Slack user each who says that it is not them.
    """

    links: Mapping[str, str] = field(default_factory=dict)
    email_field: str | None = None
    alias_domains: Mapping[str, str] = field(default_factory=dict)
    denied: frozenset[tuple[str, str]] = frozenset()

    def addresses(self, found: Candidate) -> list[str]:
        """Under what to look them up in Slack, in order: e-mail addresses, or a Slack user id; in lower case."""
        if found.who and is_slack_user(found.who):
            return [found.who.lower()]
        keys = _keys(found)
        if linked := next((self.links[key] for key in keys if key in self.links), None):
            return [linked.lower()]
        addresses = [key for key in keys if "@" in key]
        return list(dict.fromkeys([*addresses, *self._aliases(addresses)]))

    def how(self, found: Candidate, address: str) -> str | None:
        """In what way this address is theirs, without it: traces outlive people. None: a rule names them by it."""
        user, keys = found.user, _keys(found)
        if "@" not in address:
            return "linked by hand" if keys else None
        if address not in keys:
            return f"by the alias domain {address.rpartition('@')[2]}"
        if user and address != (user.email or "").lower():
            return "by the other e-mail field"
        return "by the e-mail address"

    def is_denied(self, found: Candidate, user_id: str) -> bool:
        """Whether this Slack user says that they are not this owner."""
        return bool(self.denied) and any((key, user_id) in self.denied for key in _keys(found))

    def _aliases(self, addresses: list[str]) -> Iterator[str]:
        for address in addresses:
            local, _, domain = address.rpartition("@")
            if domain in self.alias_domains:
                yield f"{local}@{self.alias_domains[domain]}"


def _keys(found: Candidate) -> list[str]:
    """By what an owner may be linked: the id of a Salesforce user, and addresses in lower case."""
    known = [found.user.email, found.user.alternate] if found.user else [found.who]
    return [*([found.user.id] if found.user else []), *(one.lower() for one in known if one and "@" in one)]


@dataclass(frozen=True)
class Absence:
    """Out of office; *delegate*: the Slack user who takes their place, None: nobody does."""

    delegate: str | None = None


@dataclass(frozen=True)
class Lacks:
    """Answers that a choice cannot be made without: addresses (or Slack ids) and user groups to look up in Slack."""

    addresses: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.addresses or self.groups)

    def __or__(self, other: Lacks) -> Lacks:
        return Lacks(self.addresses | other.addresses, self.groups | other.groups)


class LackingError(Exception):
    """Raised inside `choose`, and told by it: something has to be looked up before it can go on."""

    def __init__(self, lacks: Lacks) -> None:
        super().__init__("not looked up yet")
        self.lacks = lacks


@dataclass(frozen=True)
class Group:
    """Who is in a user group (Slack ids); *problem*: why that cannot be told."""

    user_ids: tuple[str, ...] = ()
    problem: str | None = None


@dataclass(frozen=True)
class Standing:
    """
    *members*: what Slack answered, by address or Slack id in lower case. *told*: how many job changes a Slack user was
    told in the last 24 hours. *muted*: Slack users with what they mute, see store/ownership/muting.py;
    *unmutable*: what everybody hears of all the same.
    """

    matching: Matching = field(default_factory=Matching)
    members: Mapping[str, Member] = field(default_factory=dict)
    groups: Mapping[str, Group] = field(default_factory=dict)
    absences: Mapping[str, Absence] = field(default_factory=dict)
    told: Mapping[str, int] = field(default_factory=dict)
    muted: frozenset[tuple[str, str]] = frozenset()
    unmutable: frozenset[str] = frozenset()

    def match(self, found: Candidate) -> str | None:
        """How somebody who could be resolved was found in Slack, for the trace; None: by nothing but a Slack id."""
        for address in self.matching.addresses(found):
            member = self.members.get(address)
            if member is not None and member.problem is None and member.user_id:
                return self.matching.how(found, address)
        return None

    def resolve(self, found: Candidate) -> tuple[str | None, str | None]:
        """Their Slack user id, or why there is none; raises LackingError while Slack has not been asked."""
        first: str | None = None
        for address in self.matching.addresses(found):
            member = self.members.get(address)
            if member is None or member.problem == UNKNOWN:
                raise LackingError(Lacks(addresses=frozenset({address})))
            if member.problem is None and member.user_id:
                is_denied = self.matching.is_denied(found, member.user_id)
                return (None, "is not the one whom we took them for in Slack") if is_denied else (member.user_id, None)
            first = first or SLACK_PROBLEMS.get(member.problem or NOT_IN_SLACK, member.problem)
        return None, first or "has no e-mail address in Salesforce"

    def refuses(self, user_id: str, place: Place, ledger: Ledger) -> str | None:
        """Why somebody who is in Slack is not told now; None: they can be."""
        guards = place.rules.guards
        if user_id in self.absences:
            return "is out of office"
        if guards.daily_cap is not None:
            had = self.told.get(user_id, 0) + ledger.told.get(user_id, 0)
            if had >= guards.daily_cap:
                return f"has had {had} job change{'' if had == 1 else 's'} in 24 hours, which is the cap"
        return self._mutes(user_id, place) if self.muted else None

    def _mutes(self, user_id: str, place: Place) -> str | None:
        signal, kind = place.case.change.signal.value, place.case.change.change_type.value
        segments = {f"{SEGMENT}{segment}" for segment in place.segments}
        if self.unmutable & {signal, kind, *segments}:
            return None
        if {(user_id, signal), (user_id, EVERYTHING)} & self.muted:
            return "has muted this signal"
        if (user_id, kind) in self.muted:
            return "has muted this kind of change"
        if any((user_id, segment) in self.muted for segment in segments):
            return "has muted this segment of accounts"
        return None


def is_excluded(found: Candidate, user_id: str | None, guards: Guards) -> bool:
    """Whether the workspace never tells this person, by any of the names that it knows them by."""
    known = {found.who, found.email and found.email.lower(), user_id, found.user and found.user.id}
    return not known.isdisjoint(guards.excluded)


@dataclass(frozen=True)
class Ledger:
    """What the choices of a batch change for the next ones: whose turn it is, who has which account, who was told."""

    pools: Mapping[str, PoolState] = field(default_factory=dict)
    sticky: Mapping[tuple[str, str], str] = field(default_factory=dict)
    told: Mapping[str, int] = field(default_factory=dict)

    def after(self, turns: tuple[Turn, ...], told: frozenset[str], rules: RuleSet) -> Ledger:
        """With one more job change decided."""
        if not turns and not told:
            return self
        pools, sticky = dict(self.pools), dict(self.sticky)
        for turn in turns:
            state = pools.get(turn.pool, PoolState())
            pools[turn.pool] = state.taken(rules.pools[turn.pool], turn.user)
            if turn.account is not None:
                sticky[turn.pool, turn.account] = turn.user
        counts = dict(self.told) | {user: self.told.get(user, 0) + 1 for user in told}
        return replace(self, pools=pools, sticky=sticky, told=counts)
