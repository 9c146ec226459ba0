"""What the app hears: signed events and interactions, and what becomes of its answers."""

import json
from typing import Any
from urllib.parse import parse_qs

import pytest
from aiohttp import web

from sandbox.slack.state import Json


def event(heard, position: int = -1) -> Json:
    return json.loads(heard.bodies[position])


def payload(heard) -> Json:
    return json.loads(parse_qs(heard.bodies[-1])["payload"][0])


def button(action_id: str = "mute", **fields: Any) -> Json:
    return {"type": "button", "text": {"type": "plain_text", "text": "Mute"}, "action_id": action_id, **fields}


def actions(*elements: Json, block_id: str = "row") -> Json:
    return {"type": "actions", "block_id": block_id, "elements": list(elements)}


def option(value: str) -> Json:
    return {"text": {"type": "plain_text", "text": value.title()}, "value": value}


def entry(block_id: str = "name", **fields: Any) -> Json:
    element = {"type": "plain_text_input", "action_id": "text"}
    label = {"type": "plain_text", "text": "Name"}
    return {"type": "input", "block_id": block_id, "label": label, "element": element, **fields}


def modal(*blocks: Json, **fields: Any) -> Json:
    texts = {name: {"type": "plain_text", "text": name.title()} for name in ("title", "submit")}
    return {"type": "modal", "callback_id": "form", "blocks": list(blocks), **texts, **fields}


async def open_modal(office, view: Json) -> None:
    await office.client.views_open(trigger_id=office.slack.world.new_trigger(office.dana), view=view)


async def test_an_event_comes_signed_in_its_envelope(office, heard) -> None:
    """https://docs.slack.dev/apis/events-api/#callback-field; the receiver has checked the signature."""
    status = await office.slack.send_event(office.team.id, {"type": "user_change"}, event_id="Ev1")

    envelope = event(heard)
    assert status == 200
    assert (envelope["type"], envelope["event_id"], envelope["team_id"]) == ("event_callback", "Ev1", office.team.id)
    assert envelope["api_app_id"] == office.slack.app.id
    assert envelope["event"]["event_ts"]
    assert envelope["authorizations"] == [
        {
            "enterprise_id": None,
            "team_id": office.team.id,
            "user_id": office.slack.world.bots[office.team.id],
            "is_bot": True,
            "is_enterprise_install": False,
        }
    ]
    assert "X-Slack-Retry-Num" not in heard.headers[0]


async def test_a_repeated_event_says_so(office, heard) -> None:
    """Slack's repeat carries its number and the reason in headers."""
    await office.slack.send_event(office.team.id, {"type": "a"}, "Ev1", retry_num=1, retry_reason="http_error")
    assert (heard.headers[0]["X-Slack-Retry-Num"], heard.headers[0]["X-Slack-Retry-Reason"]) == ("1", "http_error")


async def test_a_refused_event_is_sent_again_under_the_same_id(office, heard) -> None:
    """After anything but a 2xx Slack sends the same `event_id` again, up to three times."""
    office.slack.app_client.retry_delays = (0, 0, 0)
    heard.answers = [web.Response(status=500), web.Response(status=503)]
    assert await office.slack.change_user(office.dana.id, title="CRO") == 200
    assert len({event(heard, position)["event_id"] for position in range(3)}) == 1
    assert [headers.get("X-Slack-Retry-Num") for headers in heard.headers] == [None, "1", "2"]


async def test_an_app_may_ask_not_to_be_told_again(office, heard) -> None:
    """`X-Slack-No-Retry: 1` ends the repeats."""
    office.slack.app_client.retry_delays = (0, 0, 0)
    heard.answers = [web.Response(status=500, headers={"X-Slack-No-Retry": "1"})]
    assert await office.slack.change_user(office.dana.id, title="CRO") == 500
    assert len(heard.bodies) == 1


async def test_an_app_that_is_not_there_gives_no_status(office, unused_tcp_port: int) -> None:
    """A connection that is refused is no HTTP answer at all."""
    office.slack.app_url = f"http://127.0.0.1:{unused_tcp_port}"
    assert await office.slack.send_event(office.team.id, {"type": "a"}) == 0


