"""From job changes to decisions: gathers what the rules need, outside and in store, and lets them choose."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection

from domain.errors import PermanentError, WorkspaceGoneError
from domain.job_change.model import JobChange
from domain.people import Member, OwnerMatching
from domain.workspace import Workspace
from services.ownership.choice.availability import Absence, Ledger, Matching, Standing
from services.ownership.choice.batch import Decided, Waits, accounts, choose, decided, pool_state, waiting
from services.ownership.choice.case import Case, lookup_of
from services.ownership.choice.conditions import Prepared
from services.ownership.choice.required_records import allowed, needs_of, segments_asked_for, together
from services.ownership.org_schema import OrgShapes
from services.ownership.rules.faults import InvalidRulesError
from services.ownership.rules.rule_set import NO_RULES, SEGMENTS, RuleSet, Segment
from services.ownership.user_groups import UserGroups
from services.salesforce.queries.lookup import Salesforce
from services.salesforce.records import BatchRecords, PersonRecords, RequiredRecords
from services.slack.directory import Directory
from store.database import Database
from store.ownership import choice_state, muting, owners, rule_sets
from store.ownership.choice_state import State
from store.slack import workspaces

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rules:
    """A rule set made ready. *version* 0: none is published. *segments*: those that it or somebody's mute asks for."""

    version: int
    prepared: Prepared
    matching: Matching
    needs: RequiredRecords
    segments: frozenset[Segment]

    @property
    def rule_set(self) -> RuleSet:
        return self.prepared.rule_set


@dataclass(frozen=True)
class Deciding:
    """Decides, telling nobody and storing nothing: the router and the simulation do what is theirs with it."""

    database: Database
    salesforce: Salesforce
    shapes: OrgShapes
    directory: Directory
    groups: UserGroups
    now: Callable[[], int]
    _prepared: dict[str, tuple[int, Prepared]] = field(default_factory=dict, init=False, repr=False)

    async def rules_in_force(self, workspace_id: str) -> Rules:
        """The published rules; only the catch-all where none are, or none that this version can read."""
        return (await self.workspace_and_rules(workspace_id))[1]

    async def workspace_and_rules(self, workspace_id: str) -> tuple[Workspace | None, Rules]:
        """The same with the workspace, read together; None: there is none."""
        workspace, version, how, muted = await self.database.run(_workspace_and_version, workspace_id)
        known = self._prepared.get(workspace_id)
        if known is None or known[0] != version:
            published = await self.database.run(rule_sets.in_force, workspace_id)
            known = (version, Prepared.of(_read(published.rules) if published else NO_RULES))
            self._prepared[workspace_id] = known
        return workspace, _ready(*known, how, muted)

    async def draft(self, workspace_id: str, rule_set: RuleSet) -> Rules:
        """Rules that are not in force, made ready."""
        _, _, how, muted = await self.database.run(_workspace_and_version, workspace_id)
        return _ready(-1, Prepared.of(rule_set), how, muted)

    async def facts(
        self, workspace_id: str, changes: Mapping[str, JobChange], *rules: Rules
    ) -> tuple[BatchRecords | None, frozenset[str]]:
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
        labels = self.shapes.labels(workspace_id, rules.needs.fields)
        cases = {key: replace(case, labels=labels) for key, case in cases.items()} if labels else cases
        standing, ledger = await self._standing(workspace_id, cases, rules)
        waits: dict[str, Waits] = {}
        while True:
            choices, lacks, after = choose(cases, rules.prepared, standing, ledger, waits)
            if not lacks:
                return decided(choices | waits, rules.rule_set, ledger, after)
            members = await self._ask(workspace_id, {address for one in lacks.values() for address in one.addresses})
            groups = {name: await self.groups.find(workspace_id, name) for one in lacks.values() for name in one.groups}
            standing = replace(standing, members={**standing.members, **members}, groups={**standing.groups, **groups})
            waits |= waiting(lacks, members)

    async def _standing(self, workspace_id: str, cases: Mapping[str, Case], rules: Rules) -> tuple[Standing, Ledger]:
        capped = rules.rule_set.guards.daily_cap is not None
        wanted = accounts(cases.values(), rules.rule_set)
        state, sticky = await self.database.run(
            _state_and_accounts, workspace_id, self.now(), wanted, count_told=capped
        )
        standing = Standing(
            matching=rules.matching,
            absences={user: Absence(delegate) for user, delegate in state.delegates.items()},
            told=state.told,
            muted=state.muted,
            unmutable=state.unmutable,
        )
        pools = {name: pool_state(text) for name, text in state.pools.items()}
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


def _workspace_and_version(
    connection: Connection, workspace_id: str
) -> tuple[Workspace | None, int, OwnerMatching, frozenset[str]]:
    version, muted = rule_sets.version_in_force(connection, workspace_id), muting.segments(connection, workspace_id)
    return workspaces.find(connection, workspace_id), version, owners.how_matched(connection, workspace_id), muted


def _state_and_accounts(
    connection: Connection, workspace_id: str, now: int, wanted: Collection[tuple[str, str]], *, count_told: bool
) -> tuple[State, dict[tuple[str, str], str]]:
    state = choice_state.state(connection, workspace_id, now, count_told=count_told)
    return state, choice_state.accounts(connection, workspace_id, wanted)


def _ready(version: int, prepared: Prepared, how: OwnerMatching, muted: frozenset[str]) -> Rules:
    matching = Matching(how.links, how.email_field, how.alias_domains, how.denied)
    segments = segments_asked_for(prepared.rule_set, [segment for segment in SEGMENTS if segment in muted])
    return Rules(version, prepared, matching, needs_of(prepared.rule_set, how.email_field, segments), segments)


def case_of(
    key: str, change: JobChange, found: BatchRecords | None, unreadable: frozenset[str], trouble: str | None = None
) -> Case:
    """What is known of one job change of a batch; *trouble*: why Salesforce could not be asked."""
    if found is None:
        return Case(change, None, unreadable=unreadable, trouble=trouble)
    return Case(change, found.people.get(key, PersonRecords()), found.users, unreadable, trouble)


def _read(text: str) -> RuleSet:
    try:
        return RuleSet.from_stored(text)
    except InvalidRulesError as error:  # by another version: the catch-all still finds owners
        logger.error("the published ownership rules cannot be read: %s", error)  # noqa: TRY400 - it says all
        return NO_RULES
