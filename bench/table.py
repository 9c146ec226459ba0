"""Results of a benchmark: rows with a value, a baseline and a target, how they are printed, and how they are stored."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.documents import figure


@dataclass(frozen=True)
class Target:
    """A limit for the value or, with `of_baseline`, for its ratio to the baseline."""

    limit: float
    is_most: bool
    of_baseline: bool = False

    def __str__(self) -> str:
        return f"{'at most' if self.is_most else 'at least'} {self.limit:g}{' x baseline' if self.of_baseline else ''}"


def at_most(limit: float) -> Target:
    return Target(limit, is_most=True)


def at_least(limit: float) -> Target:
    return Target(limit, is_most=False)


def at_most_of_baseline(limit: float) -> Target:
    return Target(limit, is_most=True, of_baseline=True)


def at_least_of_baseline(limit: float) -> Target:
    return Target(limit, is_most=False, of_baseline=True)


@dataclass(frozen=True)
class Row:
    """
    One figure.

    `baseline` is the same figure, measured with everything left out that can be. A row without a target is for
    information only.
    """

    name: str
    database: str
    value: float
    unit: str
    baseline: float | None = None
    target: Target | None = None

    @property
    def ratio(self) -> float | None:
        return self.value / self.baseline if self.baseline else None

    @property
    def holds(self) -> bool:
        if self.target is None:
            return True
        measured = self.ratio if self.target.of_baseline else self.value
        if measured is None:
            return False
        return measured <= self.target.limit if self.target.is_most else measured >= self.target.limit

    def as_json(self) -> dict[str, object]:
        return {
            "name": self.name,
            "database": self.database,
            "value": round(self.value, 4),
            "unit": self.unit,
            "baseline": None if self.baseline is None else round(self.baseline, 4),
            "ratio": None if self.ratio is None else round(self.ratio, 4),
            "target": None if self.target is None else str(self.target),
            "holds": self.holds,
        }


def show(rows: Sequence[Row]) -> None:
    table = Table("what", "database", "value", "unit", "baseline", "x baseline", "target", "met")
    for column in (2, 4, 5):
        table.columns[column].justify = "right"
    for row in rows:
        target = "" if row.target is None else str(row.target)
        verdict = "" if row.target is None else "yes" if row.holds else "[bold red]NO"
        numbers = (row.value, row.baseline, row.ratio)
        value, baseline, ratio = ["" if number is None else figure(number) for number in numbers]
        table.add_row(row.name, row.database, value, row.unit, baseline, ratio, target, verdict)
    Console(width=None if Console().is_terminal else 140).print(table)


def store(rows: Sequence[Row], path: Path, ran: Collection[tuple[str, str]], order: Sequence[str]) -> None:
    """
    Write the rows to `path`, in this order of benchmarks.

    `ran` has the benchmarks that ran, each with its database. The rows of others stay unchanged.
    """
    new = {(row.name, row.database): row.as_json() for row in rows}
    old = {
        key: row
        for row in load(path)
        if (key := (row["name"], row["database"])) in new or (_benchmark(row), row["database"]) not in ran
    }
    in_order = sorted((old | new).values(), key=lambda row: order.index(_benchmark(row)))
    path.write_text(json.dumps(in_order, indent=2) + "\n")


def _benchmark(row: dict[str, Any]) -> str:
    name: str = row["name"]
    return name.partition(":")[0]


def load(path: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(path.read_text()) if path.exists() else []
    return rows