async def test_a_request_url_is_verified_by_giving_back_the_challenge(office, heard) -> None:
    """Slack takes the challenge as plain text or as JSON, and nothing else."""
    heard.answers = [
        lambda body: web.Response(text=json.loads(body)["challenge"]),
        lambda body: web.json_response({"challenge": json.loads(body)["challenge"]}),
    ]
    assert [await office.slack.verify_url() for _ in range(3)] == [True, True, False]


async def test_people_who_come_change_and_go_are_told_as_objects(office, heard) -> None:
    """`team_join` and `user_change` carry the whole member, `deleted` included."""
    ada = await office.slack.join_user(office.team, "Ada Smith", "ada@acme.example")
    assert (event(heard)["event"]["type"], event(heard)["event"]["user"]["id"]) == ("team_join", ada.id)
    await office.slack.change_user(ada.id, email="ada.smith@acme.example")
    assert event(heard)["event"]["user"]["profile"]["email"] == "ada.smith@acme.example"
    await office.slack.deactivate_user(ada.id)
    assert (event(heard)["event"]["type"], event(heard)["event"]["user"]["deleted"]) == ("user_change", True)
    assert office.slack.world.user_by_email(office.team.id, "ada@acme.example") is None


@pytest.mark.parametrize(("is_private", "prefix"), [(False, "channel"), (True, "group")])
async def test_what_happens_to_a_channel_is_told(office, heard, is_private: bool, prefix: str) -> None:
    """Public channels are told by `channel_*` events, private ones by `group_*`."""
    slack = office.slack
    place = slack.add_channel(office.team, "deals", is_private=is_private, is_member=True)
    await slack.archive_channel(place.id)
    await slack.unarchive_channel(place.id)
    await slack.rename_channel(place.id, "big-deals")
    assert event(heard)["event"]["channel"]["name"] == "big-deals"
    await slack.delete_channel(place.id)
    kinds = [event(heard, position)["event"]["type"] for position in range(len(heard.bodies))]
    assert kinds == [f"{prefix}_{verb}" for verb in ("archive", "unarchive", "rename", "deleted")]
    assert place.id not in slack.world.channels


async def test_a_private_channel_without_the_bot_tells_nothing_but_that_it_left(office, heard) -> None:
    """`group_left` is the last that an app hears of a private channel."""
    place = office.slack.add_channel(office.team, "deals", is_private=True, is_member=True)
    await office.slack.remove_bot(place.id)
    assert event(heard)["event"] | {"event_ts": ""} == {
        "type": "group_left",
        "channel": place.id,
        "actor_id": "USLACKBOT",
        "event_ts": "",
    }
    assert await office.slack.archive_channel(place.id) is None
    assert len(heard.bodies) == 1


async def test_a_shared_channel_may_change_its_id(office, heard) -> None:
    """Slack tells the old and the new id; only the new one works from then on."""
    place = office.slack.add_channel(office.team, "with-globex", is_ext_shared=True)
    old = place.id
    await office.slack.change_channel_id(old, "C999")
    told = event(heard)["event"]
    assert (told["old_channel_id"], told["new_channel_id"]) == (old, "C999")
    assert (await office.client.conversations_info(channel="C999"))["ok"]


async def test_an_event_is_told_only_to_who_asked_for_it_and_may_have_it(office, heard) -> None:
    """An event needs its subscription and its scope."""
    place = office.slack.add_channel(office.team, "deals")
    office.slack.app.events = {"channel_archive"}
    assert await office.slack.unarchive_channel(place.id) is None
    assert await office.slack.archive_channel(place.id) == 200
    office.slack.world.tokens[office.token].scopes.discard("channels:read")
    assert await office.slack.archive_channel(place.id) is None


async def test_an_uninstall_is_told_twice_and_ends_the_token(office, heard) -> None:
    """https://docs.slack.dev/reference/events/tokens_revoked carries user ids, and app_uninstalled comes as well."""
    bot = office.slack.world.bots[office.team.id]
    await office.slack.uninstall(office.team.id)
    told = {event(heard, position)["event"]["type"]: event(heard, position)["event"] for position in range(2)}
    assert told["tokens_revoked"]["tokens"] == {"oauth": [], "bot": [bot]}
    assert "app_uninstalled" in told
    with pytest.raises(LookupError, match="not installed"):
        await office.slack.open_home(office.dana.id)


