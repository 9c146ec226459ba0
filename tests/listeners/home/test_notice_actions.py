"""The default channel breaks, and an admin mends it in the message that says so: heard as signed requests."""

from __future__ import annotations

import pytest

from sandbox.slack.state import Message
from store import audit
from store.slack import workspaces
from tests.listeners.conftest import install

CHOOSE, CHECK = "notice_choose_channel", "notice_check_channel"


@pytest.fixture
async def broken(office):
    """#wins is the default channel; use it to break it in some way, and read what Dana is told."""
    chosen = {"default_channel_id": office.wins.id, "default_channel_name": "wins"}
    await office.database.run(workspaces.change, office.team.id, None, **chosen)
    await work(office)
    [welcome] = messages(office, office.dana)
    welcome_ts = welcome.ts

    async def after(how) -> Message | None:
        await how(office.wins.id)
        await office.settled()
        await work(office)
        return next((each for each in messages(office, office.dana) if each.ts != welcome_ts), None)

    return after


async def work(office) -> None:
    """As a running worker would."""
    while await office.parts["notices"].catch_up():
        pass


def messages(office, user) -> list[Message]:
    channels = [each for each in office.slack.world.channels.values() if each.im_user == user.id]
    return [message for channel in channels for message in channel.messages.values()]


def heard(office, user) -> list[str]:
    return [message.text for message in office.slack.world.ephemerals if message.ephemeral_to == user.id]


async def press(office, message: Message, action_id: str, value: str | None = None) -> str:
    """Dana uses an element of the message; what the message says then."""
    reply = await office.slack.press(office.dana.id, message.channel_id, message.ts, action_id, value)
    assert reply.status == 200
    await office.settled()
    return message.text


EVENTS = {
    "archive": ("archive_channel", "it was archived"),
    "delete": ("delete_channel", "it was deleted"),
    "remove": ("remove_bot", "the app was removed from it"),
}


@pytest.mark.parametrize("is_private", [False, True])
@pytest.mark.parametrize("event", EVENTS)
async def test_each_way_of_breaking_is_told_before_anything_is_posted_in_vain(office, broken, event, is_private):
    """channel_… of public ones, group_… of private ones that the app is in."""
    office.wins.is_private = is_private
    office.wins.members[office.slack.world.active_token(office.team.id).bot_user] = None
    breaks, why = EVENTS[event]

    told = await broken(getattr(office.slack, breaks))

    assert why in told.text
    assert CHOOSE in str(told.blocks)


async def test_an_admin_chooses_another_channel_in_the_message(office, broken):
    """Stored, said in the channel, written down; and the message says so itself."""
    other = office.slack.add_channel(office.team, "other")
    told = await broken(office.slack.archive_channel)

    text = await press(office, told, CHOOSE, other.id)

    workspace = await office.workspace()
    assert (workspace.default_channel_id, workspace.default_channel_problem) == (other.id, None)
    assert f"go to <#{other.id}>" in text
    assert "conversations_select" not in str(told.blocks)
    assert heard(office, office.dana) == [f"Saved: <#{other.id}> is the default channel."]
    change = (await office.database.run(audit.recent, office.team.id))[0]
    assert (change.actor, change.action) == (office.dana.id, "default_channel")


async def test_a_channel_mended_in_slack_is_checked_by_one_press(office, broken):
    """Where Slack tells nobody: a restriction, say."""
    told = await broken(office.slack.archive_channel)
    refused = await press(office, told, CHECK)
    office.wins.is_archived = False

    text = await press(office, told, CHECK)

    assert "cannot be posted to" in refused
    assert "#wins is archived" in heard(office, office.dana)[0]
    assert "*Fixed.*" in text


async def test_what_slack_tells_of_as_mended_ends_it_by_itself(office, broken):
    """Unarchived, or the app was invited again: nobody has to press anything."""
    told = await broken(office.slack.archive_channel)
    await broken(office.slack.unarchive_channel)
    unarchived = told.text
    await office.slack.invite_bot(office.wins.id)
    removed = await broken(office.slack.remove_bot)

    await office.slack.invite_bot(office.wins.id)
    await office.settled()
    await work(office)

    assert "*Fixed.*" in unarchived
    assert removed.ts == told.ts
    assert [message.text.count("Fixed") for message in messages(office, office.dana)[1:]] == [1, 1]


async def test_somebody_else_who_joins_mends_nothing(office, broken):
    """The event comes for everybody."""
    await broken(office.slack.remove_bot)
    joined = {"type": "member_joined_channel", "user": office.mo.id, "channel": office.wins.id, "channel_type": "C"}

    await office.slack.send_event(office.team.id, joined)
    await office.settled()

    assert (await office.workspace()).default_channel_problem is not None


async def test_who_is_no_admin_any_more_mends_nothing(office, broken):
    """Rights are checked when it is pressed, not when it was sent."""
    other = office.slack.add_channel(office.team, "other")
    told = await broken(office.slack.archive_channel)
    office.dana.is_admin = False

    text = await press(office, told, CHOOSE, other.id)

    assert (await office.workspace()).default_channel_id == office.wins.id
    assert "cannot be posted to" in text
    assert "did not confirm that you are an admin" in heard(office, office.dana)[0]


@pytest.mark.parametrize(
    ("channel", "said"),
    [
        ({"is_archived": True}, "is archived"),
        ({"is_private": True}, "If it is private, write `/invite`"),
    ],
)
async def test_a_channel_that_is_no_good_either_is_refused(office, broken, channel, said):
    """The picker shows what its reader sees, which is not what the app can use."""
    no_good = office.slack.add_channel(office.team, "no-good", members=[office.dana.id], **channel)
    told = await broken(office.slack.archive_channel)

    text = await press(office, told, CHOOSE, no_good.id)

    assert "cannot be posted to" in text
    assert said in heard(office, office.dana)[0]


async def test_a_private_channel_that_the_app_was_invited_to_can_be_chosen(office, broken):
    """As can one that is shared with another company, with a warning."""
    private = office.slack.add_channel(office.team, "deals", members=[office.dana.id], is_private=True)
    private.is_ext_shared = True
    await office.slack.invite_bot(private.id)
    told = await broken(office.slack.archive_channel)

    await press(office, told, CHOOSE, private.id)

    assert (await office.workspace()).default_channel_id == private.id
    assert "#deals is shared with another company" in heard(office, office.dana)[0]


async def test_a_rename_is_followed_and_is_no_trouble(office, broken):
    """A channel is its id."""
    told = await broken(lambda channel_id: office.slack.rename_channel(channel_id, "victories"))

    assert told is None
    assert (await office.workspace()).default_channel_name == "victories"


async def test_the_first_channel_is_chosen_in_the_welcome(office):
    """Which ticks it off at once."""
    await work(office)
    [welcome] = messages(office, office.dana)

    text = await press(office, welcome, CHOOSE, office.wins.id)

    assert f"✅ Default channel: <#{office.wins.id}>" in text
    assert (await office.workspace()).default_channel_id == office.wins.id


async def test_installing_again_welcomes_nobody_twice(office):
    """A permission was added, say. Whoever else does that is told in their own message."""
    await work(office)
    await install(office, office.dana)
    await work(office)

    assert len(messages(office, office.dana)) == 1


async def test_after_leaving_and_coming_back_it_begins_anew(office):
    """What was said before speaks of another installation."""
    await work(office)
    await office.slack.uninstall(office.team.id)
    await office.settled()
    await install(office, office.dana)
    await work(office)

    assert len(messages(office, office.dana)) == 2
