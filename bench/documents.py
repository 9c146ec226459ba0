"""The tables of figures in README.md and docs/performance.md, written from the results of the last run."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
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
HEAD_WITHOUT_TARGETS = "| what | SQLite | PostgreSQL |\n| --- | --- | --- |\n"

Results = Sequence[Mapping[str, Any]]
"""Rows in the form of results.json."""


def write_documents(results: Results) -> None:
    """Write every row into docs/performance.md and the headlines into README.md."""
    PERFORMANCE.write_text(with_figures(PERFORMANCE.read_text(), HEAD, table(results)))
    README.write_text(with_figures(README.read_text(), HEAD_WITHOUT_TARGETS, headlines(results)))


def with_figures(text: str, head: str, figures: str) -> str:
    """The text with another table below this head. Raises ValueError unless it has exactly one such table."""
    rewritten, tables = re.subn(re.escape(head) + r"(?:\|.*\n)*", lambda _: figures, text)
    if tables != 1:
        raise ValueError(f"expected one table of figures, found {tables}")
    return rewritten


def headlines(results: Results) -> str:
    """The table of the HEADLINES, without baselines and targets."""
    rows = ((name, *_by_database(results, name, _value)) for name in HEADLINES)
    return HEAD_WITHOUT_TARGETS + _lines(rows)


def table(results: Results) -> str:
    """The table of all figures. A missed target is marked."""
    names = dict.fromkeys(row["name"] for row in results)
    targets = {row["name"]: row["target"] for row in results if row["target"]}
    return HEAD + _lines((name, *_by_database(results, name, _cell), targets.get(name, "")) for name in names)


def _lines(rows: Iterable[Sequence[str]]) -> str:
    return "".join(f"| {' | '.join(cells)} |\n" for cells in rows)


def _by_database(results: Results, name: str, cell: Callable[[Mapping[str, Any]], str]) -> list[str]:
    """The cells of SQLite and PostgreSQL. A figure measured without a database is in both."""
    cells = {row["database"]: cell(row) for row in results if row["name"] == name}
    return [cells.get(database) or cells.get("none", "") for database in (SQLITE, POSTGRESQL)]


def _cell(row: Mapping[str, Any]) -> str:
    ratio = "" if row["ratio"] is None else f" ({figure(row['ratio'])} x baseline)"
    return f"{_value(row)}{ratio}{'' if row['holds'] else ' **missed**'}"


def _value(row: Mapping[str, Any]) -> str:
    return f"{figure(row['value'])} {row['unit']}"


def figure(number: float) -> str:
    """Rounded to three significant digits, or to a whole number from 100 on."""
    if abs(number) >= 100 or number == round(number):
        return f"{number:,.0f}"
    return f"{number:,.3g}"
