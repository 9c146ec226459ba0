"""Decides who is notified of job changes: one at a time, or a batch in which each decision affects the next. Pure."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import inf
from types import MappingProxyType

from domain.people import UNKNOWN, Member
from domain.rule_versions import PoolAssignment
from services.ownership.choice.availability import Availability, BatchState, MissingLookups, MissingLookupsError
from services.ownership.choice.candidates import RuleContext, SideChoice
from services.ownership.choice.case import Case, sides_of
from services.ownership.choice.chain import ChainWalk
from services.ownership.choice.conditions import CaseSide, PreparedRules
from services.ownership.choice.pools import PoolState, Turn
from services.ownership.rules.owner_sources import Pool as PoolSource
from services.ownership.rules.owner_sources import Side
from services.ownership.rules.rule_set import CATCH_ALL, TEST_RULE, Rule, RuleSet


@dataclass(frozen=True)
class Choice:
    """
    A choice for each side that a rule matched; if none did, the catch-all's choice.

    If one rule matched both sides, at most one of its choices leads to a message, unless both name the same recipients.

    `labels` are the org's names of its fields, for descriptions of the rules.
    """

    choices: tuple[SideChoice, ...]
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def direct_recipients(self) -> frozenset[str]:
        """The Slack users who get a direct message according to the rules."""
        in_person = (choice for choice in self.choices if choice.rule.deliver.to != "channel")
        return frozenset(user for choice in in_person for user in choice.recipients)

    @property
    def turns(self) -> tuple[Turn, ...]:
        return tuple(turn for choice in self.choices for turn in choice.turns)


@dataclass(frozen=True)
class WaitingForSlack:
    """A job change that cannot be decided until Slack answers. `retry_after` is in seconds."""

    retry_after: float


@dataclass(frozen=True)
class BatchDecision:
    """
    The decisions of a batch, by the keys of its job changes, with what has to be stored for later batches.

    `pools` holds the state, as JSON, of each pool or queue whose members took a turn. `assignments` are new holders of
    sticky accounts.
    """

    choices: Mapping[str, Choice | WaitingForSlack]
    pools: Mapping[str, str]
    assignments: tuple[PoolAssignment, ...]


def decide(case: Case, rules: PreparedRules, availability: Availability, batch: BatchState) -> Choice | MissingLookups:
    """Decide who is notified of a job change, or return what must be looked up first."""
    choices, lookups = list[SideChoice](), MissingLookups()
    for side, rule in _matching_rules(case, rules):
        earlier_turns = {turn.pool: turn.user for choice in choices for turn in choice.turns}
        context = RuleContext(case, rule, rules, side)
        try:
            choice = ChainWalk(context, availability, batch, earlier_turns).choose()
        except MissingLookupsError as error:
            lookups |= error.lookups
            continue
        choices.append(choice)
        batch = batch.after(choice.turns, frozenset())
    return lookups or Choice(_once_for_each_rule(choices), case.labels)


def _once_for_each_rule(choices: Sequence[SideChoice]) -> tuple[SideChoice, ...]:
    """
    Silence one side of a rule that matched both: the side whose DRI stands later in the chain, or who has none.

    If neither side has a DRI, or both have the same, one message says both.
    """
    if len(choices) < 2 or choices[0].rule is not choices[1].rule:
        return tuple(choices)
    kept = min(choices, key=lambda choice: inf if choice.place is None else choice.place)
    if kept.place is None:
        return tuple(choices)
    return tuple(choice if choice.destination == kept.destination else choice.silenced_by(kept) for choice in choices)


def _matching_rules(case: Case, rules: PreparedRules) -> list[tuple[Side | None, Rule]]:
    if case.change.is_test:
        return [(None, TEST_RULE)]
    matching = [
        (side, rule)
        for side in sides_of(case.change)
        if rules.rules and (rule := rules.first_match(CaseSide.of(case, side, rules.segment_tests)))
    ]
    return [*matching] or [(None, CATCH_ALL)]


def decide_batch(
    cases: Mapping[str, Case],
    rules: PreparedRules,
    availability: Availability,
    batch: BatchState,
    waiting: Collection[str],
) -> tuple[dict[str, Choice | WaitingForSlack], dict[str, MissingLookups], BatchState]:
    """
    Decide the cases in order, without those that are `waiting` for Slack.

    Returns the decisions, the lookups that are missing, and the state after the batch. If lookups are missing, the
    whole batch is decided again once they are known.
    """
    choices: dict[str, Choice | WaitingForSlack] = {}
    lookups: dict[str, MissingLookups] = {}
    for key, case in cases.items():
        if key in waiting:
            continue
        decision = decide(case, rules, availability, batch)
        if isinstance(decision, MissingLookups):
            lookups[key] = decision
        else:
            choices[key] = decision
            batch = batch.after(decision.turns, decision.direct_recipients)
    return choices, lookups, batch


def waiting_for_slack(
    lookups: Mapping[str, MissingLookups], members: Mapping[str, Member]
) -> dict[str, WaitingForSlack]:
    """The job changes whose lookups Slack could not answer now."""
    unknown = {address: member for address, member in members.items() if member.problem == UNKNOWN}
    return {
        key: WaitingForSlack(max(unknown[address].retry_after or 1.0 for address in unanswered))
        for key, missing in lookups.items()
        if (unanswered := missing.addresses & unknown.keys())
    }


def batch_decision(
    choices: Mapping[str, Choice | WaitingForSlack], before: BatchState, after: BatchState
) -> BatchDecision:
    """The decisions with the changes between the states before and after the batch."""
    changed = {name: state for name, state in after.pools.items() if state != before.pools.get(name)}
    pools = {name: json.dumps(asdict(state)) for name, state in changed.items()}
    assignments = tuple(
        PoolAssignment(pool, account, member)
        for (pool, account), member in after.sticky.items()
        if before.sticky.get((pool, account)) != member
    )
    return BatchDecision(choices, pools, assignments)


def sticky_accounts(cases: Collection[Case], rules: RuleSet) -> set[tuple[str, str]]:
    """Pairs of a sticky pool and an account whose holder must be known to decide these cases."""
    used = {source.pool for rule in rules.in_force for source in rule.tell if isinstance(source, PoolSource)}
    sticky_pools = [name for name in used if rules.pools[name].sticky]
    sides: tuple[Side, ...] = ("past", "current")
    accounts = {key for case in cases if sticky_pools for side in sides if (key := case.account_key(side))}
    return {(pool, account) for pool in sticky_pools for account in accounts}


def parse_pool_state(text: str) -> PoolState:
    """Read what `batch_decision` stored."""
    stored = json.loads(text)
    return PoolState(int(stored["at"]), {str(user): int(place) for user, place in stored["places"].items()})
