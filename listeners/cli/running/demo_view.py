"""What the demo prints. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text


@dataclass(frozen=True)
class Urls:
    """Base URLs of the three servers, without a trailing slash."""

    app: str
    slack: str
    salesforce: str


@dataclass(frozen=True)
class Row:
    """The outcome of one sample. `destination` and `permalink` are None when no message was sent."""

    summary: str
    reason: str
    destination: str | None
    permalink: str | None
    is_expected: bool


def results_table(rows: Sequence[Row]) -> RenderableType:
    """A line per row; its permalink follows on a line of its own, so that it can be clicked at any width."""
    rule = Rule(style="dim", characters="─")
    parts: list[RenderableType] = [_line(Text(), "Job change", "Why", "Sent to", style="bold"), rule]
    for row in rows:
        mark = Text("✓", "green") if row.is_expected else Text("✗", "bold red")
        parts.append(_line(mark, row.summary, row.reason, row.destination or "-"))
        if row.permalink:
            parts.append(Text(f"   {row.permalink}", style="dim", overflow="fold"))
    unexpected = sum(not row.is_expected for row in rows)
    if unexpected:
        summary = Text(f"{unexpected} of {len(rows)} did not go as expected.", "bold red")
    else:
        summary = Text("All went as expected.", "green")
    return Group(*parts, rule, summary)


def _line(mark: Text, *cells: str, style: str = "") -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0), expand=True)
    grid.add_column(width=1)
    for ratio in (6, 8, 4):
        grid.add_column(ratio=ratio)
    grid.add_row(mark, *(Text(cell, style) for cell in cells))
    return grid


def closing(urls: Urls) -> str:
    return f"""
  {urls.slack}/
      The Slack sandbox. Sign in as Dana, Kim or Alma, read their messages,
      open the app's Home, or type /usergems-status.
  {urls.app}/
      The app itself.

Press Ctrl-C to stop the demo. No data is kept."""
