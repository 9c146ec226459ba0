"""People and channels change in Slack, and what is remembered of them follows, each event once."""

from __future__ import annotations

import json

import pytest

from domain.people import DEACTIVATED, NOT_IN_SLACK, Member
from store.slack import members, workspaces

ADA = "ada@acme.example"


async def known(office, email: str, clock) -> Member | None:
    cached = await office.database.run(members.cached, office.team.id, [email], clock())
    return cached.get(email)


@pytest.fixture
async def wins_is_default(office):
    """Make #wins the default channel."""
    chosen = {"default_channel_id": office.wins.id, "default_channel_name": "wins"}
    await office.database.run(workspaces.change, office.team.id, None, **chosen)


async def test_a_new_member_is_found_at_once(office, clock):
    """A failed lookup is cached for 15 minutes; team_join clears it."""
    await office.database.run(members.cache, office.team.id, {ADA: Member(None, NOT_IN_SLACK)}, clock())

    ada = await office.slack.join_user(office.team, "Ada Smith", "Ada@Acme.example")
    await office.settled()

    assert await known(office, ADA, clock) == Member(ada.id)


async def test_members_that_were_never_looked_up_are_not_stored(office, clock):
    """Only data that is needed is stored."""
    await office.slack.join_user(office.team, "Ada Smith", ADA)
    await office.settled()

    assert await known(office, ADA, clock) is None


async def test_a_deactivated_member_gets_no_more_messages(office, clock):
    """Slack accepts messages to deactivated accounts, but nobody reads them."""
    await office.database.run(members.cache, office.team.id, {office.mo.email: Member(office.mo.id)}, clock())

    assert await office.slack.deactivate_user(office.mo.id) == 200
    await office.settled()

    assert await known(office, office.mo.email, clock) == Member(office.mo.id, DEACTIVATED)


async def test_an_old_e_mail_address_no_longer_finds_its_member(office, clock):
    """The next job change for it asks Slack again."""
    old = office.mo.email
    await office.database.run(members.cache, office.team.id, {old: Member(office.mo.id)}, clock())

    await office.slack.change_user(office.mo.id, email="mo.chen@acme.example")
    await office.settled()

    assert await known(office, old, clock) is None


async def test_a_rename_of_the_default_channel_is_stored(office, wins_is_default):
    """The app always shows the channel's current name."""
    await office.slack.rename_channel(office.wins.id, "victories")
    await office.settled()

    assert (await office.workspace()).default_channel_name == "victories"


async def test_an_archived_default_channel_is_a_problem_until_it_is_unarchived(office, wins_is_default):
    """Home shows the problem until then."""
    await office.slack.archive_channel(office.wins.id)
    await office.settled()
    archived = (await office.workspace()).default_channel_problem

    await office.slack.unarchive_channel(office.wins.id)
    await office.settled()

    assert archived == "it was archived; unarchive it or choose another channel"
    assert (await office.workspace()).default_channel_problem is None


async def test_archiving_another_channel_is_no_problem(office, wins_is_default):
    """Only the default channel matters."""
    other = office.slack.add_channel(office.team, "other")
    await office.slack.archive_channel(other.id)
    await office.settled()

    assert (await office.workspace()).default_channel_problem is None


@pytest.mark.parametrize(
    ("event", "problem"),
    [
        ("channel_deleted", "it was deleted; choose another channel"),
        ("group_left", "the app was removed from it; invite the app again or choose another channel"),
    ],
)
async def test_a_lost_default_channel_is_recorded_with_its_remedy(office, wins_is_default, event, problem):
    """The text says what happened and what to do."""
    assert await office.slack.send_event(office.team.id, {"type": event, "channel": office.wins.id}) == 200
    await office.settled()

    assert (await office.workspace()).default_channel_problem == problem


async def test_the_default_channel_keeps_its_role_under_a_new_id(office, wins_is_default):
    """Sharing a channel with another company changes its id."""
    await office.slack.change_channel_id(office.wins.id, "C0NEWID")
    await office.settled()

    assert (await office.workspace()).default_channel_id == "C0NEWID"


async def test_a_signal_channel_keeps_its_role_under_a_new_id(office):
    """Channels of other signals do not change."""
    channels = {"custom": office.wins.id, "contact_tracking": "C0OTHER"}
    await office.database.run(workspaces.change, office.team.id, None, signal_channels=json.dumps(channels))

    await office.slack.change_channel_id(office.wins.id, "C0NEWID")
    await office.settled()

    assert (await office.workspace()).signal_channels == {"custom": "C0NEWID", "contact_tracking": "C0OTHER"}


@pytest.mark.both_databases
async def test_a_repeated_event_has_no_second_effect(office, wins_is_default):
    """Slack repeats an event that was answered late, when the state may have changed again."""
    renamed = {"type": "channel_rename", "channel": {"id": office.wins.id, "name": "first"}}
    await office.slack.send_event(office.team.id, renamed, event_id="Ev1")
    await office.slack.send_event(
        office.team.id, {**renamed, "channel": {"id": office.wins.id, "name": "second"}}, event_id="Ev2"
    )
    await office.settled()

    assert await office.slack.send_event(office.team.id, renamed, event_id="Ev1", retry_num=1) == 200
    await office.settled()

    assert (await office.workspace()).default_channel_name == "second"
