"""The cache of Slack users by email address."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import Connection, Insert, bindparam, delete, exists, func, select, update

from domain.people import Member
from store.schema import directory_listings, members
from store.schema.lists import one_of
from store.schema.upserts import insert_missing

VALID_MS = 24 * 60 * 60 * 1000
PROBLEM_VALID_MS = 15 * 60 * 1000
"""A user who is missing or cannot be notified is looked up again sooner, because they may have joined since."""

LISTED_VALID_MS = 7 * 24 * 60 * 60 * 1000
"""All users are listed again before this is over, see store/slack/listings.py."""

_cached = select(members.c.email, members.c.user_id, members.c.problem).where(
    members.c.workspace_id == bindparam("of_workspace"),
    one_of(members.c.email, "emails"),
    members.c.expires_at > bindparam("now"),
)
_refresh = (
    update(members)
    .where(members.c.workspace_id == bindparam("of_workspace"), members.c.email == bindparam("of_email"))
    .values(checked_at=bindparam("checked"))
)
_with_ids = select(members.c.user_id, members.c.problem).where(
    members.c.workspace_id == bindparam("of_workspace"),
    one_of(members.c.user_id, "ids"),
    members.c.expires_at > bindparam("now"),
)
_is_listed = exists().where(
    directory_listings.c.workspace_id == bindparam("of_workspace"), directory_listings.c.finished_at.is_not(None)
)
_lookups = select(func.count(), func.min(members.c.checked_at)).where(
    members.c.workspace_id == bindparam("of_workspace"), members.c.checked_at > bindparam("since")
)


def cached(connection: Connection, workspace_id: str, emails: Collection[str], now: int) -> dict[str, Member]:
    """Return the valid entries for these lower-case emails."""
    rows = connection.execute(_cached, {"of_workspace": workspace_id, "emails": list(emails), "now": now})
    return {email: Member(user_id, problem) for email, user_id, problem in rows}


def cache(
    connection: Connection, workspace_id: str, by_email: Mapping[str, Member], now: int, *, one_by_one: bool = True
) -> None:
    """Store Slack's answers for these lower-case addresses. `one_by_one` counts each as a call in `lookups_since`."""
    if not by_email:
        return
    checked_at = now if one_by_one else 0
    rows = [
        {"of_workspace": workspace_id, "of_email": email, "checked": checked_at, **_values(by_email[email], now)}
        for email in sorted(by_email)  # in order, so that two writers of the same rows do not deadlock
    ]
    connection.execute(_insert_missing(connection), rows)
    connection.execute(_refresh, rows)


def _insert_missing(connection: Connection) -> Insert:
    return insert_missing(connection, members, "workspace_id", "email").values(
        workspace_id=bindparam("of_workspace"), email=bindparam("of_email"), checked_at=bindparam("checked")
    )


def add_listed(connection: Connection, workspace_id: str, users: Sequence[tuple[str, Member]], now: int) -> None:
    """
    Store a page of all users, with their lower-case addresses. They stay valid longer, as Slack reports changes.

    Of two accounts with one address, the one that can be notified counts.
    """
    by_email = dict(sorted(users, key=lambda user: user[1].problem is None))
    cached_members = cached(connection, workspace_id, by_email, now)
    rows = [
        {
            "of_workspace": workspace_id,
            "of_email": email,
            "checked": 0,
            "user_id": member.user_id,
            "problem": member.problem,
            "expires_at": now + LISTED_VALID_MS,
        }
        for email, member in sorted(by_email.items())
        if member.problem is None
        or email not in cached_members
        or cached_members[email].user_id in {None, member.user_id}
    ]
    if rows:
        connection.execute(_insert_missing(connection), rows)
    if changed := [row for row in rows if row["of_email"] in cached_members]:
        connection.execute(_refresh, changed)


def with_ids(connection: Connection, workspace_id: str, user_ids: Collection[str], now: int) -> dict[str, Member]:
    """Return the valid entries of these Slack users, by their ids in lower case."""
    rows = connection.execute(
        _with_ids, {"of_workspace": workspace_id, "ids": [user_id.upper() for user_id in user_ids], "now": now}
    )
    return {user_id.lower(): Member(user_id, problem) for user_id, problem in rows}


def lookups_since(connection: Connection, workspace_id: str, since: int) -> tuple[int, int]:
    """Return the number of lookups after this time, and the time of the first one, 0 if there are none."""
    count, first = connection.execute(_lookups, {"of_workspace": workspace_id, "since": since}).one()
    return count, first or 0


def refresh(connection: Connection, workspace_id: str, email: str | None, member: Member, now: int) -> None:
    """
    Update a cached user after an event of Slack. Users who are not cached are added where all have been listed.

    `email` is in lower case, None if the event did not include it.
    """
    of_user = (members.c.workspace_id == workspace_id) & (members.c.user_id == member.user_id)
    if email is not None:
        connection.execute(delete(members).where(of_user, members.c.email != email))
        same = (members.c.workspace_id == workspace_id) & (members.c.email == email)
        if connection.execute(select(_is_listed), {"of_workspace": workspace_id}).scalar():
            row = {"of_workspace": workspace_id, "of_email": email, "checked": 0, **_values(member, now)}
            connection.execute(_insert_missing(connection), [row])
        # A deactivated account must not replace the user who has the address now.
        of_user = same if member.problem is None else of_user
    connection.execute(update(members).where(of_user).values(_values(member, now)))


def emails_of(connection: Connection, workspace_id: str, user_id: str) -> list[str]:
    """Return the cached email addresses of this Slack user."""
    of_user = (members.c.workspace_id == workspace_id) & (members.c.user_id == user_id) & members.c.problem.is_(None)
    query = select(members.c.email).where(of_user, members.c.email.contains("@")).order_by(members.c.email)
    return list(connection.execute(query).scalars())


def emails_by_user(connection: Connection, workspace_id: str, user_ids: Collection[str]) -> dict[str, str]:
    """Return a cached email address of each of these Slack users, by user id."""
    of_users = (
        (members.c.workspace_id == workspace_id) & members.c.user_id.in_(user_ids) & members.c.email.contains("@")
    )
    query = select(members.c.user_id, members.c.email).where(of_users).order_by(members.c.email.desc())
    return {row.user_id: row.email for row in connection.execute(query)}


def prune(connection: Connection, before: int) -> int:
    """Delete entries that expired before this time, and return how many there were."""
    return connection.execute(delete(members).where(members.c.expires_at < before)).rowcount


def _values(member: Member, now: int) -> dict[str, object]:
    valid_for = VALID_MS if member.problem is None else PROBLEM_VALID_MS
    return {"user_id": member.user_id, "problem": member.problem, "expires_at": now + valid_for}
