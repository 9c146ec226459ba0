"""Listing all members of a workspace, a page at a time, across restarts and replicas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, select

from domain.people import Member
from store.delivery import pauses, routing
from store.leases import LeaseQueue
from store.schema import directory_listings as table
from store.schema.upserts import insert_missing
from store.slack import members

AGAIN_MS = 3 * 24 * 60 * 60 * 1_000
"""How long after its end the next listing begins. Events of Slack keep the members up to date in between."""

LONGEST_MS = 10 * 60_000
"""How long routing waits for the first listing of a workspace. Then members are looked up one by one."""


@dataclass(frozen=True)
class Listing:
    """
    A listing under a lease. It continues at `cursor`, after this many `pages`; `cursor` None means at the start.

    `has_emails` is whether any user came with an address: without that permission, a missing one proves nothing.
    """

    workspace_id: str
    lease: str
    began_at: int
    cursor: str | None
    pages: int
    has_emails: bool


@dataclass(frozen=True)
class ListingState:
    """
    `finished_at` is the end of the latest complete listing in milliseconds, None if there was none yet.

    `is_running` is whether the first one is in progress, and has not taken longer than LONGEST_MS.
    """

    finished_at: int | None
    has_emails: bool
    is_running: bool


LISTINGS = LeaseQueue(table, table.c.workspace_id, table.c.due_at)
_columns = (table.c.workspace_id, table.c.began_at, table.c.cursor, table.c.pages, table.c.has_emails)
_due = LISTINGS.due(select(*_columns))
_state = select(table).where(table.c.workspace_id == bindparam("of_workspace"))


def ensure(connection: Connection, workspace_id: str, now: int) -> ListingState:
    """Begin to list the members of a workspace if that has never been done, and return how far it is."""
    row = {"workspace_id": workspace_id, "began_at": now, "due_at": now}
    connection.execute(insert_missing(connection, table, "workspace_id"), [row])
    stored = connection.execute(_state, {"of_workspace": workspace_id}).one()
    is_running = stored.finished_at is None and stored.cursor is not None and now < stored.began_at + LONGEST_MS
    return ListingState(stored.finished_at, stored.has_emails, is_running)


def claim(connection: Connection, now: int, lease_ms: int, workspace_id: str | None = None) -> Listing | None:
    """Claim the listing that has been due for longest, of this workspace or of any. Return None if none is due."""
    due = _due if workspace_id is None else _due.where(table.c.workspace_id == workspace_id)
    rows, lease = LISTINGS.claim(connection, due, now, lease_ms)
    if not rows:
        return None
    row = rows[0]
    began_at = row.began_at if row.cursor else now
    return Listing(row.workspace_id, lease.token, began_at, row.cursor, row.pages, row.has_emails)


def advance(
    connection: Connection,
    listing: Listing,
    users: Sequence[tuple[str, Member]],
    cursor: str,
    until: int,
    now: int,
) -> bool:
    """
    Store the members of a page, by their lower-case addresses, and where the next one begins.

    Return False and store nothing if the lease was lost.
    """
    values = _values(listing, users) | {"cursor": cursor}
    if not LISTINGS.prolong(connection, listing.workspace_id, listing.lease, until, **values):
        return False
    members.add_listed(connection, listing.workspace_id, users, now)
    return True


def finish(connection: Connection, listing: Listing, users: Sequence[tuple[str, Member]], now: int) -> bool:
    """Store the last page, and let the workspace's job changes that have waited for it be routed."""
    values = _values(listing, users) | {"cursor": None, "pages": 0, "finished_at": now}
    if not LISTINGS.give_back(connection, listing.workspace_id, listing.lease, now + AGAIN_MS, **values):
        return False
    members.add_listed(connection, listing.workspace_id, users, now)
    pauses.end(connection, listing.workspace_id, routing.DIRECTORY, now)
    routing.wake(connection, listing.workspace_id, now)
    return True


def postpone(connection: Connection, listing: Listing, due_at: int) -> None:
    """Go on at `due_at`, where the listing stopped."""
    LISTINGS.give_back(connection, listing.workspace_id, listing.lease, due_at)


def restart(connection: Connection, listing: Listing, due_at: int) -> None:
    """Begin again at `due_at`, because Slack refused the place where the listing stopped, or the listing itself."""
    LISTINGS.give_back(connection, listing.workspace_id, listing.lease, due_at, cursor=None, pages=0)


def _values(listing: Listing, users: Sequence[tuple[str, Member]]) -> dict[str, object]:
    has_emails = listing.has_emails or bool(users)
    return {"began_at": listing.began_at, "pages": listing.pages + 1, "has_emails": has_emails}
