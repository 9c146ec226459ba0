"""What a benchmark answers: rows with a value, its floor and its target; how they are shown and kept."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.documents import figure


@dataclass(frozen=True)
class Target:
    """A limit for the value, or with *of_floor* for how many times its floor it is."""

    limit: float
    is_most: bool
    of_floor: bool = False

    def __str__(self) -> str:
        return f"{'at most' if self.is_most else 'at least'} {self.limit:g}{' x floor' if self.of_floor else ''}"


def most(limit: float) -> Target:
    return Target(limit, is_most=True)


def most_of_floor(limit: float) -> Target:
    return Target(limit, is_most=True, of_floor=True)


def least_of_floor(limit: float) -> Target:
    return Target(limit, is_most=False, of_floor=True)


@dataclass(frozen=True)
class Row:
    """One figure. *floor*: the same measured where nothing could be left out any more. No target: for information."""

    name: str
    database: str
    value: float
    unit: str
    floor: float | None = None
    target: Target | None = None

    @property
    def ratio(self) -> float | None:
        return self.value / self.floor if self.floor else None

    @property
    def holds(self) -> bool:
        if self.target is None:
            return True
        measured = self.ratio if self.target.of_floor else self.value
        if measured is None:
            return False
        return measured <= self.target.limit if self.target.is_most else measured >= self.target.limit

    def as_json(self) -> dict[str, object]:
        return {
            "name": self.name,
            "database": self.database,
            "value": round(self.value, 4),
            "unit": self.unit,
            "floor": None if self.floor is None else round(self.floor, 4),
            "ratio": None if self.ratio is None else round(self.ratio, 4),
            "target": None if self.target is None else str(self.target),
            "holds": self.holds,
        }


def show(rows: Sequence[Row]) -> None:
    table = Table("what", "database", "value", "unit", "floor", "x floor", "target", "holds")
    for column in (2, 4, 5):
        table.columns[column].justify = "right"
    for row in rows:
        told = "" if row.target is None else str(row.target)
        verdict = "" if row.target is None else "yes" if row.holds else "[bold red]NO"
        figures = ["" if number is None else figure(number) for number in (row.value, row.floor, row.ratio)]
        table.add_row(row.name, row.database, figures[0], row.unit, figures[1], figures[2], told, verdict)
    Console(width=None if Console().is_terminal else 140).print(table)


def keep(rows: Sequence[Row], path: Path, *, among_others: bool) -> None:
    """Write them down. *among_others*: what was not measured this time stays as it was."""
    new = {(row.name, row.database): row.as_json() for row in rows}
    old = {(row["name"], row["database"]): row for row in kept(path)} if among_others else {}
    path.write_text(json.dumps(list((old | new).values()), indent=2) + "\n")


def kept(path: Path) -> list[dict[str, Any]]:
    """What was written down."""
    rows: list[dict[str, Any]] = json.loads(path.read_text()) if path.exists() else []
    return rows
