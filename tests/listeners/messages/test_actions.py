"""Every button and dialog of a message, by signed requests: once, twice, at the same time and too late."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from domain.audit import AuditEntry
from domain.messages.card_buttons import card_buttons
from domain.notification_hours import DAILY, NotificationHours
from sandbox.slack.outgoing.payloads import view_submission
from services.home.preferences import card_buttons_change
from services.messages.actions import CLAIMED, ActionRequest, ActionResult
from services.messages.button_values import delivery_id_in
from services.messages.layouts import Layouts
from services.ownership.unmatched_owners import UnmatchedOwners
from services.slack.api import NO_CHANNEL
from store.database import Database
from store.delivery import failed
from store.home import member_preferences
from store.messages import actions
from store.ownership import choice_state, muting
from tests.listeners.dialogs.patience import SHORT, SLOW_SECONDS
from tests.listeners.messages.message_world import (
    MessageWorld,
    blocks_text,
    button_labels,
    interactive_elements,
    menu_values,
    open_message_world,
)

UPDATE = "chat.update"


@pytest.fixture
async def acme(world, patience) -> AsyncIterator[MessageWorld]:
    await world.default_channel()
    async with open_message_world(world, patience) as acme:
        yield acme


@pytest.fixture
async def sent(acme):
    """The id of a job change of Ada's that was sent to Dana."""
    return await acme.world.deliver()


def direct(acme, name="Dana Reyes"):
    """The newest direct message of this person."""
    return acme.world.direct_messages(name)[-1]


def channel(acme):
    return acme.world.channel_messages("job-changes")[-1]


async def unowned(acme, **changes):
    """The id of a job change that was posted in the default channel."""
    nobody = {"person": {"full_name": "Eva Lund", "emails": ["eva@soylent.example"]}} | changes
    return await acme.world.deliver(**nobody)


async def test_a_direct_message_has_two_buttons_and_a_menu(acme, sent):
    """They fit into one line on a phone."""
    assert button_labels(direct(acme)) == ["I'm on it", "Not mine…"]
    assert [value.partition(":")[0] for value in menu_values(direct(acme))] == [
        *("later", "not_relevant", "why", "wrong_data", "mute")
    ]


async def test_card_and_table_blocks_have_the_same_actions(world):
    """The buttons of a card work, and so does the menu of a table, which names each job change."""
    layouts = Layouts(world.database, newer_blocks=True)
    world.worker = replace(world.worker, courier=replace(world.worker.courier, layouts=layouts))
    await world.default_channel()
    async with open_message_world(world) as acme:
        await acme.world.deliver()
        await acme.press(acme.dana, direct(acme), "take")
        assert button_labels(direct(acme)) == ["Done", "Not mine…"]
        assert "✅ You're on it" in blocks_text(direct(acme))

        await receive_a_digest_of_two(acme)
        await acme.choose_in_menu(acme.dana, direct(acme), "why", "2.")
        assert "You own Ada Smith in Salesforce." in acme.dialog_text(acme.dana)
        await acme.choose_in_menu(acme.dana, direct(acme), "take", "3.")
        *_, first, second = direct(acme).blocks[2]["rows"]
        assert "You're on it" not in str(first)
        assert "You're on it" in str(second)


async def test_an_update_is_sent_in_usual_blocks_where_slack_refuses_cards(world):
    """At once, and it shows what the person did."""
    layouts = Layouts(world.database, newer_blocks=True)
    world.worker = replace(world.worker, courier=replace(world.worker.courier, layouts=layouts))
    await world.default_channel()
    async with open_message_world(world) as acme:
        await acme.world.deliver()
        assert direct(acme).blocks[0]["type"] == "card"
        acme.world.team.blocks_not_released.add("card")

        await acme.press(acme.dana, direct(acme), "take")

        updates = [call.error for call in acme.world.slack.calls if call.method == UPDATE]
        assert updates == ["invalid_blocks", None]
        assert direct(acme).blocks[0]["type"] == "section"
        assert "✅ You're on it" in blocks_text(direct(acme))


async def test_an_update_leaves_out_the_button_of_a_workflow_that_was_deleted(acme):
    """In the same attempt. The link beside it stays, and using it is answered."""
    trigger, workflows = "https://slack.com/shortcuts/Ft0123ABC456/321", acme.world.team.workflows
    workflow = {"kind": "workflow", "label": "Outreach", "url": trigger, "inputs": {"id": "{job_change_id}"}}
    buttons = card_buttons([{"label": "CRM", "url": "https://crm.example/?mail={email}"}, workflow])
    save = card_buttons_change(acme.world.workspace_id, acme.dana.id, buttons, None, acme.world.clock())
    await acme.world.database.run(save)
    workflows[trigger] = {"id"}
    await acme.world.deliver()
    assert button_labels(direct(acme)) == ["I'm on it", "Not mine…", "CRM", "Outreach"]
    message = direct(acme)
    assert (await acme.world.slack.press(acme.dana.id, message.channel_id, message.ts, "link_0")).status == 200

    workflows.clear()
    await acme.press(acme.dana, direct(acme), "take")

    updates = [call.error for call in acme.world.slack.calls if call.method == UPDATE]
    assert updates == ["invalid_blocks", None]
    assert button_labels(direct(acme)) == ["Done", "Not mine…", "CRM"]


