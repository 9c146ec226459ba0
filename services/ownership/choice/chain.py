"""The walk along one rule's chain: each candidate told or passed over with its reason. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from services.ownership.choice.availability import LackingError, Lacks, Ledger, Standing, is_excluded
from services.ownership.choice.candidates import Candidate, Place, named
from services.ownership.choice.pools import PoolState, Turn
from services.ownership.choice.reasons import none_found, of_catch_all, of_somebody
from services.ownership.choice.resolve import candidate
from services.ownership.rules.owner_sources import NamedChannel, Pool, Side, Source
from services.ownership.rules.rule_set import CATCH_ALL, Rule
from services.ownership.rules.rule_set import Pool as RoundRobin

TOLD = "told"


@dataclass(frozen=True)
class Considered:
    """What became of a candidate. *side* None: the catch-all's. *match*: how who is told was found in Slack."""

    side: Side | None
    source: str
    name: str | None
    email: str | None
    result: str
    match: str | None = None


@dataclass(frozen=True)
class SideChoice:
    """
    What was chosen on one side (None: by the catch-all).

    *told*: Slack user ids, *channel*: a channel in their place; neither: nobody was found, and *reason* says why, else
    *reason* is why it is theirs. *by_default*: the channel is a fallback, after others were passed over.
    """

    side: Side | None
    rule: Rule
    considered: tuple[Considered, ...]
    reason: str
    name: str | None = None
    told: tuple[str, ...] = ()
    channel: str | None = None
    by_default: bool = False
    turns: tuple[Turn, ...] = ()
    unmatched: tuple[Candidate, ...] = ()

    def result_of(self, found: Candidate) -> str:
        """What became of one who was considered."""
        who = (found.source, found.name, found.email or found.who)
        return next((each.result for each in self.considered if (each.source, each.name, each.email) == who), "")


