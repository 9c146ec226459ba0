"""Home over real HTTP: what it shows, who may change settings, and what happens when several do so at once."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from domain.job_change.parts import Signal
from store import audit
from store.delivery import pauses
from store.schema import intake_keys
from store.slack import workspaces
from tests.listeners.conftest import Office, connect_salesforce

CHOOSE, CHECK = "home_choose_channel", "home_check_channel"
REMINDER_HOURS, ESCALATION = "home_reminder_hours", "home_reminder_escalation"


def posted_in(office: Office, channel_id: str) -> list[str]:
    return [message.text for message in office.slack.world.channels[channel_id].messages.values()]


async def test_home_shows_admins_that_the_default_channel_is_missing(office):
    """It has the picker to choose one, which is the first step after the installation."""
    home = await office.open_home(office.dana)

    assert "Choose a default channel" in home
    assert CHOOSE in home


async def test_opening_the_messages_tab_publishes_no_home(office):
    """Slack sends app_home_opened for both tabs."""
    assert await office.slack.open_home(office.dana.id, tab="messages") == 200
    await office.settled()

    assert office.slack.world.homes == {}


async def test_members_see_who_is_notified_and_no_settings(office):
    """Settings and figures are for admins and owners."""
    home = await office.open_home(office.mo)

    assert "Who is notified" in home
    assert "home_" not in home
    assert "Last 30 days" not in home


async def test_choosing_the_default_channel_stores_announces_and_records_it(office):
    """The channel is stored with its name, gets a short note, and the audit records who chose it."""
    await office.open_home(office.dana)

    home = await office.pick(office.dana, CHOOSE, office.wins.id)

    workspace = await office.workspace()
    assert (workspace.default_channel_id, workspace.default_channel_name) == (office.wins.id, "wins")
    [note] = posted_in(office, office.wins.id)
    assert note.startswith(f"<@{office.dana.id}> made this the default channel")
    assert "for which no DRI is found" in note
    assert f"Saved. <#{office.wins.id}> is the default channel." in home
    change, installed = await office.database.run(audit.recent, office.team.id)
    assert installed.action == "installed"
    assert (change.actor, change.action, change.detail) == (
        office.dana.id,
        "default_channel",
        f"none → {office.wins.id}",
    )


async def test_choosing_the_same_channel_again_posts_nothing(office):
    """Slack may send a choice twice; the channel gets one note. Nor does an empty choice change anything."""
    await office.open_home(office.dana)
    await office.pick(office.dana, CHOOSE, office.wins.id)

    await office.pick(office.dana, CHOOSE, office.wins.id)
    await office.pick(office.dana, CHOOSE, None)

    assert len(posted_in(office, office.wins.id)) == 1


async def test_the_old_channel_is_notified_once_that_job_changes_go_elsewhere(office, clock):
    """People who read it would wait for more. A channel that is still used for a signal gets no note."""
    losses = office.slack.add_channel(office.team, "losses")
    await office.open_home(office.dana)
    await office.pick(office.dana, CHOOSE, office.wins.id)

    await office.pick(office.dana, CHOOSE, losses.id)

    _, ended = posted_in(office, office.wins.id)
    assert ended == (
        f"<@{office.dana.id}> made <#{losses.id}> the default channel. Job changes are no longer posted here."
    )
    channels = office.parts["signal_channels"]
    await channels.choose(office.team.id, office.dana.id, Signal.CUSTOM, losses.id, None)
    await channels.choose(office.team.id, office.dana.id, Signal.CONTACT_TRACKING, office.wins.id, None)
    clock.advance(seconds=2)
    await channels.choose(office.team.id, office.dana.id, Signal.CONTACT_TRACKING, None, None)
    assert len(posted_in(office, losses.id)) == 1
    assert "are no longer posted here" in posted_in(office, office.wins.id)[-1]
    await office.open_home(office.dana)
    await office.pick(office.dana, CHOOSE, office.wins.id)
    assert len(posted_in(office, losses.id)) == 1


async def test_keys_are_revoked_in_home(office):
    """At once, also the rotated one, and the audit records it. The button asks first."""
    for _ in range(2):
        await office.intake_keys.make(office.team.id, "bearer", office.dana.id)
    await office.open_home(office.dana)

    home = await office.pick(office.dana, "home_revoke_keys_bearer")

    assert "Revoked. Requests with the old API key are refused." in home
    assert "home_revoke_keys_bearer" not in home
    rows = await office.database.run(lambda connection: connection.execute(select(intake_keys)).all())
    assert rows == []
    assert (await office.database.run(audit.recent, office.team.id))[0].action == "revoked intake keys"


async def test_an_admin_does_not_overwrite_what_another_one_has_just_chosen(office):
    """Nobody overwrites settings that they have not seen."""
    lee = office.slack.add_user(office.team, "Lee Park", "lee@acme.example", is_owner=True)
    losses = office.slack.add_channel(office.team, "losses")
    await office.open_home(office.dana)
    await office.open_home(lee)
    await office.pick(office.dana, CHOOSE, office.wins.id)

    home = await office.pick(lee, CHOOSE, losses.id)

    assert "Someone else changed the settings in the meantime" in home
    assert f"<#{office.wins.id}>" in home
    assert (await office.workspace()).default_channel_id == office.wins.id
    assert posted_in(office, losses.id) == []


async def test_a_former_admin_cannot_choose_the_default_channel(office):
    """Permissions are checked at each change, not when Home is published."""
    await office.open_home(office.dana)
    office.dana.is_admin = False

    home = await office.pick(office.dana, CHOOSE, office.wins.id)

    assert "Only workspace admins and owners" in home
    assert "home_" not in home
    assert (await office.workspace()).default_channel_id is None


async def test_nothing_changes_when_slack_cannot_confirm_permissions(office):
    """Without an answer from Slack, the change is refused."""
    await office.open_home(office.dana)
    office.slack.faults.add("users.info", status=503)

    home = await office.pick(office.dana, CHOOSE, office.wins.id)

    assert "Only workspace admins and owners" in home
    assert (await office.workspace()).default_channel_id is None


@pytest.mark.parametrize(
    ("channel", "advice"),
    [
        ({"is_archived": True}, "is archived"),
        ({"is_private": True}, "If it is private, type `/invite`"),
    ],
)
async def test_a_channel_the_app_cannot_post_in_is_refused_with_advice(office, channel, advice):
    """The picker offers channels that its user sees, which the app may not be able to use."""
    unusable = office.slack.add_channel(office.team, "unusable", members=[office.dana.id], **channel)
    await office.open_home(office.dana)

    home = await office.pick(office.dana, CHOOSE, unusable.id)

    assert advice in home
    assert (await office.workspace()).default_channel_id is None
    assert posted_in(office, unusable.id) == []


async def test_a_channel_shared_with_another_company_is_stored_with_a_warning(office):
    """It may be intended; the warning says who else sees the job changes."""
    shared = office.slack.add_channel(office.team, "shared", is_ext_shared=True)
    await office.open_home(office.dana)

    home = await office.pick(office.dana, CHOOSE, shared.id)

    assert "shared with another company" in home
    assert (await office.workspace()).default_channel_id == shared.id


async def test_a_channel_that_refuses_the_note_is_not_stored(office):
    """It would refuse every job change as well."""
    office.slack.faults.add("chat.postMessage", error="restricted_action")
    await office.open_home(office.dana)

    home = await office.pick(office.dana, CHOOSE, office.wins.id)

    assert "only some people may post there" in home
    assert (await office.workspace()).default_channel_id is None


async def test_a_temporary_problem_with_the_note_does_not_undo_the_choice(office):
    """Job changes are retried, so the channel is stored."""
    office.slack.faults.add("chat.postMessage", status=503)
    await office.open_home(office.dana)

    home = await office.pick(office.dana, CHOOSE, office.wins.id)

    assert "test message could not be posted right now" in home
    assert (await office.workspace()).default_channel_id == office.wins.id


async def test_admins_choose_what_is_posted_in_the_channel_and_whether_dris_get_dms(office):
    """Each choice is stored at once. Without DMs the channel gets everything, so there is nothing else to choose."""
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


async def test_checking_a_repaired_channel_clears_its_problem(office):
    """After the admin has fixed it in Slack, one button is enough."""
    await office.open_home(office.dana)
    await office.pick(office.dana, CHOOSE, office.wins.id)
    await office.slack.archive_channel(office.wins.id)
    await office.settled()
    assert "The app cannot post in" in await office.open_home(office.dana)
    office.wins.is_archived = False

    home = await office.pick(office.dana, CHECK)

    assert "The app cannot post in" not in home
    assert (await office.workspace()).default_channel_problem is None


async def test_a_home_replaced_in_the_meantime_is_published_from_the_stored_state(office):
    """After hash_conflict, Home is read again, so that an old state does not replace a newer one."""
    await office.open_home(office.dana)
    office.slack.faults.add("views.publish", error="hash_conflict")

    home = await office.pick(office.dana, CHOOSE, office.wins.id)

    assert f"Saved. <#{office.wins.id}>" in home


async def test_home_is_published_after_the_wait_that_slack_asks_for(office):
    """On a busy morning, Slack limits how often Home is published. Nobody would publish it later."""
    office.slack.faults.add("views.publish", retry_after=1)

    assert "home_" in await office.open_home(office.dana)
    assert len([call for call in office.slack.calls if call.method == "views.publish"]) == 2


async def test_home_waits_once_and_not_for_long(office):
    """A longer wait would show an old state."""
    office.slack.faults.add("views.publish", retry_after=300)

    assert await office.slack.open_home(office.dana.id) == 200
    await office.settled()

    assert len([call for call in office.slack.calls if call.method == "views.publish"]) == 1


async def test_an_admin_keeps_the_home_of_an_admin_while_slack_limits_lookups(office):
    """What someone may do is asked each time, though."""
    before = await office.open_home(office.dana)
    office.slack.faults.add("users.info", retry_after=30, times=None)

    after = await office.open_home(office.dana)
    refused = await office.pick(office.dana, CHOOSE, office.wins.id)

    assert "home_" in before
    assert "home_" in after
    assert "Only workspace admins and owners" in refused
    assert (await office.workspace()).default_channel_id is None


async def test_an_admin_who_lost_the_role_loses_the_home_at_once(office):
    """Slack's answer replaces the earlier one."""
    await office.open_home(office.dana)
    office.dana.is_admin = False

    assert "home_" not in await office.open_home(office.dana)


