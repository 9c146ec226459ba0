"""The scorecard dialog: what became of the messages of each rule. Pure."""

from __future__ import annotations

from domain.day_counts import counted
from domain.rule_versions import LEAST_JUDGED, MOST_TIMED, WINDOWS, RuleFigures, RuleScore, RuleState
from listeners.dialogs.blocks import Block, View, button, context, divider, modal, section
from listeners.ownership.rule_list_view import A_PAGE, pager
from services.messages.labels import SCORE_STATES, advice
from services.messages.wording import time_span
from services.ownership.rules.scorecard import Scorecard
from services.slack.mrkdwn import escape

TITLE = "Scorecard"
NARROW = "ownership_narrow"
TURN_SCORES = "ownership_scores"

_LEGEND = (
    "*Acted on*: somebody took the job change, finished, reassigned, returned or snoozed it, or reported wrong data."
    f" A rule is judged from {LEAST_JUDGED} messages on. Test job changes are not counted. Times are those of the"
    f" latest {MOST_TIMED:,} job changes that were acted on."
)


def scorecard_view(scorecard: Scorecard, page: int = 0) -> View:
    """The rules that are ignored come first, then the others in their order."""
    scores = sorted(scorecard.scores, key=lambda score: not score.is_ignored)
    last = max(0, (len(scores) - 1) // A_PAGE)
    page = min(max(page, 0), last)
    blocks = [section(_summary(scorecard)), divider()]
    for place, score in enumerate(scores[page * A_PAGE : (page + 1) * A_PAGE]):
        blocks.append(_score(place, score))
    if last:
        blocks += pager(TURN_SCORES, page, last, len(scores))
    return modal(TITLE, [*blocks, divider(), context(_LEGEND)])


def _summary(scorecard: Scorecard) -> str:
    ignored = scorecard.ignored
    if not any(figures.sent for score in scorecard.scores for figures in score.figures.values()):
        return (
            f"*No messages have been sent in the last {max(WINDOWS)} days.* Figures appear here as soon as there are."
        )
    if not ignored:
        return ":white_check_mark: *No rule is ignored.* At least half of its messages were acted on."
    rules = "1 rule is" if len(ignored) == 1 else f"{len(ignored)} rules are"
    return f":warning: *{rules} mostly ignored.* Less than half of the messages were acted on."


def _score(place: int, score: RuleScore) -> Block:
    number = f"{score.number}. " if score.number else ""
    lines = [f"*{number}{escape(score.name, 80)}*{SCORE_STATES[score.state]}"]
    if score.is_ignored:
        lines[0] += " · :warning: mostly ignored"
    lines += [_line(days, score.figures[days]) for days in WINDOWS if score.figures[days].sent]
    if len(lines) == 1:
        lines.append(f"No messages in the last {max(WINDOWS)} days.")
    if not score.is_ignored:
        return section("\n".join(lines))
    lines.append(f"_{advice(score)}_")
    can_be_narrowed = score.state is RuleState.ON
    return section(
        "\n".join(lines), button("Narrow…", NARROW, score.key) if can_be_narrowed else None, f"score-{place}"
    )


def _line(days: int, figures: RuleFigures) -> str:
    parts = [f"{figures.sent:,} sent", f"*{figures.acted_on:,} acted on* ({figures.acted_on / figures.sent:.0%})"]
    if figures.median_ms is not None:
        parts.append(f"median {time_span(figures.median_ms)}")
    if figures.not_mine:
        parts.append(f"{figures.not_mine:,} not mine")
    if figures.wrong_data:
        parts.append(f"{figures.wrong_data:,} wrong data")
    return f"{counted(days, 'day')}: {' · '.join(parts)}"
