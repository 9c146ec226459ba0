"""A workspace's ownership rules as its admins keep them: drafted, checked, published, rolled back, exported."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from domain.audit import AuditEntry
from domain.errors import PermanentError, TransientError
from domain.rule_versions import ACTION, PublishedRules, SeenVersion
from services.ownership.org_schema import OrgShapes
from services.ownership.rules.check import OrgShape, check
from services.ownership.rules.current_rules import RuleBook, SaveResult
from services.ownership.rules.faults import InvalidRulesError, RuleFault
from services.ownership.rules.rule_set import NO_RULES, RuleSet
from store.database import Database
from store.ownership import rule_sets

FASTER = "Somebody else changed the rules meanwhile, so nothing was saved. This is how they stand now."
GONE = "There is no such version."
NO_DRAFT = "There is no draft to publish."


@dataclass(frozen=True)
class Rulebook:
    """
    Whether somebody may change anything is for the caller to check, at each step. *actor*: a Slack user id, or
    audit.OPERATOR. Nothing here raises for what an admin does wrong: the answer says it.
    """

    database: Database
    shapes: OrgShapes
    now: Callable[[], int]

    async def read(self, workspace_id: str) -> RuleBook:
        """As things stand. Rules that this version cannot read are none, with the problem beside them."""
        published = await self.database.run(rule_sets.in_force, workspace_id)
        draft = await self.database.run(rule_sets.draft, workspace_id)
        rules, problem = NO_RULES, None
        try:
            rules = RuleSet.from_stored(published.rules) if published else NO_RULES
            draft_rules = RuleSet.from_stored(draft.rules) if draft else None
        except InvalidRulesError as error:
            draft, draft_rules, problem = None, None, str(error)
        return RuleBook(published.version if published else 0, rules, draft, draft_rules, problem)

    async def org(self, workspace_id: str) -> OrgShape | None:
        """What rules may name, for pickers; None: no Salesforce is connected. Raises PermanentError, TransientError."""
        return await self.shapes.shape(workspace_id)

    async def check(self, workspace_id: str, rules: RuleSet) -> list[RuleFault]:
        """All that parsing cannot see, against the org as it is right now; warnings among them."""
        try:
            org = await self.shapes.shape(workspace_id, fresh=True)
        except (PermanentError, TransientError) as error:
            text = f"could not be checked against Salesforce: {error}"
            return [*check(rules, None), RuleFault("", text, is_warning=True)]
        return check(rules, org)

    async def save_draft(
        self, workspace_id: str, actor: str, rules: RuleSet, seen: SeenVersion | None, what: str
    ) -> SaveResult:
        """
        Keep a change without putting it in force. *what*: one phrase for the history, such as "moved rule 3 up".

        *seen*: how all stood when the admin began; None overwrites whatever is there.
        """
        change = self._change(actor, "drafted", what)
        revision = await self.database.run(rule_sets.save_draft, workspace_id, rules.to_json(), seen, change)
        return SaveResult(False, FASTER) if revision is None else SaveResult(True, "Saved as a draft.", number=revision)

    async def discard_draft(self, workspace_id: str, actor: str, seen: SeenVersion) -> bool:
        """False: there was none, or not as *seen*."""
        change = self._change(actor, "draft discarded", "")
        return await self.database.run(rule_sets.drop_draft, workspace_id, seen, change)

    async def publish_draft(self, workspace_id: str, actor: str, seen: SeenVersion, note: str = "") -> SaveResult:
        """Put the draft in force, if it is the one that the admin saw and nothing is wrong with it."""
        book = await self.read(workspace_id)
        if book.draft is None or book.draft_rules is None:
            return SaveResult(False, NO_DRAFT)
        if book.seen != seen or book.draft.based_on != book.version:
            return SaveResult(False, FASTER)

        async def stored(change: AuditEntry) -> int | None:
            return await self.database.run(rule_sets.publish_draft, workspace_id, seen, change)

        return await self._published(workspace_id, actor, book.draft_rules, note, stored)

    async def publish(
        self, workspace_id: str, actor: str, rules: RuleSet, seen_version: int | None, note: str = ""
    ) -> SaveResult:
        """Put rules in force, unless something is wrong with them or others were published since *seen_version*."""

        async def stored(change: AuditEntry) -> int | None:
            return await self.database.run(rule_sets.publish, workspace_id, rules.to_json(), seen_version, change)

        return await self._published(workspace_id, actor, rules, note, stored)

    async def _published(
        self,
        workspace_id: str,
        actor: str,
        rules: RuleSet,
        note: str,
        stored: Callable[[AuditEntry], Awaitable[int | None]],
    ) -> SaveResult:
        faults = tuple(await self.check(workspace_id, rules))
        if wrong := [fault for fault in faults if not fault.is_warning]:
            return SaveResult(False, f"Nothing was published: {_count(wrong)} to mend first.", faults)
        count = len(rules.in_force)
        in_force = "1 rule in force" if count == 1 else f"{count} rules in force"
        version = await stored(self._change(actor, "published", note or in_force))
        if version is None:
            return SaveResult(False, FASTER)
        return SaveResult(True, f"Published as version {version}.", faults, version)

    async def roll_back(self, workspace_id: str, actor: str, version: int, seen_version: int | None) -> SaveResult:
        """Put an earlier version in force again, as a new one: history only grows."""
        earlier = await self.database.run(rule_sets.version, workspace_id, version)
        if earlier is None:
            return SaveResult(False, GONE)
        try:
            rules = RuleSet.from_stored(earlier.rules)
        except InvalidRulesError as error:
            return SaveResult(False, "That version cannot be read any more.", error.faults)
        return await self.publish(workspace_id, actor, rules, seen_version, f"rolled back to version {version}")

    async def bring_in(self, workspace_id: str, actor: str, text: str) -> SaveResult:
        """Publish rules from JSON, all or nothing: every fault is named, and what is in force stays."""
        rules = parse(text)
        if isinstance(rules, InvalidRulesError):
            return SaveResult(False, f"Nothing was imported: {_count(rules.faults)} to mend first.", rules.faults)
        return await self.publish(workspace_id, actor, rules, None, "imported from JSON")

    async def hand_out(self, workspace_id: str) -> str:
        """The rules in force as JSON, as `bring_in` takes them."""
        return (await self.read(workspace_id)).rules.to_json(indent=2)

    async def versions(self, workspace_id: str) -> list[PublishedRules]:
        """Newest first."""
        return await self.database.run(rule_sets.versions, workspace_id)

    async def history(self, workspace_id: str) -> list[AuditEntry]:
        """Who changed what and when, newest first."""
        return await self.database.run(rule_sets.history, workspace_id)

    def _change(self, actor: str, what: str, detail: str) -> AuditEntry:
        return AuditEntry(self.now(), actor, f"{ACTION}: {what}", detail)


def parse(text: str) -> RuleSet | InvalidRulesError:
    """Rules out of JSON text, or every fault in it."""
    try:
        return RuleSet.parse(json.loads(text))
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}: {error.msg}"
        return InvalidRulesError([RuleFault("", f"are not JSON ({where})")])
    except RecursionError:
        return InvalidRulesError([RuleFault("", "are nested too deeply")])
    except InvalidRulesError as error:
        return error


def _count(faults: Sequence[RuleFault]) -> str:
    return "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