async def test_a_refused_choice_does_not_stay_in_the_picker(office, clock):
    """Slack shows what was picked as long as the block_id stays the same, so the block gets a new one."""
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


async def test_home_is_not_published_after_the_app_was_removed(office):
    """There is no token any more, and nothing to show."""
    await office.open_home(office.dana)
    await office.slack.send_event(office.team.id, {"type": "app_uninstalled"})
    await office.settled()
    before = office.slack.world.homes[office.dana.id].hash

    assert await office.slack.open_home(office.dana.id) == 200
    await office.settled()

    assert office.slack.world.homes[office.dana.id].hash == before


def element(office, action_id):
    blocks = office.slack.world.homes[office.dana.id].blocks
    return next(block["accessory"] for block in blocks if block.get("accessory", {}).get("action_id") == action_id)


async def test_reminders_are_off_until_an_admin_turns_them_on(office):
    """Then Home also offers the escalation. Each choice is stored at once and recorded in the audit."""
    home = await office.open_home(office.dana)
    assert element(office, REMINDER_HOURS)["initial_option"]["value"] == "0"
    assert ESCALATION not in home

    await office.pick(office.dana, REMINDER_HOURS, "8")
    await office.pick(office.dana, ESCALATION, "manager")

    workspace = await office.workspace()
    assert (workspace.reminder_hours, workspace.reminder_escalation) == (8, "manager")
    assert element(office, REMINDER_HOURS)["initial_option"]["text"]["text"] == "After 8 working hours"
    assert element(office, ESCALATION)["initial_option"]["value"] == "manager"
    changes = [change.detail for change in await office.database.run(audit.recent, office.team.id, 2)]
    assert changes == ["reminder_escalation = manager", "reminder_hours = 8"]


