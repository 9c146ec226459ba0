"""What the demo prints. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text


@dataclass(frozen=True)
class Addresses:
    """Where the three are served, without a slash at the end."""

    app: str
    slack: str
    salesforce: str


@dataclass(frozen=True)
class Row:
    """How a sample ended. *permalink* None: there is no message."""

    about: str
    reason: str
    destination: str
    permalink: str | None
    is_expected: bool


def table(rows: Sequence[Row]) -> RenderableType:
    """A line for each, and its permalink below it, whole, so that it can be clicked or copied at any width."""
    head = _line(Text(), "Job change", "DRI or reason", "Destination", style="bold")
    parts: list[RenderableType] = [head, Rule(style="dim", characters="─")]
    for row in rows:
        mark = Text("✓", "green") if row.is_expected else Text("✗", "bold red")
        parts.append(_line(mark, row.about, row.reason, row.destination))
        if row.permalink:
            parts.append(Text(f"   {row.permalink}", style="dim", overflow="fold"))
    wrong = sum(not row.is_expected for row in rows)
    summary = Text(f"{wrong} of them not as expected.", "bold red") if wrong else Text("All as expected.", "green")
    return Group(*parts, Rule(style="dim", characters="─"), summary)


def _line(mark: Text, *cells: str, style: str = "") -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0), expand=True)
    grid.add_column(width=1)
    for ratio in (6, 8, 4):
        grid.add_column(ratio=ratio)
    grid.add_row(mark, *(Text(cell, style) for cell in cells))
    return grid


def closing(at: Addresses) -> str:
    return f"""
  {at.slack}/
      the sandbox's Slack: be Dana, Kim or Alma, read their messages,
      open the app's Home, type /usergems-status
  {at.app}/
      the app itself, as served to a browser

Ctrl-C ends the demo; nothing of it is kept."""
