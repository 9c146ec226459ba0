"""Counts what became of the messages of each rule. Tests and copies have no rule, so they are not counted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from statistics import median

from sqlalchemy import ColumnElement, Connection, bindparam, func, select

from domain.day_counts import DAY_MS
from domain.rule_versions import MOST_TIMED, WINDOWS, RuleFigures
from store.schema import rule_results

_sent = rule_results.c.sent_at
_in_window = (rule_results.c.workspace_id == bindparam("of_workspace"), _sent >= bindparam(f"since_{max(WINDOWS)}"))


def _counted(days: int) -> Iterator[ColumnElement[int]]:
    is_recent = _sent >= bindparam(f"since_{days}")
    yield func.count().filter(is_recent)
    yield func.count(rule_results.c.acted_at).filter(is_recent)
    yield func.coalesce(func.sum(rule_results.c.not_mine).filter(is_recent), 0)
    yield func.coalesce(func.sum(rule_results.c.wrong_data).filter(is_recent), 0)


_counts = (
    select(rule_results.c.rule, *(column for days in WINDOWS for column in _counted(days)))
    .where(*_in_window)
    .group_by(rule_results.c.rule)
)
_acted = (
    select(rule_results.c.rule, _sent, rule_results.c.acted_at)
    .where(*_in_window, rule_results.c.acted_at.is_not(None))
    .order_by(_sent.desc())
    .limit(MOST_TIMED)
)


def figures(connection: Connection, workspace_id: str, now: int) -> dict[str, dict[int, RuleFigures]]:
    """Return the figures by the keys of the rules and by WINDOWS. An index answers both statements."""
    key = {"of_workspace": workspace_id} | {f"since_{days}": now - days * DAY_MS for days in WINDOWS}
    times = defaultdict[tuple[str, int], list[int]](list)
    for rule, sent_at, acted_at in connection.execute(_acted, key):
        for days in WINDOWS:
            if sent_at >= key[f"since_{days}"]:
                times[rule, days].append(acted_at - sent_at)
    counted = defaultdict[str, dict[int, RuleFigures]](dict)
    for rule, *numbers in connection.execute(_counts, key):
        for place, days in enumerate(WINDOWS):
            sent, acted_on, not_mine, wrong_data = numbers[4 * place : 4 * place + 4]
            typical = round(median(times[rule, days])) if times[rule, days] else None
            counted[rule][days] = RuleFigures(sent, acted_on, not_mine, wrong_data, typical)
    return counted