async def test_a_token_alone_may_be_revoked(office, heard) -> None:
    """Then `tokens_revoked` comes without `app_uninstalled`, and the token is refused."""
    await office.slack.revoke_token(office.team.id)
    assert [event(heard, position)["event"]["type"] for position in range(len(heard.bodies))] == ["tokens_revoked"]
    assert office.slack.world.tokens[office.token].error == "token_revoked"


async def test_an_invited_bot_can_read_a_private_channel(office, heard) -> None:
    """An invitation is told as `member_joined_channel` and opens the channel to the bot."""
    place = office.slack.add_channel(office.team, "deals", is_private=True)
    await office.slack.invite_bot(place.id)
    assert event(heard)["event"]["type"] == "member_joined_channel"
    assert (await office.client.conversations_info(channel=place.id))["channel"]["is_member"]


async def test_a_call_that_uninstalls_tells_it_too(office, heard) -> None:
    """An app that removes itself hears the same two events, in no certain order."""
    app = office.slack.app
    await office.client.apps_uninstall(client_id=app.client_id, client_secret=app.client_secret)
    await office.slack.wait_for_events()
    assert sorted(event(heard, n)["event"]["type"] for n in range(2)) == ["app_uninstalled", "tokens_revoked"]


async def test_home_tells_its_view_only_once_one_was_published(office, heard) -> None:
    """`app_home_opened` carries the view that stands there, and none the first time."""
    await office.slack.open_home(office.dana.id)
    opened = event(heard)["event"]
    assert (opened["type"], opened["user"], opened["tab"]) == ("app_home_opened", office.dana.id, "home")
    assert opened["channel"].startswith("D")
    assert "view" not in opened

    view = {"type": "home", "blocks": [{"type": "divider"}]}
    published = (await office.client.views_publish(user_id=office.dana.id, view=view))["view"]
    await office.slack.open_home(office.dana.id)
    assert event(heard)["event"]["view"]["hash"] == published["hash"]


async def test_a_pressed_button_tells_the_message_the_value_and_where_to_answer(office, heard) -> None:
    """An action names who, where, which message and which value; its `response_url` can replace the message."""
    blocks = [actions(button(value="one"), block_id="a"), actions(button(value="two"), block_id="b")]
    posted = await office.client.chat_postMessage(channel=office.dana.id, text="hello", blocks=blocks)
    await office.slack.press(office.dana.id, posted["channel"], posted["ts"], "mute", "two")

    told = payload(heard)
    assert told["type"] == "block_actions"
    assert told["user"] == {
        "id": office.dana.id,
        "username": "dana.reyes",
        "name": "dana.reyes",
        "team_id": office.team.id,
    }
    assert (told["team"], told["enterprise"]) == ({"id": office.team.id, "domain": "acme"}, None)
    assert told["is_enterprise_install"] is False
    assert told["container"] == {
        "type": "message",
        "message_ts": posted["ts"],
        "channel_id": posted["channel"],
        "is_ephemeral": False,
    }
    assert told["message"]["ts"] == posted["ts"]
    assert [(act["block_id"], act["action_id"], act["value"]) for act in told["actions"]] == [("b", "mute", "two")]

    async with office.http.post(told["response_url"], json={"text": "Muted.", "replace_original": True}) as response:
        assert (await response.json())["ok"]
    assert office.slack.world.message(posted["channel"], posted["ts"]).text == "Muted."


async def test_nobody_presses_what_is_not_shown_to_them(office, heard) -> None:
    """The sandbox refuses what no person could do in Slack."""
    ada = office.slack.add_user(office.team, "Ada Smith")
    posted = await office.client.chat_postMessage(channel=office.dana.id, text="hello", blocks=[actions(button())])
    with pytest.raises(LookupError, match="sees no message"):
        await office.slack.press(ada.id, posted["channel"], posted["ts"], "mute")
    with pytest.raises(LookupError, match="there is \\['mute'\\]"):
        await office.slack.press(office.dana.id, posted["channel"], posted["ts"], "unmute")
    assert not heard.bodies


