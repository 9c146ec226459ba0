"""The table of figures in README, as the last run measured them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from bench.kit.databases import POSTGRESQL, SQLITE

HEAD = "| what | SQLite | PostgreSQL | to reach |\n| --- | --- | --- | --- |\n"
_TABLE = re.compile(re.escape(HEAD) + r"(?:\|.*\n)*")

Rows = Sequence[Mapping[str, Any]]
"""As results.json has them."""


def rewritten(readme: str, rows: Rows) -> str:
    """The same text with these figures in its table. Raises ValueError when it has none."""
    text, tables = _TABLE.subn(lambda _: table(rows), readme)
    if tables != 1:
        raise ValueError("README has no table of figures, or several")
    return text


def table(rows: Rows) -> str:
    """A line a figure, a column a database; what was measured without one stands in both."""
    names = dict.fromkeys(row["name"] for row in rows)
    return HEAD + "".join(_line(name, [row for row in rows if row["name"] == name]) for name in names)


def _line(name: str, rows: Rows) -> str:
    told = {row["database"]: _told(row) for row in rows}
    figures = (told.get(kind) or told.get("none", "") for kind in (SQLITE, POSTGRESQL))
    target = next((row["target"] for row in rows if row["target"]), "")
    return f"| {' | '.join((name, *figures, target))} |\n"


def _told(row: Mapping[str, Any]) -> str:
    beside = "" if row["ratio"] is None else f" ({figure(row['ratio'])} x floor)"
    told = f"{figure(row['value'])} {row['unit']}{beside}"
    return told if row["holds"] else f"{told} **missed**"


def figure(number: float) -> str:
    """To three places that say something."""
    if abs(number) >= 100 or number == round(number):
        return f"{number:,.0f}"
    return f"{number:,.3g}"