async def receive_a_digest_of_two(acme):
    due = acme.world.clock() // 60_000 + 60
    hours = NotificationHours(DAILY, digest_at=due % (24 * 60))
    target = (acme.world.workspace_id, acme.dana.id)
    await acme.world.database.run(member_preferences.save, *target, hours, acme.world.clock())
    for number in range(2):
        await acme.world.deliver(source_event_id=f"digest {number}")
    await acme.pass_time(due * 60 - acme.world.clock() / 1_000)


async def test_everyone_who_received_it_sees_who_is_on_it(acme):
    """In the direct message and in the copy in the channel."""
    await acme.world.set_preferences(channel_gets="everything")
    sent = await acme.world.deliver()

    await acme.press(acme.dana, direct(acme), "take")

    assert "✅ You're on it" in blocks_text(direct(acme))
    assert f"✅ <@{acme.dana.id}> is on it" in blocks_text(channel(acme))
    assert button_labels(direct(acme)) == ["Done", "Not mine…"]
    assert button_labels(channel(acme)) == []
    assert await acme.trail(sent) == ["taken"]
    assert acme.ephemeral_texts(acme.dana) == []


async def test_pressing_twice_changes_nothing_and_says_so(acme, sent):
    """Only the person who pressed sees the answer."""
    message = direct(acme)
    button = message.blocks

    await acme.press(acme.dana, message, "take")
    message.blocks = button  # as a phone that has not caught up yet still shows it
    await acme.press(acme.dana, message, "take")

    assert [text.startswith("You're already on it") for text in acme.ephemeral_texts(acme.dana)] == [True]
    assert await acme.trail(sent) == ["taken"]


async def test_done_and_not_relevant_are_states_that_can_be_undone(acme):
    """Everyone who received it sees them; the person who is on it has a button for each."""
    await acme.world.set_preferences(channel_gets="everything")
    sent = await acme.world.deliver()
    await acme.press(acme.dana, direct(acme), "take")

    await acme.press(acme.dana, direct(acme), "done")
    assert "🏁 You marked it as done" in blocks_text(direct(acme))
    assert f"🏁 <@{acme.dana.id}> marked it as done" in blocks_text(channel(acme))
    assert button_labels(direct(acme)) == ["Reopen"]
    await acme.press(acme.dana, direct(acme), "reopen")
    assert button_labels(direct(acme)) == ["Done", "Not mine…"]
    await acme.choose_in_menu(acme.dana, direct(acme), "not_relevant")

    assert "🚫 You marked it as not relevant" in blocks_text(direct(acme))
    assert await acme.trail(sent) == ["taken", "done", "reopened", "not relevant"]


@pytest.mark.both_databases
async def test_if_two_people_claim_at_once_the_first_one_has_it(acme):
    """The other one sees who."""
    sent = await unowned(acme)
    message = channel(acme)

    await asyncio.gather(acme.press(acme.kim, message, "take"), acme.press(acme.mo, message, "take"))

    winner, loser = (acme.kim, acme.mo) if f"<@{acme.kim.id}> is on it" in blocks_text(message) else (acme.mo, acme.kim)
    assert f"<@{winner.id}> is on it" in blocks_text(message)
    assert acme.ephemeral_texts(winner) == [CLAIMED]
    assert [f"<@{winner.id}> is on it" in text for text in acme.ephemeral_texts(loser)] == [True]
    assert await acme.trail(sent) == ["taken"]


async def test_an_unclaimed_job_change_can_be_reassigned(acme):
    """The colleague gets a direct message with the reason; the channel sees who has it."""
    sent = await unowned(acme)
    await acme.choose_in_menu(acme.kim, channel(acme), "hand_on")

    await acme.submit(acme.kim, choice=acme.mo.id, words="Your region")
    await acme.pass_time()

    assert "Kim Lee reassigned this to you: “Your region”" in direct(acme, "Mo Chen").text
    assert button_labels(direct(acme, "Mo Chen")) == ["I'm on it", "Not mine…"]
    assert f"<@{acme.kim.id}> reassigned it to <@{acme.mo.id}>" in blocks_text(channel(acme))
    assert button_labels(channel(acme)) == []
    assert await acme.trail(sent) == ["reassigned"]


@pytest.mark.both_databases
async def test_linking_an_unmatched_owner_ends_the_claim_in_the_channel(acme):
    """They get what nobody has claimed; what someone is on stays theirs, so that two people are never on it."""
    world = acme.world
    person = {"full_name": "Eva Lund", "emails": ["eva@hooli.example"]}
    owner = world.add_owner("Lee Park", in_slack=False)
    world.salesforce.add("Contact", FirstName="Eva", LastName="Lund", Email="eva@hooli.example", OwnerId=owner)
    sent = await world.deliver(source_event_id="1", person=person)
    world.clock.advance(seconds=2)
    await world.deliver(source_event_id="2", person=person)
    unclaimed, claimed = world.channel_messages("job-changes")
    await acme.press(acme.kim, claimed, "take")
    lee = world.slack.add_user(world.team, "Lee Park", "lee@elsewhere.example")
    decider = world.worker.router.decider
    unmatched = UnmatchedOwners(world.database, decider.directory, decider.schemas, lambda: None, world.clock)

    await unmatched.link(world.workspace_id, acme.dana.id, "lee@acme.example", lee.id)
    assert await unmatched.send_missed(world.workspace_id, acme.dana.id, "lee@acme.example") == 1
    await acme.pass_time()

    assert f"<@{acme.dana.id}> reassigned it to <@{lee.id}>" in blocks_text(unclaimed)
    assert button_labels(unclaimed) == []
    assert f"<@{acme.kim.id}> is on it" in blocks_text(claimed)
    (message,) = world.direct_messages("Lee Park")
    assert button_labels(message) == ["I'm on it", "Not mine…"]
    await acme.press(lee, message, "take")
    assert f"<@{lee.id}> is on it" in blocks_text(unclaimed)
    assert await acme.trail(sent) == ["sent to the owner after they were matched", "taken"]


