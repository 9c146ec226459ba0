"""Unmatched owners: what they missed, the Slack users they were linked to, and sending them what they missed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, bindparam, delete, func, literal, select, update

from domain.audit import AuditEntry
from domain.decision.reasons import to_stored
from domain.decision.sentences import for_reader
from domain.delivery import MissedJobChange, NewDelivery, TraceStep
from domain.people import DEFAULT_KEYS, OwnerLink, OwnerMatching, PersonKey, UnmatchedOwner, key_lines, parse_keys
from domain.states import Role, Step
from store import audit
from store.delivery import redraws
from store.delivery.deliveries import add_deliveries
from store.delivery.trace import add_steps
from store.messages import actions
from store.schema import (
    deliveries,
    job_changes,
    lanes,
    ownership_denials,
    ownership_links,
    ownership_matching,
    ownership_unmatched,
)
from store.schema.base import reasons_of
from store.schema.upserts import insert_missing, put

_matching = select(ownership_matching).where(ownership_matching.c.workspace_id == bindparam("of_workspace"))
_links = (
    select(*(ownership_links.c[name] for name in ("owner", "user_id", "linked_by")))
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


def matching(connection: Connection, workspace_id: str) -> OwnerMatching:
    """How owners are matched to Slack users in this workspace, beyond the email address."""
    row = connection.execute(_matching, {"of_workspace": workspace_id}).one_or_none()
    rows = connection.execute(_links_and_denials, {"of_workspace": workspace_id}).all()
    links = {link.owner: link.user_id for link in rows if not link.is_denied}
    denied = frozenset((denial.owner, denial.user_id) for denial in rows if denial.is_denied)
    if row is None:
        return OwnerMatching(links=links, denied=denied)
    keys = parse_keys(row.person_keys or "")
    return OwnerMatching(
        email_field=row.email_field,
        alias_domains=json.loads(row.alias_domains),
        links=links,
        denied=denied,
        slack_id_field=row.slack_id_field,
        person_keys=DEFAULT_KEYS if isinstance(keys, str) else keys,
        domain_field=row.domain_field,
    )


def match_by(
    connection: Connection,
    workspace_id: str,
    email_field: str | None,
    alias_domains: Mapping[str, str],
    slack_id_field: str | None,
    change: AuditEntry,
) -> None:
    """Set how owners are matched: fields of User with a Slack user id or another email address, and alias domains."""
    values: dict[str, object] = {"email_field": email_field, "alias_domains": json.dumps(dict(alias_domains))}
    values["slack_id_field"] = slack_id_field
    _change_matching(connection, workspace_id, values)
    audit.record(connection, workspace_id, change)


def find_records_by(
    connection: Connection,
    workspace_id: str,
    keys: Sequence[PersonKey],
    domain_field: str | None,
    change: AuditEntry,
) -> None:
    """Set the fields by which the people of job changes and their companies are found."""
    _change_matching(connection, workspace_id, {"person_keys": key_lines(keys), "domain_field": domain_field})
    audit.record(connection, workspace_id, change)


def _change_matching(connection: Connection, workspace_id: str, values: Mapping[str, object]) -> None:
    """Set these columns and no others, which belong to another dialog."""
    missing = insert_missing(connection, ownership_matching, "workspace_id")
    connection.execute(missing, {"workspace_id": workspace_id})
    of_workspace = ownership_matching.c.workspace_id == workspace_id
    connection.execute(update(ownership_matching).where(of_workspace).values(values))


def linked_by(connection: Connection, workspace_id: str, user_id: str) -> dict[str, str]:
    """The owners who are linked to this Slack user, each with the person who linked them."""
    to_user = (ownership_links.c.workspace_id == workspace_id) & (ownership_links.c.user_id == user_id)
    rows = connection.execute(select(ownership_links.c.owner, ownership_links.c.linked_by).where(to_user))
    return {row.owner: row.linked_by for row in rows}


def links(connection: Connection, workspace_id: str) -> list[tuple[OwnerLink, int]]:
    """Every link in order of owner, with the number of job changes that were posted in a channel in their place."""
    missed = ownership_unmatched
    is_theirs = (missed.c.workspace_id == ownership_links.c.workspace_id) & (missed.c.owner == ownership_links.c.owner)
    name = select(func.max(missed.c.name)).where(is_theirs).scalar_subquery()
    count = select(func.count()).select_from(missed).where(is_theirs).scalar_subquery()
    rows = connection.execute(_links.add_columns(name, count), {"of_workspace": workspace_id})
    return [(OwnerLink(*link), missed_count) for *link, missed_count in rows]


def _link_of(connection: Connection, workspace_id: str, owner: str) -> OwnerLink | None:
    of_owner = _links.where(ownership_links.c.owner == owner)
    row = connection.execute(of_owner, {"of_workspace": workspace_id}).one_or_none()
    return OwnerLink(*row) if row else None


def link(connection: Connection, workspace_id: str, owner: str, user_id: str, change: AuditEntry) -> None:
    """Link an owner (an email address in lower case, or a Salesforce user id of 18 characters) to a Slack user."""
    withdraw_denial(connection, workspace_id, owner, user_id)
    key = {"workspace_id": workspace_id, "owner": owner}
    link_values = {"user_id": user_id, "linked_at": change.at, "linked_by": change.actor}
    put(connection, ownership_links, key | link_values, *key)
    audit.record(connection, workspace_id, change)


def unlink(connection: Connection, workspace_id: str, owner: str, change: AuditEntry) -> bool:
    """Unlink an owner, with an audit entry. Return False if there was no such link."""
    was_linked = unlink_quietly(connection, workspace_id, owner)
    if was_linked:
        audit.record(connection, workspace_id, change)
    return was_linked


def unlink_quietly(connection: Connection, workspace_id: str, owner: str) -> bool:
    """Unlink without an audit entry. Returns whether there was a link."""
    of_owner = (ownership_links.c.workspace_id == workspace_id) & (ownership_links.c.owner == owner)
    return bool(connection.execute(delete(ownership_links).where(of_owner)).rowcount)


def deny(connection: Connection, workspace_id: str, owner: str, user_id: str, change: AuditEntry) -> bool:
    """
    Record that this Slack user is not this owner. They are unlinked, and no longer matched.

    Returns False if that was already recorded.
    """
    row = {"workspace_id": workspace_id, "owner": owner, "user_id": user_id, "denied_at": change.at}
    missing = insert_missing(connection, ownership_denials, "workspace_id", "owner", "user_id")
    if not connection.execute(missing, row, execution_options={"preserve_rowcount": True}).rowcount:
        return False
    link_of_owner = _link_of(connection, workspace_id, owner)
    if link_of_owner and link_of_owner.user_id == user_id:
        unlink_quietly(connection, workspace_id, owner)
    audit.record(connection, workspace_id, change)
    return True


def withdraw_denial(connection: Connection, workspace_id: str, owner: str, user_id: str) -> bool:
    """Withdraw a denial. Return False if there was no such denial."""
    table = ownership_denials
    of_denial = (table.c.workspace_id == workspace_id) & (table.c.owner == owner) & (table.c.user_id == user_id)
    return bool(connection.execute(delete(table).where(of_denial)).rowcount)


def denied_by(connection: Connection, workspace_id: str, user_id: str) -> list[str]:
    """The owners that this Slack user reported as not their account."""
    by_user = (ownership_denials.c.workspace_id == workspace_id) & (ownership_denials.c.user_id == user_id)
    denied = select(ownership_denials.c.owner).where(by_user).order_by(ownership_denials.c.owner)
    return list(connection.execute(denied).scalars())


def denials_at(connection: Connection, workspace_id: str, at: int) -> list[tuple[str, str]]:
    """The denials made at this time, as pairs of an owner and a Slack user."""
    table = ownership_denials
    made_then = (table.c.workspace_id == workspace_id) & (table.c.denied_at == at)
    rows = connection.execute(select(table.c.owner, table.c.user_id).where(made_then).order_by(table.c.owner))
    return [(row.owner, row.user_id) for row in rows]


def add_missed(connection: Connection, workspace_id: str, missed: Sequence[MissedJobChange], now: int) -> None:
    """Store what unmatched owners missed. Existing rows stay as they are."""
    if missed:
        connection.execute(
            insert_missing(connection, ownership_unmatched, "workspace_id", "owner", "job_change_id"),
            [
                {
                    "workspace_id": workspace_id,
                    "owner": row.owner,
                    "job_change_id": row.job_change_id,
                    "name": row.name,
                    "problem": for_reader([row.problem]),
                    "why": for_reader(row.reasons),
                    "reasons": to_stored(row.reasons),
                    "side": row.side,
                    "seen_at": now,
                }
                for row in missed
            ],
        )


def unmatched(connection: Connection, workspace_id: str, most: int = 100, after: str = "") -> list[UnmatchedOwner]:
    """Owners who are not matched and not linked, in order, after the owner `after`."""
    table = ownership_unmatched
    is_linked = select(ownership_links.c.owner).where(ownership_links.c.workspace_id == workspace_id)
    columns = (
        table.c.owner,
        func.max(table.c.name),
        func.max(table.c.problem),
        func.count(),
        func.max(table.c.seen_at),
    )
    is_next = (table.c.workspace_id == workspace_id) & (table.c.owner > after) & table.c.owner.not_in(is_linked)
    rows = connection.execute(
        select(*columns).where(is_next).group_by(table.c.owner).order_by(table.c.owner).limit(most)
    )
    return [UnmatchedOwner(*row) for row in rows]


def waiting(connection: Connection, workspace_id: str, owner: str) -> list[str]:
    """The ids of the job changes that were posted in a channel in this owner's place, oldest first."""
    of_owner = (ownership_unmatched.c.workspace_id == workspace_id) & (ownership_unmatched.c.owner == owner)
    ids = select(ownership_unmatched.c.job_change_id).where(of_owner).order_by(ownership_unmatched.c.job_change_id)
    return list(connection.execute(ids).scalars())


