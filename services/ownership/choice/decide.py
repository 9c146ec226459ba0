"""Who is told of a job change: on each side the first rule that takes it, else the catch-all. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from services.ownership.choice.availability import LackingError, Lacks, Ledger, Standing
from services.ownership.choice.candidates import Place
from services.ownership.choice.case import Case, sides_of
from services.ownership.choice.chain import SideChoice, Walk
from services.ownership.choice.conditions import Prepared, Situation
from services.ownership.choice.pools import Turn
from services.ownership.rules.owner_sources import Side
from services.ownership.rules.rule_set import CATCH_ALL, TEST_RULE, Rule


@dataclass(frozen=True)
class Decision:
    """One choice a side that a rule took; where none did, the catch-all's. *labels*: what the org calls its fields."""

    choices: tuple[SideChoice, ...]
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def told(self) -> frozenset[str]:
        """The Slack users who are told in person, as far as the rules go."""
        return frozenset(user for choice in self.choices if choice.rule.deliver.to != "channel" for user in choice.told)

    @property
    def turns(self) -> tuple[Turn, ...]:
        return tuple(turn for choice in self.choices for turn in choice.turns)


def decide(case: Case, rules: Prepared, standing: Standing, ledger: Ledger) -> Decision | Lacks:
    """Whom to tell of a job change; Lacks: what must be looked up before that can be said."""
    choices, lacks = list[SideChoice](), Lacks()
    for side, rule in _taken(case, rules):
        had = {turn.pool: turn.user for choice in choices for turn in choice.turns}
        try:
            choice = Walk(Place(case, rule, rules.rule_set, side), standing, ledger, had).choose()
        except LackingError as error:
            lacks |= error.lacks
            continue
        choices.append(choice)
        ledger = ledger.after(choice.turns, frozenset(), rules.rule_set)
    return lacks or Decision(tuple(choices), case.labels)


def _taken(case: Case, rules: Prepared) -> list[tuple[Side | None, Rule]]:
    if case.change.is_test:
        return [(None, TEST_RULE)]
    segments = rules.rule_set.segments
    taken = [
        (side, rule)
        for side in sides_of(case.change)
        if rules.rules and (rule := rules.first(Situation.of(case, side, segments)))
    ]
    return [*taken] or [(None, CATCH_ALL)]
