"""Acting on what one was told: every button and dialog by signed requests; once, twice, together and too late."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from sandbox.slack.outgoing.payloads import view_submission
from services.messages.actions import Acted
from store.database import Database
from store.messages import acting
from store.operations import audit
from store.ownership import choice_state, muting
from tests.listeners.messages.message_world import Floor, buttons_of, floor_of, menu_of, shown

UPDATE = "chat.update"


@pytest.fixture
async def floor(world) -> AsyncIterator[Floor]:
    await world.default_channel()
    async with floor_of(world) as floor:
        yield floor


@pytest.fixture
async def told(floor):
    """Dana has been told of Ada; the job change's id."""
    return await floor.world.deliver()


def direct(floor, name="Dana Reyes"):
    """The newest message that this person has read."""
    return floor.world.direct_messages(name)[-1]


def channel(floor):
    return floor.world.channel_messages("job-changes")[-1]


async def unowned(floor, **changes):
    """A job change that the default channel is told of; its id."""
    nobody = {"person": {"full_name": "Eva Lund", "emails": ["eva@soylent.example"]}} | changes
    return await floor.world.deliver(**nobody)


async def test_a_direct_message_offers_two_buttons_and_a_menu(floor, told):
    """One line on a phone."""
    assert buttons_of(direct(floor)) == ["I'm on it", "Not mine…"]
    assert [value.partition(":")[0] for value in menu_of(direct(floor))] == ["later", "why", "wrong_data", "mute"]


async def test_im_on_it_is_shown_to_all_who_got_it(floor):
    """In the direct message and in the channel's copy: who, and when."""
    await floor.world.set_preferences(channel_gets="everything")
    told = await floor.world.deliver()

    await floor.press(floor.dana, direct(floor), "take")

    assert f"✅ <@{floor.dana.id}> is on it" in shown(direct(floor))
    assert f"✅ <@{floor.dana.id}> is on it" in shown(channel(floor))
    assert buttons_of(direct(floor)) == ["Not mine…"]
    assert buttons_of(channel(floor)) == []
    assert await floor.steps(told) == ["taken"]
    assert floor.heard(floor.dana) == []


async def test_pressing_twice_changes_nothing_and_says_so(floor, told):
    """An answer only for who pressed, not an error."""
    message = direct(floor)
    button = message.blocks

    await floor.press(floor.dana, message, "take")
    message.blocks = button  # as a phone that has not caught up yet still shows it
    await floor.press(floor.dana, message, "take")

    assert [text.startswith("You are on it already") for text in floor.heard(floor.dana)] == [True]
    assert await floor.steps(told) == ["taken"]


@pytest.mark.both_databases
async def test_of_two_who_claim_at_once_the_first_has_it_and_the_other_reads_who(floor):
    """Both get a 200, one gets the job change, and the channel sees which."""
    told = await unowned(floor)
    message = channel(floor)

    await asyncio.gather(floor.press(floor.kim, message, "take"), floor.press(floor.mo, message, "take"))

    winner, loser = (floor.kim, floor.mo) if f"<@{floor.kim.id}> is on it" in shown(message) else (floor.mo, floor.kim)
    assert f"<@{winner.id}> is on it" in shown(message)
    assert floor.heard(winner) == []
    assert [f"<@{winner.id}> is on it" in text for text in floor.heard(loser)] == [True]
    assert await floor.steps(told) == ["taken"]


async def test_what_nobody_has_claimed_can_be_given_to_a_colleague(floor):
    """They get a direct message with the hand-over and the reason; the channel sees to whom it went."""
    told = await unowned(floor)
    await floor.choose(floor.kim, channel(floor), "hand_on")

    await floor.submit(floor.kim, choice=floor.mo.id, words="Your region")
    await floor.pass_time()

    assert "Kim Lee gave it to you: “Your region”" in direct(floor, "Mo Chen").text
    assert buttons_of(direct(floor, "Mo Chen")) == ["I'm on it", "Not mine…"]
    assert f"<@{floor.kim.id}> gave it to <@{floor.mo.id}>" in shown(channel(floor))
    assert buttons_of(channel(floor)) == []
    assert await floor.steps(told) == ["given"]


