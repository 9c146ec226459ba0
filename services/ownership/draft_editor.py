"""Changing the draft of the ownership rules, one step at a time: what a step makes of the rules, and keeping it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from domain.rule_versions import SeenVersion
from services.ownership.rulebook import FASTER, Rulebook
from services.ownership.rules.check import OrgShape
from services.ownership.rules.current_rules import SaveResult
from services.ownership.rules.edits import DELETE, DOWN, STEPS, SWITCH, UP, added, find, replaced
from services.ownership.rules.presets import presets
from services.ownership.rules.rule_set import MOST_RULES, Rule, RuleSet

TOO_MANY = f"There can be at most {MOST_RULES} rules. Delete one first."
CHANGED_MEANWHILE = "Somebody else changed or deleted this rule meanwhile, so nothing was saved."
UNREADABLE = "The rules that are in force cannot be read by this version, so they cannot be changed here."


ATTEMPTS = 5


def _said(step: str, rule: Rule) -> str:
    words = {UP: "moved {} up", DOWN: "moved {} down", DELETE: "deleted {}"}
    words[SWITCH] = "switched {} off" if rule.enabled else "switched {} on"
    return words[step].format(f"“{rule.name}”")


def presets_for(org: OrgShape | None) -> tuple[Rule, ...]:
    """The ready-made rules, with the fields that this org has for customer success managers and SDRs."""
    if org is None:
        return presets(None, None)
    return presets(
        _field(org, "csm", "customer success"), _field(org, "sdr", "bdr", "sales development", "business development")
    )


def _field(org: OrgShape, *words: str) -> str | None:
    """The account's lookup to a user that is called so."""
    names = [name for name in org.user_fields if name.startswith("account.")]
    spoken = {name: f"{name.partition('.')[2].replace('_', ' ')} {org.fields[name].label}".lower() for name in names}
    found = next(
        (name for word in words for name in names if word in spoken[name].split() or word in spoken[name]), None
    )
    return org.fields[found].name if found else None


@dataclass(frozen=True)
class OwnershipEditing:
    """
    Steps from one draft to the next. Whether somebody may is for the caller to check, at each step.

    *seen*: how the rules stood in the dialog that they act in; nobody overwrites what they have not seen.
    """

    rulebook: Rulebook

    async def step(self, workspace_id: str, actor: str, seen: SeenVersion, step: str, number: int) -> SaveResult:
        """One of STEPS on the rule at *number*."""
        book = await self.rulebook.read(workspace_id)
        if book.problem:
            return SaveResult(False, UNREADABLE)
        if book.seen != seen or not 0 <= number < len(book.shown.rules):
            return SaveResult(False, FASTER)
        changed = STEPS[step](book.shown, number)
        if changed == book.shown:
            return SaveResult(True, "It stands there already.")
        what = _said(step, book.shown.rules[number])
        return await self.rulebook.save_draft(workspace_id, actor, changed, seen, what)

    async def change(self, workspace_id: str, actor: str, mark: str, rule: Rule, place: int) -> SaveResult:
        """
        Keep a rule that was changed in its dialog, at its *place* from 0.

        Others may have changed the rest of the rules meanwhile, this one not: *mark* is of how it was seen.
        """

        def change(rules: RuleSet) -> RuleSet | SaveResult:
            number = find(rules, mark)
            if number is None:
                return SaveResult(False, CHANGED_MEANWHILE)
            changed = replaced(rules, number, rule, place)
            return SaveResult(True, "Nothing was changed.") if changed == rules else changed

        return await self._rebased(workspace_id, actor, change, f"changed “{rule.name}”")

    async def add(self, workspace_id: str, actor: str, new: Sequence[Rule], place: int | None = None) -> SaveResult:
        """Keep new rules, whatever others changed meanwhile; *place* None: after all others."""

        def change(rules: RuleSet) -> RuleSet | SaveResult:
            there = len(rules.rules)
            if there + len(new) > MOST_RULES:
                return SaveResult(False, TOO_MANY)
            return added(rules, new, there if place is None else place)

        what = f"added “{new[0].name}”" if len(new) == 1 else f"added {len(new)} rules"
        return await self._rebased(workspace_id, actor, change, what)

    async def _rebased(
        self, workspace_id: str, actor: str, change: Callable[[RuleSet], RuleSet | SaveResult], what: str
    ) -> SaveResult:
        """Make a change to the rules as they stand now, again when somebody else was faster in that moment."""
        kept = SaveResult(False, FASTER)
        for _ in range(ATTEMPTS):
            book = await self.rulebook.read(workspace_id)
            if book.problem:
                return SaveResult(False, UNREADABLE)
            changed = change(book.shown)
            if isinstance(changed, SaveResult):
                return changed
            kept = await self.rulebook.save_draft(workspace_id, actor, changed, book.seen, what)
            if kept.stored:
                break
        return kept

    async def set(self, workspace_id: str, actor: str, seen: SeenVersion, changed: RuleSet, what: str) -> SaveResult:
        """Keep what stands beside the rules: pools, mappings, segments, guards."""
        book = await self.rulebook.read(workspace_id)
        if book.problem or book.seen != seen:
            return SaveResult(False, UNREADABLE if book.problem else FASTER)
        return await self.rulebook.save_draft(workspace_id, actor, changed, seen, what)

    async def discard(self, workspace_id: str, actor: str, seen: SeenVersion) -> SaveResult:
        """Drop the draft, and with it all changes since the last publishing."""
        if (await self.rulebook.read(workspace_id)).seen != seen:
            return SaveResult(False, FASTER)
        gone = await self.rulebook.discard_draft(workspace_id, actor, seen)
        return SaveResult(gone, "The draft is discarded." if gone else "There was no draft.")

    async def publish(self, workspace_id: str, actor: str, seen: SeenVersion) -> SaveResult:
        """Put the draft in force, if nothing is wrong with it."""
        if (await self.rulebook.read(workspace_id)).seen != seen:
            return SaveResult(False, FASTER)
        return await self.rulebook.publish_draft(workspace_id, actor, seen)
