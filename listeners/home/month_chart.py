"""The last thirty days as a picture made of text: it reads in light and in dark mode, and needs no address. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby

from domain.day_counts import DAY_MS, FAILED, MUTED, SENT_TO_CHANNEL, SENT_TO_DRI, DayCount
from listeners.dialogs.blocks import Block

_THURSDAY = 3  # the first day of the epoch, counted from Monday

WIDE = 22
"""Cells of the longest bar; with what stands beside it a line fits a phone."""

_CELLS = {SENT_TO_DRI: "█", SENT_TO_CHANNEL: "▒", FAILED: "x"}
_LEGEND = "█ to the DRI  ▒ to a channel  x buried"


def picture(month: Sequence[DayCount]) -> Block:
    """
    A bar a week, all to one scale: how many were told to their DRI, to a channel, and to nobody.

    https://docs.slack.dev/reference/block-kit/blocks/rich-text-block
    """
    weeks = _weeks(month)
    longest = max((_sum(week) for week in weeks), default=0)
    lines = [f"{_date(week[0]):>6} {_bar(week, longest):<{WIDE}} {_sum(week):>6,}" for week in weeks]
    text = {"type": "text", "text": "\n".join([*lines, "", _LEGEND])}
    return {"type": "rich_text", "elements": [{"type": "rich_text_preformatted", "elements": [text]}]}


def summary(month: Sequence[DayCount]) -> str:
    """The same in words: what a screen reader says, and the share that found its DRI."""
    dri, channel, buried, muted = (total(month, name) for name in (SENT_TO_DRI, SENT_TO_CHANNEL, FAILED, MUTED))
    if not dri + channel + buried + muted:
        return "No job change has been told in these 30 days yet."
    found = f" A DRI was found for {dri / (dri + channel):.0%} of those told." if dri + channel else ""
    quiet = f", {muted:,} told to nobody by a rule" if muted else ""
    return f"{dri:,} told to their DRI, {channel:,} to a channel, {buried:,} buried{quiet}.{found}"


def total(month: Sequence[DayCount], name: str) -> int:
    """How many ended like this in all."""
    return sum(day.ended[name] for day in month)


def _weeks(month: Sequence[DayCount]) -> list[list[DayCount]]:
    """From Monday to Sunday; the first and the last may be shorter."""
    return [list(days) for _, days in groupby(month, key=lambda day: (day.number + _THURSDAY) // 7)]


def _sum(week: Sequence[DayCount]) -> int:
    return sum(total(week, name) for name in _CELLS)


def _bar(week: Sequence[DayCount], longest: int) -> str:
    """As long as its share of the longest; what is not nothing has a cell."""
    counts = {cell: total(week, name) for name, cell in _CELLS.items()}
    cells = {cell: max(1, round(count / longest * WIDE)) for cell, count in counts.items() if count}
    while sum(cells.values()) > WIDE:  # what is small was made larger: the largest gives way
        cells[max(cells, key=lambda cell: cells[cell])] -= 1
    return "".join(cell * cells.get(cell, 0) for cell in counts)


def _date(day: DayCount) -> str:
    date = datetime.fromtimestamp(day.number * DAY_MS / 1_000, UTC)
    return f"{date.day} {date:%b}"
