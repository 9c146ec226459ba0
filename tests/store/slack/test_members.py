"""What is remembered of people, for how long, and what corrects it."""

from __future__ import annotations

import pytest

from domain.people import DEACTIVATED, GUEST, NOT_IN_SLACK, Member
from store.slack import members, workspaces
from store.slack.workspaces import Installed

T1, ADA, BO = "T1", "ada@acme.example", "bo@acme.example"


@pytest.fixture(autouse=True)
async def workspace(database, clock):
    installed = Installed(
        id=T1,
        enterprise_id=None,
        is_enterprise_install=False,
        name="Acme",
        installer_user_id="U1",
        bot_user_id="U2",
        scopes="",
        installed_at=clock(),
    )
    await database.run(workspaces.install, installed)


async def known(database, now, *emails):
    return await database.run(members.cached, T1, emails or [ADA, BO], now)


async def test_the_last_answer_counts(database, clock):
    """Remembering again corrects, it does not add."""
    await database.run(members.cache, T1, {ADA: Member(None, NOT_IN_SLACK), BO: Member("U2")}, clock())
    await database.run(members.cache, T1, {ADA: Member("U1", GUEST)}, clock())

    assert await known(database, clock()) == {ADA: Member("U1", GUEST), BO: Member("U2")}


async def test_nothing_to_remember_is_nothing(database, clock):
    """A batch may bring no answers at all."""
    await database.run(members.cache, T1, {}, clock())

    assert await known(database, clock()) == {}


async def test_a_closed_account_does_not_take_the_address_from_its_new_owner(database, clock):
    """Somebody left; a namesake has the address now, and the old account changes."""
    await database.run(members.cache, T1, {ADA: Member("U9")}, clock())

    await database.run(members.refresh, T1, ADA, Member("U1", DEACTIVATED), clock())

    assert await known(database, clock()) == {ADA: Member("U9")}


async def test_a_change_without_an_address_still_reaches_the_person(database, clock):
    """Slack leaves the address out for closed accounts at times."""
    await database.run(members.cache, T1, {ADA: Member("U1")}, clock())

    await database.run(members.refresh, T1, None, Member("U1", DEACTIVATED), clock())

    assert await known(database, clock()) == {ADA: Member("U1", DEACTIVATED)}


async def test_look_ups_of_the_last_minute_are_counted(database, clock):
    """Only those that were a call of their own, and not what an event corrected."""
    start = clock()
    await database.run(members.cache, T1, {ADA: Member("U1")}, start)
    await database.run(members.cache, T1, {BO: Member("U2")}, start, one_by_one=False)
    await database.run(members.refresh, T1, BO, Member("U2"), start)

    assert await database.run(members.lookups_since, T1, start - 1) == (1, start)
    assert await database.run(members.lookups_since, T1, start) == (0, 0)


async def test_what_is_not_believed_any_more_is_forgotten(database, clock):
    """Addresses are people's data: they are kept as long as they are of use."""
    await database.run(members.cache, T1, {ADA: Member("U1"), BO: Member(None, NOT_IN_SLACK)}, clock())
    clock.advance(seconds=60 * 60)

    assert await database.run(members.prune, clock()) == 1
    assert await known(database, clock()) == {ADA: Member("U1")}
