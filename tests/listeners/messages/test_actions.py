"""Acting on what one was told: every button and dialog by signed requests; once, twice, together and too late."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from domain.audit import AuditEntry
from sandbox.slack.outgoing.payloads import view_submission
from services.messages.actions import ActionResult
from store.database import Database
from store.messages import actions
from store.ownership import choice_state, muting
from tests.listeners.messages.message_world import (
    MessageWorld,
    blocks_text,
    button_labels,
    menu_values,
    open_message_world,
)

UPDATE = "chat.update"


@pytest.fixture
async def acme(world) -> AsyncIterator[MessageWorld]:
    await world.default_channel()
    async with open_message_world(world) as acme:
        yield acme


@pytest.fixture
async def told(acme):
    """Dana has been told of Ada; the job change's id."""
    return await acme.world.deliver()


def direct(acme, name="Dana Reyes"):
    """The newest message that this person has read."""
    return acme.world.direct_messages(name)[-1]


def channel(acme):
    return acme.world.channel_messages("job-changes")[-1]


async def unowned(acme, **changes):
    """A job change that the default channel is told of; its id."""
    nobody = {"person": {"full_name": "Eva Lund", "emails": ["eva@soylent.example"]}} | changes
    return await acme.world.deliver(**nobody)


async def test_a_direct_message_offers_two_buttons_and_a_menu(acme, told):
    """One line on a phone."""
    assert button_labels(direct(acme)) == ["I'm on it", "Not mine…"]
    assert [value.partition(":")[0] for value in menu_values(direct(acme))] == ["later", "why", "wrong_data", "mute"]


async def test_im_on_it_is_shown_to_all_who_got_it(acme):
    """In the direct message and in the channel's copy: who, and when."""
    await acme.world.set_preferences(channel_gets="everything")
    told = await acme.world.deliver()

    await acme.press(acme.dana, direct(acme), "take")

    assert f"✅ <@{acme.dana.id}> is on it" in blocks_text(direct(acme))
    assert f"✅ <@{acme.dana.id}> is on it" in blocks_text(channel(acme))
    assert button_labels(direct(acme)) == ["Not mine…"]
    assert button_labels(channel(acme)) == []
    assert await acme.trail(told) == ["taken"]
    assert acme.ephemeral_texts(acme.dana) == []


async def test_pressing_twice_changes_nothing_and_says_so(acme, told):
    """An answer only for who pressed, not an error."""
    message = direct(acme)
    button = message.blocks

    await acme.press(acme.dana, message, "take")
    message.blocks = button  # as a phone that has not caught up yet still shows it
    await acme.press(acme.dana, message, "take")

    assert [text.startswith("You are on it already") for text in acme.ephemeral_texts(acme.dana)] == [True]
    assert await acme.trail(told) == ["taken"]


@pytest.mark.both_databases
async def test_of_two_who_claim_at_once_the_first_has_it_and_the_other_reads_who(acme):
    """Both get a 200, one gets the job change, and the channel sees which."""
    told = await unowned(acme)
    message = channel(acme)

    await asyncio.gather(acme.press(acme.kim, message, "take"), acme.press(acme.mo, message, "take"))

    winner, loser = (acme.kim, acme.mo) if f"<@{acme.kim.id}> is on it" in blocks_text(message) else (acme.mo, acme.kim)
    assert f"<@{winner.id}> is on it" in blocks_text(message)
    assert acme.ephemeral_texts(winner) == []
    assert [f"<@{winner.id}> is on it" in text for text in acme.ephemeral_texts(loser)] == [True]
    assert await acme.trail(told) == ["taken"]


