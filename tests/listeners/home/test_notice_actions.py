"""The default channel breaks, and an admin fixes it right in the notice: by signed requests over real HTTP."""

from __future__ import annotations

import pytest

from sandbox.slack.state import Message
from store import audit
from store.slack import workspaces
from tests.listeners.conftest import install

CHOOSE, CHECK = "notice_choose_channel", "notice_check_channel"


@pytest.fixture
async def broken(office):
    """A function that breaks the default channel #wins in some way and returns the notice that Dana gets."""
    chosen = {"default_channel_id": office.wins.id, "default_channel_name": "wins"}
    await office.database.run(workspaces.change, office.team.id, None, **chosen)
    await work(office)
    [welcome] = messages(office, office.dana)
    welcome_ts = welcome.ts

    async def break_channel(how) -> Message | None:
        await how(office.wins.id)
        await office.settled()
        await work(office)
        return next((message for message in messages(office, office.dana) if message.ts != welcome_ts), None)

    return break_channel


async def work(office) -> None:
    """As a running worker would."""
    while await office.parts["notices"].catch_up():
        pass


def messages(office, user) -> list[Message]:
    channels = [channel for channel in office.slack.world.channels.values() if channel.im_user == user.id]
    return [message for channel in channels for message in channel.messages.values()]


def replies(office, user) -> list[str]:
    return [message.text for message in office.slack.world.ephemerals if message.ephemeral_to == user.id]


async def press(office, message: Message, action_id: str, value: str | None = None) -> str:
    """Dana uses an element of the message. Returns the text of the message afterwards."""
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
async def test_admins_are_notified_as_soon_as_the_channel_breaks(office, broken, event, is_private):
    """Slack sends channel_… events for public channels and group_… events for private ones; both are handled."""
    office.wins.is_private = is_private
    office.wins.members[office.slack.world.active_token(office.team.id).bot_user] = None
    breaks, why = EVENTS[event]

    notice = await broken(getattr(office.slack, breaks))

    assert why in notice.text
    assert CHOOSE in str(notice.blocks)


async def test_an_admin_chooses_another_channel_in_the_notice(office, broken):
    """The choice is stored and recorded in the audit, and the notice shows it."""
    other = office.slack.add_channel(office.team, "other")
    notice = await broken(office.slack.archive_channel)

    text = await press(office, notice, CHOOSE, other.id)

    workspace = await office.workspace()
    assert (workspace.default_channel_id, workspace.default_channel_problem) == (other.id, None)
    assert f"go to <#{other.id}>" in text
    assert "conversations_select" not in str(notice.blocks)
    assert replies(office, office.dana) == [f"Saved. <#{other.id}> is the default channel."]
    change = (await office.database.run(audit.recent, office.team.id))[0]
    assert (change.actor, change.action) == (office.dana.id, "default_channel")


async def test_a_channel_fixed_in_slack_is_checked_by_one_button(office, broken):
    """Slack sends no event for some fixes, such as a lifted restriction."""
    notice = await broken(office.slack.archive_channel)
    refused = await press(office, notice, CHECK)
    office.wins.is_archived = False

    text = await press(office, notice, CHECK)

    assert "cannot post in" in refused
    assert "#wins is archived" in replies(office, office.dana)[0]
    assert "*Fixed.*" in text


async def test_a_fix_that_slack_reports_ends_the_problem(office, broken):
    """After the channel was unarchived or the app was invited again, nobody has to press anything."""
    notice = await broken(office.slack.archive_channel)
    await broken(office.slack.unarchive_channel)
    unarchived = notice.text
    await office.slack.invite_bot(office.wins.id)
    removed = await broken(office.slack.remove_bot)

    await office.slack.invite_bot(office.wins.id)
    await office.settled()
    await work(office)

    assert "*Fixed.*" in unarchived
    assert removed.ts == notice.ts
    assert [message.text.count("Fixed") for message in messages(office, office.dana)[1:]] == [1, 1]


async def test_another_member_who_joins_the_channel_fixes_nothing(office, broken):
    """Slack sends the event for everyone, so the app checks whether it is about itself."""
    await broken(office.slack.remove_bot)
    joined = {"type": "member_joined_channel", "user": office.mo.id, "channel": office.wins.id, "channel_type": "C"}

    await office.slack.send_event(office.team.id, joined)
    await office.settled()

    assert (await office.workspace()).default_channel_problem is not None


async def test_a_former_admin_cannot_choose_a_channel_in_the_notice(office, broken):
    """Permissions are checked when the button is pressed, not when the notice is sent."""
    other = office.slack.add_channel(office.team, "other")
    notice = await broken(office.slack.archive_channel)
    office.dana.is_admin = False

    text = await press(office, notice, CHOOSE, other.id)

    assert (await office.workspace()).default_channel_id == office.wins.id
    assert "cannot post in" in text
    assert "Only workspace admins and owners" in replies(office, office.dana)[0]


@pytest.mark.parametrize(
    ("channel", "advice"),
    [
        ({"is_archived": True}, "is archived"),
        ({"is_private": True}, "If it is private, type `/invite`"),
    ],
)
async def test_another_channel_the_app_cannot_post_in_is_refused(office, broken, channel, advice):
    """The picker offers channels that its user sees, which the app may not be able to use."""
    unusable = office.slack.add_channel(office.team, "unusable", members=[office.dana.id], **channel)
    notice = await broken(office.slack.archive_channel)

    text = await press(office, notice, CHOOSE, unusable.id)

    assert "cannot post in" in text
    assert advice in replies(office, office.dana)[0]


async def test_a_private_channel_that_the_app_was_invited_to_can_be_chosen(office, broken):
    """A shared channel can be chosen too, with a warning."""
    private = office.slack.add_channel(office.team, "deals", members=[office.dana.id], is_private=True)
    private.is_ext_shared = True
    await office.slack.invite_bot(private.id)
    notice = await broken(office.slack.archive_channel)

    await press(office, notice, CHOOSE, private.id)

    assert (await office.workspace()).default_channel_id == private.id
    assert "#deals is shared with another company" in replies(office, office.dana)[0]


async def test_a_renamed_channel_is_not_a_problem(office, broken):
    """The new name is stored, and nobody is notified."""
    notice = await broken(lambda channel_id: office.slack.rename_channel(channel_id, "victories"))

    assert notice is None
    assert (await office.workspace()).default_channel_name == "victories"


async def test_the_first_channel_is_chosen_in_the_welcome_message(office):
    """The message shows the step as completed at once."""
    await work(office)
    [welcome] = messages(office, office.dana)

    text = await press(office, welcome, CHOOSE, office.wins.id)

    assert f"✅ Default channel: <#{office.wins.id}>" in text
    assert (await office.workspace()).default_channel_id == office.wins.id


async def test_installing_again_sends_no_second_welcome_message(office):
    """People install again to add a permission, for example."""
    await work(office)
    await install(office, office.dana)
    await work(office)

    assert len(messages(office, office.dana)) == 1


async def test_an_installation_after_a_removal_sends_a_new_welcome_message(office):
    """The earlier message was about another installation."""
    await work(office)
    await office.slack.uninstall(office.team.id)
    await office.settled()
    await install(office, office.dana)
    await work(office)

    assert len(messages(office, office.dana)) == 2
