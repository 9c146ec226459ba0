"""What those who look after the app are told of it: one direct message each, which follows what happens after."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, and_, delete, exists, func, insert, select, update

from domain.notices import NOT_ME, NUDGE, WELCOME, Notice, SetupSteps
from store.schema import audit, job_changes, lanes, notices, ownership_rules, salesforce_connections

DAY_MS = 24 * 60 * 60 * 1_000
MOST_RECENT_ADMINS = 5
MOST_CHANGES = 5_000
"""Who looks after the app is told by so many of the latest changes."""


def add_welcome(connection: Connection, workspace_id: str, user_id: str, now: int, *, anew: bool) -> None:
    """*user_id* has just added the app; *anew*: it was not there (any more), so that all of it begins again."""
    of_first_steps = (notices.c.workspace_id == workspace_id) & notices.c.kind.in_((WELCOME, NUDGE))
    if anew:
        connection.execute(delete(notices).where(of_first_steps))
    elif connection.execute(select(notices.c.id).where(of_first_steps, notices.c.user_id == user_id)).first():
        return
    add(connection, workspace_id, WELCOME, [user_id], now)
    add(connection, workspace_id, NUDGE, [user_id], now, due_at=now + DAY_MS)


def add(
    connection: Connection, workspace_id: str, kind: str, user_ids: list[str], now: int, due_at: int | None = None
) -> None:
    """
    These people are to be told, now or at *due_at*; whose earlier message still follows what happens has it brought
    up to date instead, but for NOT_ME: each is about somebody else. Whoever calls it has locked the workspace.
    """
    mine = and_(notices.c.workspace_id == workspace_id, notices.c.kind == kind, notices.c.due_at.is_not(None))
    following = set(connection.execute(select(notices.c.user_id).where(mine)).scalars())
    rows = [
        {
            "id": str(uuid4()),
            "workspace_id": workspace_id,
            "kind": kind,
            "user_id": user_id,
            "made_at": now,
            "due_at": now if due_at is None else due_at,
        }
        for user_id in user_ids
        if user_id not in following or kind == NOT_ME
    ]
    if rows:
        connection.execute(insert(notices), rows)
    refresh(connection, workspace_id, now)


def refresh(connection: Connection, workspace_id: str, now: int) -> None:
    """Something of this workspace has changed that a message may tell of. Those that somebody has in hand go on."""
    followed = and_(notices.c.workspace_id == workspace_id, notices.c.due_at > now, notices.c.lease.is_(None))
    connection.execute(update(notices).where(followed, notices.c.ts.is_not(None)).values(due_at=now))


def claim(connection: Connection, now: int, lease_ms: int, workspace_id: str | None = None) -> Notice | None:
    """The longest due, of this workspace or of any; None: none is due."""
    due = select(notices).where(notices.c.due_at <= now).order_by(notices.c.due_at, notices.c.id).limit(1)
    if workspace_id is not None:
        due = due.where(notices.c.workspace_id == workspace_id)
    row = connection.execute(due.with_for_update(skip_locked=True)).one_or_none()
    if row is None:
        return None
    lease = uuid4().hex
    mine = update(notices).where(notices.c.id == row.id)
    connection.execute(mine.values(lease=lease, due_at=now + lease_ms))
    values = {name: row._mapping[name] for name in Notice.__dataclass_fields__}  # noqa: SLF001 - its documented API
    return Notice(**values | {"lease": lease})


def begin(connection: Connection, notice: Notice, now: int) -> bool:
    """Write down that it is about to be sent; False: it is not ours any more."""
    ours = (notices.c.id == notice.id) & (notices.c.lease == notice.lease)
    return bool(connection.execute(update(notices).where(ours).values(begun_at=now)).rowcount)


def settle(connection: Connection, /, notice: Notice, due_at: int | None, **values: Any) -> None:
    """It is looked at again at *due_at*; None: never, it stays as it is."""
    ours = (notices.c.id == notice.id) & (notices.c.lease == notice.lease)
    connection.execute(update(notices).where(ours).values(lease=None, due_at=due_at, **values))


def drop(connection: Connection, notice: Notice) -> None:
    """There is nothing to tell (any more), and nothing was told."""
    connection.execute(delete(notices).where(notices.c.id == notice.id, notices.c.lease == notice.lease))


def setup_steps(connection: Connection, workspace_id: str, tests: str) -> SetupSteps:
    """What is done beside choosing a channel, of which the workspace itself tells. *tests*: the source of test data."""
    sent = (job_changes.c.workspace_id == workspace_id) & (job_changes.c.source != tests)
    # The operator's credentials may be for a browser's flow only: then they fail at once, and an admin connects.
    salesforce = salesforce_connections.c
    works = salesforce.problem.is_(None) | salesforce.last_success_at.is_not(None)
    connected = (salesforce.workspace_id == workspace_id) & works
    published = ownership_rules.c.workspace_id == workspace_id
    row = connection.execute(select(exists().where(connected), exists().where(sent), exists().where(published))).one()
    return SetupSteps(*(bool(each) for each in row))


def recent_admins(connection: Connection, workspace_id: str) -> list[str]:
    """Slack users who changed something about the app lately, the latest first; whether they still may is not said."""
    lately = select(audit.c.id, audit.c.actor).where(audit.c.workspace_id == workspace_id)
    changes = lately.order_by(audit.c.id.desc()).limit(MOST_CHANGES).subquery()
    people = (
        select(changes.c.actor)
        .where(changes.c.actor.like("U%") | changes.c.actor.like("W%"))
        .group_by(changes.c.actor)
        .order_by(func.max(changes.c.id).desc())
        .limit(MOST_RECENT_ADMINS)
    )
    return list(connection.execute(people).scalars())


def known_dm(connection: Connection, workspace_id: str, user_id: str) -> str | None:
    """The id of our direct message with this person, once Slack has told it."""
    theirs = (lanes.c.workspace_id == workspace_id) & (lanes.c.destination == user_id)
    return connection.execute(select(lanes.c.dm).where(theirs)).scalar_one_or_none()
