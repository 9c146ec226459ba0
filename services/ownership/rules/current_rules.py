"""The current rules of a workspace, published and drafted, and the result of changing them. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from domain.rule_versions import DraftRules, SeenVersion
from services.ownership.rules.issues import RuleIssue
from services.ownership.rules.rule_set import RuleSet


@dataclass(frozen=True)
class CurrentRules:
    """
    The published rules and the draft.

    `version` 0 means that none are published, so only the catch-all applies. `draft_rules` is the content of `draft`.
    `problem` says why this version of the software cannot read the rules.
    """

    version: int
    rules: RuleSet
    draft: DraftRules | None
    draft_rules: RuleSet | None
    problem: str | None = None

    @property
    def shown(self) -> RuleSet:
        """The rules that an admin sees and changes: the draft, if there is one."""
        return self.draft_rules or self.rules

    @property
    def seen(self) -> SeenVersion:
        """The version that a change is based on, so that it is refused if another admin was faster."""
        draft = self.draft
        return SeenVersion(self.version, draft.revision, draft.changed_at) if draft else SeenVersion(self.version)


@dataclass(frozen=True)
class SaveResult:
    """
    The result of a change. If it was not `stored`, `text` says why, and `issues` has the errors of the rules.

    If it was stored, `issues` has warnings only, and `number` is the new revision of the draft or the new version.
    """

    stored: bool
    text: str
    issues: tuple[RuleIssue, ...] = ()
    number: int | None = None
