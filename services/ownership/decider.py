"""Decides job changes: gathers what the rules require from Salesforce, Slack and the database, and applies them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection

from domain.decision.reasons import Reason
from domain.errors import PermanentError, WorkspaceGoneError
from domain.job_change.model import JobChange
from domain.people import NOT_LOOKED_UP, Member, OwnerMatching
from domain.rule_versions import PublishedRules
from domain.workspace import Workspace
from services.ownership.choice.availability import Absence, Availability, BatchState, Matching, MissingLookups
from services.ownership.choice.case import Case, lookup_of
from services.ownership.choice.conditions import PreparedRules
from services.ownership.choice.decide import (
    BatchDecision,
    Choice,
    WaitingForSlack,
    batch_decision,
    decide_batch,
    parse_pool_state,
    sticky_accounts,
    waiting_for_slack,
)
from services.ownership.choice.required_records import (
    combine,
    required_records,
    used_segments,
    with_currency,
    without_unreadable,
)
from services.ownership.org_schema import OrgSchemas
from services.ownership.rules.issues import InvalidRulesError
from services.ownership.rules.rule_set import NO_RULES, SEGMENTS, RuleSet, Segment
from services.ownership.user_groups import UserGroups
from services.salesforce.queries.lookup import Salesforce
from services.salesforce.records import BatchRecords, PersonRecords, RequiredRecords
from services.slack.directory import Directory
from store.database import Database
from store.ownership import choice_state, muting, owners, rule_sets
from store.ownership.choice_state import ChoiceState
from store.slack import workspaces

logger = logging.getLogger(__name__)

DECIDED_AT_ONCE = 5
"""Job changes that are decided before other tasks may run: at most 60 ms with the largest rule set."""


@dataclass(frozen=True)
class Rules:
    """
    A rule set that is ready to decide with.

    `version` 0 means that no rules are published. `required` is what to query in Salesforce. `segments` are the account
    segments that a rule or a member's mute uses.
    """

    version: int
    prepared: PreparedRules
    matching: Matching
    required: RequiredRecords
    segments: frozenset[Segment]

    @property
    def rule_set(self) -> RuleSet:
        return self.prepared.rule_set


@dataclass(frozen=True)
class _StoredSettings:
    """What rules need besides themselves. `version` is the one in force, and `muted` are the segments in mutes."""

    workspace: Workspace | None
    version: int
    matching: OwnerMatching
    muted: frozenset[str]

    @classmethod
    def read(cls, connection: Connection, workspace_id: str) -> _StoredSettings:
        return cls(
            workspace=workspaces.find(connection, workspace_id),
            version=rule_sets.version_in_force(connection, workspace_id),
            matching=owners.matching(connection, workspace_id),
            muted=muting.segments(connection, workspace_id),
        )

    def make_rules(self, version: int, prepared: PreparedRules) -> Rules:
        segments = used_segments(prepared.rule_set, [segment for segment in SEGMENTS if segment in self.muted])
        required = required_records(prepared.rule_set, self.matching, segments)
        return Rules(version, prepared, Matching.of(self.matching), required, segments)


@dataclass(frozen=True)
class Decider:
    """Decides, and sends and stores nothing: that is up to the router and the simulation."""

    database: Database
    salesforce: Salesforce
    schemas: OrgSchemas
    directory: Directory
    groups: UserGroups
    now: Callable[[], int]
    _prepared: dict[str, tuple[int, PreparedRules]] = field(default_factory=dict, init=False, repr=False)

    async def rules_in_force(self, workspace_id: str) -> Rules:
        """The published rules. If there are none that this version can read, only the catch-all applies."""
        return (await self.workspace_and_rules(workspace_id))[1]

    async def workspace_and_rules(self, workspace_id: str) -> tuple[Workspace | None, Rules]:
        """The workspace and its published rules, read together. The workspace is None if there is none."""
        stored = await self.database.read(_StoredSettings.read, workspace_id)
        cached = self._prepared.get(workspace_id)
        if cached is None or cached[0] != stored.version:
            published = await self.database.read(rule_sets.in_force, workspace_id)
            cached = (stored.version, PreparedRules.of(_read(published) if published else NO_RULES))
            self._prepared[workspace_id] = cached
        return stored.workspace, stored.make_rules(*cached)

    async def draft(self, workspace_id: str, rule_set: RuleSet) -> Rules:
        """Rules that are not in force."""
        stored = await self.database.read(_StoredSettings.read, workspace_id)
        return stored.make_rules(-1, PreparedRules.of(rule_set))

    async def find_records(
        self, workspace_id: str, changes: Mapping[str, JobChange], *compared: Rules
    ) -> BatchRecords | None:
        """
        Look up the Salesforce records of job changes, by key, that any of these rules require.

        Returns None if no Salesforce is connected. The caller records their `calls`. Raises PermanentError,
        TransientError.
        """
        required = compared[0].required
        for rules in compared[1:]:
            required = combine(required, rules.required)
        sobjects = [*required.fields, *(["User"] if required.email_field or required.slack_id_field else [])]
        readable = await self.schemas.readable(workspace_id, sobjects)
        required, hidden = without_unreadable(required, readable)
        shown = {name for rules in compared for name in rules.rule_set.context_fields or ()}
        required = with_currency(required, shown, readable)
        lookups = [lookup_of(key, change, required) for key, change in changes.items()]
        return await self.salesforce.find_people(workspace_id, lookups, required, hidden)

    async def decide(self, workspace_id: str, cases: Mapping[str, Case], rules: Rules) -> BatchDecision:
        """Decide a batch of cases in order. Raises WorkspaceGoneError."""
        labels = self.schemas.labels(workspace_id, rules.required.fields)
        cases = {key: replace(case, labels=labels) for key, case in cases.items()} if labels else cases
        availability, before = await self._availability(workspace_id, cases, rules)
        waiting: dict[str, WaitingForSlack] = {}
        while True:
            choices, lookups, after = await _decide(cases, rules.prepared, availability, before, waiting)
            if not lookups:
                return batch_decision(choices | waiting, before, after)
            addresses = {address for missing in lookups.values() for address in missing.addresses}
            members = await self._find_members(workspace_id, addresses)
            names = [name for missing in lookups.values() for name in missing.groups]
            groups = {name: await self.groups.find(workspace_id, name) for name in names}
            availability = replace(
                availability,
                members={**availability.members, **members},
                groups={**availability.groups, **groups},
            )
            waiting |= waiting_for_slack(lookups, members)

    async def _availability(
        self, workspace_id: str, cases: Mapping[str, Case], rules: Rules
    ) -> tuple[Availability, BatchState]:
        has_limit = rules.rule_set.guards.daily_cap is not None
        wanted = sticky_accounts(cases.values(), rules.rule_set)
        state, sticky = await self.database.read(
            _state_and_accounts, workspace_id, self.now(), wanted, count_recent=has_limit
        )
        availability = Availability(
            matching=rules.matching,
            absences={user: Absence(delegate) for user, delegate in state.delegates.items()},
            recent_counts=state.recent_counts,
            muted=state.muted,
            required=state.required,
        )
        pools = {name: parse_pool_state(text) for name, text in state.pools.items()}
        return availability, BatchState(pools=pools, sticky=sticky)

    async def _find_members(self, workspace_id: str, addresses: Collection[str]) -> dict[str, Member]:
        if not addresses:
            return {}
        try:
            return await self.directory.find(workspace_id, addresses)
        except WorkspaceGoneError:
            raise
        except PermanentError as error:  # such as a missing scope: the default channel gets the message with the reason
            return {address: Member(None, NOT_LOOKED_UP, error=str(error)) for address in addresses}


async def _decide(
    cases: Mapping[str, Case],
    prepared: PreparedRules,
    availability: Availability,
    batch: BatchState,
    waiting: Collection[str],
) -> tuple[dict[str, Choice | WaitingForSlack], dict[str, MissingLookups], BatchState]:
    """Decide a batch in parts, so that other tasks do not wait for all of it. Returns what `decide_batch` does."""
    choices: dict[str, Choice | WaitingForSlack] = {}
    lookups: dict[str, MissingLookups] = {}
    keys = list(cases)
    for start in range(0, len(keys), DECIDED_AT_ONCE):
        part = {key: cases[key] for key in keys[start : start + DECIDED_AT_ONCE]}
        decided, missing, batch = decide_batch(part, prepared, availability, batch, waiting)
        choices |= decided
        lookups |= missing
        await asyncio.sleep(0)
    return choices, lookups, batch


def _state_and_accounts(
    connection: Connection, workspace_id: str, now: int, wanted: Collection[tuple[str, str]], *, count_recent: bool
) -> tuple[ChoiceState, dict[tuple[str, str], str]]:
    state = choice_state.load(connection, workspace_id, now, count_recent=count_recent)
    return state, choice_state.accounts(connection, workspace_id, wanted)


def case_of(key: str, change: JobChange, batch: BatchRecords | None, trouble: Reason | None = None) -> Case:
    """One job change of a batch with its records. `trouble` says why Salesforce could not be asked."""
    if batch is None:
        return Case(change, None, trouble=trouble)
    return Case(
        change,
        batch.people.get(key, PersonRecords()),
        batch.users,
        frozenset(batch.unreadable),
        trouble,
        batch.domain_field,
        batch.queues,
    )


def _read(published: PublishedRules) -> RuleSet:
    try:
        return RuleSet.from_stored(published.rules, published.original_names)
    except InvalidRulesError as error:  # published by another version: the catch-all still finds owners
        logger.error("the published ownership rules cannot be read: %s", error)  # noqa: TRY400 - it says all
        return NO_RULES