async def test_what_nobody_has_claimed_can_be_given_to_a_colleague(acme):
    """They get a direct message with the hand-over and the reason; the channel sees to whom it went."""
    told = await unowned(acme)
    await acme.choose_in_menu(acme.kim, channel(acme), "hand_on")

    await acme.submit(acme.kim, choice=acme.mo.id, words="Your region")
    await acme.pass_time()

    assert "Kim Lee gave it to you: “Your region”" in direct(acme, "Mo Chen").text
    assert button_labels(direct(acme, "Mo Chen")) == ["I'm on it", "Not mine…"]
    assert f"<@{acme.kim.id}> gave it to <@{acme.mo.id}>" in blocks_text(channel(acme))
    assert button_labels(channel(acme)) == []
    assert await acme.trail(told) == ["reassigned"]


@pytest.mark.both_databases
async def test_not_mine_goes_to_a_colleague_with_the_trace_kept(acme, told):
    """Who gave it cannot take it any more, and reads when and to whom it went."""
    message = direct(acme)
    await acme.press(acme.dana, message, "hand_on")
    await acme.submit(acme.dana, choice=acme.kim.id, words="Hers <!channel> since May")
    await acme.pass_time()

    assert "Dana Reyes gave it to you: “Hers &lt;!channel&gt; since May”" in blocks_text(direct(acme, "Kim Lee"))
    assert f"<@{acme.dana.id}> gave it to <@{acme.kim.id}>" in blocks_text(message)
    assert button_labels(message) == []
    assert f"gave it to <@{acme.kim.id}>" not in blocks_text(direct(acme, "Kim Lee"))
    await acme.press(acme.kim, direct(acme, "Kim Lee"), "take")
    assert f"<@{acme.kim.id}> is on it" in blocks_text(message)
    assert await acme.trail(told) == ["reassigned", "taken"]
    assert (await acme.world.outcome(told))[:2] == ("delivered", "dri")


async def test_a_message_that_was_given_away_and_comes_back_is_open_again(acme, told):
    """Dana to Kim, Kim to Dana: a new message, which she can act on."""
    await acme.press(acme.dana, direct(acme), "hand_on")
    await acme.submit(acme.dana, choice=acme.kim.id)
    await acme.pass_time()
    await acme.press(acme.kim, direct(acme, "Kim Lee"), "hand_on")
    await acme.submit(acme.kim, choice=acme.dana.id, words="Yours")
    await acme.pass_time()

    assert len(acme.world.direct_messages("Dana Reyes")) == 2
    assert "Kim Lee gave it to you: “Yours”" in direct(acme).text
    assert button_labels(direct(acme)) == ["I'm on it", "Not mine…"]
    await acme.press(acme.dana, direct(acme), "take")
    assert all(
        f"<@{acme.dana.id}> is on it" in blocks_text(message) for message in acme.world.direct_messages("Dana Reyes")
    )
    assert f"<@{acme.dana.id}> is on it" in blocks_text(direct(acme, "Kim Lee"))


async def test_not_mine_without_a_name_goes_back_to_the_channel_for_somebody_to_claim(acme, told):
    """With who says so and why; the first who claims it has it, and Dana sees who."""
    await acme.press(acme.dana, direct(acme), "hand_on")
    await acme.submit(acme.dana, words="Left my patch")
    await acme.pass_time()

    assert "Dana Reyes says that it is not theirs: “Left my patch”" in channel(acme).text
    assert button_labels(channel(acme)) == ["Claim"]
    assert "gave it back to the channel" in blocks_text(direct(acme))
    await acme.press(acme.mo, channel(acme), "take")
    assert f"<@{acme.mo.id}> is on it" in blocks_text(direct(acme))
    assert await acme.trail(told) == ["returned", "taken"]


async def test_not_mine_goes_back_to_the_channel_of_its_signal(acme, told):
    """Where that has one of its own, people who know it look there."""
    own = acme.world.slack.add_channel(acme.world.team, "tracking")
    await acme.world.set_preferences(signal_channels=json.dumps({"contact_tracking": own.id}))

    await acme.press(acme.dana, direct(acme), "hand_on")
    await acme.submit(acme.dana)
    await acme.pass_time()

    [message] = acme.world.channel_messages("tracking")
    assert "Dana Reyes says that it is not theirs." in message.text
    assert acme.world.channel_messages("job-changes") == []


