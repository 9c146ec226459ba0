"""Checks the candidates of one rule in order, and chooses the first who can be notified. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from domain.decision.reasons import Reason, ReasonCode, Reasons
from domain.decision.record import ConsideredCandidate
from services.ownership.choice.availability import (
    Availability,
    BatchState,
    MissingLookups,
    MissingLookupsError,
    Resolved,
    is_excluded,
)
from services.ownership.choice.candidates import Candidate, Chosen, RuleContext, SideChoice, named_person
from services.ownership.choice.pools import PoolState, Rota, Turn
from services.ownership.choice.resolve import find_candidate
from services.ownership.rules.owner_sources import NamedChannel, Pool, QueueMembers, Source
from services.ownership.rules.rule_set import CATCH_ALL, MOST_MEMBERS, PoolMember
from services.ownership.rules.rule_set import Pool as RoundRobin


@dataclass
class ChainWalk:
    """
    Goes along the chain of one rule, and keeps the candidates that it skips.

    `earlier_turns` holds, by pool, who took a turn for the other side: one job change takes one turn of a pool.
    """

    context: RuleContext
    availability: Availability
    batch: BatchState
    earlier_turns: Mapping[str, str]

    def __post_init__(self) -> None:
        self.considered: list[ConsideredCandidate] = []
        self.above: list[Candidate] = []
        self.unmatched: list[Candidate] = []
        self.problems: list[Reason] = []
        self.absent: list[Reason] = []

    def choose(self) -> SideChoice:
        """
        Choose the first candidate who can be notified, else the rule's fallback, else nobody.

        Raises MissingLookupsError.
        """
        side, rule = self.context.side, self.context.rule
        if rule.deliver.to == "nobody":
            return SideChoice(side, rule, (), (ReasonCode.RULE_NOTIFIES_NOBODY.of(rule=rule.name),))
        place, chosen = self._first_of_chain()
        informed = tuple(dict.fromkeys(self._informed()))
        return SideChoice(
            side=side,
            rule=rule,
            considered=tuple(self.considered),
            reasons=chosen.reasons,
            name=chosen.name,
            recipients=chosen.recipients,
            channel=chosen.channel,
            by_default=chosen.by_default,
            turns=chosen.turns,
            unmatched=tuple(self.unmatched),
            place=place,
            informed=informed,
        )

    def _first_of_chain(self) -> tuple[int | None, Chosen]:
        """The place of the first source with a person who can be notified, and that person."""
        rule = self.context.rule
        for place, source in enumerate([*rule.tell, *([rule.fallback] if rule.fallback else [])]):
            if chosen := self._try(source):
                return place, chosen
        return None, Chosen((ReasonCode.NO_DRI_FOUND.of(problems=self._problems()),))

    def _informed(self) -> Iterator[str]:
        """Those who get the card without the duty to act. People who cannot be notified are skipped with the reason."""
        for source in self.context.rule.also_notify or ():
            candidate = find_candidate(source, self.context, self.above)
            if candidate.channel:
                self._add_result(candidate, is_informed=True)
                yield candidate.channel
                continue
            for person in self._members(candidate) if candidate.group else [candidate]:
                user_id, problem, match = self._resolve(person, is_owner=False)
                if user_id is None or problem:
                    self._add_result(person, problem or ReasonCode.NOT_IN_SLACK.of())
                else:
                    self._add_result(person, match=match, is_informed=True)
                    yield user_id

    def _try(self, source: Source) -> Chosen | None:
        if isinstance(source, Pool):
            why, pool = ReasonCode.POOL_TURN.of(pool=source.pool), self.context.rules.pools[source.pool]
            return self._try_in_turn(Rota(source.pool, pool, f"pool {source.pool}", why))
        candidate = find_candidate(source, self.context, self.above)
        self.above.append(candidate)
        if candidate.channel:
            is_fallback = isinstance(source, NamedChannel) and bool(self.considered)
            self._add_result(candidate)
            if not is_fallback:
                return Chosen((candidate.why,) if candidate.why else (), channel=candidate.channel)
            reasons = (ReasonCode.NO_DRI_FOUND.of(problems=self._problems()),)
            return Chosen(reasons, channel=candidate.channel, by_default=True)
        if candidate.group:
            return self._try_all(candidate, self._members(candidate))
        if candidate.queue and not candidate.problem:
            return self._try_queue(candidate, is_for_everyone=source == QueueMembers(members="everyone"))
        return self._try_person(candidate)

    def _try_person(self, candidate: Candidate) -> Chosen | None:
        user_id, problem, match = self._resolve(candidate)
        if user_id is None or problem:
            self._skip(candidate, problem or ReasonCode.NOT_IN_SLACK.of())
            return self._try_delegate(candidate, user_id) if user_id else None
        self._add_result(candidate, match=match)
        return Chosen.of(candidate, (user_id,))

    def _resolve(self, candidate: Candidate, *, is_owner: bool = True) -> Resolved:
        """The Slack user, as far as they are known, and why they cannot be notified. Owners can be linked later."""
        guards = self.context.rules.guards
        if candidate.problem:
            return Resolved(None, candidate.problem)
        if is_excluded(candidate, None, guards):
            return Resolved(None, ReasonCode.EXCLUDED.of())
        resolved = self.availability.resolve(candidate)
        if resolved.user_id is None:
            self.unmatched += [candidate] if is_owner else []
            return resolved
        if is_excluded(candidate, resolved.user_id, guards):
            return Resolved(None, ReasonCode.EXCLUDED.of())
        problem = self.availability.problem_of(resolved.user_id, self.context, self.batch)
        return resolved._replace(problem=problem) if problem else resolved

    def _try_delegate(self, absentee: Candidate, user_id: str) -> Chosen | None:
        absence = self.availability.absences.get(user_id)
        if absence is None or absence.delegate is None:
            return None
        name = absentee.name or absentee.person_id or "Someone"
        why = ReasonCode.DELEGATE.of(person=name, because=(absentee.why,) if absentee.why else ())
        delegate = named_person(absence.delegate, f"delegate of the {absentee.source}", why, self.context.case)
        delegate = replace(delegate, label=f"the delegate of {name}")
        delegate_id, problem, match = self._resolve(delegate)
        if delegate_id is None or problem:
            self._skip(delegate, problem or ReasonCode.NOT_IN_SLACK.of())
            return None
        self._add_result(delegate, match=match)
        return Chosen.of(delegate, (delegate_id,))

    def _try_in_turn(self, rota: Rota) -> Chosen | None:
        for person_id, why in self._in_turn(rota):
            candidate = named_person(person_id, rota.source, why, self.context.case)
            chosen = self._try_person(candidate)
            self.above.append(candidate)
            if chosen:
                is_new_turn = person_id != self.earlier_turns.get(rota.name)
                turn = Turn(rota, person_id, self._sticky_account(rota))
                return chosen._replace(turns=(turn,) if is_new_turn else ())
        return None

    def _in_turn(self, rota: Rota) -> Iterator[tuple[str, Reason]]:
        """The member who has the account, then the others in turn. All of them are looked up at once."""
        self._require_lookups(rota.pool)
        earlier_member = self.earlier_turns.get(rota.name)
        if earlier_member is not None:
            yield earlier_member, rota.why
        account = self._sticky_account(rota)
        sticky_member = self.batch.sticky.get((rota.name, account)) if account else None
        if sticky_member in [member.user for member in rota.pool.members] and sticky_member != earlier_member:
            company = self.context.view(self.context.side).company
            yield sticky_member, ReasonCode.POOL_KEEPS.of(company=company, pool=rota.name)
        for member in self.batch.pools.get(rota.name, PoolState()).in_turn(rota.pool):
            if member.user not in {sticky_member, earlier_member}:
                yield member.user, rota.why

    def _require_lookups(self, pool: RoundRobin) -> None:
        lookups = MissingLookups()
        for member in pool.members:
            candidate = named_person(member.user, "", None, self.context.case)
            try:
                if not candidate.problem:
                    self.availability.resolve(candidate)
            except MissingLookupsError as error:
                lookups |= error.lookups
        if lookups:
            raise MissingLookupsError(lookups)

    def _sticky_account(self, rota: Rota) -> str | None:
        return self.context.case.account_key(self.context.side) if rota.pool.sticky else None

    def _try_queue(self, queue: Candidate, *, is_for_everyone: bool) -> Chosen | None:
        case = self.context.case
        user_ids = case.queues.get((queue.queue or "")[:15], ())[:MOST_MEMBERS]
        if is_for_everyone:
            members = [named_person(user_id, queue.source, queue.why, case) for user_id in user_ids]
            return self._try_all(queue, members)
        pool = RoundRobin(members=tuple(PoolMember(user=user_id) for user_id in user_ids), sticky=False)
        why = queue.why or ReasonCode.NAMED_BY_RULE.of(rule=self.context.rule.name)
        return self._try_in_turn(Rota(f"queue {queue.queue}", pool, queue.source, why))

    def _members(self, candidate: Candidate) -> list[Candidate]:
        """The members of a user group. Raises MissingLookupsError."""
        group_id = candidate.group or ""
        group = self.availability.groups.get(group_id)
        if group is None:
            raise MissingLookupsError(MissingLookups(groups=frozenset({group_id})))
        if not group.user_ids:
            self._skip(candidate, group.problem or ReasonCode.GROUP_EMPTY.of())
        label = f"a member of {candidate.label},"
        return [replace(candidate, person_id=user_id, group=None, label=label) for user_id in group.user_ids]

    def _try_all(self, candidate: Candidate, members: Iterable[Candidate]) -> Chosen | None:
        """Choose every member of the candidate, a group or a queue, who can be notified."""
        recipients = []
        for member in members:
            user_id, problem, match = self._resolve(member)
            if user_id is None or problem:
                self._skip(member, problem or ReasonCode.NOT_IN_SLACK.of())
            else:
                self._add_result(member, match=match)
                recipients.append(user_id)
        return Chosen.of(candidate, tuple(recipients)) if recipients else None

    def _skip(self, candidate: Candidate, problem: Reason) -> None:
        self._add_result(candidate, problem)
        skipped = ReasonCode.SKIPPED.of(whom=candidate.label, problem=(problem,))
        (self.absent if candidate.is_absent else self.problems).append(skipped)

    def _add_result(
        self,
        candidate: Candidate,
        problem: Reason | None = None,
        *,
        match: Reason | None = None,
        is_informed: bool = False,
    ) -> None:
        """Keep a candidate with the reason why they were skipped. None means that they are notified."""
        email = candidate.email or candidate.person_id
        self.considered.append(
            ConsideredCandidate(
                side=self.context.side,
                source=candidate.source,
                name=candidate.name,
                email=email,
                is_channel=candidate.channel is not None,
                is_informed=is_informed,
                problem=problem,
                match=match,
            )
        )

    def _problems(self) -> Reasons:
        """Why nobody was chosen. Missing records are named only if there is no other reason."""
        case = self.context.case
        if self.context.rule is not CATCH_ALL:
            absent = self.absent if case.records is None or not self.problems else []
            return tuple(dict.fromkeys([*absent, *self.problems])) or (ReasonCode.RULE_NAMES_NOBODY.of(),)
        if case.trouble:
            return (case.trouble, *self.problems)
        if self.problems:
            return tuple(self.problems)
        if case.records is None:
            return (ReasonCode.NOT_CONNECTED_NOR_NAMED.of(),)
        if hidden := case.unsearched_field("contact") or case.unsearched_field("lead"):
            return (ReasonCode.SKIPPED.of(whom=hidden, problem=(ReasonCode.UNREADABLE.of(),)),)
        ids = case.change.salesforce
        only_by_id = (ids.contact_id or ids.lead_id) and not case.change.person.emails
        return ((ReasonCode.NO_CONTACT_OR_LEAD_BY_ID if only_by_id else ReasonCode.NO_CONTACT_OR_LEAD).of(),)
