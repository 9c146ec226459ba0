"""Which Slack user an e-mail address is, as far as we have asked, and for how long that is believed."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import Connection, bindparam, delete, func, select, update

from domain.people import Member
from store.database import insert_missing
from store.schema import members

BELIEVED_MS = 24 * 60 * 60 * 1000
REFUSED_MS = 15 * 60 * 1000
"""A missing or refused person is looked up again sooner: they may have joined meanwhile."""


_known = select(members.c.email, members.c.user_id, members.c.problem).where(
    members.c.workspace_id == bindparam("of_workspace"),
    members.c.email.in_(bindparam("emails", expanding=True)),
    members.c.expires_at > bindparam("now"),
)
_correct = (
    update(members)
    .where(members.c.workspace_id == bindparam("of_workspace"), members.c.email == bindparam("of_email"))
    .values(checked_at=bindparam("checked"))
)
_asked = select(func.count(), func.min(members.c.checked_at)).where(
    members.c.workspace_id == bindparam("of_workspace"), members.c.checked_at > bindparam("since")
)


def cached(connection: Connection, workspace_id: str, emails: Collection[str], now: int) -> dict[str, Member]:
    """Those of *emails* (lower case) that are known and still believed."""
    rows = connection.execute(_known, {"of_workspace": workspace_id, "emails": list(emails), "now": now})
    return {email: Member(user_id, problem) for email, user_id, problem in rows}


def cache(
    connection: Connection, workspace_id: str, found: Mapping[str, Member], now: int, *, one_by_one: bool = True
) -> None:
    """Store Slack's answers for these lower-case addresses. `one_by_one` counts each as a call in `lookups_since`."""
    if not found:
        return
    checked_at = now if one_by_one else 0
    rows = [
        {"of_workspace": workspace_id, "of_email": email, "checked": checked_at, **_values(found[email], now)}
        for email in sorted(found)  # in order, so that two who write the same ones do not wait for each other
    ]
    connection.execute(
        insert_missing(connection, members, "workspace_id", "email").values(
            workspace_id=bindparam("of_workspace"), email=bindparam("of_email"), checked_at=bindparam("checked")
        ),
        rows,
    )
    connection.execute(_correct, rows)


def lookups_since(connection: Connection, workspace_id: str, since: int) -> tuple[int, int]:
    """How many addresses Slack was asked about after that moment, and when the first of them was (0: none)."""
    count, first = connection.execute(_asked, {"of_workspace": workspace_id, "since": since}).one()
    return count, first or 0


def refresh(connection: Connection, workspace_id: str, email: str | None, member: Member, now: int) -> None:
    """
    Slack told of a change to this user: correct what is remembered of them, and of nobody else.

    People who were never asked about are not stored. *email* (lower case) None: Slack did not say it.
    """
    theirs = (members.c.workspace_id == workspace_id) & (members.c.user_id == member.user_id)
    if email is not None:
        connection.execute(delete(members).where(theirs, members.c.email != email))
        same = (members.c.workspace_id == workspace_id) & (members.c.email == email)
        # An account that was closed does not take the address from the one that has it now.
        theirs = same if member.problem is None else theirs
    connection.execute(update(members).where(theirs).values(_values(member, now)))


def emails_of(connection: Connection, workspace_id: str, user_id: str) -> list[str]:
    """The e-mail addresses of owners who are this Slack user, as far as anybody asked lately."""
    mine = (members.c.workspace_id == workspace_id) & (members.c.user_id == user_id) & members.c.problem.is_(None)
    found = select(members.c.email).where(mine, members.c.email.contains("@")).order_by(members.c.email)
    return list(connection.execute(found).scalars())


def emails_by_user(connection: Connection, workspace_id: str, user_ids: Collection[str]) -> dict[str, str]:
    """An e-mail address of each of these Slack users that anybody asked about lately."""
    theirs = (members.c.workspace_id == workspace_id) & members.c.user_id.in_(user_ids) & members.c.email.contains("@")
    found = select(members.c.user_id, members.c.email).where(theirs).order_by(members.c.email.desc())
    return {row.user_id: row.email for row in connection.execute(found)}


def prune(connection: Connection, before: int) -> int:
    """Forget what has not been believed since that moment; how many."""
    return connection.execute(delete(members).where(members.c.expires_at < before)).rowcount


def _values(member: Member, now: int) -> dict[str, object]:
    believed = BELIEVED_MS if member.problem is None else REFUSED_MS
    return {"user_id": member.user_id, "problem": member.problem, "expires_at": now + believed}
