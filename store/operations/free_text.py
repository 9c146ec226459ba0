"""Texts and JSON that may name anyone: audit entries, reasons, errors, rules. For erasing a person from them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Column, Connection, Table, func, or_, select, update

from store.schema import (
    audit,
    deliveries,
    job_changes,
    mappings,
    ownership_accounts,
    ownership_drafts,
    ownership_pools,
    ownership_rules,
    ownership_unmatched,
    pauses,
    salesforce_connections,
    salesforce_sources,
    senders,
    trace,
    workspaces,
    wrong_data,
)

TEXTS: Mapping[Table, tuple[str, ...]] = {
    audit: ("detail",),
    job_changes: ("reason", "last_error"),
    deliveries: ("reason", "last_error"),
    trace: ("detail",),
    wrong_data: ("words",),
    ownership_rules: ("note",),
    ownership_accounts: ("member",),
    ownership_unmatched: ("name", "problem", "why"),
    senders: ("refusal", "test"),
    salesforce_connections: ("user_name", "problem"),
    salesforce_sources: ("refusal", "problem"),
    workspaces: ("default_channel_problem",),
    pauses: ("reason",),
}
JSON: Mapping[Table, tuple[str, ...]] = {
    deliveries: ("reasons",),
    ownership_rules: ("rules",),
    ownership_drafts: ("rules",),
    ownership_pools: ("state",),
    mappings: ("definition",),
    salesforce_sources: ("definition",),
    ownership_unmatched: ("reasons",),
}


NAMES: Mapping[Table, tuple[str, ...]] = {senders: ("refusal", "test")}
"""Where people are named without their address."""


@dataclass(frozen=True)
class TextMatch:
    """A value that contains one of the texts, with the key of its row."""

    column: Column[str]
    key: tuple[object, ...]
    value: str = field(repr=False)


def replace(
    connection: Connection, columns: Mapping[Table, tuple[str, ...]], texts: Collection[str], new: Callable[[str], str]
) -> int:
    """
    Replace the values that contain one of these texts (in lower case) with what `new` makes of them.

    Return how many were changed.
    """
    changed = 0
    for match in _containing(connection, columns, texts):
        if (value := new(match.value)) != match.value:
            table = match.column.table
            is_row = [column == part for column, part in zip(table.primary_key, match.key, strict=True)]
            connection.execute(update(table).where(*is_row).values({match.column: value}))
            changed += 1
    return changed


def _containing(
    connection: Connection, columns: Mapping[Table, tuple[str, ...]], texts: Collection[str]
) -> Iterator[TextMatch]:
    for table, names in columns.items():
        for column in (table.c[name] for name in names):
            has_text = or_(*(func.lower(column).contains(text, autoescape=True) for text in texts))
            for value, *key in connection.execute(select(column, *table.primary_key).where(has_text)).all():
                yield TextMatch(column, tuple(key), value)