async def test_an_overflow_choice_is_the_option_that_was_offered(office, heard) -> None:
    """An action carries the whole option, and only one that the menu has."""
    menu = {"type": "overflow", "action_id": "more", "options": [option("why"), option("mute")]}
    posted = await office.client.chat_postMessage(channel=office.dana.id, text="hello", blocks=[actions(menu)])
    await office.slack.press(office.dana.id, posted["channel"], posted["ts"], "more", "why")
    assert payload(heard)["actions"][0]["selected_option"] == option("why")
    with pytest.raises(LookupError, match="offers no 'all'"):
        await office.slack.press(office.dana.id, posted["channel"], posted["ts"], "more", "all")


async def test_a_choice_in_home_tells_the_view_its_hash_and_its_state(office, heard) -> None:
    """An action in a view carries what is chosen there so far, and no `response_url`."""
    channels = {"type": "conversations_select", "action_id": "channel", "initial_conversation": "C1"}
    boxes = {"type": "checkboxes", "action_id": "signals", "options": [option("one"), option("two")]}
    view = {"type": "home", "private_metadata": "m", "blocks": [actions(channels, boxes, button())]}
    published = (await office.client.views_publish(user_id=office.dana.id, view=view))["view"]

    await office.slack.act_in_home(office.dana.id, "signals", ["two"])
    assert payload(heard)["actions"][0]["selected_options"] == [option("two")]
    await office.slack.act_in_home(office.dana.id, "channel", "C2")

    told = payload(heard)
    assert told["container"] == {"type": "view", "view_id": published["id"]}
    assert told["actions"][0]["selected_conversation"] == "C2"
    assert (told["view"]["hash"], told["view"]["private_metadata"]) == (published["hash"], "m")
    assert told["view"]["state"]["values"] == {
        "row": {
            "channel": {"type": "conversations_select", "selected_conversation": "C2"},
            "signals": {"type": "checkboxes", "selected_options": [option("two")]},
        }
    }
    assert "response_url" not in told


async def test_a_choice_in_a_modal_is_kept_for_its_submission(office, heard) -> None:
    """What was chosen before is in the state of the submission."""
    menu = {"type": "static_select", "action_id": "order", "options": [option("first"), option("last")]}
    await open_modal(office, modal(actions(menu), entry(optional=True)))
    await office.slack.act_in_modal(office.dana.id, "order", "last")
    assert payload(heard)["view"]["root_view_id"] == office.slack.modal(office.dana.id).id
    await office.slack.submit_view(office.dana.id)
    assert payload(heard)["view"]["state"]["values"]["row"]["order"]["selected_option"] == option("last")


async def test_a_button_in_home_can_open_a_modal_with_its_trigger(office, heard) -> None:
    """Each action brings a `trigger_id` that opens one modal."""
    view = {"type": "home", "blocks": [actions(button())]}
    await office.client.views_publish(user_id=office.dana.id, view=view)
    await office.slack.act_in_home(office.dana.id, "mute")
    await office.client.views_open(trigger_id=payload(heard)["trigger_id"], view=modal(entry()))
    assert office.slack.modal(office.dana.id).definition["callback_id"] == "form"


async def test_a_submission_carries_what_was_entered_and_closes_the_modal(office, heard) -> None:
    """An empty optional field is there as null; an empty answer closes the modal."""
    await open_modal(office, modal(entry(), entry("note", optional=True)))
    done = await office.slack.submit_view(office.dana.id, {"name": "Ada"})

    told = payload(heard)
    assert done.ok
    assert (told["type"], told["view"]["callback_id"]) == ("view_submission", "form")
    assert told["view"]["state"]["values"] == {
        "name": {"text": {"type": "plain_text_input", "value": "Ada"}},
        "note": {"text": {"type": "plain_text_input", "value": None}},
    }
    with pytest.raises(LookupError, match="no modal open"):
        office.slack.modal(office.dana.id)


