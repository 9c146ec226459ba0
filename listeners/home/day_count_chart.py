"""The chart of the last thirty days, made of text so that it is readable in light and dark mode. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby

from domain.day_counts import DAY_MS, FAILED, MUTED, SENT_TO_CHANNEL, SENT_TO_DRI, DayCount
from listeners.dialogs.blocks import Block

_THURSDAY = 3  # the weekday of the first day of the epoch, where Monday is 0

LONGEST_BAR = 22
"""The length in characters. With the labels on both sides, a line fits the screen of a phone."""

_BARS = {SENT_TO_DRI: "█", SENT_TO_CHANNEL: "▒", FAILED: "x"}
_LEGEND = "█ to the DRI  ▒ to a channel  x failed"


def chart(days: Sequence[DayCount]) -> Block:
    """
    A bar for each week, all to one scale: what was sent to the DRI, what was sent to a channel, and what failed.

    https://docs.slack.dev/reference/block-kit/blocks/rich-text-block
    """
    # A week is from Monday to Sunday. The first and the last may be shorter.
    weeks = [list(week) for _, week in groupby(days, key=lambda day: (day.number + _THURSDAY) // 7)]
    # At least the longest bar, so that a single job change is not a full bar.
    largest = max(LONGEST_BAR, *map(_total_of_week, weeks)) if weeks else LONGEST_BAR
    lines = []
    for week in weeks:
        first_day = datetime.fromtimestamp(week[0].number * DAY_MS / 1_000, UTC)
        date = f"{first_day.day} {first_day:%b}"
        lines.append(f"{date:>6} {_bar(week, largest):<{LONGEST_BAR}} {_total_of_week(week):>6,}")
    text = {"type": "text", "text": "\n".join([*lines, "", _LEGEND])}
    return {"type": "rich_text", "elements": [{"type": "rich_text_preformatted", "elements": [text]}]}


def summary(days: Sequence[DayCount]) -> str:
    """The chart in words, for screen readers, with the share of job changes for which a DRI was found."""
    dri, channel, failed, muted = (_total(days, name) for name in (SENT_TO_DRI, SENT_TO_CHANNEL, FAILED, MUTED))
    if not dri + channel + failed + muted:
        return "No job changes in the last 30 days."
    skipped = f", {muted:,} skipped by a rule" if muted else ""
    share = f" A DRI was found for {dri / (dri + channel):.0%} of delivered job changes." if dri + channel else ""
    return f"{dri:,} sent to the DRI, {channel:,} to a channel, {failed:,} failed{skipped}.{share}"


def _total(days: Sequence[DayCount], outcome: str) -> int:
    return sum(day.ended[outcome] for day in days)


def _total_of_week(week: Sequence[DayCount]) -> int:
    return sum(_total(week, outcome) for outcome in _BARS)


def _bar(week: Sequence[DayCount], largest: int) -> str:
    """The bar of a week, in proportion to the largest week. Any count above zero gets at least one character."""
    counts = {character: _total(week, outcome) for outcome, character in _BARS.items()}
    widths = {character: max(1, round(count / largest * LONGEST_BAR)) for character, count in counts.items() if count}
    while sum(widths.values()) > LONGEST_BAR:  # small counts were widened, so the widest part shrinks
        widths[max(widths, key=lambda character: widths[character])] -= 1
    return "".join(character * widths.get(character, 0) for character in counts)
