"""The scorecard dialog: what became of the messages of each rule. Pure."""

from __future__ import annotations

from domain.day_counts import counted
from domain.rule_versions import LEAST_JUDGED, MOST_TIMED, WINDOWS, RuleFigures, RuleScore, RuleState
from listeners.dialogs.blocks import Block, View, actions, button, context, divider, modal, section
from listeners.ownership.rule_list_view import A_PAGE, pager
from services.messages.labels import SCORE_STATES, advice
from services.messages.wording import time_span
from services.ownership.rules.scorecard import Scorecard
from services.slack.mrkdwn import escape

TITLE = "Scorecard"
NARROW = "ownership_narrow"
TURN_SCORES = "ownership_scores"

_LEGEND = (
    "*Acted on*: a person took the job change, finished, reassigned, returned or snoozed it, or reported wrong data."
    f" *Median*: the time until then, over the latest {MOST_TIMED:,} job changes that were acted on. A rule is judged"
    f" once it has sent {LEAST_JUDGED} messages. Test job changes are not counted."
)


def scorecard_view(scorecard: Scorecard, page: int = 0) -> View:
    """The rules that are ignored come first, then the others in their order."""
    scores = sorted(scorecard.scores, key=lambda score: not score.is_ignored)
    last = max(0, (len(scores) - 1) // A_PAGE)
    page = min(max(page, 0), last)
    blocks = [section(_summary(scorecard)), divider()]
    if not scorecard.has_figures:
        return modal(TITLE, [*blocks, context(_LEGEND)])
    for score in scores[page * A_PAGE : (page + 1) * A_PAGE]:
        blocks += _score(score)
    if last:
        blocks += pager(TURN_SCORES, page, last, len(scores))
    return modal(TITLE, [*blocks, divider(), context(_LEGEND)])


def _summary(scorecard: Scorecard) -> str:
    if not scorecard.has_figures:
        return f"*No messages in the last {max(WINDOWS)} days.* Figures appear here once job changes are delivered."
    if not scorecard.has_judged:
        return f"*Too early to judge*: no rule has sent {LEAST_JUDGED} messages yet."
    ignored = len(scorecard.ignored)
    if not ignored:
        return f":white_check_mark: *No rule is mostly ignored*, of those with at least {LEAST_JUDGED} messages."
    are, their = ("is", "its") if ignored == 1 else ("are", "their")
    how_many = f"*{ignored} of {len(scorecard.scores)} {are} mostly ignored*"
    return f":warning: {how_many}: less than half of {their} messages were acted on."


def _score(score: RuleScore) -> list[Block]:
    number = f"{score.number}. " if score.number else ""
    flag = " · :warning: mostly ignored" if score.is_ignored else ""
    lines = [_line(days, score.figures[days]) for days in WINDOWS if score.figures[days].sent]
    text = "\n".join(lines) or f"No messages in the last {max(WINDOWS)} days."
    block = section(f"*{number}{escape(score.name, 80)}*{SCORE_STATES[score.state]}{flag}\n{text}")
    if not score.is_ignored:
        return [block]
    if score.state is RuleState.ON:
        return [block, *actions(button("Try a narrower condition…", NARROW, score.key))]
    return [block, context(advice(score))]


def _line(days: int, figures: RuleFigures) -> str:
    parts = [f"{figures.sent:,} sent", f"*{figures.acted_on:,} acted on* ({figures.acted_on / figures.sent:.0%})"]
    if figures.median_ms is not None:
        parts.append(f"median {time_span(figures.median_ms)}")
    if figures.not_mine:
        parts.append(f"{figures.not_mine:,} not mine")
    if figures.wrong_data:
        parts.append(f"{figures.wrong_data:,} wrong data")
    return f"{counted(days, 'day')}: {' · '.join(parts)}"
