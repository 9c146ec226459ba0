"""How people stand in Slack right now: who they are there, who is away, who has had enough. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from services.job_changes import JobChange
from services.ownership.candidates import Candidate
from services.ownership.pools import PoolState, Turn
from services.ownership.rules import Guards, RuleSet
from services.ownership.sources import is_slack_user
from store.members import BOT, DEACTIVATED, GUEST, NOT_IN_SLACK, STRANGER, UNKNOWN, Member

EVERY_SIGNAL = "*"

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
    """

    links: Mapping[str, str] = field(default_factory=dict)
    email_field: str | None = None
    alias_domains: Mapping[str, str] = field(default_factory=dict)

    def addresses(self, found: Candidate) -> list[str]:
        """Under what to look them up in Slack, in order: e-mail addresses, or a Slack user id; in lower case."""
        if found.who and is_slack_user(found.who):
            return [found.who.lower()]
        known = [found.user.id, found.user.email, found.user.alternate] if found.user else [found.who]
        addresses = [one.lower() for one in known if one and "@" in one]
        keys = [*([found.user.id] if found.user else []), *addresses]
        if linked := next((self.links[key] for key in keys if key in self.links), None):
            return [linked.lower()]
        return list(dict.fromkeys([*addresses, *self._aliases(addresses)]))

    def _aliases(self, addresses: list[str]) -> Iterator[str]:
        for address in addresses:
            local, _, domain = address.rpartition("@")
            if domain in self.alias_domains:
                yield f"{local}@{self.alias_domains[domain]}"


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
    told in the last 24 hours. *muted*: Slack users with the signals (or EVERY_SIGNAL)
    and change types they do not want to hear of.
    """

    matching: Matching = field(default_factory=Matching)
    members: Mapping[str, Member] = field(default_factory=dict)
    groups: Mapping[str, Group] = field(default_factory=dict)
    absences: Mapping[str, Absence] = field(default_factory=dict)
    told: Mapping[str, int] = field(default_factory=dict)
    muted: frozenset[tuple[str, str]] = frozenset()

    def resolve(self, found: Candidate) -> tuple[str | None, str | None]:
        """Their Slack user id, or why there is none; raises LackingError while Slack has not been asked."""
        first: str | None = None
        for address in self.matching.addresses(found):
            member = self.members.get(address)
            if member is None or member.problem == UNKNOWN:
                raise LackingError(Lacks(addresses=frozenset({address})))
            if member.problem is None and member.user_id:
                return member.user_id, None
            first = first or SLACK_PROBLEMS.get(member.problem or NOT_IN_SLACK, member.problem)
        return None, first or "has no e-mail address in Salesforce"

    def refuses(self, user_id: str, change: JobChange, guards: Guards, ledger: Ledger) -> str | None:
        """Why somebody who is in Slack is not told now; None: they can be."""
        if user_id in self.absences:
            return "is out of office"
        if guards.daily_cap is not None:
            had = self.told.get(user_id, 0) + ledger.told.get(user_id, 0)
            if had >= guards.daily_cap:
                return f"has had {had} job change{'' if had == 1 else 's'} in 24 hours, which is the cap"
        if {(user_id, change.signal.value), (user_id, EVERY_SIGNAL)} & self.muted:
            return "has muted this signal"
        if (user_id, change.change_type.value) in self.muted:
            return "has muted this kind of change"
        return None


def is_excluded(found: Candidate, user_id: str | None, guards: Guards) -> bool:
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
