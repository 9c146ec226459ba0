"""The members of queues: their users, and those of the public groups that belong to them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from services.salesforce.queries.rows import Row, text_of
from services.salesforce.queries.soql import ids_of, url_lists
from services.salesforce.queries.statements import RecordQuery
from services.salesforce.records import PersonRecords

MOST_LEVELS = 3
"""A queue, the groups in it, and the groups in those. Each level costs a call."""

_MEMBER = "GroupMember"


def queues_of(people: Collection[PersonRecords]) -> set[str]:
    """Return the ids of the queues that own leads. Salesforce has no queues for the other objects."""
    owners = (records.lead.owner for records in people if records.lead)
    return {owner.id for owner in owners if owner is not None and owner.kind == "queue"}


def member_queries(group_ids: Collection[str]) -> list[RecordQuery]:
    """https://developer.salesforce.com/docs/platform/object-reference/guide/sforce_api_objects_groupmember.html"""
    return [
        RecordQuery(_MEMBER, _MEMBER, ("GroupId", "UserOrGroupId"), "GroupId", tuple(ids), by_id=True, is_extra=True)
        for ids in url_lists(ids_of("Group", group_ids))
    ]


def find_members(
    queue_ids: Collection[str], read: Callable[[Sequence[RecordQuery]], Mapping[str, Sequence[Row]]]
) -> dict[str, tuple[str, ...]]:
    """
    Return the ids of the users in each queue, by the first 15 characters of its id.

    Members that are roles are left out. `read` runs queries and returns their rows by kind.
    """
    members: dict[str, list[str]] = defaultdict(list)
    pending = set(queue_ids)
    for _ in range(MOST_LEVELS):
        rows = read(member_queries(pending)).get(_MEMBER, ()) if pending else ()
        for row in rows:
            group_id, member_id = text_of(row, "GroupId"), text_of(row, "UserOrGroupId")
            if group_id and member_id:
                members[group_id[:15]].append(member_id)
        queried = {group_id[:15] for group_id in pending}
        pending = {member for group in queried for member in members.get(group, ()) if member[:15] not in members}
        pending = set(ids_of("Group", pending))
    return {queue_id[:15]: tuple(sorted(set(_users_in(queue_id, members, set())))) for queue_id in queue_ids}


def _users_in(group_id: str, members: Mapping[str, Sequence[str]], seen: set[str]) -> Iterator[str]:
    if group_id[:15] in seen:
        return
    seen.add(group_id[:15])
    for member_id in members.get(group_id[:15], ()):
        yield from ids_of("User", [member_id])
        yield from _users_in(member_id, members, seen)
