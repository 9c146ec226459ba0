"""Changes the draft of the ownership rules, one step at a time, and saves it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from domain.rule_versions import SeenVersion
from services.ownership.rulebook import CHANGED_BY_OTHERS, Rulebook
from services.ownership.rules.check import OrgSchema
from services.ownership.rules.current_rules import SaveResult
from services.ownership.rules.edits import DELETE, DOWN, STEPS, SWITCH, UP, added, find, replaced
from services.ownership.rules.presets import plays, presets
from services.ownership.rules.rule_set import MOST_RULES, Rule, RuleSet

TOO_MANY = f"There can be at most {MOST_RULES} rules. Delete one first."
RULE_CHANGED_BY_OTHERS = "Another admin changed or deleted this rule in the meantime, so nothing was saved."
UNREADABLE = "This version of the app cannot read the published rules, so they cannot be changed here."

ATTEMPTS = 5


def presets_for(org: OrgSchema | None) -> tuple[Rule, ...]:
    """The preset rules, with this org's fields for customer success managers and SDRs."""
    return presets(*_csm_and_sdr(org))


def plays_for(org: OrgSchema | None) -> tuple[Rule, ...]:
    """The single rules to start from, with the same fields."""
    return plays(*_csm_and_sdr(org))


def _csm_and_sdr(org: OrgSchema | None) -> tuple[str | None, str | None]:
    if org is None:
        return None, None
    sdr = _field(org, "sdr", "bdr", "sales development", "business development")
    return _field(org, "csm", "customer success"), sdr


def _field(org: OrgSchema, *words: str) -> str | None:
    """The account's user lookup with one of these words in its name or label."""
    names = [name for name in org.user_fields if name.startswith("account.")]
    labels = {name: f"{name.partition('.')[2].replace('_', ' ')} {org.fields[name].label}".lower() for name in names}
    name = next((name for word in words for name in names if word in labels[name]), None)
    return org.fields[name].name if name else None


@dataclass(frozen=True)
class DraftEditor:
    """
    Changes and publishes the draft. The caller checks permissions at each step.

    `seen` is the version of the rules in the dialog that the admin uses. Changes of others are never overwritten.
    """

    rulebook: Rulebook

    async def step(self, workspace_id: str, actor: str, seen: SeenVersion, step: str, number: int) -> SaveResult:
        """Apply one of STEPS to the rule with this index."""
        book = await self.rulebook.read(workspace_id)
        if book.problem:
            return SaveResult(False, UNREADABLE)
        if book.seen != seen or not 0 <= number < len(book.shown.rules):
            return SaveResult(False, CHANGED_BY_OTHERS)
        changed = STEPS[step](book.shown, number)
        if changed == book.shown:
            return SaveResult(True, "The rule is already there.")
        rule = book.shown.rules[number]
        summaries = {UP: "moved {} up", DOWN: "moved {} down", DELETE: "deleted {}"}
        summaries[SWITCH] = "turned {} off" if rule.enabled else "turned {} on"
        summary = summaries[step].format(f"“{rule.name}”")
        return await self.rulebook.save_draft(workspace_id, actor, changed, seen, summary)

    async def change(self, workspace_id: str, actor: str, mark: str, rule: Rule, place: int) -> SaveResult:
        """
        Save a rule that was changed in its dialog. `place` is its new index.

        Other admins may have changed the other rules in the meantime, but not this one: `mark` is its fingerprint.
        """

        def change(rules: RuleSet) -> RuleSet | SaveResult:
            number = find(rules, mark)
            if number is None:
                return SaveResult(False, RULE_CHANGED_BY_OTHERS)
            changed = replaced(rules, number, rule, place)
            return SaveResult(True, "There were no changes.") if changed == rules else changed

        return await self._rebased(workspace_id, actor, change, f"changed “{rule.name}”")

    async def add(self, workspace_id: str, actor: str, new: Sequence[Rule], place: int | None = None) -> SaveResult:
        """Add rules. `place` is the index of the first one; None adds them at the end."""

        def change(rules: RuleSet) -> RuleSet | SaveResult:
            count = len(rules.rules)
            if count + len(new) > MOST_RULES:
                return SaveResult(False, TOO_MANY)
            return added(rules, new, count if place is None else place)

        summary = f"added “{new[0].name}”" if len(new) == 1 else f"added {len(new)} rules"
        return await self._rebased(workspace_id, actor, change, summary)

    async def _rebased(
        self, workspace_id: str, actor: str, change: Callable[[RuleSet], RuleSet | SaveResult], summary: str
    ) -> SaveResult:
        """Change the current rules, and try again if another admin changes them at the same moment."""
        result = SaveResult(False, CHANGED_BY_OTHERS)
        for _ in range(ATTEMPTS):
            book = await self.rulebook.read(workspace_id)
            if book.problem:
                return SaveResult(False, UNREADABLE)
            changed = change(book.shown)
            if isinstance(changed, SaveResult):
                return changed
            result = await self.rulebook.save_draft(workspace_id, actor, changed, book.seen, summary)
            if result.stored:
                break
        return result

    async def save(
        self, workspace_id: str, actor: str, seen: SeenVersion, changed: RuleSet, summary: str
    ) -> SaveResult:
        """Save changes to pools, mappings, segments and guards."""
        book = await self.rulebook.read(workspace_id)
        if book.problem or book.seen != seen:
            return SaveResult(False, UNREADABLE if book.problem else CHANGED_BY_OTHERS)
        return await self.rulebook.save_draft(workspace_id, actor, changed, seen, summary)

    async def discard(self, workspace_id: str, actor: str, seen: SeenVersion) -> SaveResult:
        """Discard the draft, with all changes since the rules were last published."""
        if (await self.rulebook.read(workspace_id)).seen != seen:
            return SaveResult(False, CHANGED_BY_OTHERS)
        discarded = await self.rulebook.discard_draft(workspace_id, actor, seen)
        return SaveResult(discarded, "The draft was discarded." if discarded else "There was no draft.")

    async def publish(self, workspace_id: str, actor: str, seen: SeenVersion) -> SaveResult:
        """Publish the draft, if it has no errors."""
        if (await self.rulebook.read(workspace_id)).seen != seen:
            return SaveResult(False, CHANGED_BY_OTHERS)
        return await self.rulebook.publish_draft(workspace_id, actor, seen)
