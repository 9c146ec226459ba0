"""What everybody who was told of a job change has done about it, for the messages that show it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Select, select

from domain.delivery import Handling, History, Report, Snooze
from domain.states import HandlingState
from store.schema import handlings, laters, wrong_data


def histories(connection: Connection, job_change_ids: Collection[str]) -> dict[str, History]:
    """By job change, for each that was asked for."""
    ids = set(job_change_ids)
    handled = [(each, Handling(*row)) for each, *row in connection.execute(_handled(ids))]
    later = [(each, Snooze(*row)) for each, *row in connection.execute(_later(ids))]
    reports = [(each, Report(*row)) for each, *row in connection.execute(_reports(ids))]
    return {
        wanted: History(
            tuple(row for each, row in handled if each == wanted),
            tuple(row for each, row in later if each == wanted),
            tuple(row for each, row in reports if each == wanted),
        )
        for wanted in ids
    }


def _handled(ids: set[str]) -> Select[Any]:
    columns = (handlings.c[name] for name in Handling.__dataclass_fields__)
    some = handlings.c.job_change_id.in_(ids) & (handlings.c.state != HandlingState.OPEN)
    return select(handlings.c.job_change_id, *columns).where(some).order_by(handlings.c.at)


def _later(ids: set[str]) -> Select[Any]:
    columns = (laters.c[name] for name in Snooze.__dataclass_fields__)
    return select(laters.c.job_change_id, *columns).where(laters.c.job_change_id.in_(ids))


def _reports(ids: set[str]) -> Select[Any]:
    some = wrong_data.c.job_change_id.in_(ids)
    said = select(wrong_data.c.job_change_id, wrong_data.c.actor, wrong_data.c.at, wrong_data.c.kind)
    return said.where(some).order_by(wrong_data.c.at)