async def test_the_channels_copy_becomes_a_message_to_claim(acme):
    """It is told there once more: nobody looks at an old copy."""
    await acme.world.set_preferences(channel_gets="everything")
    await acme.world.deliver()
    await acme.press(acme.dana, direct(acme), "hand_on")
    await acme.submit(acme.dana)
    await acme.pass_time()

    copy, again = acme.world.channel_messages("job-changes")
    assert "Dana Reyes says that it is not theirs." in again.text
    assert button_labels(copy) == button_labels(again) == ["Claim"]


async def test_who_claimed_by_mistake_puts_it_back(acme):
    """And it is told anew, so that somebody else sees it."""
    await unowned(acme)
    message = channel(acme)
    await acme.press(acme.kim, message, "take")
    await acme.press(acme.kim, message, "hand_on")
    await acme.submit(acme.kim)
    await acme.pass_time()

    assert "Kim Lee says that it is not theirs." in channel(acme).text
    assert [button_labels(each) for each in acme.world.channel_messages("job-changes")] == [["Claim"], ["Claim"]]


async def test_only_who_claimed_it_can_hand_it_on(acme):
    """Everybody sees the button; the others read who has it."""
    await unowned(acme)
    message = channel(acme)
    await acme.press(acme.kim, message, "take")

    await acme.press(acme.mo, message, "hand_on")

    assert f"<@{acme.kim.id}> is on it" in acme.ephemeral_texts(acme.mo)[0]
    assert acme.is_closed(acme.mo)


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        ({"deleted": True}, "that account is deactivated"),
        ({"bot_id": "B0OTHER"}, "that is an app"),
        ({"is_restricted": True}, "guests are not told"),
        ({"is_stranger": True}, "they belong to another workspace"),
    ],
)
async def test_it_cannot_be_given_to_somebody_who_cannot_be_told(acme, told, flags, why):
    """The dialog says why and stays open; nothing has changed."""
    other = acme.world.slack.add_user(acme.world.team, "Lee Park", "lee@acme.example", **flags)
    await acme.press(acme.dana, direct(acme), "hand_on")

    done = await acme.submit(acme.dana, choice=other.id)

    assert why in done.errors["choice"]
    assert await acme.trail(told) == []


@pytest.mark.parametrize(
    ("flags", "said", "steps"),
    [
        ({}, "It is done", ["reassigned"]),
        ({"is_restricted": True}, "They cannot be told: guests are not told of job changes", []),
    ],
)
async def test_a_slow_slack_does_not_keep_a_dialog_waiting_for_its_answer(acme, told, flags, said, steps):
    """It gives three seconds in all, and what came of it follows: without an answer people would do it again."""
    other = acme.world.slack.add_user(acme.world.team, "Lee Park", "lee@acme.example", **flags)
    await acme.press(acme.dana, direct(acme), "hand_on")
    acme.world.slack.faults.add("users.info", delay=2.2)

    done = await acme.submit(acme.dana, choice=other.id, words="Not my patch")

    assert done.reply.json["response_action"] == "update"
    assert said in acme.dialog_text(acme.dana)
    assert await acme.trail(told) == steps
    if not steps:  # what was chosen and typed is there once more
        assert other.id in acme.dialog_text(acme.dana)
        assert "Not my patch" in acme.dialog_text(acme.dana)
        await acme.submit(acme.dana, choice=acme.kim.id)
        assert await acme.trail(told) == ["reassigned"]


async def test_a_dialog_that_has_to_wait_for_slack_is_opened_meanwhile(acme):
    """After three seconds Slack opens none any more; who looks at a channel is asked of Slack first."""
    await unowned(acme)
    acme.world.slack.faults.add("users.info", delay=1.3)

    await acme.choose_in_menu(acme.kim, channel(acme), "why")

    [opened] = [call for call in acme.world.slack.calls if call.method == "views.open"]
    assert "One moment" in str(opened.arguments["view"])
    assert "Why here" in acme.dialog_text(acme.kim)


