"""A workspace's rules as an admin sees them: published, drafted, and what came of a change. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from domain.rule_versions import DraftRules, SeenVersion
from services.ownership.rules.faults import RuleFault
from services.ownership.rules.rule_set import RuleSet


@dataclass(frozen=True)
class RuleBook:
    """
    The rules as they stand. *version* 0: none are published, only the catch-all is there.

    *draft* None: nothing is being changed; else *draft_rules* is what it says. *problem*: why the published ones cannot
    be read by this version of the software.
    """

    version: int
    rules: RuleSet
    draft: DraftRules | None
    draft_rules: RuleSet | None
    problem: str | None = None

    @property
    def shown(self) -> RuleSet:
        """What an admin goes on from."""
        return self.draft_rules or self.rules

    @property
    def seen(self) -> SeenVersion:
        """By which a change is refused when somebody else was faster."""
        draft = self.draft
        return SeenVersion(self.version, draft.revision, draft.changed_at) if draft else SeenVersion(self.version)


@dataclass(frozen=True)
class SaveResult:
    """
    What came of a change. *stored* False: *text* says why, *faults* what is wrong with the rules; nothing was changed.

    *faults* of rules that were stored are warnings. *number*: the draft's new revision, or the version now in force.
    """

    stored: bool
    text: str
    faults: tuple[RuleFault, ...] = ()
    number: int | None = None
