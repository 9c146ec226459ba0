"""Finding Slack users by e-mail address, with as few calls as possible."""

from __future__ import annotations

import pytest

from domain.errors import PermanentError
from domain.people import BOT, DEACTIVATED, GUEST, NOT_IN_SLACK, STRANGER, UNKNOWN, Member
from domain.workspace import SlackTeam
from services.slack.directory import Directory, member_of
from services.slack.shapes import SlackUser
from store.delivery import pauses, routing
from store.slack import listings, members
from tests.services.slack.slack_world import open_slack_workspace

DANA = "dana@acme.example"


@pytest.fixture
async def acme(database, clock):
    async with open_slack_workspace(database, clock) as acme:
        yield acme


@pytest.fixture
def directory(acme, database, clock):
    return Directory(acme.api, database, clock)


ORG_WIDE = SlackTeam("T1", "E1", is_org_wide=True)


def people(acme, count: int) -> dict[str, str]:
    """Add this many members, and return their user ids by e-mail address."""
    added = [acme.sandbox.add_user(acme.team, f"P {number}", f"p{number}@acme.example") for number in range(count)]
    return {user.email: user.id for user in added}


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({}, None),
        ({"is_admin": True}, None),
        ({"deleted": True}, DEACTIVATED),
        ({"is_bot": True}, BOT),
        ({"id": "USLACKBOT"}, BOT),
        ({"is_restricted": True}, GUEST),
        ({"is_ultra_restricted": True}, GUEST),
        ({"is_stranger": True}, STRANGER),
        ({"team_id": "T2"}, STRANGER),
        ({"team_id": "T2", "enterprise_user": {"enterprise_id": "E1", "teams": ["T1", "T2"]}}, None),
        ({"team_id": None}, STRANGER),
        ({"deleted": True, "is_bot": True, "team_id": "T2"}, DEACTIVATED),
        ({"profile": "not an object", "deleted": "yes"}, None),
    ],
)
def test_who_may_be_notified(said, problem):
    """Members of this workspace; not deactivated accounts, guests, bots or users of other companies."""
    user = SlackUser.of({"id": "U1", "team_id": "T1"} | said, SlackTeam("T1"))

    assert member_of(user).problem == problem


IN_E1 = {"enterprise_id": "E1", "teams": ["T1", "T2"]}


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"team_id": "T1", "enterprise_user": IN_E1}, None),
        ({"team_id": "T2", "enterprise_user": IN_E1}, None),
        ({"team_id": "T3", "enterprise_user": {"enterprise_id": "E1", "teams": ["T3"]}}, STRANGER),
        ({"team_id": "T2", "enterprise_user": {"enterprise_id": "E2", "teams": ["T1", "T2"]}}, STRANGER),
        ({"team_id": "T2"}, STRANGER),
        ({"team_id": "E1", "enterprise_user": {"enterprise_id": "E1"}}, STRANGER),
        ({"team_id": None, "enterprise_user": None}, STRANGER),
    ],
)
def test_who_may_be_notified_after_an_org_wide_installation(said, problem):
    """Members of the workspace, whichever one is their own. Those whom Slack does not call members are outsiders."""
    user = SlackUser.of({"id": "W1", **said}, SlackTeam("T1", "E1", is_org_wide=True))

    assert member_of(user).problem == problem