async def test_a_hand_over_that_cannot_be_told_goes_to_the_channel(acme):
    """Their account was closed a moment later: the channel can claim it again."""
    await unowned(acme)
    await acme.choose_in_menu(acme.kim, channel(acme), "hand_on")
    await acme.submit(acme.kim, choice=acme.mo.id)
    acme.world.slack.faults.add("chat.postMessage", error="user_disabled", times=1)

    await acme.pass_time()
    await acme.pass_time()

    assert "No DRI could be notified" in channel(acme).text
    assert [button_labels(each) for each in acme.world.channel_messages("job-changes")] == [["Claim"], ["Claim"]]


async def test_it_cannot_be_given_to_oneself(acme, told):
    """That would tell them again for nothing."""
    await acme.press(acme.dana, direct(acme), "hand_on")

    done = await acme.submit(acme.dana, choice=acme.dana.id)

    assert "That is you" in done.errors["choice"]


async def test_when_slack_does_not_answer_nothing_is_given(acme, told):
    """Whether somebody can be told is not guessed."""
    await acme.press(acme.dana, direct(acme), "hand_on")
    acme.world.slack.faults.add("users.info", status=503, times=1)

    done = await acme.submit(acme.dana, choice=acme.kim.id)

    assert "try again" in done.errors["choice"]
    assert await acme.trail(told) == []


async def test_a_dialog_that_was_open_while_another_acted_says_so(acme):
    """The rows decide when it is submitted, not when it was opened."""
    told = await unowned(acme)
    await acme.choose_in_menu(acme.kim, channel(acme), "hand_on")
    await acme.press(acme.mo, channel(acme), "take")

    done = await acme.submit(acme.kim, choice=acme.dana.id)

    assert done.ok
    assert f"<@{acme.mo.id}> is on it" in acme.dialog_text(acme.kim)
    assert await acme.trail(told) == ["taken"]


