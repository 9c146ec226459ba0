"""Owners who were not found in Slack: what they missed, whom they were linked with, and telling them after all."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, bindparam, delete, func, literal, select, update

from domain.audit import AuditEntry
from domain.delivery import MissedJobChange, NewDelivery, TraceStep
from domain.people import OwnerLink, OwnerMatching, UnmatchedOwner
from domain.states import Role, Step
from store import audit
from store.database import insert_missing, put
from store.delivery.deliveries import add_deliveries
from store.delivery.trace import add_steps
from store.schema import (
    deliveries,
    job_changes,
    lanes,
    ownership_denials,
    ownership_links,
    ownership_matching,
    ownership_unmatched,
)

_matching = select(ownership_matching.c.email_field, ownership_matching.c.alias_domains).where(
    ownership_matching.c.workspace_id == bindparam("of_workspace")
)
_links = (
    select(*(ownership_links.c[name] for name in OwnerLink.__dataclass_fields__))
    .where(ownership_links.c.workspace_id == bindparam("of_workspace"))
    .order_by(ownership_links.c.owner)
)

_links_and_denials = (
    select(ownership_links.c.owner, ownership_links.c.user_id, literal(False).label("is_denied"))
    .where(ownership_links.c.workspace_id == bindparam("of_workspace"))
    .union_all(
        select(ownership_denials.c.owner, ownership_denials.c.user_id, literal(True)).where(
            ownership_denials.c.workspace_id == bindparam("of_workspace")
        )
    )
)


def how_matched(connection: Connection, workspace_id: str) -> OwnerMatching:
    """How owners are matched with Slack users in this workspace, beyond the e-mail address."""
    row = connection.execute(_matching, {"of_workspace": workspace_id}).one_or_none()
    known = connection.execute(_links_and_denials, {"of_workspace": workspace_id}).all()
    links = {each.owner: each.user_id for each in known if not each.is_denied}
    denied = frozenset((each.owner, each.user_id) for each in known if each.is_denied)
    domains = json.loads(row.alias_domains) if row else {}
    return OwnerMatching(row.email_field if row else None, domains, links, denied)


def match_by(
    connection: Connection,
    workspace_id: str,
    email_field: str | None,
    alias_domains: Mapping[str, str],
    change: AuditEntry,
) -> None:
    """Store how owners are matched: another e-mail field of Salesforce's User, and domains that mean the same."""
    values = {"email_field": email_field, "alias_domains": json.dumps(dict(alias_domains))}
    put(connection, ownership_matching, values | {"workspace_id": workspace_id}, "workspace_id")
    audit.record(connection, workspace_id, change)


def linked_by(connection: Connection, workspace_id: str, user_id: str) -> dict[str, str]:
    """The owners who are linked with this Slack user, each with who did that."""
    theirs = (ownership_links.c.workspace_id == workspace_id) & (ownership_links.c.user_id == user_id)
    rows = connection.execute(select(ownership_links.c.owner, ownership_links.c.linked_by).where(theirs))
    return {row.owner: row.linked_by for row in rows}


def waiting_of_links(connection: Connection, workspace_id: str) -> list[tuple[OwnerLink, int]]:
    """Every link, by owner, with how many job changes the default channel got in that owner's place."""
    missed = ownership_unmatched
    is_theirs = (missed.c.workspace_id == ownership_links.c.workspace_id) & (missed.c.owner == ownership_links.c.owner)
    count = select(func.count()).select_from(missed).where(is_theirs).scalar_subquery()
    rows = connection.execute(_links.add_columns(count), {"of_workspace": workspace_id})
    return [(OwnerLink(*link), waits) for *link, waits in rows]


def _linked_with(connection: Connection, workspace_id: str, owner: str) -> str | None:
    mine = (ownership_links.c.workspace_id == workspace_id) & (ownership_links.c.owner == owner)
    return connection.execute(select(ownership_links.c.user_id).where(mine)).scalar_one_or_none()


def link(connection: Connection, workspace_id: str, owner: str, user_id: str, change: AuditEntry) -> None:
    """From now on this owner (e-mail address in lower case, or Salesforce user id of 18) is this Slack user."""
    take_denial_back(connection, workspace_id, owner, user_id)
    key = {"workspace_id": workspace_id, "owner": owner}
    put(
        connection,
        ownership_links,
        key | {"user_id": user_id, "linked_at": change.at, "linked_by": change.actor},
        *key,
    )
    audit.record(connection, workspace_id, change)


def unlink(connection: Connection, workspace_id: str, owner: str, change: AuditEntry) -> bool:
    """False: there was no such link."""
    had_one = unlink_quietly(connection, workspace_id, owner)
    if had_one:
        audit.record(connection, workspace_id, change)
    return had_one


def unlink_quietly(connection: Connection, workspace_id: str, owner: str) -> bool:
    """Whether there was a link; nothing is written into the audit, which is the caller's to do."""
    mine = (ownership_links.c.workspace_id == workspace_id) & (ownership_links.c.owner == owner)
    return bool(connection.execute(delete(ownership_links).where(mine)).rowcount)


def deny(connection: Connection, workspace_id: str, owner: str, user_id: str, change: AuditEntry) -> bool:
    """
    This Slack user says that they are not this owner: they are not matched any more, nor linked.

    False: they had said so already.
    """
    row = {"workspace_id": workspace_id, "owner": owner, "user_id": user_id, "denied_at": change.at}
    missing = insert_missing(connection, ownership_denials, "workspace_id", "owner", "user_id")
    if not connection.execute(missing, row, execution_options={"preserve_rowcount": True}).rowcount:
        return False
    if _linked_with(connection, workspace_id, owner) == user_id:
        unlink_quietly(connection, workspace_id, owner)
    audit.record(connection, workspace_id, change)
    return True


