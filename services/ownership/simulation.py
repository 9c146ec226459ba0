"""Simulates rules on job changes: who would be notified and why. Sends and stores nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from domain.decision.reasons import ReasonCode
from domain.errors import PermanentError
from domain.job_change.model import JobChange
from domain.job_change.validation import InvalidJobChangeError
from services.intake.files.columns import RowReader
from services.intake.files.formats import detect_format
from services.intake.files.rows import open_rows
from services.intake.mapping.row_mapping import RowMapping
from services.ownership.choice.decide import WaitingForSlack
from services.ownership.choice.delivery_plan import decision_of, plan_deliveries
from services.ownership.choice.person_notes import person_notes
from services.ownership.decider import Decider, Rules, case_of
from services.ownership.rules.rule_set import RuleSet
from services.ownership.simulation_report import Difference, SimulatedJobChange, SimulationReport
from services.slack.names import names_in, with_names
from store.database import Database
from store.intake import job_changes, mappings
from store.salesforce import connections
from store.slack import workspaces

BATCH_SIZE = 200
MOST_SIMULATED = 10_000
MOST_COMPARED = 100


@dataclass(frozen=True)
class Simulation:
    """Raises PermanentError and TransientError if Salesforce cannot be asked."""

    database: Database
    decider: Decider

    async def read(self, workspace_id: str, path: Path, source: str | None) -> tuple[list[JobChange], list[str]]:
        """
        Read the first job changes of a file, in any format that can be imported. Also returns the errors by row.

        Raises PermanentError, OSError.
        """
        definitions = await self.database.run(mappings.all_of, workspace_id)
        own = {of: RowMapping.parse(definition) for of, definition in definitions.items()}
        file = detect_format(path)
        reading = RowReader(source, own, file.header)
        changes: list[JobChange] = []
        errors: list[str] = []
        with open_rows(file) as (rows, _):
            for row in islice(rows, MOST_SIMULATED):
                if row.fault:
                    errors.append(f"{row.line}: {row.fault}")
                    continue
                try:
                    changes += [JobChange.parse(job_change) for job_change in reading.read(row.content)]
                except InvalidJobChangeError as error:
                    errors.append(f"{row.line}: {error}")
        return changes, errors

    async def latest(self, workspace_id: str, most: int) -> list[tuple[str, JobChange]]:
        """The latest job changes by id, newest first, without those that were erased."""
        stored = await self.database.read(job_changes.latest, workspace_id, most)
        changes = []
        for key, payload in stored:
            await asyncio.sleep(0)  # a job change takes up to 2 ms
            if change := JobChange.if_readable(payload):
                changes.append((key, change))
        return changes

    async def simulate(
        self, workspace_id: str, changes: Sequence[JobChange], rule_set: RuleSet | None = None
    ) -> list[SimulatedJobChange]:
        """Simulate these job changes. `rule_set` None means the rules in force."""
        if rule_set is None:
            rules = await self.decider.rules_in_force(workspace_id)
        else:
            rules = await self.decider.draft(workspace_id, rule_set)
        (simulated,) = await self._simulate(
            workspace_id, {str(number): change for number, change in enumerate(changes)}, [rules]
        )
        return simulated

    async def with_display_names(self, workspace_id: str, lines: Sequence[str]) -> list[str]:
        """Replace the Slack ids of people and channels with their names, as far as Slack returns them."""
        names = await names_in(self.decider.directory.slack, workspace_id, lines)
        return [with_names(line, names) for line in lines]

    async def compare(self, workspace_id: str, draft: RuleSet) -> SimulationReport:
        """Compare a draft with the rules in force on the latest job changes, with the same Salesforce records."""
        changes = dict(await self.latest(workspace_id, MOST_COMPARED))
        rules = [await self.decider.rules_in_force(workspace_id), await self.decider.draft(workspace_id, draft)]
        before, after = await self._simulate(workspace_id, changes, rules)
        pairs = zip(before, after, strict=True)
        return SimulationReport(
            len(changes), tuple(Difference(*pair) for pair in pairs if _outcome(pair[0]) != _outcome(pair[1]))
        )

    async def _simulate(
        self, workspace_id: str, changes: Mapping[str, JobChange], rules: Sequence[Rules]
    ) -> list[list[SimulatedJobChange]]:
        """One list of results for each of the rules, in the order of `changes`."""
        workspace = await self.database.run(workspaces.find, workspace_id)
        if workspace is None:
            raise PermanentError(f"there is no workspace {workspace_id}")
        results: list[list[SimulatedJobChange]] = [[] for _ in rules]
        keys = list(changes)
        for start in range(0, len(keys), BATCH_SIZE):
            batch = {key: changes[key] for key in keys[start : start + BATCH_SIZE]}
            records = await self.decider.find_records(workspace_id, batch, *rules)
            if records is not None and records.calls is not None:
                await self.database.run(connections.note_answer, workspace_id, self.decider.now(), records.calls)
            cases = {key: case_of(key, change, records) for key, change in batch.items()}
            left_out = sorted(records.unreadable.values()) if records else []
            for rule_set, simulated in zip(rules, results, strict=True):
                decision = await self.decider.decide(workspace_id, cases, rule_set)
                for key, change in batch.items():
                    choice = decision.choices[key]
                    if isinstance(choice, WaitingForSlack):
                        simulated.append(SimulatedJobChange(key, change, waits=True))
                        continue
                    plan = plan_deliveries(key, choice, workspace, change.signal)
                    notes = [*(ReasonCode.LEFT_OUT.of(error=text) for text in left_out), *person_notes(cases[key])]
                    record = decision_of(choice, plan, rule_set.version, notes)
                    reasons = plan.reasons or record.reasons
                    simulated.append(SimulatedJobChange(key, change, plan.deliveries, reasons, record))
        return results


def _outcome(simulated: SimulatedJobChange) -> tuple[bool, frozenset[tuple[str, str]]]:
    """What people would notice: the destinations and their roles."""
    return simulated.waits, frozenset((delivery.destination, delivery.role) for delivery in simulated.deliveries)