async def test_a_needed_field_left_empty_is_not_even_sent(office, heard) -> None:
    """Slack's client keeps an incomplete form to itself."""
    await open_modal(office, modal(entry()))
    assert (await office.slack.submit_view(office.dana.id)).errors == {"name": "Please complete this required field."}
    assert not heard.bodies


async def test_errors_stand_beside_their_fields_and_the_modal_stays(office, heard) -> None:
    """`errors` are keyed by the block of an input; any other key is a mistake of the app."""
    await open_modal(office, modal(entry()))
    heard.answers = [
        web.json_response({"response_action": "errors", "errors": {"name": "Too short."}}),
        web.json_response({"response_action": "errors", "errors": {"elsewhere": "Too short."}}),
    ]
    assert (await office.slack.submit_view(office.dana.id, {"text": "A"})).errors == {"name": "Too short."}
    assert "block_id of an input" in (await office.slack.submit_view(office.dana.id)).problem
    assert office.slack.modal(office.dana.id)


async def test_an_answer_may_update_push_or_clear(office, heard) -> None:
    """The answer to a submission may replace the modal, put one above it or close all of them."""
    await open_modal(office, modal(entry()))
    second = modal(entry(), callback_id="second")
    heard.answers = [
        web.json_response({"response_action": "update", "view": second}),
        web.json_response({"response_action": "push", "view": modal(callback_id="third")}),
        web.json_response({"response_action": "clear"}),
    ]
    await office.slack.submit_view(office.dana.id, {"name": "Ada"})
    assert office.slack.modal(office.dana.id).definition["callback_id"] == "second"
    await office.slack.submit_view(office.dana.id)
    assert [v.definition["callback_id"] for v in office.slack.world.modals[office.dana.id]] == ["second", "third"]
    await office.slack.submit_view(office.dana.id)
    assert office.slack.world.modals[office.dana.id] == []


async def test_an_answer_that_slack_cannot_use_leaves_the_modal_and_says_why(office, heard) -> None:
    """The person keeps what they entered when the app fails."""
    await open_modal(office, modal())
    heard.answers = [
        web.Response(status=500),
        web.json_response({"response_action": "update", "view": {"type": "modal", "blocks": []}}),
        web.Response(text="thanks"),
    ]
    problems = [(await office.slack.submit_view(office.dana.id)).problem for _ in range(3)]
    assert problems[0] == "http_500"
    assert "missing required field: title" in problems[1]
    assert "not an answer" in problems[2]


async def test_closing_is_told_only_when_asked_for(office, heard) -> None:
    """`view_closed` is sent for views with `notify_on_close` alone."""
    await open_modal(office, modal())
    assert await office.slack.close_view(office.dana.id) is None
    await open_modal(office, modal(notify_on_close=True))
    await office.slack.close_view(office.dana.id, clear=True)
    assert (payload(heard)["type"], payload(heard)["is_cleared"]) == ("view_closed", True)


async def test_a_command_is_answered_in_its_reply(office, heard) -> None:
    """The reply to a command is a message to the person who typed it, unless it says otherwise."""
    heard.answers = [web.json_response({"text": "All is well.", "blocks": [{"type": "divider"}]})]
    answer = await office.slack.command(office.dana.id, "/usergems-status", "now")

    told = {name: values[0] for name, values in parse_qs(heard.bodies[-1]).items()}
    assert (told["command"], told["text"], told["user_id"]) == ("/usergems-status", "now", office.dana.id)
    assert (told["is_enterprise_install"], told["channel_name"]) == ("false", "directmessage")
    assert answer.message.text == "All is well."
    assert answer.message.ephemeral_to == office.dana.id


async def test_a_command_may_be_answered_later_at_its_response_url(office, heard) -> None:
    """`in_channel` shows a late answer to everybody there."""
    answer = await office.slack.command(office.dana.id, "/usergems-status", wait=False)
    url = parse_qs(heard.bodies[-1])["response_url"][0]
    async with office.http.post(url, json={"text": "All is well.", "response_type": "in_channel"}) as response:
        assert response.status == 200
    assert answer.message.text == "All is well."
    assert answer.message.ephemeral_to is None