@pytest.mark.parametrize(
    ("said", "team", "may"),
    [
        ({"team_id": "T1", "is_admin": True}, ORG_WIDE, True),
        ({"team_id": "T1", "is_owner": True}, ORG_WIDE, True),
        ({"team_id": "T2", "is_admin": True}, ORG_WIDE, False),
        ({"team_id": "T2", "is_admin": True}, SlackTeam("T1", "E1"), True),
        ({"team_id": "T2", "enterprise_user": IN_E1 | {"is_admin": True}}, ORG_WIDE, True),
        ({"team_id": "T2", "enterprise_user": IN_E1 | {"is_owner": True}}, SlackTeam("T1", "E1"), True),
        ({"team_id": "T2", "enterprise_user": IN_E1 | {"is_owner": True}}, SlackTeam("T1"), True),
        ({"team_id": "T2", "enterprise_user": IN_E1 | {"enterprise_id": "E2", "is_owner": True}}, ORG_WIDE, False),
        ({"team_id": "T1", "is_admin": True}, SlackTeam(None, "E1", is_org_wide=True), False),
        ({"enterprise_user": IN_E1 | {"is_admin": True}}, SlackTeam(None, "E1", is_org_wide=True), True),
        ({}, ORG_WIDE, False),
    ],
)
def test_admins_of_one_workspace_do_not_administer_another(said, team, may):
    """Admins and owners of the organization administer each of its workspaces."""
    user = SlackUser.of({"id": "W1", "enterprise_user": IN_E1} | said, team)

    assert user.is_admin is may


async def test_an_address_is_looked_up_once_a_day(directory, acme, clock):
    """Upper and lower case are the same address. Other lookups are served from the cache."""
    assert await directory.find(acme.id, ["Dana@Acme.example"]) == {DANA: Member(acme.dana.id)}
    assert await directory.find(acme.id, [DANA, "DANA@ACME.EXAMPLE"]) == {DANA: Member(acme.dana.id)}
    clock.advance(seconds=24 * 60 * 60 - 1)
    await directory.find(acme.id, [DANA])
    assert len(acme.calls_of("users.lookupByEmail")) == 1

    clock.advance(seconds=1)
    await directory.find(acme.id, [DANA])

    assert len(acme.calls_of("users.lookupByEmail")) == 2


async def test_a_missing_user_is_looked_up_again_after_15_minutes(directory, acme, clock):
    """They may have joined since."""
    ada = "ada@acme.example"
    assert await directory.find(acme.id, [ada]) == {ada: Member(None, NOT_IN_SLACK)}
    acme.sandbox.add_user(acme.team, "Ada Smith", ada)
    clock.advance(seconds=15 * 60 - 1)
    assert (await directory.find(acme.id, [ada]))[ada].problem == NOT_IN_SLACK

    clock.advance(seconds=1)

    assert (await directory.find(acme.id, [ada]))[ada].problem is None


async def test_a_cached_guest_may_still_not_be_notified(directory, acme):
    """The rule also applies to cached users."""
    guest = acme.sandbox.add_user(acme.team, "Gil Guest", "gil@agency.example", is_restricted=True)

    first = await directory.find(acme.id, [guest.email])
    again = await directory.find(acme.id, [guest.email])

    assert first == again == {guest.email: Member(guest.id, GUEST)}


async def test_many_addresses_are_found_in_the_list_of_all_users(directory, acme):
    """One call replaces sixty, and deactivated users are recognized."""
    expected = people(acme, 60)
    gone = acme.sandbox.add_user(acme.team, "Gus Gone", "gus@acme.example", deleted=True)

    found = await directory.find(acme.id, [*expected, gone.email, "nobody@acme.example"])

    assert {email: member.user_id for email, member in found.items() if member.problem is None} == expected
    assert found[gone.email] == Member(gone.id, DEACTIVATED)
    assert found["nobody@acme.example"] == Member(None, NOT_IN_SLACK)
    assert acme.calls_of("users.lookupByEmail") == []
    assert len(acme.calls_of("users.list")) == 1


async def test_the_active_one_of_two_accounts_with_one_address_counts(directory, acme):
    """For example, a person left and came back."""
    acme.sandbox.add_user(acme.team, "Ada Old", "ada@acme.example", deleted=True)
    ada = acme.sandbox.add_user(acme.team, "Ada Smith", "ada@acme.example")

    found = await directory.find(acme.id, [*people(acme, 50), "ada@acme.example"])

    assert found["ada@acme.example"] == Member(ada.id)


