"""Home over real HTTP: what it shows, who may change what, and what happens when several do at once."""

from __future__ import annotations

import pytest

from store import audit
from tests.listeners.conftest import Office

CHOOSE, CHECK = "home_choose_channel", "home_check_channel"


def posted_in(office: Office, channel_id: str) -> list[str]:
    return [message.text for message in office.slack.world.channels[channel_id].messages.values()]


async def test_home_tells_an_admin_that_a_default_channel_is_missing(office):
    """The first thing to do after installing is the first thing one reads."""
    home = await office.open_home(office.dana)

    assert "No default channel yet" in home
    assert CHOOSE in home


async def test_the_messages_tab_publishes_no_home(office):
    """app_home_opened comes for both tabs."""
    assert await office.slack.open_home(office.dana.id, tab="messages") == 200
    await office.settled()

    assert office.slack.world.homes == {}


async def test_a_member_reads_who_is_told_and_can_change_no_setting(office):
    """Settings, and how others are doing, are for admins and owners."""
    home = await office.open_home(office.mo)

    assert "Who is told" in home
    assert "home_" not in home
    assert "last 30 days" not in home


async def test_choosing_the_default_channel_stores_announces_and_records_it(office):
    """One choice: stored with the channel's name, said in the channel, written down with who did it."""
    await office.open_home(office.dana)

    home = await office.pick(office.dana, CHOOSE, office.wins.id)

    workspace = await office.workspace()
    assert (workspace.default_channel_id, workspace.default_channel_name) == (office.wins.id, "wins")
    assert posted_in(office, office.wins.id) == [
        f"<@{office.dana.id}> made this the default channel for job changes: it gets those that no DRI was found for."
    ]
    assert f"Saved: <#{office.wins.id}> is the default channel." in home
    change, installed = await office.database.run(audit.recent, office.team.id)
    assert installed.action == "installed"
    assert (change.actor, change.action, change.detail) == (
        office.dana.id,
        "default_channel",
        f"None → {office.wins.id}",
    )


async def test_choosing_the_same_channel_again_says_nothing_there(office):
    """Slack may send a choice twice; the channel reads it once."""
    await office.open_home(office.dana)
    await office.pick(office.dana, CHOOSE, office.wins.id)

    await office.pick(office.dana, CHOOSE, office.wins.id)

    assert len(posted_in(office, office.wins.id)) == 1


async def test_of_two_admins_the_later_one_sees_what_the_earlier_one_chose(office):
    """Nobody overwrites what they have not seen."""
    lee = office.slack.add_user(office.team, "Lee Park", "lee@acme.example", is_owner=True)
    losses = office.slack.add_channel(office.team, "losses")
    await office.open_home(office.dana)
    await office.open_home(lee)
    await office.pick(office.dana, CHOOSE, office.wins.id)

    home = await office.pick(lee, CHOOSE, losses.id)

    assert "Somebody else changed the settings in the meantime" in home
    assert f"<#{office.wins.id}>" in home
    assert (await office.workspace()).default_channel_id == office.wins.id
    assert posted_in(office, losses.id) == []


async def test_who_lost_the_admin_role_meanwhile_can_change_nothing(office):
    """Rights are checked at each change, not when Home was drawn."""
    await office.open_home(office.dana)
    office.dana.is_admin = False

    home = await office.pick(office.dana, CHOOSE, office.wins.id)

    assert "did not confirm that you are an admin" in home
    assert "home_" not in home
    assert (await office.workspace()).default_channel_id is None


async def test_when_slack_does_not_tell_the_rights_nothing_is_changed(office):
    """It fails closed."""
    await office.open_home(office.dana)
    office.slack.faults.add("users.info", status=503)

    home = await office.pick(office.dana, CHOOSE, office.wins.id)

    assert "did not confirm that you are an admin" in home
    assert (await office.workspace()).default_channel_id is None


@pytest.mark.parametrize(
    ("channel", "said"),
    [
        ({"is_archived": True}, "is archived"),
        ({"is_private": True}, "If it is private, write `/invite`"),
    ],
)
async def test_a_channel_that_cannot_be_posted_to_is_refused_with_what_to_do(office, channel, said):
    """The picker shows what its user sees, which is not what the app can use."""
    unusable = office.slack.add_channel(office.team, "unusable", members=[office.dana.id], **channel)
    await office.open_home(office.dana)

    home = await office.pick(office.dana, CHOOSE, unusable.id)

    assert said in home
    assert (await office.workspace()).default_channel_id is None
    assert posted_in(office, unusable.id) == []