def take_denial_back(connection: Connection, workspace_id: str, owner: str, user_id: str) -> bool:
    """False: they had not said so."""
    table = ownership_denials
    theirs = (table.c.workspace_id == workspace_id) & (table.c.owner == owner) & (table.c.user_id == user_id)
    return bool(connection.execute(delete(table).where(theirs)).rowcount)


def denied_by(connection: Connection, workspace_id: str, user_id: str) -> list[str]:
    """The owners of whom this Slack user says that it is not them."""
    theirs = (ownership_denials.c.workspace_id == workspace_id) & (ownership_denials.c.user_id == user_id)
    return list(
        connection.execute(
            select(ownership_denials.c.owner).where(theirs).order_by(ownership_denials.c.owner)
        ).scalars()
    )


def denials_at(connection: Connection, workspace_id: str, at: int) -> list[tuple[str, str]]:
    """Who said at this time that they are not an owner: the owner, and the Slack user."""
    table = ownership_denials
    said_then = (table.c.workspace_id == workspace_id) & (table.c.denied_at == at)
    rows = connection.execute(select(table.c.owner, table.c.user_id).where(said_then).order_by(table.c.owner))
    return [(row.owner, row.user_id) for row in rows]


def add_missed(connection: Connection, workspace_id: str, missed: Sequence[MissedJobChange], now: int) -> None:
    """Remember what owners missed, for the list of unmatched ones; what is known already stays."""
    if missed:
        connection.execute(
            insert_missing(connection, ownership_unmatched, "workspace_id", "owner", "job_change_id"),
            [vars(each) | {"workspace_id": workspace_id, "seen_at": now} for each in missed],
        )


def unmatched(connection: Connection, workspace_id: str, most: int = 100, after: str = "") -> list[UnmatchedOwner]:
    """Owners who were not found in Slack and are not linked, in order of *owner*, from the one *after* on."""
    table = ownership_unmatched
    is_linked = select(ownership_links.c.owner).where(ownership_links.c.workspace_id == workspace_id)
    columns = (
        table.c.owner,
        func.max(table.c.name),
        func.max(table.c.problem),
        func.count(),
        func.max(table.c.seen_at),
    )
    mine = (table.c.workspace_id == workspace_id) & (table.c.owner > after) & table.c.owner.not_in(is_linked)
    rows = connection.execute(select(*columns).where(mine).group_by(table.c.owner).order_by(table.c.owner).limit(most))
    return [UnmatchedOwner(*row) for row in rows]


def waiting(connection: Connection, workspace_id: str, owner: str) -> list[str]:
    """The ids of the job changes that the default channel got in this owner's place, oldest first."""
    mine = (ownership_unmatched.c.workspace_id == workspace_id) & (ownership_unmatched.c.owner == owner)
    ids = select(ownership_unmatched.c.job_change_id).where(mine).order_by(ownership_unmatched.c.job_change_id)
    return list(connection.execute(ids).scalars())


def forget(connection: Connection, workspace_id: str, owner: str) -> int:
    """What this owner missed is not offered any more; how many it was."""
    mine = (ownership_unmatched.c.workspace_id == workspace_id) & (ownership_unmatched.c.owner == owner)
    return connection.execute(delete(ownership_unmatched).where(mine)).rowcount


def tell_after_all(connection: Connection, workspace_id: str, owner: str, now: int, most: int) -> int | None:
    """
    Promise a linked owner the first *most* of what they missed; how many job changes.

    Each of them is open again until they have read it: then its DRI was told. What they have had is passed over. None:
    there is nothing left, or the owner is not linked.
    """
    user_id = _linked_with(connection, workspace_id, owner)
    table = ownership_unmatched
    mine = (table.c.workspace_id == workspace_id) & (table.c.owner == owner)
    columns = (table.c.job_change_id, table.c.why, table.c.side)
    missed = connection.execute(select(*columns).where(mine).order_by(table.c.job_change_id).limit(most)).all()
    if user_id is None or not missed:
        return None
    had = _had_already(connection, workspace_id, user_id, [each.job_change_id for each in missed])
    again = [each for each in missed if each.job_change_id not in had]
    new = [NewDelivery(each.job_change_id, user_id, Role.DRI, each.why, each.side) for each in again]
    ids = [each.job_change_id for each in again]
    reopened = {"outcome": None, "told": None, "reason": None, "ended_at": None}
    add_deliveries(connection, workspace_id, new, now)
    connection.execute(update(job_changes).where(job_changes.c.id.in_(ids)).values(reopened))
    detail = f"linked with {user_id}"
    add_steps(connection, [TraceStep(each, now, Step.MATCHED, detail) for each in ids])
    connection.execute(delete(table).where(mine, table.c.job_change_id.in_([each.job_change_id for each in missed])))
    return len(ids)


def _had_already(connection: Connection, workspace_id: str, user_id: str, job_change_ids: Sequence[str]) -> set[str]:
    theirs = (lanes.c.workspace_id == workspace_id) & (lanes.c.destination == user_id)
    chosen = select(deliveries.c.job_change_id).join(lanes, lanes.c.id == deliveries.c.lane_id).where(theirs)
    among = deliveries.c.job_change_id.in_(job_change_ids)
    return set(connection.execute(chosen.where(among, deliveries.c.role != Role.COPY)).scalars())