@pytest.mark.both_databases
async def test_not_mine_goes_to_a_colleague_with_the_trace_kept(floor, told):
    """Who gave it cannot take it any more, and reads when and to whom it went."""
    message = direct(floor)
    await floor.press(floor.dana, message, "hand_on")
    await floor.submit(floor.dana, choice=floor.kim.id, words="Hers <!channel> since May")
    await floor.pass_time()

    assert "Dana Reyes gave it to you: “Hers &lt;!channel&gt; since May”" in shown(direct(floor, "Kim Lee"))
    assert f"<@{floor.dana.id}> gave it to <@{floor.kim.id}>" in shown(message)
    assert buttons_of(message) == []
    assert f"gave it to <@{floor.kim.id}>" not in shown(direct(floor, "Kim Lee"))
    await floor.press(floor.kim, direct(floor, "Kim Lee"), "take")
    assert f"<@{floor.kim.id}> is on it" in shown(message)
    assert await floor.steps(told) == ["given", "taken"]
    assert (await floor.world.outcome(told))[:2] == ("delivered", "dri")


async def test_a_message_that_was_given_away_and_comes_back_is_open_again(floor, told):
    """Dana to Kim, Kim to Dana: a new message, which she can act on."""
    await floor.press(floor.dana, direct(floor), "hand_on")
    await floor.submit(floor.dana, choice=floor.kim.id)
    await floor.pass_time()
    await floor.press(floor.kim, direct(floor, "Kim Lee"), "hand_on")
    await floor.submit(floor.kim, choice=floor.dana.id, words="Yours")
    await floor.pass_time()

    assert len(floor.world.direct_messages("Dana Reyes")) == 2
    assert "Kim Lee gave it to you: “Yours”" in direct(floor).text
    assert buttons_of(direct(floor)) == ["I'm on it", "Not mine…"]
    await floor.press(floor.dana, direct(floor), "take")
    assert all(
        f"<@{floor.dana.id}> is on it" in shown(message) for message in floor.world.direct_messages("Dana Reyes")
    )
    assert f"<@{floor.dana.id}> is on it" in shown(direct(floor, "Kim Lee"))


async def test_not_mine_without_a_name_goes_back_to_the_channel_for_somebody_to_claim(floor, told):
    """With who says so and why; the first who claims it has it, and Dana sees who."""
    await floor.press(floor.dana, direct(floor), "hand_on")
    await floor.submit(floor.dana, words="Left my patch")
    await floor.pass_time()

    assert "Dana Reyes says that it is not theirs: “Left my patch”" in channel(floor).text
    assert buttons_of(channel(floor)) == ["Claim"]
    assert "gave it back to the channel" in shown(direct(floor))
    await floor.press(floor.mo, channel(floor), "take")
    assert f"<@{floor.mo.id}> is on it" in shown(direct(floor))
    assert await floor.steps(told) == ["given back", "taken"]


async def test_not_mine_goes_back_to_the_channel_of_its_signal(floor, told):
    """Where that has one of its own, people who know it look there."""
    own = floor.world.slack.add_channel(floor.world.team, "tracking")
    await floor.world.set_preferences(signal_channels=json.dumps({"contact_tracking": own.id}))

    await floor.press(floor.dana, direct(floor), "hand_on")
    await floor.submit(floor.dana)
    await floor.pass_time()

    [message] = floor.world.channel_messages("tracking")
    assert "Dana Reyes says that it is not theirs." in message.text
    assert floor.world.channel_messages("job-changes") == []