@pytest.mark.both_databases
async def test_not_mine_reassigns_it_to_a_colleague(acme, sent):
    """The person who reassigned it can no longer take it, and sees who has it."""
    message = direct(acme)
    await acme.press(acme.dana, message, "hand_on")
    await acme.submit(acme.dana, choice=acme.kim.id, words="Hers <!channel> since May")
    await acme.pass_time()

    assert "Dana Reyes reassigned this to you: “Hers &lt;!channel&gt; since May”" in blocks_text(
        direct(acme, "Kim Lee")
    )
    assert f"You reassigned it to <@{acme.kim.id}>" in blocks_text(message)
    assert "You own Ada Smith" not in blocks_text(message)
    assert button_labels(message) == []
    assert f"reassigned it to <@{acme.kim.id}>" not in blocks_text(direct(acme, "Kim Lee"))
    await acme.press(acme.kim, direct(acme, "Kim Lee"), "take")
    assert f"<@{acme.kim.id}> is on it" in blocks_text(message)
    assert await acme.trail(sent) == ["reassigned", "taken"]
    assert (await acme.world.outcome(sent))[:2] == ("delivered", "dri")


async def test_a_job_change_that_is_reassigned_back_is_open_again(acme, sent):
    """From Dana to Kim and back: Dana gets a new message and can act on it."""
    await acme.press(acme.dana, direct(acme), "hand_on")
    await acme.submit(acme.dana, choice=acme.kim.id)
    await acme.pass_time()
    await acme.press(acme.kim, direct(acme, "Kim Lee"), "hand_on")
    await acme.submit(acme.kim, choice=acme.dana.id, words="Yours")
    await acme.pass_time()

    assert len(acme.world.direct_messages("Dana Reyes")) == 2
    assert "Kim Lee reassigned this to you: “Yours”" in direct(acme).text
    assert button_labels(direct(acme)) == ["I'm on it", "Not mine…"]
    await acme.press(acme.dana, direct(acme), "take")
    assert all("You're on it" in blocks_text(message) for message in acme.world.direct_messages("Dana Reyes"))
    assert f"<@{acme.dana.id}> is on it" in blocks_text(direct(acme, "Kim Lee"))


async def test_not_mine_without_a_person_returns_it_to_the_channel(acme, sent):
    """The first person who claims it has it, and Dana sees who."""
    await acme.press(acme.dana, direct(acme), "hand_on")
    await acme.submit(acme.dana, words="Left my patch")
    await acme.pass_time()

    assert "Dana Reyes returned this to the channel: “Left my patch”" in channel(acme).text
    assert button_labels(channel(acme)) == ["Claim"]
    assert "returned it to the channel" in blocks_text(direct(acme))
    await acme.press(acme.mo, channel(acme), "take")
    assert f"<@{acme.mo.id}> is on it" in blocks_text(direct(acme))
    assert await acme.trail(sent) == ["returned", "taken"]


async def test_not_mine_returns_it_to_the_channel_of_its_signal(acme, sent):
    """If that signal has its own channel."""
    own = acme.world.slack.add_channel(acme.world.team, "tracking")
    await acme.world.set_preferences(signal_channels=json.dumps({"contact_tracking": own.id}))

    await acme.press(acme.dana, direct(acme), "hand_on")
    await acme.submit(acme.dana)
    await acme.pass_time()

    [message] = acme.world.channel_messages("tracking")
    assert "Dana Reyes returned this to the channel." in message.text
    assert acme.world.channel_messages("job-changes") == []


async def test_a_returned_job_change_is_posted_again_even_if_the_channel_has_a_copy(acme):
    """Nobody looks at an old copy."""
    await acme.world.set_preferences(channel_gets="everything")
    await acme.world.deliver()
    await acme.press(acme.dana, direct(acme), "hand_on")
    await acme.submit(acme.dana)
    await acme.pass_time()

    copy, again = acme.world.channel_messages("job-changes")
    assert "Dana Reyes returned this to the channel." in again.text
    assert button_labels(copy) == button_labels(again) == ["Claim"]


async def test_only_the_person_who_claimed_it_can_reassign_it(acme):
    """Others are not offered it, and a client that still shows it gets the name of the person who claimed it."""
    await unowned(acme)
    message = channel(acme)
    before = message.blocks
    await acme.press(acme.kim, message, "take")
    assert button_labels(message) == []
    assert "Home" in acme.ephemeral_texts(acme.kim)[0]

    message.blocks = before
    await acme.choose_in_menu(acme.mo, message, "hand_on")

    assert f"<@{acme.kim.id}> is on it" in acme.ephemeral_texts(acme.mo)[0]
    assert acme.is_closed(acme.mo)


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        ({"deleted": True}, "this account is deactivated"),
        ({"bot_id": "B0OTHER"}, "this is an app"),
        ({"is_restricted": True}, "guests are not notified"),
        ({"is_stranger": True}, "they belong to another workspace"),
    ],
)
async def test_it_cannot_be_reassigned_to_a_person_who_cannot_be_notified(acme, sent, flags, why):
    """The dialog says why and stays open, and nothing is changed."""
    other = acme.world.slack.add_user(acme.world.team, "Lee Park", "lee@acme.example", **flags)
    await acme.press(acme.dana, direct(acme), "hand_on")

    done = await acme.submit(acme.dana, choice=other.id)

    assert why in done.errors["choice"]
    assert await acme.trail(sent) == []