@dataclass
class Walk:
    """
    The walk along one rule's chain. What was passed over is kept as it goes.

    *had*: who took a turn in a pool for the other side already; one job change takes one turn of a pool.
    """

    place: Place
    standing: Standing
    ledger: Ledger
    had: Mapping[str, str]

    def __post_init__(self) -> None:
        self.considered: list[Considered] = []
        self.above: list[Candidate] = []
        self.unmatched: list[Candidate] = []
        self.problems: list[str] = []
        self.absent: list[str] = []

    def choose(self) -> SideChoice:
        """The first of the rule's chain who can be told, else its fallback, else nobody, with what became of each."""
        rule = self.place.rule
        if rule.deliver.to == "nobody":
            return self._nobody_by_rule()
        for source in rule.tell:
            if found := self._try(source):
                return found
        if rule.fallback is not None and (found := self._try(rule.fallback)):
            return found
        return SideChoice(
            self.place.side,
            rule,
            tuple(self.considered),
            none_found(self._reasons()),
            unmatched=tuple(self.unmatched),
        )

    def _nobody_by_rule(self) -> SideChoice:
        rule = self.place.rule
        return SideChoice(self.place.side, rule, (), f"The rule “{rule.name}” tells nobody.")

    def _try(self, source: Source) -> SideChoice | None:
        if isinstance(source, Pool):
            return self._try_pool(source)
        found = candidate(source, self.place, self.above)
        self.above.append(found)
        if found.channel:
            return self._channel(found, is_fallback=isinstance(source, NamedChannel) and bool(self.considered))
        if found.group:
            return self._try_group(found)
        return self._try_person(found)

    def _try_person(self, found: Candidate) -> SideChoice | None:
        user_id, problem = self._resolved(found)
        if user_id is None or problem:
            self._pass_over(found, problem or "is not in Slack")
            return self._try_delegate(found, user_id) if user_id else None
        self._consider(found, TOLD)
        return self._told(found, (user_id,))

    def _resolved(self, found: Candidate) -> tuple[str | None, str | None]:
        """The Slack user, as far as it is known, and why they cannot be told."""
        guards = self.place.rules.guards
        if found.problem:
            return None, found.problem
        if is_excluded(found, None, guards):
            return None, "is excluded"
        user_id, problem = self.standing.resolve(found)
        if user_id is None:
            self.unmatched.append(found)
            return None, problem
        if is_excluded(found, user_id, guards):
            return None, "is excluded"
        return user_id, self.standing.refuses(user_id, self.place, self.ledger)

    def _try_delegate(self, absent: Candidate, user_id: str) -> SideChoice | None:
        absence = self.standing.absences.get(user_id)
        if absence is None or absence.delegate is None:
            return None
        who = absent.name or absent.who or "Somebody"
        why = f"{who} is out of office and named you. {of_somebody(absent)}".strip()
        delegate = named(absence.delegate, f"delegate of the {absent.source}", why, self.place.case)
        delegate = replace(delegate, label=f"the delegate of {who}")
        delegate_id, problem = self._resolved(delegate)
        if delegate_id is None or problem:
            self._pass_over(delegate, problem or "is not in Slack")
            return None
        self._consider(delegate, TOLD)
        return self._told(delegate, (delegate_id,))

    def _try_pool(self, source: Pool) -> SideChoice | None:
        for who, why in self._in_turn(source):
            found = named(who, f"pool {source.pool}", why, self.place.case)
            told = self._try_person(found)
            self.above.append(found)
            if told:
                is_another = who != self.had.get(source.pool)
                return replace(told, turns=(Turn(source.pool, who, self._account(source)),) if is_another else ())
        return None

    def _in_turn(self, source: Pool) -> Iterator[tuple[str, str]]:
        """Whoever has the account, then the others as it is their turn. All are looked up at once."""
        pool = self.place.rules.pools[source.pool]
        self._insist_on_all(pool)
        turn = f"It is your turn in the pool {source.pool}."
        first = self.had.get(source.pool)
        if first is not None:
            yield first, turn
        account = self._account(source)
        sticky = self.ledger.sticky.get((source.pool, account)) if account else None
        members = [member.user for member in pool.members]
        if sticky in members and sticky != first:
            company = self.place.view(self.place.side).company
            yield sticky, f"You were told of {company} before: it stays with you in the pool {source.pool}."
        for member in self.ledger.pools.get(source.pool, PoolState()).in_turn(pool):
            if member.user not in {sticky, first}:
                yield member.user, turn

    def _insist_on_all(self, pool: RoundRobin) -> None:
        lacks = Lacks()
        for member in pool.members:
            found = named(member.user, "", "", self.place.case)
            try:
                if not found.problem:
                    self.standing.resolve(found)
            except LackingError as error:
                lacks |= error.lacks
        if lacks:
            raise LackingError(lacks)

    def _account(self, source: Pool) -> str | None:
        if not self.place.rules.pools[source.pool].sticky:
            return None
        return self.place.case.account_key(self.place.side)

    def _try_group(self, found: Candidate) -> SideChoice | None:
        group = self.standing.groups.get(found.group or "")
        if group is None:
            raise LackingError(Lacks(groups=frozenset({found.group or ""})))
        told = []
        for user_id in group.user_ids:
            member = replace(found, who=user_id, group=None, label=f"a member of {found.label},")
            known, problem = self._resolved(member)
            if known is None or problem:
                self._pass_over(member, problem or "is not in Slack")
            else:
                self._consider(member, TOLD)
                told.append(known)
        if not told and not group.user_ids:
            self._pass_over(found, group.problem or "has no members")
        return self._told(found, tuple(told)) if told else None

    def _channel(self, found: Candidate, *, is_fallback: bool) -> SideChoice:
        self._consider(found, TOLD)
        reasons = self._reasons() if is_fallback else []
        reason = none_found(reasons) if reasons else found.why
        return replace(self._told(found, ()), channel=found.channel, name=None, reason=reason, by_default=bool(reasons))

    def _told(self, found: Candidate, user_ids: tuple[str, ...]) -> SideChoice:
        return SideChoice(
            side=self.place.side,
            rule=self.place.rule,
            considered=tuple(self.considered),
            reason=found.why,
            name=found.name or found.email or found.who or found.label,
            told=user_ids,
            unmatched=tuple(self.unmatched),
        )

    def _pass_over(self, found: Candidate, problem: str) -> None:
        self._consider(found, problem)
        text = f"{found.label} {problem}".strip()
        (self.absent if found.is_absent else self.problems).append(text)

    def _consider(self, found: Candidate, result: str) -> None:
        match = self.standing.match(found) if result == TOLD and not found.channel else None
        who = found.email or found.who
        self.considered.append(Considered(self.place.side, found.source, found.name, who, result, match))

    def _reasons(self) -> list[str]:
        """Why it was nobody; that there is no such record only where nothing else is to be said."""
        case = self.place.case
        if self.place.rule is CATCH_ALL:
            return of_catch_all(case, self.problems)
        absent = self.absent if case.records is None or not self.problems else []
        return list(dict.fromkeys([*absent, *self.problems])) or ["the rule names nobody"]
