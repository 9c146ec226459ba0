"""Changing the draft of the ownership rules, one step at a time: what a step makes of the rules, and keeping it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from services.ownership.rulebook import FASTER, Kept, Rulebook
from services.ownership.rules.check import OrgShape
from services.ownership.rules.presets import presets
from services.ownership.rules.rule_set import MOST_RULES, Conditions, Rule, RuleSet
from store.ownership.rule_sets import Seen

TOO_MANY = f"There can be at most {MOST_RULES} rules. Delete one first."
CHANGED_MEANWHILE = "Somebody else changed or deleted this rule meanwhile, so nothing was saved."
UNREADABLE = "The rules that are in force cannot be read by this version, so they cannot be changed here."


ATTEMPTS = 5


def mark_of(rule: Rule) -> str:
    """By which a rule is found again as long as nobody changes it, wherever it is moved."""
    return hashlib.sha256(rule.model_dump_json().encode()).hexdigest()[:16]


def find(rules: RuleSet, mark: str) -> int | None:
    """Where the rule with this mark stands."""
    return next((number for number, rule in enumerate(rules.rules) if mark_of(rule) == mark), None)


def place_for_new(rules: RuleSet) -> int:
    """After all others, and before those at the end that take everything: there it could never be reached."""
    place = len(rules.rules)
    while place and rules.rules[place - 1].when == Conditions():
        place -= 1
    return place


def moved(rules: RuleSet, number: int, by: int) -> RuleSet:
    """With one rule moved; what would leave the list stays at its end."""
    order = list(rules.rules)
    rule = order.pop(number)
    order.insert(min(max(number + by, 0), len(order)), rule)
    return _with(rules, order)


def switched(rules: RuleSet, number: int) -> RuleSet:
    """With one rule switched off, or on again."""
    order = list(rules.rules)
    order[number] = order[number].model_copy(update={"enabled": not order[number].enabled})
    return _with(rules, order)


def removed(rules: RuleSet, number: int) -> RuleSet:
    return _with(rules, [rule for place, rule in enumerate(rules.rules) if place != number])


def added(rules: RuleSet, new: Sequence[Rule], place: int) -> RuleSet:
    """With rules put in before the one at *place*; beyond the last: after it."""
    order = list(rules.rules)
    order[place:place] = new
    return _with(rules, order)


def replaced(rules: RuleSet, number: int, rule: Rule, place: int) -> RuleSet:
    """With one rule changed, and moved to its *place*."""
    order = list(rules.rules)
    del order[number]
    order.insert(place, rule)
    return _with(rules, order)


def _with(rules: RuleSet, order: Sequence[Rule]) -> RuleSet:
    return rules.model_copy(update={"rules": tuple(order)})


UP, DOWN, SWITCH, DELETE = "up", "down", "switch", "delete"

STEPS: Mapping[str, Callable[[RuleSet, int], RuleSet]] = {
    UP: lambda rules, number: moved(rules, number, -1),
    DOWN: lambda rules, number: moved(rules, number, 1),
    SWITCH: switched,
    DELETE: removed,
}
"""What can be done to a rule in the list, without a dialog of its own."""


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

    async def step(self, workspace_id: str, actor: str, seen: Seen, step: str, number: int) -> Kept:
        """One of STEPS on the rule at *number*."""
        book = await self.rulebook.read(workspace_id)
        if book.problem:
            return Kept(False, UNREADABLE)
        if book.seen != seen or not 0 <= number < len(book.shown.rules):
            return Kept(False, FASTER)
        changed = STEPS[step](book.shown, number)
        if changed == book.shown:
            return Kept(True, "It stands there already.")
        what = _said(step, book.shown.rules[number])
        return await self.rulebook.save_draft(workspace_id, actor, changed, seen, what)

    async def change(self, workspace_id: str, actor: str, mark: str, rule: Rule, place: int) -> Kept:
        """
        Keep a rule that was changed in its dialog, at its *place* from 0.

        Others may have changed the rest of the rules meanwhile, this one not: *mark* is of how it was seen.
        """

        def change(rules: RuleSet) -> RuleSet | Kept:
            number = find(rules, mark)
            if number is None:
                return Kept(False, CHANGED_MEANWHILE)
            changed = replaced(rules, number, rule, place)
            return Kept(True, "Nothing was changed.") if changed == rules else changed

        return await self._rebased(workspace_id, actor, change, f"changed “{rule.name}”")

    async def add(self, workspace_id: str, actor: str, new: Sequence[Rule], place: int | None = None) -> Kept:
        """Keep new rules, whatever others changed meanwhile; *place* None: after all others."""

        def change(rules: RuleSet) -> RuleSet | Kept:
            there = len(rules.rules)
            if there + len(new) > MOST_RULES:
                return Kept(False, TOO_MANY)
            return added(rules, new, there if place is None else place)

        what = f"added “{new[0].name}”" if len(new) == 1 else f"added {len(new)} rules"
        return await self._rebased(workspace_id, actor, change, what)

    async def _rebased(
        self, workspace_id: str, actor: str, change: Callable[[RuleSet], RuleSet | Kept], what: str
    ) -> Kept:
        """Make a change to the rules as they stand now, again when somebody else was faster in that moment."""
        kept = Kept(False, FASTER)
        for _ in range(ATTEMPTS):
            book = await self.rulebook.read(workspace_id)
            if book.problem:
                return Kept(False, UNREADABLE)
            changed = change(book.shown)
            if isinstance(changed, Kept):
                return changed
            kept = await self.rulebook.save_draft(workspace_id, actor, changed, book.seen, what)
            if kept.stored:
                break
        return kept

    async def set(self, workspace_id: str, actor: str, seen: Seen, changed: RuleSet, what: str) -> Kept:
        """Keep what stands beside the rules: pools, mappings, segments, guards."""
        book = await self.rulebook.read(workspace_id)
        if book.problem or book.seen != seen:
            return Kept(False, UNREADABLE if book.problem else FASTER)
        return await self.rulebook.save_draft(workspace_id, actor, changed, seen, what)

    async def discard(self, workspace_id: str, actor: str, seen: Seen) -> Kept:
        """Drop the draft, and with it all changes since the last publishing."""
        if (await self.rulebook.read(workspace_id)).seen != seen:
            return Kept(False, FASTER)
        gone = await self.rulebook.discard_draft(workspace_id, actor, seen)
        return Kept(gone, "The draft is discarded." if gone else "There was no draft.")

    async def publish(self, workspace_id: str, actor: str, seen: Seen) -> Kept:
        """Put the draft in force, if nothing is wrong with it."""
        if (await self.rulebook.read(workspace_id)).seen != seen:
            return Kept(False, FASTER)
        return await self.rulebook.publish_draft(workspace_id, actor, seen)
