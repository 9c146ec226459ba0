"""The scorecard of the ownership rules: what became of the messages of each rule in the last 30 and 90 days. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from domain.rule_versions import EVERYTHING_ELSE, LEAST_JUDGED, WINDOWS, RuleFigures, RuleScore, RuleState
from services.ownership.rules.current_rules import CurrentRules
from services.ownership.rules.rule_set import CATCH_ALL, RuleSet

NO_FIGURES: Mapping[int, RuleFigures] = dict.fromkeys(WINDOWS, RuleFigures())


@dataclass(frozen=True)
class Scorecard:
    """The published rules in order, then everything else, then the deleted rules that still have figures."""

    version: int
    scores: tuple[RuleScore, ...]

    @classmethod
    def of(cls, book: CurrentRules, figures: Mapping[str, Mapping[int, RuleFigures]]) -> Scorecard:
        """`figures` are by the keys of the rules and by WINDOWS."""
        return cls(book.version, tuple(_scores(book.rules, figures)))

    @property
    def has_figures(self) -> bool:
        """Whether any messages were sent in the longest of WINDOWS."""
        return any(figures.sent for score in self.scores for figures in score.figures.values())

    @property
    def has_judged(self) -> bool:
        """Whether any rule has enough messages to judge it."""
        return any(figures.sent >= LEAST_JUDGED for score in self.scores for figures in score.figures.values())

    @property
    def ignored(self) -> list[RuleScore]:
        return [score for score in self.scores if score.is_ignored]

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        rules = [
            {
                "rule": score.name,
                "key": score.key,
                "number": score.number,
                "state": score.state,
                "acted_on_less_than_half": score.is_ignored,
                **{f"last_{days}_days": asdict(score.figures[days]) for days in WINDOWS},
            }
            for score in self.scores
        ]
        return {"rules_version": self.version, "rules": rules}


def _scores(rules: RuleSet, figures: Mapping[str, Mapping[int, RuleFigures]]) -> Sequence[RuleScore]:
    scores = {
        rule.key: RuleScore(
            rule.key,
            rule.name,
            RuleState.ON if rule.enabled else RuleState.OFF,
            number,
            figures.get(rule.key, NO_FIGURES),
        )
        for number, rule in enumerate(rules.rules, 1)
    }
    everything_else = figures.get(EVERYTHING_ELSE, NO_FIGURES)
    scores[EVERYTHING_ELSE] = RuleScore(
        EVERYTHING_ELSE, CATCH_ALL.name, RuleState.EVERYTHING_ELSE, None, everything_else
    )
    deleted = (RuleScore(key, key, RuleState.DELETED, None, figures[key]) for key in sorted(figures.keys() - scores))
    return (*scores.values(), *deleted)