async def test_a_former_admin_cannot_change_reminders(office):
    """Permissions are checked at each change."""
    await office.open_home(office.dana)
    office.dana.is_admin = False

    home = await office.pick(office.dana, REMINDER_HOURS, "8")

    assert "Only workspace admins and owners" in home
    assert (await office.workspace()).reminder_hours == 0


async def test_the_picker_shows_the_chosen_channel(office):
    """A public channel is preselected."""
    await office.open_home(office.dana)
    await office.pick(office.dana, CHOOSE, office.wins.id)

    assert element(office, CHOOSE)["initial_conversation"] == office.wins.id


async def test_a_private_channel_is_named_but_not_preselected(office):
    """Slack may refuse a view that preselects a channel its reader cannot see."""
    office.wins.is_private = True
    await office.slack.invite_bot(office.wins.id)
    await office.open_home(office.dana)

    home = await office.pick(office.dana, CHOOSE, office.wins.id)

    assert f"<#{office.wins.id}>" in home
    assert "initial_conversation" not in element(office, CHOOSE)


async def test_a_channel_chosen_by_an_earlier_version_is_not_preselected(office):
    """Whether it is public is not stored for it."""
    await office.database.run(workspaces.change, office.team.id, None, default_channel_id=office.wins.id)

    await office.open_home(office.dana)

    assert "initial_conversation" not in element(office, CHOOSE)


async def test_home_is_published_even_if_slack_refuses_the_preselected_channel(office):
    """The channel may have become private since, and Home is where that can be fixed."""
    await office.open_home(office.dana)
    await office.pick(office.dana, CHOOSE, office.wins.id)
    office.slack.faults.add("views.publish", error="invalid_arguments")

    home = await office.open_home(office.dana)

    assert f"<#{office.wins.id}>" in home
    assert "initial_conversation" not in element(office, CHOOSE)


async def test_home_says_that_salesforce_fails_from_the_first_failure_on(office, clock):
    """It must not look well, or connected, until a call succeeds again."""
    await office.database.run(workspaces.change, office.team.id, None, default_channel_id=office.wins.id)
    await office.database.run(connect_salesforce, office.team.id)
    home = await office.open_home(office.dana)
    assert "Calls to Salesforce" not in home
    assert "Connected to Salesforce" in home

    await office.database.run(
        pauses.record_failure, office.team.id, "salesforce", clock(), "Salesforce returned error 503"
    )
    home = await office.open_home(office.dana)
    assert "Calls to Salesforce have failed since" in home
    assert "(Salesforce returned error 503). They are retried. Nothing waits for Salesforce." in home
    assert "Connected to Salesforce" not in home
    assert "error 503" not in await office.open_home(office.mo)

    await office.database.run(pauses.record_success, office.team.id, "salesforce")
    assert "Connected to Salesforce" in await office.open_home(office.dana)
