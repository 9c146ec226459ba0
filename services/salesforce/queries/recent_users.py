"""Users of an org that were read recently, so that each batch does not ask for the same owners and managers again."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from services.salesforce.queries.rows import Row, users
from services.salesforce.queries.statements import RecordQuery, user_queries
from services.salesforce.records import RequiredRecords, SalesforceUser

VALID_MS = 5 * 60_000
"""A user who becomes inactive, or gets another manager, may be used for this long as they were."""

MOST_KEPT = 10_000

Fields = tuple[bool, str | None, str | None]
"""What was read of a user: their manager, a further field with an address, one with a Slack id."""

ReadRows = Callable[[Sequence[RecordQuery]], dict[str, list[Row]]]


@dataclass(frozen=True)
class RecentUsers:
    """The cached users of one Salesforce client. `now` returns milliseconds."""

    now: Callable[[], int]
    _users: dict[tuple[Fields, str], tuple[int, SalesforceUser]] = field(default_factory=dict, init=False, repr=False)

    def find(self, ids: Collection[str], required: RequiredRecords, rows_of: ReadRows) -> dict[str, SalesforceUser]:
        """Return users by the first 15 characters of their ids. Only those that were not read recently are queried."""
        if not required.users:
            return {}
        fields, now = (required.managers, required.email_field, required.slack_id_field), self.now()
        kept = {user_id[:15]: self._users.get((fields, user_id[:15])) for user_id in ids}
        cached = {user_id: entry[1] for user_id, entry in kept.items() if entry and entry[0] > now - VALID_MS}
        if queries := user_queries([user_id for user_id in ids if user_id[:15] not in cached], required):
            read = users(rows_of(queries).get("User", []), required.email_field, required.slack_id_field)
            if len(self._users) + len(read) > MOST_KEPT:
                self._users.clear()
            self._users.update({(fields, user_id): (now, user) for user_id, user in read.items()})
            cached |= read
        return cached
