"""A workspace's ownership rules: their versions, and the scorecard, which says what became of their messages. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True)
class PublishedRules:
    """
    A published rule set. `rules` is JSON; `published_by` is a Slack user id or audit.OPERATOR.

    `original_names` is JSON with the original names of renamed rules, by their names; None if there are none.
    """

    version: int
    rules: str = field(repr=False)
    published_at: int
    published_by: str
    note: str
    original_names: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class DraftRules:
    """A draft. `revision` grows with each change. `original_names` are like those of `PublishedRules`."""

    revision: int
    rules: str = field(repr=False)
    changed_at: int
    changed_by: str
    original_names: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class SeenVersion:
    """
    Which version an admin saw. `revision` and `changed_at` are 0 when there was no draft.

    A change is refused when the rules have changed since, so that nobody overwrites what they have not seen.
    """

    version: int
    revision: int = 0
    changed_at: int = 0


@dataclass(frozen=True)
class PoolAssignment:
    """An account that a member of a pool keeps."""

    pool: str
    account: str
    member: str


ACTION = "ownership"
"""The prefix of audit actions about ownership."""

EVERYTHING_ELSE = ""
"""The key in place of a rule: none matched, so the owners in Salesforce decided."""


WINDOWS = (30, 90)
"""The days that the scorecard looks back."""

LEAST_JUDGED = 10
"""A rule is not judged by fewer messages."""

MOST_TIMED = 10_000
"""Median times are those of this many of the latest job changes that were acted on, whatever their rules."""


class RuleState(StrEnum):
    """The state of a rule of the scorecard."""

    ON = "on"
    OFF = "off"
    DELETED = "deleted"
    EVERYTHING_ELSE = "everything_else"
    """No rule: what no rule matched."""


@dataclass(frozen=True)
class RuleFigures:
    """
    What became of the messages that were sent because of a rule.

    A message is acted on once a person takes its job change, finishes it (done or not relevant), reassigns or returns
    it, snoozes it, or reports wrong data, in this message or another one about the same job change. `not_mine` counts
    direct messages whose reader reassigned or returned them. `median_ms` is the time until the first action, None if
    there was none.
    """

    sent: int = 0
    acted_on: int = 0
    not_mine: int = 0
    wrong_data: int = 0
    median_ms: int | None = None


@dataclass(frozen=True)
class RuleScore:
    """A rule with its figures by WINDOWS. `number` is its place among the published rules, from 1, or None."""

    key: str
    name: str
    state: RuleState
    number: int | None
    figures: Mapping[int, RuleFigures]

    @property
    def is_ignored(self) -> bool:
        """Whether less than half was acted on, in the shortest of WINDOWS with enough messages to judge."""
        judged = next((self.figures[days] for days in WINDOWS if self.figures[days].sent >= LEAST_JUDGED), None)
        is_in_force = self.state in {RuleState.ON, RuleState.EVERYTHING_ELSE}
        return is_in_force and judged is not None and judged.acted_on * 2 < judged.sent
