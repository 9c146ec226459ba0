"""What people did with the deliveries of a job change."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Select, Table, select

from domain.delivery import Handling, History, Report, Snooze
from domain.states import HandlingState
from store.schema import handlings, laters, wrong_data
from store.schema.lists import one_of


def _of_job_changes(table: Table, row: type[Handling | Snooze | Report]) -> Select[Any]:
    columns = (table.c[name] for name in row.__dataclass_fields__)
    return select(table.c.job_change_id, *columns).where(one_of(table.c.job_change_id, "ids"))


_handlings = (
    _of_job_changes(handlings, Handling)
    .where(handlings.c.state != HandlingState.OPEN)
    .order_by(handlings.c.at, handlings.c.delivery_id)
)
_snoozes = _of_job_changes(laters, Snooze)
_reports = _of_job_changes(wrong_data, Report).order_by(wrong_data.c.at)


def histories(connection: Connection, job_change_ids: Collection[str]) -> dict[str, History]:
    """Return a history for each of the job changes, by their ids."""
    ids = {"ids": sorted(set(job_change_ids))}
    handled = [(job_change_id, Handling(*row)) for job_change_id, *row in connection.execute(_handlings, ids)]
    snoozed = [(job_change_id, Snooze(*row)) for job_change_id, *row in connection.execute(_snoozes, ids)]
    reports = [(job_change_id, Report(*row)) for job_change_id, *row in connection.execute(_reports, ids)]
    return {
        wanted: History(
            tuple(row for job_change_id, row in handled if job_change_id == wanted),
            tuple(row for job_change_id, row in snoozed if job_change_id == wanted),
            tuple(row for job_change_id, row in reports if job_change_id == wanted),
        )
        for wanted in ids["ids"]
    }