async def test_the_channels_copy_becomes_a_message_to_claim(floor):
    """It is told there once more: nobody looks at an old copy."""
    await floor.world.set_preferences(channel_gets="everything")
    await floor.world.deliver()
    await floor.press(floor.dana, direct(floor), "hand_on")
    await floor.submit(floor.dana)
    await floor.pass_time()

    copy, again = floor.world.channel_messages("job-changes")
    assert "Dana Reyes says that it is not theirs." in again.text
    assert buttons_of(copy) == buttons_of(again) == ["Claim"]


async def test_who_claimed_by_mistake_puts_it_back(floor):
    """And it is told anew, so that somebody else sees it."""
    await unowned(floor)
    message = channel(floor)
    await floor.press(floor.kim, message, "take")
    await floor.press(floor.kim, message, "hand_on")
    await floor.submit(floor.kim)
    await floor.pass_time()

    assert "Kim Lee says that it is not theirs." in channel(floor).text
    assert [buttons_of(each) for each in floor.world.channel_messages("job-changes")] == [["Claim"], ["Claim"]]


async def test_only_who_claimed_it_can_hand_it_on(floor):
    """Everybody sees the button; the others read who has it."""
    await unowned(floor)
    message = channel(floor)
    await floor.press(floor.kim, message, "take")

    await floor.press(floor.mo, message, "hand_on")

    assert f"<@{floor.kim.id}> is on it" in floor.heard(floor.mo)[0]
    assert floor.is_closed(floor.mo)


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        ({"deleted": True}, "that account is deactivated"),
        ({"bot_id": "B0OTHER"}, "that is an app"),
        ({"is_restricted": True}, "guests are not told"),
        ({"is_stranger": True}, "they belong to another workspace"),
    ],
)
async def test_it_cannot_be_given_to_somebody_who_cannot_be_told(floor, told, flags, why):
    """The dialog says why and stays open; nothing has changed."""
    other = floor.world.slack.add_user(floor.world.team, "Lee Park", "lee@acme.example", **flags)
    await floor.press(floor.dana, direct(floor), "hand_on")

    done = await floor.submit(floor.dana, choice=other.id)

    assert why in done.errors["choice"]
    assert await floor.steps(told) == []


@pytest.mark.parametrize(
    ("flags", "said", "steps"),
    [
        ({}, "It is done", ["given"]),
        ({"is_restricted": True}, "They cannot be told: guests are not told of job changes", []),
    ],
)
async def test_a_slow_slack_does_not_keep_a_dialog_waiting_for_its_answer(floor, told, flags, said, steps):
    """It gives three seconds in all, and what came of it follows: without an answer people would do it again."""
    other = floor.world.slack.add_user(floor.world.team, "Lee Park", "lee@acme.example", **flags)
    await floor.press(floor.dana, direct(floor), "hand_on")
    floor.world.slack.faults.add("users.info", delay=2.2)

    done = await floor.submit(floor.dana, choice=other.id, words="Not my patch")

    assert done.reply.json["response_action"] == "update"
    assert said in floor.modal(floor.dana)
    assert await floor.steps(told) == steps
    if not steps:  # what was chosen and typed is there once more
        assert other.id in floor.modal(floor.dana)
        assert "Not my patch" in floor.modal(floor.dana)
        await floor.submit(floor.dana, choice=floor.kim.id)
        assert await floor.steps(told) == ["given"]


async def test_a_dialog_that_has_to_wait_for_slack_is_opened_meanwhile(floor):
    """After three seconds Slack opens none any more; who looks at a channel is asked of Slack first."""
    await unowned(floor)
    floor.world.slack.faults.add("users.info", delay=1.3)

    await floor.choose(floor.kim, channel(floor), "why")

    [opened] = [call for call in floor.world.slack.calls if call.method == "views.open"]
    assert "One moment" in str(opened.arguments["view"])
    assert "Why here" in floor.modal(floor.kim)


