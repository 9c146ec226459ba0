"""Who asked us to wait, and who keeps failing: one row a workspace and subject, seen by every replica."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, literal, select, update

from store.database import insert_missing
from store.schema import pauses, workspaces


@dataclass(frozen=True)
class Failing:
    """A subject that fails: how often in a row, and since when (milliseconds)."""

    failures: int
    since: int


_mine = (pauses.c.workspace_id == bindparam("of_workspace")) & (pauses.c.subject == bindparam("of_subject"))
_until = select(pauses.c.until).where(_mine, pauses.c.until > bindparam("now"))
_untils = select(pauses.c.workspace_id, pauses.c.subject, pauses.c.until).where(
    pauses.c.workspace_id.in_(bindparam("workspaces", expanding=True))
)
_prolong = (
    update(pauses)
    .where(_mine, pauses.c.until < bindparam("new_until"))
    .values(until=bindparam("new_until"), reason=bindparam("new_reason"))
)
_count = (
    update(pauses)
    .where(_mine)
    .values(failures=pauses.c.failures + 1, reason=bindparam("new_reason"))
    .returning(pauses.c.failures, pauses.c.since)
)
_recover = delete(pauses).where(_mine, pauses.c.failures > 0)
_recount = update(pauses).where(_mine, pauses.c.failures == 0).values(since=bindparam("now"))


def paused_until(connection: Connection, workspace_id: str, subject: str, now: int) -> int | None:
    """Until when nobody may call *subject*, in milliseconds; None: it may be called."""
    mine = {"of_workspace": workspace_id, "of_subject": subject, "now": now}
    until: int | None = connection.execute(_until, mine).scalar_one_or_none()
    return until


def paused_until_each(connection: Connection, asked: Sequence[tuple[str, str, int]]) -> list[int | None]:
    """The same for many at once, each a workspace, a subject and the time now; one answer each, in order."""
    rows = connection.execute(_untils, {"workspaces": list({workspace_id for workspace_id, _, _ in asked})})
    untils = {(workspace_id, subject): until for workspace_id, subject, until in rows}
    found = [(untils.get((workspace_id, subject), 0), now) for workspace_id, subject, now in asked]
    return [until if until > now else None for until, now in found]


def pause(connection: Connection, workspace_id: str, subject: str, until: int, now: int, reason: str) -> None:
    """Nobody calls *subject* before *until*; a longer pause stays as it is. An unknown workspace has none."""
    _ensure(connection, workspace_id, subject, now)
    mine = {"of_workspace": workspace_id, "of_subject": subject}
    connection.execute(_prolong, mine | {"new_until": until, "new_reason": reason})


def record_failure(connection: Connection, workspace_id: str, subject: str, now: int, reason: str) -> Failing:
    """Count a failure of *subject*; how long to pause for it is the caller's to decide."""
    _ensure(connection, workspace_id, subject, now)
    mine = {"of_workspace": workspace_id, "of_subject": subject}
    connection.execute(_recount, mine | {"now": now})
    row = connection.execute(_count, mine | {"new_reason": reason}).one_or_none()
    return Failing(row.failures, row.since) if row else Failing(1, now)


def record_success(connection: Connection, workspace_id: str, subject: str) -> bool:
    """It works again: its failures are over, a wait that was asked of us is not. True if it had failed."""
    mine = {"of_workspace": workspace_id, "of_subject": subject}
    return bool(connection.execute(_recover, mine).rowcount)


def failing_since(connection: Connection, workspace_id: str, before: int) -> dict[str, int]:
    """Which subjects fail, and have since before then, with the time of the first failure (milliseconds)."""
    mine = (pauses.c.workspace_id == workspace_id) & (pauses.c.failures > 0) & (pauses.c.since < before)
    rows = connection.execute(select(pauses.c.subject, pauses.c.since).where(mine).order_by(pauses.c.subject))
    return {row.subject: row.since for row in rows}


def clear(connection: Connection, workspace_id: str, subject: str) -> None:
    """Everything has changed: whatever was waited for is over, and its failures are forgotten."""
    mine = (pauses.c.workspace_id == workspace_id) & (pauses.c.subject == subject)
    connection.execute(delete(pauses).where(mine))


def prune(connection: Connection, before: int) -> int:
    """Forget waits that were over by *before*; how many."""
    return connection.execute(delete(pauses).where(pauses.c.until < before, pauses.c.failures == 0)).rowcount


def _ensure(connection: Connection, workspace_id: str, subject: str, now: int) -> None:
    row = select(workspaces.c.id, literal(subject), literal(0), literal(now)).where(workspaces.c.id == workspace_id)
    missing = insert_missing(connection, pauses, "workspace_id", "subject")
    connection.execute(missing.from_select(["workspace_id", "subject", "until", "since"], row))
