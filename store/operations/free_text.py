"""Texts and JSON that may name anyone: audit entries, reasons, errors, rules. For erasing a person from them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from sqlalchemy import Connection, Table, func, or_, select, update

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


def replace(
    connection: Connection, columns: Mapping[Table, tuple[str, ...]], texts: Collection[str], new: Callable[[str], str]
) -> int:
    """
    Replace the values that contain one of these texts (in lower case) with what `new` makes of them.

    Return how many were changed.
    """
    changed = 0
    for column in (table.c[name] for table, names in columns.items() for name in names):
        key_columns = tuple(column.table.primary_key)
        has_text = or_(*(func.lower(column).contains(text, autoescape=True) for text in texts))
        for value, *key in connection.execute(select(column, *key_columns).where(has_text)).all():
            if (replaced := new(value)) != value:
                is_row = [key_column == part for key_column, part in zip(key_columns, key, strict=True)]
                connection.execute(update(column.table).where(*is_row).values({column: replaced}))
                changed += 1
    return changed