async def test_a_hand_over_that_cannot_be_told_goes_to_the_channel(floor):
    """Their account was closed a moment later: the channel can claim it again."""
    await unowned(floor)
    await floor.choose(floor.kim, channel(floor), "hand_on")
    await floor.submit(floor.kim, choice=floor.mo.id)
    floor.world.slack.faults.add("chat.postMessage", error="user_disabled", times=1)

    await floor.pass_time()
    await floor.pass_time()

    assert "No DRI could be told" in channel(floor).text
    assert [buttons_of(each) for each in floor.world.channel_messages("job-changes")] == [["Claim"], ["Claim"]]


async def test_it_cannot_be_given_to_oneself(floor, told):
    """That would tell them again for nothing."""
    await floor.press(floor.dana, direct(floor), "hand_on")

    done = await floor.submit(floor.dana, choice=floor.dana.id)

    assert "That is you" in done.errors["choice"]


async def test_when_slack_does_not_answer_nothing_is_given(floor, told):
    """Whether somebody can be told is not guessed."""
    await floor.press(floor.dana, direct(floor), "hand_on")
    floor.world.slack.faults.add("users.info", status=503, times=1)

    done = await floor.submit(floor.dana, choice=floor.kim.id)

    assert "try again" in done.errors["choice"]
    assert await floor.steps(told) == []


async def test_a_dialog_that_was_open_while_another_acted_says_so(floor):
    """The rows decide when it is submitted, not when it was opened."""
    told = await unowned(floor)
    await floor.choose(floor.kim, channel(floor), "hand_on")
    await floor.press(floor.mo, channel(floor), "take")

    done = await floor.submit(floor.kim, choice=floor.dana.id)

    assert done.ok
    assert f"<@{floor.mo.id}> is on it" in floor.modal(floor.kim)
    assert await floor.steps(told) == ["taken"]