@pytest.mark.parametrize("patience", [SHORT])
@pytest.mark.parametrize(
    ("flags", "text", "steps"),
    [
        ({}, "Done.", ["reassigned"]),
        ({"is_restricted": True}, "They cannot be notified: guests are not notified of job changes", []),
    ],
)
async def test_a_submission_is_answered_in_time_even_if_slack_is_slow(acme, sent, flags, text, steps):
    """Slack allows three seconds. The result follows, so that nobody submits twice."""
    other = acme.world.slack.add_user(acme.world.team, "Lee Park", "lee@acme.example", **flags)
    await acme.press(acme.dana, direct(acme), "hand_on")
    acme.world.slack.faults.add("users.info", delay=SLOW_SECONDS)

    done = await acme.submit(acme.dana, choice=other.id, words="Not my patch")

    assert done.reply.json["response_action"] == "update"
    assert text in acme.dialog_text(acme.dana)
    assert await acme.trail(sent) == steps
    if not steps:  # what was chosen and typed is there once more
        assert other.id in acme.dialog_text(acme.dana)
        assert "Not my patch" in acme.dialog_text(acme.dana)
        await acme.submit(acme.dana, choice=acme.kim.id)
        assert await acme.trail(sent) == ["reassigned"]


@pytest.mark.parametrize("patience", [SHORT])
async def test_a_loading_view_opens_while_slack_is_slow(acme):
    """Slack allows three seconds to open a dialog, and the check of a reader in a channel may take longer."""
    await unowned(acme)
    acme.world.slack.faults.add("users.info", delay=SLOW_SECONDS)

    await acme.choose_in_menu(acme.kim, channel(acme), "why")

    [opened] = [call for call in acme.world.slack.calls if call.method == "views.open"]
    assert "Loading" in str(opened.arguments["view"])
    assert "Why here" in acme.dialog_text(acme.kim)


async def test_a_reassigned_job_change_that_cannot_be_sent_goes_to_the_channel(acme):
    """The colleague's account was deactivated meanwhile. The channel can claim it again."""
    await unowned(acme)
    await acme.choose_in_menu(acme.kim, channel(acme), "hand_on")
    await acme.submit(acme.kim, choice=acme.mo.id)
    acme.world.slack.faults.add("chat.postMessage", error="user_disabled", undocumented=True, times=1)

    await acme.pass_time()
    await acme.pass_time()

    assert "No DRI could be notified" in channel(acme).text
    assert [button_labels(message) for message in acme.world.channel_messages("job-changes")] == [["Claim"], ["Claim"]]


async def test_it_cannot_be_reassigned_to_oneself(acme, sent):
    """They would only get it again."""
    await acme.press(acme.dana, direct(acme), "hand_on")

    done = await acme.submit(acme.dana, choice=acme.dana.id)

    assert "That is you" in done.errors["choice"]


async def test_it_is_not_reassigned_if_slack_does_not_answer(acme, sent):
    """The app does not guess whether a person can be notified."""
    await acme.press(acme.dana, direct(acme), "hand_on")
    acme.world.slack.faults.add("users.info", status=503, times=1)

    done = await acme.submit(acme.dana, choice=acme.kim.id)

    assert "try again" in done.errors["choice"]
    assert await acme.trail(sent) == []


async def test_a_submission_after_another_person_acted_is_refused(acme):
    """The current rows decide, not those of the time when the dialog was opened."""
    sent = await unowned(acme)
    await acme.choose_in_menu(acme.kim, channel(acme), "hand_on")
    await acme.press(acme.mo, channel(acme), "take")

    done = await acme.submit(acme.kim, choice=acme.dana.id)

    assert done.ok
    assert f"<@{acme.mo.id}> is on it" in acme.dialog_text(acme.kim)
    assert await acme.trail(sent) == ["taken"]


