"""The default channel breaks in every possible way: its messages are kept and sent once that is fixed."""

from __future__ import annotations

import pytest

from services.home.preferences import Preferences
from services.messages.notices import Notices


def archive(world, channel_id):
    world.slack.world.channels[channel_id].is_archived = True


def delete(world, channel_id):
    del world.slack.world.channels[channel_id]
    world.team.channels.remove(channel_id)


def make_private(world, channel_id):
    """Converting a channel keeps its members, and the app was not one."""
    world.slack.world.channels[channel_id].is_private = True


def refuse(error):
    def restrict(world, _channel_id):
        world.slack.faults.add("chat.postMessage", error=error)

    return restrict


WAYS = {
    "archived": (archive, "the channel is archived"),
    "deleted": (delete, "Slack cannot find it, or it is private and the app was not invited"),
    "made private": (make_private, "Slack cannot find it, or it is private and the app was not invited"),
    "the app was removed": (refuse("not_in_channel"), "the app is not in that channel"),
    "posting restricted": (refuse("restricted_action"), "only some people may post there"),
    "read-only": (refuse("restricted_action_read_only_channel"), "the channel is read-only for apps"),
    "threads only": (refuse("restricted_action_thread_only_channel"), "the channel allows only replies in threads"),
    "not threadable": (
        refuse("restricted_action_non_threadable_channel"),
        "the channel does not allow this kind of message",
    ),
}


@pytest.mark.parametrize("way", WAYS)
async def test_its_messages_are_kept_until_an_admin_chooses_another_channel(world, way):
    """One notice gives the reason. Nothing is lost, and nothing is sent twice."""
    breaks, why = WAYS[way]
    channel_id = await world.default_channel()
    other = world.slack.add_channel(world.team, "other")
    breaks(world, channel_id)
    slack = world.worker.courier.slack
    notices = Notices(world.database, slack, world.clock)

    first = await world.deliver(source_event_id="1")
    second = await world.deliver(source_event_id="2")
    (notice,) = world.direct_messages("Alma Admin")
    outcome, text = (await world.find(first)).outcome, notice.text
    world.slack.faults.clear()
    preferences = Preferences(slack, world.database, world.clock)
    assert (await preferences.choose_default_channel(world.workspace_id, world.admin.id, other.id, None)).stored
    world.clock.advance(seconds=5)
    await world.worker.drain()
    await notices.show(world.workspace_id)

    assert outcome is None
    assert why in text
    chosen, bundle = world.channel_messages("other")
    assert "made this the default channel" in chosen.text
    assert "2 job changes without a DRI" in bundle.text
    assert [(await world.find(each)).outcome for each in (first, second)] == ["delivered", "delivered"]
    (notice,) = world.direct_messages("Alma Admin")
    assert f"go to <#{other.id}>" in notice.text
