"""Who would be told, and why: rules tried on job changes, telling nobody and storing nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from domain.errors import PermanentError
from domain.job_change.model import JobChange
from domain.job_change.validation import InvalidJobChangeError
from services.intake.files.columns import RowReader
from services.intake.files.formats import detect_format
from services.intake.files.rows import open_rows
from services.intake.senders.row_mapping import RowMapping
from services.ownership.choice.batch import Waits
from services.ownership.choice.delivery_plan import Promised, promised, trace_of
from services.ownership.decider import Deciding, Rules, case_of
from services.ownership.rules.rule_set import RuleSet
from services.ownership.simulation_report import Difference, SimulatedJobChange, SimulationReport
from services.slack.names import names_in, with_names
from store.database import Database
from store.intake import job_changes, mappings
from store.slack import workspaces

AT_ONCE = 200
MOST_SIMULATED = 10_000
MOST_REPLAYED = 100


@dataclass(frozen=True)
class Simulation:
    """Raises PermanentError and TransientError where Salesforce cannot be asked."""

    database: Database
    deciding: Deciding

    async def read(self, workspace_id: str, path: Path, source: str | None) -> tuple[list[JobChange], list[str]]:
        """
        The first job changes of a file, in any form that can be imported, and why rows of it cannot be read.

        Raises PermanentError, OSError.
        """
        definitions = await self.database.run(mappings.all_of, workspace_id)
        own = {of: RowMapping.parse(definition) for of, definition in definitions.items()}
        file = detect_format(path)
        changes, refused, reading = [], [], RowReader(source, own, file.header)
        with open_rows(file) as (rows, _):
            for row in islice(rows, MOST_SIMULATED):
                if row.fault:
                    refused.append(f"{row.line}: {row.fault}")
                    continue
                try:
                    changes.append(JobChange.parse(reading.read(row.content)))
                except InvalidJobChangeError as error:
                    refused.append(f"{row.line}: {error}")
        return changes, refused

    async def simulate(
        self, workspace_id: str, changes: Sequence[JobChange], rule_set: RuleSet | None = None
    ) -> list[SimulatedJobChange]:
        """Who would be told of these; *rule_set* None: by the rules in force."""
        rules = await self._rules(workspace_id, rule_set)
        (simulated,) = await self._tried(workspace_id, {str(n): one for n, one in enumerate(changes)}, [rules])
        return simulated

    async def named(self, workspace_id: str, lines: Sequence[str]) -> list[str]:
        """With the names of people and channels in place of their Slack ids, as far as Slack tells them."""
        names = await names_in(self.deciding.directory.slack, workspace_id, lines)
        return [with_names(line, names) for line in lines]

    async def replay(self, workspace_id: str, draft: RuleSet) -> SimulationReport:
        """The last job changes, by the rules in force and by a draft, on the same facts; and where they differ."""
        stored = await self.database.run(job_changes.latest, workspace_id, MOST_REPLAYED)
        changes = {key: change for key, payload in stored if (change := JobChange.if_readable(payload))}
        rules = [await self.deciding.rules_in_force(workspace_id), await self.deciding.draft(workspace_id, draft)]
        before, after = await self._tried(workspace_id, changes, rules)
        pairs = zip(before, after, strict=True)
        return SimulationReport(
            len(changes), tuple(Difference(*pair) for pair in pairs if _outcome(pair[0]) != _outcome(pair[1]))
        )

    async def _rules(self, workspace_id: str, rule_set: RuleSet | None) -> Rules:
        if rule_set is None:
            return await self.deciding.rules_in_force(workspace_id)
        return await self.deciding.draft(workspace_id, rule_set)

    async def _tried(
        self, workspace_id: str, changes: Mapping[str, JobChange], rules: Sequence[Rules]
    ) -> list[list[SimulatedJobChange]]:
        """One list for each of the rules, in the order of *changes*."""
        workspace = await self.database.run(workspaces.find, workspace_id)
        if workspace is None:
            raise PermanentError(f"there is no workspace {workspace_id}")
        results: list[list[SimulatedJobChange]] = [[] for _ in rules]
        keys = list(changes)
        for start in range(0, len(keys), AT_ONCE):
            some = {key: changes[key] for key in keys[start : start + AT_ONCE]}
            found, unreadable = await self.deciding.facts(workspace_id, some, *rules)
            cases = {key: case_of(key, change, found, unreadable) for key, change in some.items()}
            for each, simulated in zip(rules, results, strict=True):
                decided = await self.deciding.decide(workspace_id, cases, each)
                for key, change in some.items():
                    choice = decided.choices[key]
                    if isinstance(choice, Waits):
                        simulated.append(SimulatedJobChange(key, change, waits=True))
                        continue
                    promise = promised(key, choice, workspace, change.signal)
                    trace = trace_of(choice, promise, each.version, sorted(unreadable))
                    simulated.append(_simulated(key, change, promise, trace))
        return results


def _simulated(key: str, change: JobChange, promise: Promised, trace: Mapping[str, Any]) -> SimulatedJobChange:
    return SimulatedJobChange(key, change, promise.deliveries, promise.reason or trace["reason"], trace)


def _outcome(simulated: SimulatedJobChange) -> tuple[bool, frozenset[tuple[str, str]]]:
    """What people would notice of it: who is told, and as what."""
    return simulated.waits, frozenset((each.destination, each.role) for each in simulated.deliveries)