@pytest.mark.both_databases
async def test_later_comes_back_once_in_the_morning_of_the_readers_clock(floor, told):
    """Tomorrow at nine in New York is 14:00 UTC in November; the message says that it was asked for."""
    await floor.choose(floor.dana, direct(floor), "later")
    await floor.submit(floor.dana, choice="tomorrow")
    assert "⏰ Comes back" in shown(direct(floor))
    now = floor.world.clock()
    due = (now // 86_400_000 + 1) * 86_400_000 + 14 * 3_600_000

    await floor.pass_time((due - now) / 1_000 - 1)
    assert len(floor.world.direct_messages("Dana Reyes")) == 1
    await floor.pass_time(1)
    await floor.pass_time(7 * 86_400)

    assert len(floor.world.direct_messages("Dana Reyes")) == 2
    assert "⏰ Back, as you asked" in shown(direct(floor))
    assert buttons_of(direct(floor)) == ["I'm on it", "Not mine…"]
    assert await floor.steps(told) == ["put off", "came back"]


@pytest.mark.parametrize("verb", ["wrong_data", "later", "mute"])
@pytest.mark.parametrize("option", [None, {"value": "bogus"}, {}])
async def test_a_dialog_that_comes_back_without_a_choice_asks_for_one(floor, told, verb, option):
    """Slack's own client does not send it so; others may."""
    await floor.choose(floor.dana, direct(floor), verb)
    slack = floor.world.slack
    payload = view_submission(slack._actor(floor.dana.id), slack.modal(floor.dana.id))
    payload["view"]["state"]["values"]["choice"] = {"choice": {"type": "radio_buttons", "selected_option": option}}

    reply = await slack.app_client.interact(payload)

    assert reply.json == {"response_action": "errors", "errors": {"choice": "Choose one of these."}}


async def test_what_was_dealt_with_meanwhile_does_not_come_back(floor, told):
    """Being on it is what the reminder was for."""
    await floor.choose(floor.dana, direct(floor), "later")
    await floor.submit(floor.dana, choice="monday")

    await floor.press(floor.dana, direct(floor), "take")
    await floor.pass_time(9 * 86_400)

    assert len(floor.world.direct_messages("Dana Reyes")) == 1
    assert "⏰" not in shown(direct(floor))


async def test_wrong_data_is_kept_with_its_reason_and_counted(floor, told):
    """One report a person; what they say last counts."""
    for fault, words in (("old_news", "From 2023"), ("wrong_job", "She is CFO")):
        await floor.choose(floor.dana, direct(floor), "wrong_data")
        await floor.submit(floor.dana, choice=fault, words=words)

    assert f"🚩 Wrong data (wrong company or title), says <@{floor.dana.id}>" in shown(direct(floor))
    assert await floor.world.database.run(acting.reports, floor.world.workspace_id, 0) == 1
    assert await floor.steps(told) == ["wrong data", "wrong data"]


async def test_why_me_shows_the_candidates_in_order_and_what_became_of_each(floor):
    """Whose it would have been, and why it is not."""
    world = floor.world
    account = world.salesforce.add("Account", Name="Initech", OwnerId=world.add_owner("Lee Park"))
    gone = world.add_owner("Ivan Petrov", IsActive=False)
    bob = {"FirstName": "Bob", "LastName": "Ray", "Email": "bob@hooli.example"}
    world.salesforce.add("Contact", OwnerId=gone, AccountId=account, **bob)
    await world.deliver(person={"full_name": "Bob Ray", "emails": ["bob@hooli.example"]})
    lee = next(user for user in world.slack.world.users.values() if user.real_name == "Lee Park")

    await floor.choose(lee, direct(floor, "Lee Park"), "why")

    said = floor.modal(lee)
    assert "Why me?" in said
    assert "1. contact owner, Ivan Petrov: is inactive in Salesforce" in said
    assert "2. account owner, Lee Park: ✅ told" in said


async def test_why_here_is_for_everybody_in_the_channel(floor):
    """Why no DRI was found."""
    await unowned(floor)

    await floor.choose(floor.mo, channel(floor), "why")

    assert "Why here?" in floor.modal(floor.mo)
    assert "no contact or lead in Salesforce" in floor.modal(floor.mo)


async def test_messages_like_this_can_be_muted_and_that_undone(floor, told):
    """By the signal or by the kind of change; the dialog shows what is muted, with an undo."""
    await floor.choose(floor.dana, direct(floor), "mute")
    await floor.submit(floor.dana, choice="contact_tracking")

    assert "Everything from contact tracking" in floor.modal(floor.dana)
    assert await muted(floor) == {(floor.dana.id, "contact_tracking")}
    await floor.world.slack.act_in_modal(floor.dana.id, "delivery_unmute")
    await floor.settled()
    assert await muted(floor) == set()
    assert "Undo" not in floor.modal(floor.dana)
    assert await floor.steps(told) == ["muted", "unmuted"]


async def test_what_nobody_may_mute_is_not_offered(floor, told):
    """The dialog says so, and one that was open before mutes nothing of it."""
    where = floor.world.workspace_id
    change = audit.Change(0, "U_ADMIN", "mute_limits", "")
    await floor.choose(floor.dana, direct(floor), "mute")
    await floor.world.database.run(muting.limit, where, ["contact_tracking", "new_company"], change)

    await floor.submit(floor.dana, choice="contact_tracking")

    assert "so they cannot be muted" in floor.modal(floor.dana)
    assert await muted(floor) == set()
    await floor.world.slack.close_view(floor.dana.id)
    await floor.choose(floor.dana, direct(floor), "mute")
    assert "Your admins want everybody to hear about" in floor.modal(floor.dana)
    assert "radio_buttons" not in floor.modal(floor.dana)


@pytest.mark.parametrize(
    ("what", "why"),
    [("contact_tracking", "has muted this signal"), ("new_company", "has muted this kind of change")],
)
async def test_who_muted_it_is_passed_over_with_that_reason(floor, told, what, why):
    """The next candidate is told, else the channel, and the reason says that it was muted."""
    await floor.choose(floor.dana, direct(floor), "mute")
    await floor.submit(floor.dana, choice=what)

    await floor.world.deliver(source_event_id="after")

    assert len(floor.world.direct_messages("Dana Reyes")) == 1
    assert why in channel(floor).text


async def test_muting_is_offered_behind_why_me_too(floor, told):
    """In a bundle there is no room for it in the menu."""
    await floor.choose(floor.dana, direct(floor), "why")

    await floor.world.slack.act_in_modal(floor.dana.id, "delivery_mute")
    await floor.settled()

    assert "Stop telling me about" in floor.modal(floor.dana)


async def muted(floor):
    state = await floor.world.database.run(
        choice_state.state, floor.world.workspace_id, floor.world.clock(), count_told=False
    )
    return set(state.muted)


async def test_in_a_bundle_each_job_change_is_acted_on_by_itself(floor):
    """The menu of a line; the other lines stay as they are."""
    for number in range(3):
        await floor.world.accept(source_event_id=str(number), person=_ada(f"Ada {number}"))
    await floor.world.worker.work_off()
    bundle = direct(floor)
    second = menu_of(bundle)[5].partition(":")[2]

    await floor.world.slack.press(
        floor.dana.id, bundle.channel_id, bundle.ts, "delivery_menu", f"take:{second}", bundle.blocks[3]["block_id"]
    )
    await floor.settled()

    assert shown(bundle).count("is on it") == 1
    texts = [block["elements"][0]["text"] if block["type"] == "context" else "" for block in bundle.blocks]
    assert "is on it" in texts[5]
    assert "Ada 2" in str(bundle.blocks[6])


def _ada(name):
    return {"full_name": name, "emails": ["ada@initech.example"]}


@pytest.mark.parametrize("verb", ["take", "hand_on"])
async def test_a_year_old_message_whose_details_were_erased_says_so(floor, told, verb):
    """Nothing is changed, and the message stays as it was."""
    before = shown(direct(floor))
    await floor.erase(told)

    await floor.press(floor.dana, direct(floor), verb)

    assert floor.heard(floor.dana) == [
        "This message is too old to act on: what it told of has been erased since. Nothing was changed."
    ]
    assert shown(direct(floor)) == before
    assert await floor.steps(told) == []


@pytest.mark.parametrize("verb", ["later", "why", "wrong_data", "mute"])
async def test_the_menu_of_an_erased_message_says_so(floor, told, verb):
    """No dialog opens over nothing."""
    await floor.erase(told)

    await floor.choose(floor.dana, direct(floor), verb)

    assert "too old to act on" in floor.heard(floor.dana)[0]
    assert floor.is_closed(floor.dana)


async def test_what_comes_back_after_it_was_erased_does_not(floor, told):
    """Forgotten is forgotten."""
    await floor.choose(floor.dana, direct(floor), "later")
    await floor.submit(floor.dana, choice="next_week")
    await floor.erase(told)

    await floor.pass_time(9 * 86_400)

    assert len(floor.world.direct_messages("Dana Reyes")) == 1


async def test_somebody_who_did_not_get_it_can_do_nothing(floor, told):
    """A button's value is no right: whose message it is, is read from our rows."""
    await unowned(floor)
    own = direct(floor)
    theirs = channel(floor)
    forge(theirs, delivery_of(own))

    await floor.press(floor.kim, theirs, "take", delivery_of(own))

    assert floor.heard(floor.kim) == ["This was told to somebody else, so only they can do that."]
    assert await floor.steps(told) == []


@pytest.mark.parametrize("value", ["999999", "0", "-1", "x", "9" * 30, "٣"])
async def test_a_delivery_that_there_is_not_gets_a_short_answer(floor, told, value):
    """An id of another workspace, or garbage: the same as one that is not kept any more."""
    forge(direct(floor), value)

    await floor.press(floor.dana, direct(floor), "take", value)

    assert floor.heard(floor.dana) == ["This job change is not kept any more, so there is nothing left to do about it."]


async def test_another_workspaces_delivery_is_not_there(floor, told):
    """Ids count up over all workspaces: who knows one still has no part in it."""
    team = floor.world.slack.add_team("Rival")
    eve = floor.world.slack.add_user(team, "Eve Moss", "eve@rival.example")
    floor.world.tokens[team.id] = floor.world.slack.install(team.id, eve.id)
    room = floor.world.slack.add_channel(team, "room")
    posted = await floor.world.worker.courier.slack.post_notice(team.id, room.id, "x", direct(floor).blocks)
    copied = floor.world.slack.world.message(posted.channel, posted.ts)

    await floor.press(eve, copied, "take")

    assert floor.heard(eve) == ["This job change is not kept any more, so there is nothing left to do about it."]
    assert await floor.steps(told) == []


@pytest.mark.parametrize("verb", ["take", "why"])
async def test_a_visitor_from_another_company_can_neither_claim_nor_look(floor, verb):
    """The channel may be shared with people whose job it is not, and whom the rules do not concern."""
    told = await unowned(floor)
    guest = floor.world.slack.add_user(floor.world.team, "Vera Visitor", "vera@other.example", is_stranger=True)

    if verb == "take":
        await floor.press(guest, channel(floor), "take")
    else:
        await floor.choose(guest, channel(floor), verb)

    assert floor.heard(guest) == ["Only members of this workspace can do that."]
    assert floor.is_closed(guest)
    assert await floor.steps(told) == []


async def test_a_claim_that_cannot_be_checked_changes_nothing(floor):
    """It fails closed, and says what to do."""
    told = await unowned(floor)
    floor.world.slack.faults.add("users.info", status=503, times=1)

    await floor.press(floor.kim, channel(floor), "take")

    assert "Please try again" in floor.heard(floor.kim)[0]
    assert await floor.steps(told) == []


async def test_a_button_of_another_version_says_so(floor, told):
    """After an update, old messages may offer what we do not know any more."""
    message = direct(floor)
    menu = next(element for block in message.blocks for element in block.get("elements", []) if "options" in element)
    menu["options"][0]["value"] = "applaud:1"

    await floor.press(floor.dana, message, "menu", "applaud:1")

    assert "another version of the app" in floor.heard(floor.dana)[0]


async def test_buttons_of_older_messages_that_open_a_page_are_acknowledged(floor, told, caplog):
    """Else Slack shows a warning sign beside a link that works."""
    message = direct(floor)
    message.blocks[-1]["elements"].append(
        {
            "type": "button",
            "action_id": "link_profile",
            "text": {"type": "plain_text", "text": "x"},
            "url": "https://a.example",
        }
    )

    reply = await floor.world.slack.press(floor.dana.id, message.channel_id, message.ts, "link_profile")
    await floor.settled()

    assert reply.status == 200
    assert caplog.text == ""


async def test_while_slack_asks_us_to_wait_the_row_counts_and_the_message_follows(floor, told):
    """A 429 loses nothing: who pressed reads that it was noted, and the worker draws it later."""
    floor.world.slack.faults.add(UPDATE, error="ratelimited", status=429, retry_after=10, times=1)

    await floor.press(floor.dana, direct(floor), "take")

    assert "the message will show it in a moment" in floor.heard(floor.dana)[0]
    assert "is on it" not in shown(direct(floor))
    await floor.pass_time(9)
    assert "is on it" not in shown(direct(floor))
    await floor.pass_time(1.1)
    assert "is on it" in shown(direct(floor))


@pytest.mark.both_databases
async def test_a_process_that_dies_before_the_message_is_drawn_loses_nothing(floor, told):
    """The row and the wish to draw it are one commit; the next process draws it."""
    delivery = await floor.world.database.run(acting.find, floor.world.workspace_id, int(delivery_of(direct(floor))))
    await floor.world.database.run(acting.take, delivery, floor.dana.id, floor.world.clock())

    await floor.catch_up()

    assert f"<@{floor.dana.id}> is on it" in shown(direct(floor))


async def test_a_message_that_was_deleted_stands_in_nobodys_way(floor, told):
    """There is nothing to draw; what was done is done, and who pressed reads so."""
    message = direct(floor)
    floor.world.slack.faults.add(UPDATE, error="message_not_found", times=1)

    await floor.press(floor.dana, message, "take")

    assert await floor.steps(told) == ["taken"]
    assert floor.heard(floor.dana) == ["Noted, though a message of it cannot be changed any more."]
    assert not await floor.acting.catch_up()


async def test_a_bundle_of_which_a_part_was_erased_stays_as_it_is(floor):
    """Drawn anew it would lack a line; what was done about the rest counts all the same."""
    ids = [await floor.world.accept(source_event_id=str(number), person=_ada(f"Ada {number}")) for number in range(2)]
    await floor.world.worker.work_off()
    bundle = direct(floor)
    before = shown(bundle)
    await floor.erase(ids[1])

    first = bundle.blocks[1]
    value = first["accessory"]["options"][0]["value"]
    await floor.world.slack.press(
        floor.dana.id, bundle.channel_id, bundle.ts, "delivery_menu", value, first["block_id"]
    )
    await floor.settled()

    assert shown(bundle) == before
    assert await floor.steps(ids[0]) == ["taken"]
    assert "cannot be changed any more" in floor.heard(floor.dana)[0]


async def test_when_the_database_fails_while_drawing_it_is_not_said_that_nothing_changed(floor, told):
    """The row was committed before."""
    gone = replace(floor.acting.redrawing, database=Database("sqlite:////nowhere/at.db"))
    acting_without = replace(floor.acting, redrawing=gone)

    assert await acting_without.show(Acted(job_change_id=told)) == "Noted: the message will show it in a moment."
    await gone.database.close()


async def test_a_change_that_slack_refuses_is_drawn_plainer(floor, told):
    """Blocks are a nicety; who is on it is said in words."""
    floor.world.slack.faults.add(
        UPDATE, error="invalid_blocks", times=None, when=lambda arguments: arguments.get("blocks")
    )

    await floor.press(floor.dana, direct(floor), "take")

    assert f"✅ <@{floor.dana.id}> is on it" in direct(floor).text


async def test_a_copy_that_is_told_after_somebody_acted_says_so_at_once(floor):
    """The channel's lane may be slower than the reader."""
    await floor.world.set_preferences(channel_gets="everything")
    floor.world.slack.faults.add(
        "chat.postMessage",
        error="ratelimited",
        status=429,
        retry_after=5,
        times=1,
        when=lambda arguments: arguments["channel"].startswith("C"),
    )
    await floor.world.deliver()
    await floor.press(floor.dana, direct(floor), "take")

    await floor.pass_time(6)

    assert f"<@{floor.dana.id}> is on it" in channel(floor).text


async def test_a_dialog_that_opens_too_late_changes_nothing(floor, told):
    """Slack gives three seconds; the person reads what to do."""
    floor.world.slack.faults.add("views.open", error="expired_trigger_id")

    await floor.press(floor.dana, direct(floor), "hand_on")
    await asyncio.sleep(0)
    await floor.settled()

    assert "took too long" in floor.heard(floor.dana)[0]


def delivery_of(message):
    return menu_of(message)[0].partition(":")[2]


def forge(message, delivery_id):
    """As somebody could who makes up a request, were it not signed by Slack."""
    for block in message.blocks:
        for element in block.get("elements", []):
            if element.get("type") == "button":
                element["value"] = delivery_id
