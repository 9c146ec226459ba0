"""An event is handled once, and again if handling it failed."""

from __future__ import annotations

import pytest

from domain.audit import AuditEntry
from store import audit
from store.slack import seen_events

JOINED = AuditEntry(1, "U1", "joined", "")


async def test_an_event_is_handled_once(database, clock):
    """Slack repeats it with the same id, perhaps to another replica."""
    for _ in range(2):
        await database.run(seen_events.once, "Ev1", clock(), audit.record, "T1", JOINED)

    assert await database.run(audit.recent, "T1") == [JOINED]


async def test_an_event_that_failed_is_handled_again(database, clock):
    """Marking and handling are one transaction."""

    def fail(_connection):
        raise ValueError("the database said no")

    with pytest.raises(ValueError, match="said no"):
        await database.run(seen_events.once, "Ev1", clock(), fail)

    assert await database.run(seen_events.once, "Ev1", clock(), audit.record, "T1", JOINED) is True


async def test_an_event_without_an_id_is_always_handled(database, clock):
    """It cannot be compared with others."""
    assert await database.run(seen_events.once, None, clock(), audit.record, "T1", JOINED) is True


async def test_old_events_are_deleted(database, clock):
    """Slack repeats an event for a day at most."""
    await database.run(seen_events.first_seen, "Ev1", clock())

    assert await database.run(seen_events.prune, clock()) == 0
    assert await database.run(seen_events.prune, clock() + 1) == 1


async def test_the_audit_log_lists_the_newest_entry_first(database):
    """Entries of other workspaces are not listed."""
    for at in (1, 2, 3):
        await database.run(audit.record, "T1", AuditEntry(at, "U1", "changed", str(at)))
    await database.run(audit.record, "T2", JOINED)

    assert [change.at for change in await database.run(audit.recent, "T1", 2)] == [3, 2]