def dismiss(connection: Connection, workspace_id: str, owner: str) -> int:
    """Dismiss what this owner missed. Returns the number of job changes."""
    of_owner = (ownership_unmatched.c.workspace_id == workspace_id) & (ownership_unmatched.c.owner == owner)
    return connection.execute(delete(ownership_unmatched).where(of_owner)).rowcount


def send_missed(connection: Connection, workspace_id: str, owner: str, now: int, most: int) -> int | None:
    """
    Create deliveries of the first `most` job changes that a linked owner missed. Returns how many there were.

    Each of these job changes is open again until it is delivered. Those that the owner already received are skipped,
    and so are those that a person has taken. None means that nothing is left, or that the owner is not linked.
    """
    link_of_owner = _link_of(connection, workspace_id, owner)
    table = ownership_unmatched
    of_owner = (table.c.workspace_id == workspace_id) & (table.c.owner == owner)
    columns = (table.c.job_change_id, reasons_of(table.c.reasons, table.c.why), table.c.side)
    missed = connection.execute(select(*columns).where(of_owner).order_by(table.c.job_change_id).limit(most)).all()
    if link_of_owner is None or not missed:
        return None
    user_id = link_of_owner.user_id
    job_change_ids = [row.job_change_id for row in missed]
    to_user = (lanes.c.workspace_id == workspace_id) & (lanes.c.destination == user_id)
    chosen = select(deliveries.c.job_change_id).join(lanes, lanes.c.id == deliveries.c.lane_id).where(to_user)
    among = deliveries.c.job_change_id.in_(job_change_ids)
    received = set(connection.execute(chosen.where(among, deliveries.c.role != Role.COPY)).scalars())
    unsent = {row.job_change_id: row for row in missed if row.job_change_id not in received}
    held = actions.assign_unless_held(connection, unsent, link_of_owner.linked_by, user_id, now)
    ids = [job_change_id for job_change_id in unsent if job_change_id not in held]
    new = [
        NewDelivery(job_change_id, user_id, Role.DRI, unsent[job_change_id].reasons, unsent[job_change_id].side)
        for job_change_id in ids
    ]
    reopened = {"outcome": None, "told": None, "reason": None, "ended_at": None}
    add_deliveries(connection, workspace_id, new, now)
    connection.execute(update(job_changes).where(job_changes.c.id.in_(ids)).values(reopened | {"acted_at": now}))
    detail = f"linked to {user_id}"
    add_steps(connection, [TraceStep(job_change_id, now, Step.MATCHED, detail) for job_change_id in ids])
    for job_change_id in ids:
        redraws.mark(connection, job_change_id, now)
    connection.execute(delete(table).where(of_owner, table.c.job_change_id.in_([row.job_change_id for row in missed])))
    return len(ids)