async def test_a_channel_shared_with_another_company_is_stored_with_a_warning(office):
    """It may be meant; the admin should know who reads along."""
    shared = office.slack.add_channel(office.team, "shared", is_ext_shared=True)
    await office.open_home(office.dana)

    home = await office.pick(office.dana, CHOOSE, shared.id)

    assert "shared with another company" in home
    assert (await office.workspace()).default_channel_id == shared.id


async def test_a_channel_that_refuses_the_test_message_is_not_stored(office):
    """What Slack refuses for good would swallow every job change."""
    office.slack.faults.add("chat.postMessage", error="restricted_action")
    await office.open_home(office.dana)

    home = await office.pick(office.dana, CHOOSE, office.wins.id)

    assert "the workspace lets only some people post there" in home
    assert (await office.workspace()).default_channel_id is None


async def test_a_passing_trouble_with_the_test_message_does_not_undo_the_choice(office):
    """Slack may be busy; job changes are tried again anyway."""
    office.slack.faults.add("chat.postMessage", status=503)
    await office.open_home(office.dana)

    home = await office.pick(office.dana, CHOOSE, office.wins.id)

    assert "did not take the test message just now" in home
    assert (await office.workspace()).default_channel_id == office.wins.id


async def test_what_the_channel_gets_and_whether_dris_are_told_can_be_chosen(office):
    """Each is stored at once; with nobody told directly the channel gets everything, so there is nothing to choose."""
    await office.open_home(office.dana)

    await office.pick(office.dana, "home_channel_gets", "everything")
    home = await office.pick(office.dana, "home_tell_dris", "no")

    workspace = await office.workspace()
    assert (workspace.channel_gets, workspace.tell_dris) == ("everything", False)
    assert "home_channel_gets" not in home
    assert [change.detail for change in await office.database.run(audit.recent, office.team.id)] == [
        "tell_dris = False",
        "channel_gets = everything",
        "",
    ]


async def test_checking_a_mended_channel_clears_its_trouble(office):
    """The admin mends it in Slack and presses one button."""
    await office.open_home(office.dana)
    await office.pick(office.dana, CHOOSE, office.wins.id)
    await office.slack.archive_channel(office.wins.id)
    await office.settled()
    assert "cannot be posted to" in await office.open_home(office.dana)
    office.wins.is_archived = False

    home = await office.pick(office.dana, CHECK)

    assert "cannot be posted to" not in home
    assert (await office.workspace()).default_channel_problem is None


async def test_a_home_that_was_replaced_meanwhile_is_drawn_from_what_is_stored_now(office):
    """hash_conflict: a slow answer must not put back an old picture."""
    await office.open_home(office.dana)
    office.slack.faults.add("views.publish", error="hash_conflict")

    home = await office.pick(office.dana, CHOOSE, office.wins.id)

    assert f"Saved: <#{office.wins.id}>" in home


async def test_a_refused_choice_does_not_stay_in_the_picker(office, clock):
    """Slack keeps showing what was picked for as long as the block_id stays."""
    archived = office.slack.add_channel(office.team, "old", is_archived=True)
    await office.open_home(office.dana)
    before = _picker_block(office)
    clock.advance(seconds=1)

    home = await office.pick(office.dana, CHOOSE, archived.id)

    assert "is archived" in home
    assert _picker_block(office) != before


def _picker_block(office: Office) -> str:
    blocks = office.slack.world.homes[office.dana.id].blocks
    return next(block["block_id"] for block in blocks if block.get("accessory", {}).get("action_id") == CHOOSE)


async def test_a_home_on_the_screen_of_a_workspace_that_left_is_not_drawn_again(office):
    """There is no token any more, nor anything to show."""
    await office.open_home(office.dana)
    await office.slack.send_event(office.team.id, {"type": "app_uninstalled"})
    await office.settled()
    before = office.slack.world.homes[office.dana.id].hash

    assert await office.slack.open_home(office.dana.id) == 200
    await office.settled()

    assert office.slack.world.homes[office.dana.id].hash == before
