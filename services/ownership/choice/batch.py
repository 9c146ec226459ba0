"""Choosing for a batch, in order, each choice knowing those before it; and what that leaves behind. Pure."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass

from domain.people import UNKNOWN, Member
from domain.rule_versions import PoolAssignment
from services.ownership.choice.availability import Lacks, Ledger, Standing
from services.ownership.choice.case import Case
from services.ownership.choice.conditions import Prepared
from services.ownership.choice.decide import Decision, decide
from services.ownership.choice.pools import PoolState
from services.ownership.rules.owner_sources import Pool as PoolSource
from services.ownership.rules.owner_sources import Side
from services.ownership.rules.rule_set import RuleSet


@dataclass(frozen=True)
class Waits:
    """Slack has to say something first that it does not say now; *retry_after* seconds."""

    retry_after: float


@dataclass(frozen=True)
class Decided:
    """
    What was decided for a batch, by the keys of its job changes, and what that leaves behind in store.

    *pools*: the state of each that was advanced, as JSON; *taken*: accounts that stay with a member.
    """

    choices: Mapping[str, Decision | Waits]
    pools: Mapping[str, str]
    taken: tuple[PoolAssignment, ...]


def choose(
    cases: Mapping[str, Case], rules: Prepared, standing: Standing, ledger: Ledger, waits: Mapping[str, Waits]
) -> tuple[dict[str, Decision | Waits], dict[str, Lacks], Ledger]:
    """One pass, in order: each choice is made knowing those before it. With what is lacking it is made again."""
    choices: dict[str, Decision | Waits] = {}
    lacks: dict[str, Lacks] = {}
    for key, case in cases.items():
        if key in waits:
            continue
        chosen = decide(case, rules, standing, ledger)
        if isinstance(chosen, Lacks):
            lacks[key] = chosen
        else:
            choices[key] = chosen
            ledger = ledger.after(chosen.turns, chosen.told, rules.rule_set)
    return choices, lacks, ledger


def waiting(lacks: Mapping[str, Lacks], members: Mapping[str, Member]) -> dict[str, Waits]:
    """The job changes of which Slack does not tell now what they lack."""
    unknown = {address: member for address, member in members.items() if member.problem == UNKNOWN}
    return {
        key: Waits(max(unknown[address].retry_after or 1.0 for address in missing))
        for key, one in lacks.items()
        if (missing := one.addresses & unknown.keys())
    }


def decided(choices: Mapping[str, Decision | Waits], rules: RuleSet, before: Ledger, after: Ledger) -> Decided:
    """*before* and *after*: the ledger of the batch; what changed in it is to be stored."""
    pools = {name: json.dumps(asdict(state)) for name, state in after.pools.items() if state != before.pools.get(name)}
    taken = tuple(
        PoolAssignment(pool, account, member)
        for (pool, account), member in after.sticky.items()
        if before.sticky.get((pool, account)) != member
    )
    return Decided(choices, {name: state for name, state in pools.items() if name in rules.pools}, taken)


def accounts(cases: Collection[Case], rules: RuleSet) -> set[tuple[str, str]]:
    """The accounts, by sticky pool, of which it matters who has them."""
    used = {source.pool for rule in rules.in_force for source in rule.tell if isinstance(source, PoolSource)}
    sticky = [name for name in used if rules.pools[name].sticky]
    sides: tuple[Side, ...] = ("past", "current")
    keys = {key for case in cases if sticky for side in sides if (key := case.account_key(side))}
    return {(pool, key) for pool in sticky for key in keys}


def pool_state(text: str) -> PoolState:
    """Of what `decided` made of it."""
    stored = json.loads(text)
    return PoolState(int(stored["at"]), {str(who): int(place) for who, place in stored["places"].items()})