async def test_a_command_shows_nothing_that_slack_could_not_show(office, heard) -> None:
    """Blocks that Slack would refuse are not shown, and the reason is told."""
    heard.answers = [web.json_response({"blocks": [{"type": "nonsense"}]})]
    answer = await office.slack.command(office.dana.id, "/usergems-status")
    assert (answer.message, answer.problem) == (None, "invalid_blocks")


async def test_what_only_one_person_sees_is_pressed_and_deleted_by_them(office, heard) -> None:
    """An action in an ephemeral message carries no message, yet its `response_url` can delete it."""
    heard.answers = [web.json_response({"text": "Status", "blocks": [actions(button())]})]
    shown = (await office.slack.command(office.dana.id, "/usergems-status")).message
    await office.slack.press(office.dana.id, shown.channel_id, shown.ts, "mute")
    told = payload(heard)
    assert told["container"]["is_ephemeral"] is True
    assert "message" not in told
    async with office.http.post(told["response_url"], json={"delete_original": True}) as response:
        assert response.status == 200
    assert not office.slack.world.ephemerals


async def test_a_response_url_is_good_five_times_in_half_an_hour(office, heard, clock) -> None:
    """https://docs.slack.dev/interactivity/handling-user-interaction#message_responses"""

    async def respond(body: Json) -> tuple[int, Json]:
        async with office.http.post(url, json=body) as response:
            return response.status, await response.json()

    await office.slack.command(office.dana.id, "/usergems-status", wait=False)
    url = parse_qs(heard.bodies[-1])["response_url"][0]
    assert (await respond({}))[1]["error"] == "no_text"
    assert (await respond({"blocks": [{"type": "nonsense"}]}))[1]["error"] == "invalid_blocks"
    assert [(await respond({"text": "a"}))[0] for _ in range(6)] == [200] * 5 + [404]

    await office.slack.command(office.dana.id, "/usergems-status", wait=False)
    url = parse_qs(heard.bodies[-1])["response_url"][0]
    clock.advance(seconds=30 * 60 + 1)
    assert await respond({"text": "a"}) == (404, {"ok": False, "error": "expired_url"})


async def test_a_manifest_says_which_commands_events_and_tabs_there_are(office, heard) -> None:
    """The sandbox takes an app's manifest, and what is not in it does not happen."""
    office.slack.configure(
        {
            "display_information": {"name": "Job changes"},
            "features": {
                "app_home": {"home_tab_enabled": True, "messages_tab_enabled": False},
                "slash_commands": [{"command": "/usergems-status"}],
            },
            "oauth_config": {"scopes": {"bot": ["chat:write"], "bot_optional": ["groups:read"]}},
            "settings": {"event_subscriptions": {"bot_events": ["team_join"]}},
        }
    )
    assert not office.slack.app.messages_tab_enabled
    assert await office.slack.open_home(office.dana.id) is None
    with pytest.raises(LookupError, match="not a valid command"):
        await office.slack.command(office.dana.id, "/usergems")


async def test_an_organisations_installation_is_told_without_a_team(office, heard) -> None:
    """Then `team` is null, and the organisation and the user's own team are named."""
    team = office.slack.add_team("Globex West", enterprise_id="E1", enterprise_name="Globex")
    ada = office.slack.add_user(team, "Ada Smith")
    client = office.as_bot(office.slack.install(team.id, ada.id, org_wide=True))
    await client.views_publish(user_id=ada.id, view={"type": "home", "blocks": [actions(button())]})

    await office.slack.open_home(ada.id)
    assert event(heard)["authorizations"][0] | {"user_id": ""} == {
        "enterprise_id": "E1",
        "team_id": None,
        "user_id": "",
        "is_bot": True,
        "is_enterprise_install": True,
    }
    await office.slack.act_in_home(ada.id, "mute")
    told = payload(heard)
    assert (told["team"], told["enterprise"], told["is_enterprise_install"]) == (
        None,
        {"id": "E1", "name": "Globex"},
        True,
    )
    assert told["user"]["team_id"] == team.id