async def test_twenty_thousand_members_are_listed_once_within_six_minutes(directory, acme, database, clock):
    """At Slack's limits. Another replica goes on where the first one stopped. Then every member is known for days."""
    wanted = people(acme, 20_000)
    wanted = dict([*list(wanted.items())[:2_500], *list(wanted.items())[-2_500:]])
    began_at, replicas = clock(), [directory, Directory(acme.api, database, clock)]

    first = await directory.find(acme.id, [*wanted, "nobody@acme.example"])
    paused = await database.run(pauses.paused_until, acme.id, routing.DIRECTORY, clock())
    while await database.run(pauses.paused_until, acme.id, routing.DIRECTORY, clock()):
        await replicas[clock() // 1_000 % 2].catch_up()
        clock.advance(seconds=1)
    took = clock() - began_at
    clock.advance(seconds=2 * 86_400)
    found = await directory.find(acme.id, [*wanted, "nobody@acme.example"])

    assert paused
    assert sum(member.problem is None for member in first.values()) == 2_500
    assert {member.retry_after for member in first.values() if member.problem == UNKNOWN} == {600.0}
    assert took <= 6 * 60_000
    assert {email: member.user_id for email, member in found.items() if member.problem is None} == wanted
    assert found["nobody@acme.example"] == Member(None, NOT_IN_SLACK)
    assert len(acme.calls_of("users.list")) == 101  # 20,001 members, and no page twice
    assert len(acme.calls_of("users.lookupByEmail")) == 1
    assert not [call for call in acme.sandbox.calls if call.error == "ratelimited"]


@pytest.mark.both_databases
async def test_a_listing_goes_on_after_an_outage_where_it_stopped(directory, acme, clock):
    """No page is read twice."""
    wanted = people(acme, 1_000)
    acme.sandbox.faults.add("users.list", status=500, when=lambda asked: "cursor" in asked)
    await directory.find(acme.id, wanted)

    clock.advance(seconds=60)
    await directory.catch_up()
    found = await directory.find(acme.id, wanted)

    assert {email: member.user_id for email, member in found.items()} == wanted
    assert len(acme.calls_of("users.list")) == 6 + 1  # and the one that failed


async def test_a_member_who_joins_after_the_listing_is_known_by_the_event(directory, acme, database, clock):
    """Nobody asks Slack for them."""
    await directory.find(acme.id, people(acme, 60))
    await database.run(members.refresh, acme.id, "new@acme.example", Member("U0NEW"), clock())

    assert await directory.find(acme.id, ["new@acme.example"]) == {"new@acme.example": Member("U0NEW")}
    assert acme.calls_of("users.lookupByEmail") == []


async def test_all_members_are_listed_again_in_the_background(directory, acme, database, clock):
    """Before they are no longer valid. Routing does not wait for it."""
    await directory.find(acme.id, people(acme, 60))
    late = acme.sandbox.add_user(acme.team, "Lena Late", "lena@acme.example")
    clock.advance(seconds=3 * 86_400)

    assert await directory.catch_up()

    assert await directory.find(acme.id, [late.email]) == {late.email: Member(late.id)}
    assert acme.calls_of("users.lookupByEmail") == []
    assert await database.run(pauses.paused_until, acme.id, routing.DIRECTORY, clock()) is None


@pytest.mark.both_databases
async def test_lookups_are_limited_over_all_replicas(directory, acme, database, clock):
    """Slack allows about fifty a minute. The others are unknown, with the time of the next attempt."""
    await database.run(listings.ensure, acme.id, clock())
    nothing_listed = await database.run(listings.claim, clock(), 1_000)
    await database.run(listings.finish, nothing_listed, [], clock())
    wanted = list(people(acme, 60))
    replica = Directory(acme.api, database, clock)
    await replica.find(acme.id, wanted[:30])
    clock.advance(seconds=20)

    found = await directory.find(acme.id, wanted[30:])

    unknown = [member for member in found.values() if member.problem == UNKNOWN]
    assert len(unknown) == 15
    assert {member.retry_after for member in unknown} == {40.0}
    clock.advance(seconds=40)
    assert UNKNOWN not in {member.problem for member in (await directory.find(acme.id, wanted[30:])).values()}


async def test_users_from_the_list_do_not_count_as_lookups(directory, acme):
    """After an import, the next lookup is still allowed."""
    await directory.find(acme.id, people(acme, 60))

    assert (await directory.find(acme.id, [DANA]))[DANA] == Member(acme.dana.id)


async def test_after_a_rate_limit_the_remaining_addresses_are_not_looked_up(directory, acme):
    """Earlier answers are kept."""
    wanted = list(people(acme, 40))
    acme.sandbox.faults.add("users.lookupByEmail", retry_after=17, when=lambda asked: asked["email"] == wanted[20])

    found = await directory.find(acme.id, wanted)

    assert found[wanted[20]] == Member(None, UNKNOWN, 17.0)
    assert sum(member.problem is None for member in found.values()) < 40
    assert len(acme.calls_of("users.lookupByEmail")) < 40
    assert {member.problem for member in found.values()} == {None, UNKNOWN}


async def test_after_a_rate_limit_lookups_begin_slowly(directory, acme, clock):
    """A burst right after Slack asked to wait would be refused again."""
    wanted = list(people(acme, 40))
    acme.sandbox.faults.add("users.lookupByEmail", retry_after=17)
    await directory.find(acme.id, wanted)
    before, a_second = len(acme.calls_of("users.lookupByEmail")), list[int]()

    for _ in range(80):
        clock.advance(seconds=1)
        found = await directory.find(acme.id, wanted)
        a_second.append(len(acme.calls_of("users.lookupByEmail")) - before - sum(a_second))

    assert a_second[:16] == [0] * 16
    assert max(a_second) <= 2
    assert UNKNOWN not in {member.problem for member in found.values()}


async def test_during_an_outage_no_user_counts_as_missing(directory, acme):
    """Otherwise job changes would go to the channel instead of the DRI."""
    acme.sandbox.faults.add("users.lookupByEmail", status=503, times=None)

    found = await directory.find(acme.id, [DANA])
    acme.sandbox.faults.clear()

    assert found == {DANA: Member(None, UNKNOWN)}
    assert (await directory.find(acme.id, [DANA]))[DANA].problem is None


async def test_after_an_incomplete_list_no_user_counts_as_missing(directory, acme):
    """They may be on the pages that were not read."""
    wanted = people(acme, 300)
    acme.sandbox.faults.add("users.list", status=500, when=lambda asked: "cursor" in asked)

    found = await directory.find(acme.id, wanted)

    assert NOT_IN_SLACK not in {member.problem for member in found.values()}


async def test_in_a_list_without_addresses_no_user_counts_as_missing(directory, acme):
    """Without users:read.email, users have no address. The lookup names the missing scope."""
    next(iter(acme.sandbox.world.tokens.values())).scopes -= {"users:read.email"}

    with pytest.raises(PermanentError, match=r"users:read\.email"):
        await directory.find(acme.id, people(acme, 60))


async def test_malformed_addresses_match_no_user(directory, acme):
    """Salesforce contains whatever people typed."""
    found = await directory.find(acme.id, [" ", "not an address", "ünï@çødé.example", " dana@acme.example "])

    assert found[" dana@acme.example "] == Member(acme.dana.id)
    assert found["not an address"].problem == NOT_IN_SLACK


@pytest.mark.parametrize(
    ("flags", "may"),
    [
        ({"is_admin": True}, True),
        ({"is_owner": True}, True),
        ({"is_primary_owner": True}, True),
        ({}, False),
        ({"is_admin": True, "deleted": True}, False),
        ({"is_admin": True, "is_stranger": True}, False),
    ],
)
async def test_owners_are_admins_too(directory, acme, flags, may):
    """Without a flag from Slack, a user is no admin."""
    user = acme.sandbox.add_user(acme.team, "Lee Park", "lee@acme.example", **flags)

    assert await directory.is_admin(acme.id, user.id) is may


async def test_without_a_response_from_slack_no_user_is_an_admin(directory, acme):
    """The check fails closed."""
    acme.sandbox.faults.add("users.info", status=500)

    assert await directory.is_admin(acme.id, acme.dana.id) is False