@pytest.mark.both_databases
async def test_a_snoozed_job_change_comes_back_once_in_the_morning(acme, sent):
    """At nine in New York, which is 14:00 UTC in November."""
    await acme.choose_in_menu(acme.dana, direct(acme), "later")
    await acme.submit(acme.dana, choice="tomorrow")
    assert "⏰ Snoozed until" in blocks_text(direct(acme))
    now = acme.world.clock()
    due = (now // 86_400_000 + 1) * 86_400_000 + 14 * 3_600_000

    await acme.pass_time((due - now) / 1_000 - 1)
    assert len(acme.world.direct_messages("Dana Reyes")) == 1
    await acme.pass_time(1)
    await acme.pass_time(7 * 86_400)

    assert len(acme.world.direct_messages("Dana Reyes")) == 2
    assert "⏰ Snooze ended" in blocks_text(direct(acme))
    assert button_labels(direct(acme)) == ["I'm on it", "Not mine…"]
    assert await acme.trail(sent) == ["snoozed", "snooze ended"]


@pytest.mark.parametrize("verb", ["wrong_data", "later", "mute"])
@pytest.mark.parametrize("option", [None, {"value": "bogus"}, {}])
async def test_a_submission_without_a_choice_asks_for_one(acme, sent, verb, option):
    """Slack's own clients never send one; others may."""
    await acme.choose_in_menu(acme.dana, direct(acme), verb)
    slack = acme.world.slack
    payload = view_submission(slack._actor(acme.dana.id), slack.modal(acme.dana.id))
    payload["view"]["state"]["values"]["choice"] = {"choice": {"type": "radio_buttons", "selected_option": option}}

    reply = await slack.app_client.interact(payload)

    assert reply.json == {"response_action": "errors", "errors": {"choice": "Choose an option."}}


async def test_a_snoozed_job_change_that_was_taken_does_not_come_back(acme, sent):
    """The person is on it already."""
    await acme.choose_in_menu(acme.dana, direct(acme), "later")
    await acme.submit(acme.dana, choice="monday")

    await acme.press(acme.dana, direct(acme), "take")
    await acme.pass_time(9 * 86_400)

    assert len(acme.world.direct_messages("Dana Reyes")) == 1
    assert "⏰" not in blocks_text(direct(acme))


async def test_a_report_of_wrong_data_is_stored_and_counted(acme, sent):
    """One report per person; the last one counts."""
    for fault, words in (("old_news", "From 2023"), ("wrong_job", "She is CFO")):
        await acme.choose_in_menu(acme.dana, direct(acme), "wrong_data")
        await acme.submit(acme.dana, choice=fault, words=words)

    assert "🚩 Wrong data reported by you: wrong company or title" in blocks_text(direct(acme))
    assert await acme.world.database.run(actions.count_reports, acme.world.workspace_id, 0) == 1
    assert await acme.trail(sent) == ["reported as wrong", "reported as wrong"]


async def test_why_me_shows_the_candidates_in_order_with_their_results(acme):
    """Including those who came first and could not be notified."""
    world = acme.world
    account = world.salesforce.add("Account", Name="Initech", OwnerId=world.add_owner("Lee Park"))
    gone = world.add_owner("Ivan Petrov", IsActive=False)
    bob = {"FirstName": "Bob", "LastName": "Ray", "Email": "bob@hooli.example"}
    world.salesforce.add("Contact", OwnerId=gone, AccountId=account, **bob)
    await world.deliver(person={"full_name": "Bob Ray", "emails": ["bob@hooli.example"]})
    lee = next(user for user in world.slack.world.users.values() if user.real_name == "Lee Park")

    await acme.choose_in_menu(lee, direct(acme, "Lee Park"), "why")

    text = acme.dialog_text(lee)
    assert "Why me?" in text
    assert "1. contact owner, Ivan Petrov: is inactive in Salesforce" in text
    assert "2. account owner, Lee Park: ✅ notified (matched by email)" in text


async def test_everyone_in_the_channel_can_open_why_here(acme):
    """It says why no DRI was found."""
    await unowned(acme)

    await acme.choose_in_menu(acme.mo, channel(acme), "why")

    assert "Why here?" in acme.dialog_text(acme.mo)
    assert "no contact or lead in Salesforce" in acme.dialog_text(acme.mo)


@pytest.mark.both_databases
async def test_messages_like_this_can_be_muted_and_unmuted(acme, sent):
    """By signal or change type. The dialog shows what is muted, with an Undo button."""
    await acme.choose_in_menu(acme.dana, direct(acme), "mute")
    await acme.submit(acme.dana, choice="contact_tracking")

    assert "All from contact tracking" in acme.dialog_text(acme.dana)
    assert await muted(acme) == {(acme.dana.id, "contact_tracking")}
    await acme.world.slack.act_in_modal(acme.dana.id, "delivery_unmute")
    await acme.wait_for_listeners()
    assert await muted(acme) == set()
    assert "Undo" not in acme.dialog_text(acme.dana)
    assert await acme.trail(sent) == ["muted", "unmuted"]


async def test_required_notifications_cannot_be_muted(acme, sent):
    """The dialog says so. A dialog that was open before mutes nothing either."""
    where = acme.world.workspace_id
    change = AuditEntry(0, "U_ADMIN", "mute_limits", "")
    await acme.choose_in_menu(acme.dana, direct(acme), "mute")
    await acme.world.database.run(muting.set_required, where, ["contact_tracking", "new_company"], change)

    await acme.submit(acme.dana, choice="contact_tracking")

    assert "so they cannot be muted" in acme.dialog_text(acme.dana)
    assert await muted(acme) == set()
    await acme.world.slack.close_view(acme.dana.id)
    await acme.choose_in_menu(acme.dana, direct(acme), "mute")
    assert "Required by your admins" in acme.dialog_text(acme.dana)
    assert "radio_buttons" not in acme.dialog_text(acme.dana)


@pytest.mark.parametrize(
    ("what", "why"),
    [("contact_tracking", "has muted this signal"), ("new_company", "has muted this type of change")],
)
async def test_a_person_who_muted_it_is_skipped_with_that_reason(acme, sent, what, why):
    """The next candidate is notified, or the channel."""
    await acme.choose_in_menu(acme.dana, direct(acme), "mute")
    await acme.submit(acme.dana, choice=what)

    await acme.world.deliver(source_event_id="after")

    assert len(acme.world.direct_messages("Dana Reyes")) == 1
    assert why in channel(acme).text


async def test_why_me_has_a_mute_button(acme, sent):
    """The menus in a bundle have no room for it."""
    await acme.choose_in_menu(acme.dana, direct(acme), "why")

    await acme.world.slack.act_in_modal(acme.dana.id, "delivery_mute")
    await acme.wait_for_listeners()

    assert "Do not notify me about" in acme.dialog_text(acme.dana)


async def muted(acme):
    state = await acme.world.database.run(
        choice_state.load, acme.world.workspace_id, acme.world.clock(), count_recent=False
    )
    return set(state.muted)


async def test_an_action_in_a_bundle_changes_only_its_job_change(acme):
    """Each has its own buttons."""
    for number in range(3):
        await acme.world.accept(source_event_id=str(number), person=_ada(f"Ada {number}"))
    await acme.world.worker.drain()
    bundle = direct(acme)
    rows = [block["block_id"] for block in bundle.blocks if block["type"] == "actions"]

    await acme.world.slack.press(acme.dana.id, bundle.channel_id, bundle.ts, "delivery_take", None, rows[1])
    await acme.wait_for_listeners()

    text = blocks_text(bundle)
    assert text.count("You're on it") == 1
    assert text.index("*Ada 1*") < text.index("You're on it") < text.index("*Ada 2*")


def _ada(name):
    return {"full_name": name, "emails": ["ada@initech.example"]}


@pytest.mark.parametrize("verb", ["take", "hand_on"])
async def test_a_button_of_an_erased_job_change_says_so(acme, sent, verb):
    """Nothing is changed, not even the message."""
    before = blocks_text(direct(acme))
    await acme.erase_payload(sent)

    await acme.press(acme.dana, direct(acme), verb)

    assert acme.ephemeral_texts(acme.dana) == [
        "This message is too old to act on: its job change has been erased. Nothing was changed."
    ]
    assert blocks_text(direct(acme)) == before
    assert await acme.trail(sent) == []


@pytest.mark.parametrize("verb", ["later", "why", "wrong_data", "mute"])
async def test_a_menu_entry_of_an_erased_job_change_says_so(acme, sent, verb):
    """No dialog opens."""
    await acme.erase_payload(sent)

    await acme.choose_in_menu(acme.dana, direct(acme), verb)

    assert "too old to act on" in acme.ephemeral_texts(acme.dana)[0]
    assert acme.is_closed(acme.dana)


@pytest.mark.both_databases
async def test_a_snoozed_job_change_that_was_erased_does_not_come_back(acme, sent):
    """Erased data is never sent."""
    await acme.choose_in_menu(acme.dana, direct(acme), "later")
    await acme.submit(acme.dana, choice="next_week")
    await acme.erase_payload(sent)

    await acme.pass_time(9 * 86_400)

    assert len(acme.world.direct_messages("Dana Reyes")) == 1


async def test_a_person_cannot_act_on_a_message_of_someone_else(acme, sent):
    """The value of a button is not trusted; the rows say whose message it is."""
    await unowned(acme)
    own = direct(acme)
    theirs = channel(acme)
    value = next(element["value"] for element in interactive_elements(own) if element["type"] == "button")
    forge(theirs, value)

    await acme.press(acme.kim, theirs, "take", value)

    assert acme.ephemeral_texts(acme.kim) == ["This message was sent to someone else, so only they can do that."]
    assert await acme.trail(sent) == []


async def test_messages_of_the_version_before_go_on_working(acme, sent):
    """Their values are not signed, so Slack has to say that the button is in the delivery's own message."""
    await unowned(acme)
    own, theirs = direct(acme), channel(acme)
    dana, unsigned = acme.dana, delivery_of(own).partition(".")[0]
    other = await acme.world.worker.courier.slack.post_notice(acme.world.team.id, dana.id, "x", own.blocks)
    for message in (acme.world.slack.world.message(other.channel, other.ts), theirs, own):
        forge(message, unsigned)
        assert await acme.trail(sent) == []
        await acme.press(dana, message, "take", unsigned)

    assert await acme.trail(sent) == ["taken"]


@pytest.mark.both_databases
async def test_a_button_works_in_an_earlier_message_too(acme, sent):
    """A snoozed job change comes back in a new message. Each message has signatures of its own."""
    await acme.choose_in_menu(acme.dana, direct(acme), "later")
    await acme.submit(acme.dana)
    await acme.pass_time(9 * 86_400)
    earlier, later = acme.world.direct_messages("Dana Reyes")
    assert delivery_of(earlier) != delivery_of(later)

    await acme.press(acme.dana, earlier, "take")

    assert "taken" in await acme.trail(sent)


@pytest.mark.both_databases
async def test_a_message_that_arrived_although_it_counts_as_failed_goes_on_working(acme):
    """Slack did not confirm it twice, and an admin retried it: three messages, and Kim uses the first one."""
    acme.world.slack.faults.add("chat.postMessage", perform=True, times=2, when=is_in_channel, status=500)
    sent = await unowned(acme)
    while (await acme.world.outcome(sent))[0] is None:
        await acme.pass_time(60)
    await acme.world.database.run(failed.retry, [sent], acme.world.clock())
    await acme.pass_time()
    first, *_, last = acme.world.channel_messages("job-changes")

    await acme.press(acme.kim, first, "take")

    assert f"<@{acme.kim.id}> is on it" in blocks_text(last)


def is_in_channel(arguments):
    """Whether a call posts something, and does not only find out whether posting works."""
    return arguments["channel"] != NO_CHANNEL


async def in_private_channel(acme):
    """The id of a job change that was posted in a private channel that Kim is in, its message, and its delivery."""
    private = acme.world.slack.add_channel(acme.world.team, "deals", is_private=True, is_member=True)
    private.members[acme.kim.id] = None
    await acme.world.set_preferences(default_channel_id=private.id)
    sent = await unowned(acme)
    [message] = acme.world.channel_messages("deals")
    return sent, message, (acme.world.workspace_id, delivery_id_in(menu_values(message)[0].partition(":")[2]))


async def test_a_private_channel_whose_members_cannot_be_read_trusts_the_signature(acme):
    """Slack refuses, for example without groups:read. The button itself could not be guessed."""
    sent, _, delivery = await in_private_channel(acme)
    acme.world.slack.faults.add("conversations.members", error="missing_scope", times=1)

    assert (await acme.delivery_actions.take(ActionRequest(*delivery, acme.kim.id))).done

    assert await acme.trail(sent) == ["taken"]


@pytest.mark.parametrize("is_private", [False, True])
async def test_a_press_in_a_channel_asks_slack_for_nothing_about_the_channel(acme, is_private):
    """Slack has shown the person the message, and allows about 50 lookups of channels a minute."""
    if is_private:
        sent, message, _ = await in_private_channel(acme)
    else:
        sent, message = await unowned(acme), channel(acme)
    acme.world.slack.calls.clear()

    await acme.choose_in_menu(acme.kim, message, "why")
    await acme.press(acme.kim, message, "take")

    assert await acme.trail(sent) == ["taken"]
    assert [call.method for call in acme.world.slack.calls if call.method.startswith("conversations.")] == []


async def test_without_a_message_slack_is_asked_once_whether_the_channel_is_private(acme):
    """The answer is used for ten minutes; who is in a private channel is asked each time."""
    sent, _, delivery = await in_private_channel(acme)
    acme.world.slack.calls.clear()

    for minutes, looked_up in ((0, 1), (9, 1), (2, 2)):
        acme.world.clock.advance(seconds=60 * minutes)
        assert not (await acme.delivery_actions.take(ActionRequest(*delivery, acme.mo.id))).done
        methods = [call.method for call in acme.world.slack.calls]
        assert methods.count("conversations.info") == looked_up
    assert methods.count("conversations.members") == 3
    assert await acme.trail(sent) == []


@pytest.mark.parametrize("value", ["999999", "0", "-1", "x", "9" * 30, "٣"])
async def test_a_delivery_that_does_not_exist_gets_a_short_answer(acme, sent, value):
    """An invalid id gets the same answer as a deleted one."""
    forge(direct(acme), value)

    await acme.press(acme.dana, direct(acme), "take", value)

    assert acme.ephemeral_texts(acme.dana) == ["This job change has been deleted, so no action is possible."]


async def test_a_delivery_of_another_workspace_does_not_exist(acme, sent):
    """Ids count up across workspaces, so they can be guessed."""
    team = acme.world.slack.add_team("Rival")
    eve = acme.world.slack.add_user(team, "Eve Moss", "eve@rival.example")
    acme.world.tokens[team.id] = acme.world.slack.install(team.id, eve.id)
    room = acme.world.slack.add_channel(team, "room")
    posted = await acme.world.worker.courier.slack.post_notice(team.id, room.id, "x", direct(acme).blocks)
    copied = acme.world.slack.world.message(posted.channel, posted.ts)

    await acme.press(eve, copied, "take")

    assert acme.ephemeral_texts(eve) == ["This job change has been deleted, so no action is possible."]
    assert await acme.trail(sent) == []


@pytest.mark.parametrize("verb", ["take", "why"])
async def test_a_member_of_another_workspace_can_neither_claim_nor_look(acme, verb):
    """A channel may be shared with another company."""
    sent = await unowned(acme)
    guest = acme.world.slack.add_user(acme.world.team, "Vera Visitor", "vera@other.example", is_stranger=True)

    if verb == "take":
        await acme.press(guest, channel(acme), "take")
    else:
        await acme.choose_in_menu(guest, channel(acme), verb)

    assert acme.ephemeral_texts(guest) == ["Only members of this workspace can do that."]
    assert acme.is_closed(guest)
    assert await acme.trail(sent) == []


async def test_a_claim_that_cannot_be_checked_is_refused(acme):
    """The answer says to try again."""
    sent = await unowned(acme)
    acme.world.slack.faults.add("users.info", status=503, times=1)

    await acme.press(acme.kim, channel(acme), "take")

    assert "Please try again" in acme.ephemeral_texts(acme.kim)[0]
    assert await acme.trail(sent) == []


async def test_a_button_of_another_version_says_so(acme, sent):
    """After an update, old messages may have actions that no longer exist."""
    message = direct(acme)
    menu = next(element for block in message.blocks for element in block.get("elements", []) if "options" in element)
    menu["options"][0]["value"] = "applaud:1"

    await acme.press(acme.dana, message, "menu", "applaud:1")

    assert "another version of the app" in acme.ephemeral_texts(acme.dana)[0]


async def test_link_buttons_of_older_messages_are_acknowledged(acme, sent, caplog):
    """Otherwise Slack would show a warning sign next to a link that works."""
    message = direct(acme)
    message.blocks[-1]["elements"].append(
        {
            "type": "button",
            "action_id": "link_profile",
            "text": {"type": "plain_text", "text": "x"},
            "url": "https://a.example",
        }
    )

    reply = await acme.world.slack.press(acme.dana.id, message.channel_id, message.ts, "link_profile")
    await acme.wait_for_listeners()

    assert reply.status == 200
    assert caplog.text == ""


async def test_an_action_is_stored_while_slack_asks_us_to_wait(acme, sent):
    """The person reads that it was saved, and the worker updates the message later."""
    acme.world.slack.faults.add(UPDATE, error="ratelimited", status=429, retry_after=10, times=1)

    await acme.press(acme.dana, direct(acme), "take")

    assert "The message will be updated in a moment" in acme.ephemeral_texts(acme.dana)[0]
    assert "on it ·" not in blocks_text(direct(acme))
    await acme.pass_time(9)
    assert "on it ·" not in blocks_text(direct(acme))
    await acme.pass_time(1.1)
    assert "You're on it ·" in blocks_text(direct(acme))


@pytest.mark.both_databases
async def test_the_message_is_updated_after_a_process_died(acme, sent):
    """The action and the mark on its messages are one commit."""
    delivery_id = delivery_id_in(delivery_of(direct(acme)))
    delivery = await acme.world.database.run(actions.find, acme.world.workspace_id, delivery_id)
    await acme.world.database.run(actions.take, delivery, acme.dana.id, acme.world.clock())

    await acme.catch_up()

    assert "You're on it" in blocks_text(direct(acme))


async def test_an_action_on_a_deleted_message_is_stored(acme, sent):
    """The person reads that a message can no longer be updated."""
    message = direct(acme)
    acme.world.slack.faults.add(UPDATE, error="message_not_found", times=1)

    await acme.press(acme.dana, message, "take")

    assert await acme.trail(sent) == ["taken"]
    assert acme.ephemeral_texts(acme.dana) == ["Saved, but a message about it can no longer be updated."]
    assert not await acme.delivery_actions.catch_up()


async def test_a_bundle_with_an_erased_job_change_is_not_updated(acme):
    """An update would remove a line. The action is stored all the same."""
    ids = [await acme.world.accept(source_event_id=str(number), person=_ada(f"Ada {number}")) for number in range(2)]
    await acme.world.worker.drain()
    bundle = direct(acme)
    before = blocks_text(bundle)
    await acme.erase_payload(ids[1])

    first = next(block["block_id"] for block in bundle.blocks if block["type"] == "actions")
    await acme.world.slack.press(acme.dana.id, bundle.channel_id, bundle.ts, "delivery_take", None, first)
    await acme.wait_for_listeners()

    assert blocks_text(bundle) == before
    assert await acme.trail(ids[0]) == ["taken"]
    assert "can no longer be updated" in acme.ephemeral_texts(acme.dana)[0]


async def test_a_database_failure_during_the_update_does_not_say_that_nothing_changed(acme, sent):
    """The action was committed before."""
    gone = replace(acme.delivery_actions.redrawer, database=Database("sqlite:////nowhere/at.db"))
    without_database = replace(acme.delivery_actions, redrawer=gone)

    assert (
        await without_database.update_messages(ActionResult(job_change_id=sent))
        == "Saved. The message will be updated in a moment."
    )
    await gone.database.close()


async def test_a_refused_update_is_sent_again_without_blocks(acme, sent):
    """The text also says who is on it."""
    acme.world.slack.faults.add(
        UPDATE, error="invalid_blocks", times=None, when=lambda arguments: arguments.get("blocks")
    )

    await acme.press(acme.dana, direct(acme), "take")

    assert "✅ You're on it" in direct(acme).text


async def test_a_copy_that_is_sent_after_an_action_shows_it_at_once(acme):
    """The lane of the channel may be slower than the reader."""
    await acme.world.set_preferences(channel_gets="everything")
    acme.world.slack.faults.add(
        "chat.postMessage",
        error="ratelimited",
        status=429,
        retry_after=5,
        times=1,
        when=lambda arguments: arguments["channel"].startswith("C"),
    )
    await acme.world.deliver()
    await acme.press(acme.dana, direct(acme), "take")

    await acme.pass_time(6)

    assert f"<@{acme.dana.id}> is on it" in channel(acme).text


async def test_a_dialog_that_cannot_open_in_time_changes_nothing(acme, sent):
    """The person reads to press the button again."""
    acme.world.slack.faults.add("views.open", error="expired_trigger_id")

    await acme.press(acme.dana, direct(acme), "hand_on")
    await asyncio.sleep(0)
    await acme.wait_for_listeners()

    assert "took too long" in acme.ephemeral_texts(acme.dana)[0]


def delivery_of(message):
    return menu_values(message)[0].partition(":")[2]


def forge(message, delivery_id):
    """As an attacker would, if requests were not signed by Slack."""
    for block in message.blocks:
        for element in block.get("elements", []):
            if element.get("type") == "button":
                element["value"] = delivery_id
