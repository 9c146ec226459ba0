"""A workspace's ownership rules: drafted, checked, published, rolled back, imported and exported."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from domain.audit import AuditEntry
from domain.day_counts import counted
from domain.errors import PermanentError, TransientError
from domain.rule_versions import ACTION, PublishedRules, SeenVersion
from services.ownership.org_schema import OrgSchemas
from services.ownership.rules.check import OrgSchema, check
from services.ownership.rules.current_rules import CurrentRules, SaveResult
from services.ownership.rules.edits import with_distinct_keys, with_known_keys
from services.ownership.rules.issues import InvalidRulesError, RuleIssue
from services.ownership.rules.rule_set import NO_RULES, RuleSet
from services.ownership.rules.scorecard import Scorecard
from store.database import Database
from store.home import scorecard
from store.ownership import rule_sets

CHANGED_BY_OTHERS = (
    "Another admin changed the rules in the meantime, so nothing was saved. These are the current rules."
)
NO_VERSION = "This version does not exist."
NO_DRAFT = "There is no draft to publish."


@dataclass(frozen=True)
class Rulebook:
    """
    Reads and changes the rules. The caller checks permissions at each step.

    `actor` is a Slack user id or audit.OPERATOR. An admin's mistakes are returned in the result, not raised.
    """

    database: Database
    schemas: OrgSchemas
    now: Callable[[], int]

    async def read(self, workspace_id: str) -> CurrentRules:
        """The current rules. If this version cannot read them, they are empty, and `problem` says why."""
        published = await self.database.run(rule_sets.in_force, workspace_id)
        draft = await self.database.run(rule_sets.draft, workspace_id)
        rules, problem = NO_RULES, None
        try:
            rules = RuleSet.from_stored(published.rules, published.original_names) if published else NO_RULES
            draft_rules = RuleSet.from_stored(draft.rules, draft.original_names) if draft else None
        except InvalidRulesError as error:
            draft, draft_rules, problem = None, None, str(error)
        return CurrentRules(published.version if published else 0, rules, draft, draft_rules, problem)

    async def scorecard(self, workspace_id: str) -> Scorecard:
        """What became of the messages of each published rule."""
        figures = await self.database.read(scorecard.figures, workspace_id, self.now())
        return Scorecard.of(await self.read(workspace_id), figures)

    async def org(self, workspace_id: str) -> OrgSchema | None:
        """What rules can name, for pickers. None means no Salesforce. Raises PermanentError, TransientError."""
        return await self.schemas.fetch(workspace_id)

    async def check(self, workspace_id: str, rules: RuleSet) -> list[RuleIssue]:
        """The errors and warnings that parsing cannot find, checked against the current schema of the org."""
        try:
            org = await self.schemas.fetch(workspace_id, fresh=True)
        except (PermanentError, TransientError) as error:
            text = f"could not be checked against Salesforce: {error}"
            return [*await asyncio.to_thread(check, rules, None), RuleIssue("", text, is_warning=True)]
        return await asyncio.to_thread(check, rules, org)

    async def save_draft(
        self, workspace_id: str, actor: str, rules: RuleSet, seen: SeenVersion | None, summary: str
    ) -> SaveResult:
        """
        Save a draft. `summary` is a phrase for the history, such as "moved rule 3 up".

        `seen` is the version that the admin changed; None overwrites any draft.
        """
        rules, change = with_distinct_keys(rules), self._change(actor, "drafted", summary)
        text, names = rules.to_json(), rules.original_names
        revision = await self.database.run(rule_sets.save_draft, workspace_id, text, seen, change, names)
        return (
            SaveResult(False, CHANGED_BY_OTHERS)
            if revision is None
            else SaveResult(True, "Saved as a draft.", number=revision)
        )

    async def discard_draft(self, workspace_id: str, actor: str, seen: SeenVersion) -> bool:
        """Returns False if there was no draft, or another one than `seen`."""
        change = self._change(actor, "draft discarded", "")
        return await self.database.run(rule_sets.drop_draft, workspace_id, seen, change)

    async def publish_draft(self, workspace_id: str, actor: str, seen: SeenVersion, note: str = "") -> SaveResult:
        """Publish the draft, if the admin has seen it and it has no errors."""
        book = await self.read(workspace_id)
        if book.draft_rules is None:
            return SaveResult(False, NO_DRAFT)
        if book.seen != seen:
            return SaveResult(False, CHANGED_BY_OTHERS)

        async def stored(change: AuditEntry) -> int | None:
            return await self.database.run(rule_sets.publish_draft, workspace_id, seen, change)

        return await self._published(workspace_id, actor, book.draft_rules, note, stored)

    async def publish(
        self, workspace_id: str, actor: str, rules: RuleSet, seen_version: int | None, note: str = ""
    ) -> SaveResult:
        """Publish rules, unless they have errors or others were published since `seen_version`."""
        rules = with_distinct_keys(rules)
        text, names = rules.to_json(), rules.original_names

        async def stored(change: AuditEntry) -> int | None:
            return await self.database.run(rule_sets.publish, workspace_id, text, seen_version, change, names)

        return await self._published(workspace_id, actor, rules, note, stored)

    async def _published(
        self,
        workspace_id: str,
        actor: str,
        rules: RuleSet,
        note: str,
        stored: Callable[[AuditEntry], Awaitable[int | None]],
    ) -> SaveResult:
        issues = tuple(await self.check(workspace_id, rules))
        if errors := [issue for issue in issues if not issue.is_warning]:
            return SaveResult(False, f"Nothing was published. Fix {counted(len(errors), 'error')} first.", issues)
        in_force = f"{counted(len(rules.in_force), 'rule')} in force"
        version = await stored(self._change(actor, "published", note or in_force))
        if version is None:
            return SaveResult(False, CHANGED_BY_OTHERS)
        return SaveResult(True, f"Published as version {version}.", issues, version)

    async def roll_back(self, workspace_id: str, actor: str, version: int, seen_version: int | None) -> SaveResult:
        """Publish an earlier version again, as a new version."""
        earlier = await self.database.run(rule_sets.version, workspace_id, version)
        if earlier is None:
            return SaveResult(False, NO_VERSION)
        try:
            rules = RuleSet.from_stored(earlier.rules, earlier.original_names)
        except InvalidRulesError as error:
            return SaveResult(False, "This version can no longer be read.", error.issues)
        return await self.publish(workspace_id, actor, rules, seen_version, f"rolled back to version {version}")

    async def import_json(self, workspace_id: str, actor: str, text: str) -> SaveResult:
        """Publish rules from JSON. If there are any errors, all of them are returned and nothing changes."""
        rules = parse(text)
        if isinstance(rules, InvalidRulesError):
            count = counted(len(rules.issues), "error")
            return SaveResult(False, f"Nothing was imported. Fix {count} first.", rules.issues)
        published = (await self.read(workspace_id)).rules
        return await self.publish(workspace_id, actor, with_known_keys(rules, published), None, "imported from JSON")

    async def export_json(self, workspace_id: str) -> str:
        """The published rules as JSON, in the format of `import_json`."""
        return (await self.read(workspace_id)).rules.to_json(indent=2)

    async def versions(self, workspace_id: str) -> list[PublishedRules]:
        """All versions, newest first."""
        return await self.database.run(rule_sets.versions, workspace_id)

    async def history(self, workspace_id: str) -> list[AuditEntry]:
        """The audit entries of ownership, newest first."""
        return await self.database.run(rule_sets.history, workspace_id)

    def _change(self, actor: str, action: str, detail: str) -> AuditEntry:
        return AuditEntry(self.now(), actor, f"{ACTION}: {action}", detail)


def parse(text: str) -> RuleSet | InvalidRulesError:
    """Parse rules from JSON text, or return all errors in it."""
    try:
        return RuleSet.parse(json.loads(text))
    except json.JSONDecodeError as error:
        position = f"line {error.lineno}, column {error.colno}: {error.msg}"
        return InvalidRulesError([RuleIssue("", f"are not valid JSON ({position})")])
    except RecursionError:
        return InvalidRulesError([RuleIssue("", "are nested too deeply")])
    except InvalidRulesError as error:
        return error
