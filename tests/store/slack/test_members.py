"""The cache of Slack users: what is stored, for how long, and how events update it."""

from __future__ import annotations

import pytest

from domain.people import DEACTIVATED, GUEST, NOT_IN_SLACK, Member
from store.slack import members, workspaces
from tests.world import installed

T1, ADA, BO = "T1", "ada@acme.example", "bo@acme.example"


@pytest.fixture(autouse=True)
async def workspace(database):
    await database.run(workspaces.install, installed(T1))


async def known(database, now, *emails):
    return await database.run(members.cached, T1, emails or [ADA, BO], now)


async def test_the_latest_answer_counts(database, clock):
    """It replaces the earlier entry."""
    await database.run(members.cache, T1, {ADA: Member(None, NOT_IN_SLACK), BO: Member("U2")}, clock())
    await database.run(members.cache, T1, {ADA: Member("U1", GUEST)}, clock())

    assert await known(database, clock()) == {ADA: Member("U1", GUEST), BO: Member("U2")}


async def test_caching_no_users_changes_nothing(database, clock):
    """A batch may have no answers."""
    await database.run(members.cache, T1, {}, clock())

    assert await known(database, clock()) == {}


async def test_a_deactivated_account_does_not_replace_the_new_user(database, clock):
    """Another person has the address now, and an event about the old account arrives."""
    await database.run(members.cache, T1, {ADA: Member("U9")}, clock())

    await database.run(members.refresh, T1, ADA, Member("U1", DEACTIVATED), clock())

    assert await known(database, clock()) == {ADA: Member("U9")}


async def test_an_event_without_an_address_updates_the_user(database, clock):
    """Slack sometimes leaves out the address of deactivated accounts."""
    await database.run(members.cache, T1, {ADA: Member("U1")}, clock())

    await database.run(members.refresh, T1, None, Member("U1", DEACTIVATED), clock())

    assert await known(database, clock()) == {ADA: Member("U1", DEACTIVATED)}


async def test_lookups_of_the_last_minute_are_counted(database, clock):
    """Users from the list and from events do not count."""
    start = clock()
    await database.run(members.cache, T1, {ADA: Member("U1")}, start)
    await database.run(members.cache, T1, {BO: Member("U2")}, start, one_by_one=False)
    await database.run(members.refresh, T1, BO, Member("U2"), start)

    assert await database.run(members.lookups_since, T1, start - 1) == (1, start)
    assert await database.run(members.lookups_since, T1, start) == (0, 0)


async def test_expired_entries_are_deleted(database, clock):
    """Addresses are personal data."""
    await database.run(members.cache, T1, {ADA: Member("U1"), BO: Member(None, NOT_IN_SLACK)}, clock())
    clock.advance(seconds=60 * 60)

    assert await database.run(members.prune, clock()) == 1
    assert await known(database, clock()) == {ADA: Member("U1")}
