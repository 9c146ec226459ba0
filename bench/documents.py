"""The tables of figures in README.md and docs/performance.md, written from the results of the last run."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.kit.databases import POSTGRESQL, SQLITE

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
PERFORMANCE = ROOT / "docs/performance.md"
HEADLINES = (
    "accept: one per request",
    "accept: answered 202 but not stored",
    "drain: 500 job changes for 50 owners",
    "drain: delivered twice",
    "latency: 202 to Slack, without vendor time, p50",
    "scale: claim a batch, 1,000,000 waiting",
    "idle: memory",
    "import: CSV rows",
)
"""The rows that README.md shows."""

HEAD = "| what | SQLite | PostgreSQL | target |\n| --- | --- | --- | --- |\n"
_TABLE = re.compile(re.escape(HEAD) + r"(?:\|.*\n)*")

Results = Sequence[Mapping[str, Any]]
"""Rows in the form of results.json."""


def write_documents(results: Results) -> None:
    """Write every row into docs/performance.md and the headlines into README.md."""
    PERFORMANCE.write_text(with_figures(PERFORMANCE.read_text(), results))
    README.write_text(with_figures(README.read_text(), headlines(results)))


def headlines(results: Results) -> Results:
    return [row for name in HEADLINES for row in results if row["name"] == name]


def with_figures(text: str, results: Results) -> str:
    """The text with these results in its table. Raises ValueError unless it has exactly one table of figures."""
    rewritten, tables = _TABLE.subn(lambda _: table(results), text)
    if tables != 1:
        raise ValueError(f"expected one table of figures, found {tables}")
    return rewritten


def table(results: Results) -> str:
    """One line per figure and one column per database. A figure measured without a database is in both columns."""
    names = dict.fromkeys(row["name"] for row in results)
    return HEAD + "".join(_line(name, [row for row in results if row["name"] == name]) for name in names)


def _line(name: str, rows: Results) -> str:
    cells = {row["database"]: _cell(row) for row in rows}
    figures = (cells.get(kind) or cells.get("none", "") for kind in (SQLITE, POSTGRESQL))
    target = next((row["target"] for row in rows if row["target"]), "")
    return f"| {' | '.join((name, *figures, target))} |\n"


def _cell(row: Mapping[str, Any]) -> str:
    ratio = "" if row["ratio"] is None else f" ({figure(row['ratio'])} x baseline)"
    cell = f"{figure(row['value'])} {row['unit']}{ratio}"
    return cell if row["holds"] else f"{cell} **missed**"


def figure(number: float) -> str:
    """Rounded to three significant digits, or to a whole number from 100 on."""
    if abs(number) >= 100 or number == round(number):
        return f"{number:,.0f}"
    return f"{number:,.3g}"
