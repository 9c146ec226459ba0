"""Moves leases and schedules along when a process corrects its clock."""

from __future__ import annotations

from sqlalchemy import Column, ColumnElement, Connection, Update, true, update

from store.schema import job_changes, lanes, metadata, pauses, salesforce_sources, turns, webhooks

LONGEST_LEASE_MS = 60_000
LONGEST_RETRY_MS = 60 * 60_000
"""What a process schedules, apart from notification hours, is due within this time."""

_DUE_AT: list[Column[int]] = [
    table.c.due_at for table in metadata.sorted_tables if {"due_at", "lease"} <= set(table.c.keys())
]
"""The columns that are schedule and lease in one."""

_SCHEDULED: list[tuple[Column[int], ColumnElement[bool]]] = [
    *((due_at, due_at.table.c.lease.is_(None)) for due_at in _DUE_AT),
    (lanes.c.paced_until, true()),
    (webhooks.c.paused_until, true()),
    (job_changes.c.due_at, true()),
    (salesforce_sources.c.due_at, true()),
    (pauses.c.until, true()),
]


def follow(connection: Connection, before: int, step: int) -> None:
    """
    Move what was leased and scheduled by a clock that showed `before` and is corrected by `step` milliseconds.

    Leases keep their duration, so that no process takes over work that is in progress. After a step back, what was due
    already stays due, and retries and pauses keep their duration, instead of being hours late. That moves a few rows of
    other processes, too: what notification hours hold back waits again when it is claimed, and a retry is early once.
    """
    for until in (turns.c.lease_until, *_DUE_AT):
        is_held = until.table.c.lease.is_not(None) & (until > before) & (until <= before + LONGEST_LEASE_MS)
        connection.execute(_move(until, step).where(is_held))
    if step > 0:
        return
    for until, is_free in _SCHEDULED:
        is_ahead = is_free & (until > before + step) & (until <= before + LONGEST_RETRY_MS)
        connection.execute(_move(until, step).where(is_ahead))


def _move(until: Column[int], step: int) -> Update:
    return update(until.table).values({until.name: until + step})
