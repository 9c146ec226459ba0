"""Reminders, chosen in Home; and the picker of the default channel there, which shows what is chosen."""

from __future__ import annotations

import pytest

from store import audit
from store.slack import workspaces

HOURS, ESCALATION, CHANNEL = "home_reminder_hours", "home_reminder_escalation", "home_choose_channel"


def element(office, action_id):
    blocks = office.slack.world.homes[office.dana.id].blocks
    return next(block["accessory"] for block in blocks if block.get("accessory", {}).get("action_id") == action_id)


async def test_reminders_are_off_until_an_admin_switches_them_on(office):
    """Then Home asks who is told after that; each choice is stored at once and written down."""
    home = await office.open_home(office.dana)
    assert element(office, HOURS)["initial_option"]["value"] == "0"
    assert ESCALATION not in home

    await office.pick(office.dana, HOURS, "8")
    await office.pick(office.dana, ESCALATION, "manager")

    workspace = await office.workspace()
    assert (workspace.reminder_hours, workspace.reminder_escalation) == (8, "manager")
    assert element(office, HOURS)["initial_option"]["text"]["text"] == "After 8 working hours"
    assert element(office, ESCALATION)["initial_option"]["value"] == "manager"
    changes = [change.detail for change in await office.database.run(audit.recent, office.team.id, 2)]
    assert changes == ["reminder_escalation = manager", "reminder_hours = 8"]


async def test_who_is_no_admin_any_more_changes_nothing(office):
    """Rights are checked at each change."""
    await office.open_home(office.dana)
    office.dana.is_admin = False

    home = await office.pick(office.dana, HOURS, "8")

    assert "did not confirm that you are an admin" in home
    assert (await office.workspace()).reminder_hours == 0


@pytest.mark.parametrize(("setter", "value"), [("set_reminder_hours", 3), ("set_reminder_escalation", "everybody")])
async def test_what_home_does_not_offer_is_refused(office, setter, value):
    """It would be stored, and nobody would know what it means."""
    with pytest.raises(ValueError, match=str(value)):
        await getattr(office.parts["preferences"], setter)(office.team.id, office.dana.id, value, None)


async def test_the_picker_shows_the_channel_that_is_chosen(office):
    """One need not read it in another place."""
    await office.open_home(office.dana)
    await office.pick(office.dana, CHANNEL, office.wins.id)

    assert element(office, CHANNEL)["initial_conversation"] == office.wins.id


async def test_a_private_channel_is_named_but_not_in_the_picker(office):
    """Of two admins one may not see it, and Slack may refuse a view that names what its reader cannot see."""
    office.wins.is_private = True
    await office.slack.invite_bot(office.wins.id)
    await office.open_home(office.dana)

    home = await office.pick(office.dana, CHANNEL, office.wins.id)

    assert f"<#{office.wins.id}>" in home
    assert "initial_conversation" not in element(office, CHANNEL)


async def test_a_channel_chosen_before_that_was_remembered_is_not_in_the_picker(office):
    """Whether it is public is not known."""
    await office.database.run(workspaces.change, office.team.id, None, default_channel_id=office.wins.id)

    await office.open_home(office.dana)

    assert "initial_conversation" not in element(office, CHANNEL)


async def test_home_is_shown_where_slack_refuses_the_channel_in_the_picker(office):
    """It was made private since, say; Home is where that can be mended."""
    await office.open_home(office.dana)
    await office.pick(office.dana, CHANNEL, office.wins.id)
    office.slack.faults.add("views.publish", error="invalid_arguments")

    home = await office.open_home(office.dana)

    assert f"<#{office.wins.id}>" in home
    assert "initial_conversation" not in element(office, CHANNEL)