@pytest.mark.both_databases
async def test_later_comes_back_once_in_the_morning_of_the_readers_clock(acme, told):
    """Tomorrow at nine in New York is 14:00 UTC in November; the message says that it was asked for."""
    await acme.choose_in_menu(acme.dana, direct(acme), "later")
    await acme.submit(acme.dana, choice="tomorrow")
    assert "⏰ Comes back" in blocks_text(direct(acme))
    now = acme.world.clock()
    due = (now // 86_400_000 + 1) * 86_400_000 + 14 * 3_600_000

    await acme.pass_time((due - now) / 1_000 - 1)
    assert len(acme.world.direct_messages("Dana Reyes")) == 1
    await acme.pass_time(1)
    await acme.pass_time(7 * 86_400)

    assert len(acme.world.direct_messages("Dana Reyes")) == 2
    assert "⏰ Back, as you asked" in blocks_text(direct(acme))
    assert button_labels(direct(acme)) == ["I'm on it", "Not mine…"]
    assert await acme.trail(told) == ["snoozed", "snooze ended"]


@pytest.mark.parametrize("verb", ["wrong_data", "later", "mute"])
@pytest.mark.parametrize("option", [None, {"value": "bogus"}, {}])
async def test_a_dialog_that_comes_back_without_a_choice_asks_for_one(acme, told, verb, option):
    """Slack's own client does not send it so; others may."""
    await acme.choose_in_menu(acme.dana, direct(acme), verb)
    slack = acme.world.slack
    payload = view_submission(slack._actor(acme.dana.id), slack.modal(acme.dana.id))
    payload["view"]["state"]["values"]["choice"] = {"choice": {"type": "radio_buttons", "selected_option": option}}

    reply = await slack.app_client.interact(payload)

    assert reply.json == {"response_action": "errors", "errors": {"choice": "Choose one of these."}}


async def test_what_was_dealt_with_meanwhile_does_not_come_back(acme, told):
    """Being on it is what the reminder was for."""
    await acme.choose_in_menu(acme.dana, direct(acme), "later")
    await acme.submit(acme.dana, choice="monday")

    await acme.press(acme.dana, direct(acme), "take")
    await acme.pass_time(9 * 86_400)

    assert len(acme.world.direct_messages("Dana Reyes")) == 1
    assert "⏰" not in blocks_text(direct(acme))


async def test_wrong_data_is_kept_with_its_reason_and_counted(acme, told):
    """One report a person; what they say last counts."""
    for fault, words in (("old_news", "From 2023"), ("wrong_job", "She is CFO")):
        await acme.choose_in_menu(acme.dana, direct(acme), "wrong_data")
        await acme.submit(acme.dana, choice=fault, words=words)

    assert f"🚩 Wrong data (wrong company or title), says <@{acme.dana.id}>" in blocks_text(direct(acme))
    assert await acme.world.database.run(actions.count_reports, acme.world.workspace_id, 0) == 1
    assert await acme.trail(told) == ["reported as wrong", "reported as wrong"]


async def test_why_me_shows_the_candidates_in_order_and_what_became_of_each(acme):
    """Whose it would have been, and why it is not."""
    world = acme.world
    account = world.salesforce.add("Account", Name="Initech", OwnerId=world.add_owner("Lee Park"))
    gone = world.add_owner("Ivan Petrov", IsActive=False)
    bob = {"FirstName": "Bob", "LastName": "Ray", "Email": "bob@hooli.example"}
    world.salesforce.add("Contact", OwnerId=gone, AccountId=account, **bob)
    await world.deliver(person={"full_name": "Bob Ray", "emails": ["bob@hooli.example"]})
    lee = next(user for user in world.slack.world.users.values() if user.real_name == "Lee Park")

    await acme.choose_in_menu(lee, direct(acme, "Lee Park"), "why")

    said = acme.dialog_text(lee)
    assert "Why me?" in said
    assert "1. contact owner, Ivan Petrov: is inactive in Salesforce" in said
    assert "2. account owner, Lee Park: ✅ notified" in said


async def test_why_here_is_for_everybody_in_the_channel(acme):
    """Why no DRI was found."""
    await unowned(acme)

    await acme.choose_in_menu(acme.mo, channel(acme), "why")

    assert "Why here?" in acme.dialog_text(acme.mo)
    assert "no contact or lead in Salesforce" in acme.dialog_text(acme.mo)


@pytest.mark.both_databases
async def test_messages_like_this_can_be_muted_and_that_undone(acme, told):
    """By the signal or by the kind of change; the dialog shows what is muted, with an undo."""
    await acme.choose_in_menu(acme.dana, direct(acme), "mute")
    await acme.submit(acme.dana, choice="contact_tracking")

    assert "Everything from contact tracking" in acme.dialog_text(acme.dana)
    assert await muted(acme) == {(acme.dana.id, "contact_tracking")}
    await acme.world.slack.act_in_modal(acme.dana.id, "delivery_unmute")
    await acme.wait_for_listeners()
    assert await muted(acme) == set()
    assert "Undo" not in acme.dialog_text(acme.dana)
    assert await acme.trail(told) == ["muted", "unmuted"]


async def test_what_nobody_may_mute_is_not_offered(acme, told):
    """The dialog says so, and one that was open before mutes nothing of it."""
    where = acme.world.workspace_id
    change = AuditEntry(0, "U_ADMIN", "mute_limits", "")
    await acme.choose_in_menu(acme.dana, direct(acme), "mute")
    await acme.world.database.run(muting.set_required, where, ["contact_tracking", "new_company"], change)

    await acme.submit(acme.dana, choice="contact_tracking")

    assert "so they cannot be muted" in acme.dialog_text(acme.dana)
    assert await muted(acme) == set()
    await acme.world.slack.close_view(acme.dana.id)
    await acme.choose_in_menu(acme.dana, direct(acme), "mute")
    assert "Your admins want everybody to hear about" in acme.dialog_text(acme.dana)
    assert "radio_buttons" not in acme.dialog_text(acme.dana)


@pytest.mark.parametrize(
    ("what", "why"),
    [("contact_tracking", "has muted this signal"), ("new_company", "has muted this type of change")],
)
async def test_who_muted_it_is_passed_over_with_that_reason(acme, told, what, why):
    """The next candidate is told, else the channel, and the reason says that it was muted."""
    await acme.choose_in_menu(acme.dana, direct(acme), "mute")
    await acme.submit(acme.dana, choice=what)

    await acme.world.deliver(source_event_id="after")

    assert len(acme.world.direct_messages("Dana Reyes")) == 1
    assert why in channel(acme).text


async def test_muting_is_offered_behind_why_me_too(acme, told):
    """In a bundle there is no room for it in the menu."""
    await acme.choose_in_menu(acme.dana, direct(acme), "why")

    await acme.world.slack.act_in_modal(acme.dana.id, "delivery_mute")
    await acme.wait_for_listeners()

    assert "Stop telling me about" in acme.dialog_text(acme.dana)


async def muted(acme):
    state = await acme.world.database.run(
        choice_state.load, acme.world.workspace_id, acme.world.clock(), count_recent=False
    )
    return set(state.muted)


async def test_in_a_bundle_each_job_change_is_acted_on_by_itself(acme):
    """The menu of a line; the other lines stay as they are."""
    for number in range(3):
        await acme.world.accept(source_event_id=str(number), person=_ada(f"Ada {number}"))
    await acme.world.worker.drain()
    bundle = direct(acme)
    second = menu_values(bundle)[5].partition(":")[2]

    await acme.world.slack.press(
        acme.dana.id, bundle.channel_id, bundle.ts, "delivery_menu", f"take:{second}", bundle.blocks[3]["block_id"]
    )
    await acme.wait_for_listeners()

    assert blocks_text(bundle).count("is on it") == 1
    texts = [block["elements"][0]["text"] if block["type"] == "context" else "" for block in bundle.blocks]
    assert "is on it" in texts[5]
    assert "Ada 2" in str(bundle.blocks[6])


def _ada(name):
    return {"full_name": name, "emails": ["ada@initech.example"]}


@pytest.mark.parametrize("verb", ["take", "hand_on"])
async def test_a_year_old_message_whose_details_were_erased_says_so(acme, told, verb):
    """Nothing is changed, and the message stays as it was."""
    before = blocks_text(direct(acme))
    await acme.erase_payload(told)

    await acme.press(acme.dana, direct(acme), verb)

    assert acme.ephemeral_texts(acme.dana) == [
        "This message is too old to act on: what it told of has been erased since. Nothing was changed."
    ]
    assert blocks_text(direct(acme)) == before
    assert await acme.trail(told) == []


@pytest.mark.parametrize("verb", ["later", "why", "wrong_data", "mute"])
async def test_the_menu_of_an_erased_message_says_so(acme, told, verb):
    """No dialog opens over nothing."""
    await acme.erase_payload(told)

    await acme.choose_in_menu(acme.dana, direct(acme), verb)

    assert "too old to act on" in acme.ephemeral_texts(acme.dana)[0]
    assert acme.is_closed(acme.dana)


@pytest.mark.both_databases
async def test_what_comes_back_after_it_was_erased_does_not(acme, told):
    """Forgotten is forgotten."""
    await acme.choose_in_menu(acme.dana, direct(acme), "later")
    await acme.submit(acme.dana, choice="next_week")
    await acme.erase_payload(told)

    await acme.pass_time(9 * 86_400)

    assert len(acme.world.direct_messages("Dana Reyes")) == 1


async def test_somebody_who_did_not_get_it_can_do_nothing(acme, told):
    """A button's value is no right: whose message it is, is read from our rows."""
    await unowned(acme)
    own = direct(acme)
    theirs = channel(acme)
    forge(theirs, delivery_of(own))

    await acme.press(acme.kim, theirs, "take", delivery_of(own))

    assert acme.ephemeral_texts(acme.kim) == ["This was told to somebody else, so only they can do that."]
    assert await acme.trail(told) == []


@pytest.mark.parametrize("value", ["999999", "0", "-1", "x", "9" * 30, "٣"])
async def test_a_delivery_that_there_is_not_gets_a_short_answer(acme, told, value):
    """An id of another workspace, or garbage: the same as one that is not kept any more."""
    forge(direct(acme), value)

    await acme.press(acme.dana, direct(acme), "take", value)

    assert acme.ephemeral_texts(acme.dana) == [
        "This job change is not kept any more, so there is nothing left to do about it."
    ]


async def test_another_workspaces_delivery_is_not_there(acme, told):
    """Ids count up over all workspaces: who knows one still has no part in it."""
    team = acme.world.slack.add_team("Rival")
    eve = acme.world.slack.add_user(team, "Eve Moss", "eve@rival.example")
    acme.world.tokens[team.id] = acme.world.slack.install(team.id, eve.id)
    room = acme.world.slack.add_channel(team, "room")
    posted = await acme.world.worker.courier.slack.post_notice(team.id, room.id, "x", direct(acme).blocks)
    copied = acme.world.slack.world.message(posted.channel, posted.ts)

    await acme.press(eve, copied, "take")

    assert acme.ephemeral_texts(eve) == [
        "This job change is not kept any more, so there is nothing left to do about it."
    ]
    assert await acme.trail(told) == []


@pytest.mark.parametrize("verb", ["take", "why"])
async def test_a_visitor_from_another_company_can_neither_claim_nor_look(acme, verb):
    """The channel may be shared with people whose job it is not, and whom the rules do not concern."""
    told = await unowned(acme)
    guest = acme.world.slack.add_user(acme.world.team, "Vera Visitor", "vera@other.example", is_stranger=True)

    if verb == "take":
        await acme.press(guest, channel(acme), "take")
    else:
        await acme.choose_in_menu(guest, channel(acme), verb)

    assert acme.ephemeral_texts(guest) == ["Only members of this workspace can do that."]
    assert acme.is_closed(guest)
    assert await acme.trail(told) == []


async def test_a_claim_that_cannot_be_checked_changes_nothing(acme):
    """It fails closed, and says what to do."""
    told = await unowned(acme)
    acme.world.slack.faults.add("users.info", status=503, times=1)

    await acme.press(acme.kim, channel(acme), "take")

    assert "Please try again" in acme.ephemeral_texts(acme.kim)[0]
    assert await acme.trail(told) == []


async def test_a_button_of_another_version_says_so(acme, told):
    """After an update, old messages may offer what we do not know any more."""
    message = direct(acme)
    menu = next(element for block in message.blocks for element in block.get("elements", []) if "options" in element)
    menu["options"][0]["value"] = "applaud:1"

    await acme.press(acme.dana, message, "menu", "applaud:1")

    assert "another version of the app" in acme.ephemeral_texts(acme.dana)[0]


async def test_buttons_of_older_messages_that_open_a_page_are_acknowledged(acme, told, caplog):
    """Else Slack shows a warning sign beside a link that works."""
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


async def test_while_slack_asks_us_to_wait_the_row_counts_and_the_message_follows(acme, told):
    """A 429 loses nothing: who pressed reads that it was noted, and the worker draws it later."""
    acme.world.slack.faults.add(UPDATE, error="ratelimited", status=429, retry_after=10, times=1)

    await acme.press(acme.dana, direct(acme), "take")

    assert "the message will show it in a moment" in acme.ephemeral_texts(acme.dana)[0]
    assert "is on it" not in blocks_text(direct(acme))
    await acme.pass_time(9)
    assert "is on it" not in blocks_text(direct(acme))
    await acme.pass_time(1.1)
    assert "is on it" in blocks_text(direct(acme))


@pytest.mark.both_databases
async def test_a_process_that_dies_before_the_message_is_drawn_loses_nothing(acme, told):
    """The row and the wish to draw it are one commit; the next process draws it."""
    delivery = await acme.world.database.run(actions.find, acme.world.workspace_id, int(delivery_of(direct(acme))))
    await acme.world.database.run(actions.take, delivery, acme.dana.id, acme.world.clock())

    await acme.catch_up()

    assert f"<@{acme.dana.id}> is on it" in blocks_text(direct(acme))


async def test_a_message_that_was_deleted_stands_in_nobodys_way(acme, told):
    """There is nothing to draw; what was done is done, and who pressed reads so."""
    message = direct(acme)
    acme.world.slack.faults.add(UPDATE, error="message_not_found", times=1)

    await acme.press(acme.dana, message, "take")

    assert await acme.trail(told) == ["taken"]
    assert acme.ephemeral_texts(acme.dana) == ["Noted, though a message of it cannot be changed any more."]
    assert not await acme.delivery_actions.catch_up()


async def test_a_bundle_of_which_a_part_was_erased_stays_as_it_is(acme):
    """Drawn anew it would lack a line; what was done about the rest counts all the same."""
    ids = [await acme.world.accept(source_event_id=str(number), person=_ada(f"Ada {number}")) for number in range(2)]
    await acme.world.worker.drain()
    bundle = direct(acme)
    before = blocks_text(bundle)
    await acme.erase_payload(ids[1])

    first = bundle.blocks[1]
    value = first["accessory"]["options"][0]["value"]
    await acme.world.slack.press(acme.dana.id, bundle.channel_id, bundle.ts, "delivery_menu", value, first["block_id"])
    await acme.wait_for_listeners()

    assert blocks_text(bundle) == before
    assert await acme.trail(ids[0]) == ["taken"]
    assert "cannot be changed any more" in acme.ephemeral_texts(acme.dana)[0]


async def test_when_the_database_fails_while_drawing_it_is_not_said_that_nothing_changed(acme, told):
    """The row was committed before."""
    gone = replace(acme.delivery_actions.redrawer, database=Database("sqlite:////nowhere/at.db"))
    without_database = replace(acme.delivery_actions, redrawer=gone)

    assert (
        await without_database.update_messages(ActionResult(job_change_id=told))
        == "Noted: the message will show it in a moment."
    )
    await gone.database.close()


async def test_a_change_that_slack_refuses_is_drawn_plainer(acme, told):
    """Blocks are a nicety; who is on it is said in words."""
    acme.world.slack.faults.add(
        UPDATE, error="invalid_blocks", times=None, when=lambda arguments: arguments.get("blocks")
    )

    await acme.press(acme.dana, direct(acme), "take")

    assert f"✅ <@{acme.dana.id}> is on it" in direct(acme).text


async def test_a_copy_that_is_told_after_somebody_acted_says_so_at_once(acme):
    """The channel's lane may be slower than the reader."""
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


async def test_a_dialog_that_opens_too_late_changes_nothing(acme, told):
    """Slack gives three seconds; the person reads what to do."""
    acme.world.slack.faults.add("views.open", error="expired_trigger_id")

    await acme.press(acme.dana, direct(acme), "hand_on")
    await asyncio.sleep(0)
    await acme.wait_for_listeners()

    assert "took too long" in acme.ephemeral_texts(acme.dana)[0]


def delivery_of(message):
    return menu_values(message)[0].partition(":")[2]


def forge(message, delivery_id):
    """As somebody could who makes up a request, were it not signed by Slack."""
    for block in message.blocks:
        for element in block.get("elements", []):
            if element.get("type") == "button":
                element["value"] = delivery_id
