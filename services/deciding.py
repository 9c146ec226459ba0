"""From job changes to decisions: gathers what the rules need, outside and in store, and lets them choose."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, field, replace

from sqlalchemy import Connection

from services.directory import Directory
from services.errors import PermanentError, TransientError, WorkspaceGoneError
from services.job_changes import JobChange
from services.org_shape import OrgShapes
from services.ownership.choice import Decision, decide
from services.ownership.conditions import Prepared
from services.ownership.facts import Case, lookup_of
from services.ownership.needs import allowed, needs_of, together
from services.ownership.pools import PoolState
from services.ownership.rule_faults import InvalidRulesError
from services.ownership.rules import NO_RULES, RuleSet
from services.ownership.sources import Pool as PoolSource
from services.ownership.sources import Side
from services.ownership.standing import Absence, Group, Lacks, Ledger, Matching, Standing
from services.records import Found, Needs, PersonRecords
from services.salesforce import Salesforce
from store import choosing, owners, ownership, workspaces
from store.choosing import State, Taken
from store.database import Database
from store.members import UNKNOWN, Member
from store.owners import HowMatched
from store.workspaces import Workspace

logger = logging.getLogger(__name__)

GROUPS_MS = 10 * 60 * 1000
"""How long the members of a user group are believed: Slack allows about 20 questions a minute."""


@dataclass(frozen=True)
class Rules:
    """A rule set made ready. *version* 0: none is published."""

    version: int
    prepared: Prepared
    matching: Matching
    needs: Needs

    @property
    def rule_set(self) -> RuleSet:
        return self.prepared.rule_set


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
    taken: tuple[Taken, ...]


@dataclass(frozen=True)
class Deciding:
    """Decides, telling nobody and storing nothing: the router and the simulation do what is theirs with it."""

    database: Database
    salesforce: Salesforce
    shapes: OrgShapes
    directory: Directory
    now: Callable[[], int]
    _prepared: dict[str, tuple[int, Prepared]] = field(default_factory=dict, init=False, repr=False)
    _groups: dict[tuple[str, str], tuple[int, Group]] = field(default_factory=dict, init=False, repr=False)

    async def rules_in_force(self, workspace_id: str) -> Rules:
        """The published rules; only the catch-all where none are, or none that this version can read."""
        return (await self.workspace_and_rules(workspace_id))[1]

    async def workspace_and_rules(self, workspace_id: str) -> tuple[Workspace | None, Rules]:
        """The same with the workspace, read together; None: there is none."""
        workspace, version, how = await self.database.run(_workspace_and_version, workspace_id)
        known = self._prepared.get(workspace_id)
        if known is None or known[0] != version:
            published = await self.database.run(ownership.in_force, workspace_id)
            known = (version, Prepared.of(_read(published.rules) if published else NO_RULES))
            self._prepared[workspace_id] = known
        return workspace, _ready(*known, how)

    async def draft(self, workspace_id: str, rule_set: RuleSet) -> Rules:
        """Rules that are not in force, made ready."""
        how = await self.database.run(owners.how_matched, workspace_id)
        return _ready(-1, Prepared.of(rule_set), how)

    async def facts(
        self, workspace_id: str, changes: Mapping[str, JobChange], *rules: Rules
    ) -> tuple[Found | None, frozenset[str]]:
        """
        What Salesforce knows for job changes by key, enough for all of these rules; and the fields left out, which the
        org does not have or does not show us. None: no Salesforce is connected. Raises PermanentError, TransientError.
        """
        needs = rules[0].needs
        for more in rules[1:]:
            needs = together(needs, more.needs)
        named = [*needs.fields, *(["User"] if needs.email_field else [])]
        needs, unreadable = allowed(needs, await self.shapes.readable(workspace_id, named))
        lookups = [lookup_of(key, change, companies=needs.companies) for key, change in changes.items()]
        found = await self.salesforce.find_people(workspace_id, lookups, needs)
        return found, unreadable | (found.unreadable if found else frozenset())

    async def decide(self, workspace_id: str, cases: Mapping[str, Case], rules: Rules) -> Decided:
        """Raises WorkspaceGoneError."""
        standing, ledger = await self._standing(workspace_id, cases, rules)
        waits: dict[str, Waits] = {}
        while True:
            choices, lacks, after = _choose(cases, rules.prepared, standing, ledger, waits)
            if not lacks:
                return _decided(choices | waits, rules, ledger, after)
            members = await self._ask(workspace_id, {address for one in lacks.values() for address in one.addresses})
            groups = {name: await self._group(workspace_id, name) for one in lacks.values() for name in one.groups}
            standing = replace(standing, members={**standing.members, **members}, groups={**standing.groups, **groups})
            waits |= _waiting(lacks, members)

    async def _standing(self, workspace_id: str, cases: Mapping[str, Case], rules: Rules) -> tuple[Standing, Ledger]:
        capped = rules.rule_set.guards.daily_cap is not None
        wanted = _accounts(cases.values(), rules.rule_set)
        state, sticky = await self.database.run(
            _state_and_accounts, workspace_id, self.now(), wanted, count_told=capped
        )
        standing = Standing(
            matching=rules.matching,
            absences={user: Absence(delegate) for user, delegate in state.delegates.items()},
            told=state.told,
            muted=state.muted,
        )
        pools = {name: _pool_state(text) for name, text in state.pools.items()}
        return standing, Ledger(pools=pools, sticky=sticky)

    async def _ask(self, workspace_id: str, addresses: Collection[str]) -> dict[str, Member]:
        if not addresses:
            return {}
        try:
            return await self.directory.find(workspace_id, addresses)
        except WorkspaceGoneError:
            raise
        except PermanentError as error:  # a missing scope, say: the default channel is told, and why
            return {address: Member(None, f"cannot be looked up in Slack: {error}") for address in addresses}

    async def _group(self, workspace_id: str, group_id: str) -> Group:
        known = self._groups.get((workspace_id, group_id))
        if known and known[0] + GROUPS_MS > self.now():
            return known[1]
        try:
            members = await self.directory.slack.user_group_members(workspace_id, group_id)
        except WorkspaceGoneError:
            raise
        except (PermanentError, TransientError) as error:
            return known[1] if known else Group(problem=f"cannot be looked up in Slack: {error}")
        group = Group(tuple(members)) if members is not None else Group(problem="is not in Slack")
        self._groups[workspace_id, group_id] = (self.now(), group)
        return group


def _workspace_and_version(connection: Connection, workspace_id: str) -> tuple[Workspace | None, int, HowMatched]:
    version = ownership.version_in_force(connection, workspace_id)
    return workspaces.find(connection, workspace_id), version, owners.how_matched(connection, workspace_id)


def _state_and_accounts(
    connection: Connection, workspace_id: str, now: int, wanted: Collection[tuple[str, str]], *, count_told: bool
) -> tuple[State, dict[tuple[str, str], str]]:
    state = choosing.state(connection, workspace_id, now, count_told=count_told)
    return state, choosing.accounts(connection, workspace_id, wanted)


def _ready(version: int, prepared: Prepared, how: HowMatched) -> Rules:
    matching = Matching(how.links, how.email_field, how.alias_domains)
    return Rules(version, prepared, matching, needs_of(prepared.rule_set, how.email_field))


def case_of(
    key: str, change: JobChange, found: Found | None, unreadable: frozenset[str], trouble: str | None = None
) -> Case:
    """What is known of one job change of a batch; *trouble*: why Salesforce could not be asked."""
    if found is None:
        return Case(change, None, unreadable=unreadable, trouble=trouble)
    return Case(change, found.people.get(key, PersonRecords()), found.users, unreadable, trouble)


def _choose(
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


def _waiting(lacks: Mapping[str, Lacks], members: Mapping[str, Member]) -> dict[str, Waits]:
    """The job changes of which Slack does not tell now what they lack."""
    unknown = {address: member for address, member in members.items() if member.problem == UNKNOWN}
    return {
        key: Waits(max(unknown[address].retry_after or 1.0 for address in missing))
        for key, one in lacks.items()
        if (missing := one.addresses & unknown.keys())
    }


def _decided(choices: Mapping[str, Decision | Waits], rules: Rules, before: Ledger, after: Ledger) -> Decided:
    pools = {name: json.dumps(asdict(state)) for name, state in after.pools.items() if state != before.pools.get(name)}
    taken = tuple(
        Taken(pool, account, member)
        for (pool, account), member in after.sticky.items()
        if before.sticky.get((pool, account)) != member
    )
    return Decided(choices, {name: state for name, state in pools.items() if name in rules.rule_set.pools}, taken)


def _accounts(cases: Collection[Case], rules: RuleSet) -> set[tuple[str, str]]:
    """The accounts, by sticky pool, of which it matters who has them."""
    used = {source.pool for rule in rules.in_force for source in rule.tell if isinstance(source, PoolSource)}
    sticky = [name for name in used if rules.pools[name].sticky]
    sides: tuple[Side, ...] = ("past", "current")
    keys = {key for case in cases if sticky for side in sides if (key := case.account_key(side))}
    return {(pool, key) for pool in sticky for key in keys}


def _pool_state(text: str) -> PoolState:
    stored = json.loads(text)
    return PoolState(int(stored["at"]), {str(who): int(place) for who, place in stored["places"].items()})


def _read(text: str) -> RuleSet:
    try:
        return RuleSet.from_stored(text)
    except InvalidRulesError as error:  # by another version: the catch-all still finds owners
        logger.error("the published ownership rules cannot be read: %s", error)  # noqa: TRY400 - it says all
        return NO_RULES
