"""Requests to the app: signed events, interactions and commands, and the handling of its responses."""

import json
from typing import Any
from urllib.parse import parse_qs

import pytest
from aiohttp import web

from sandbox.slack.state import Json


def event(receiver, position: int = -1) -> Json:
    return json.loads(receiver.bodies[position])


def payload(receiver) -> Json:
    return json.loads(parse_qs(receiver.bodies[-1])["payload"][0])


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


async def open_modal(acme, view: Json) -> None:
    await acme.client.views_open(trigger_id=acme.slack.world.new_trigger(acme.dana), view=view)


async def test_an_event_is_signed_and_has_an_envelope(acme, receiver) -> None:
    """https://docs.slack.dev/apis/events-api/#callback-field; the receiver verifies the signature."""
    status = await acme.slack.send_event(acme.team.id, {"type": "user_change"}, event_id="Ev1")

    envelope = event(receiver)
    assert status == 200
    assert (envelope["type"], envelope["event_id"], envelope["team_id"]) == ("event_callback", "Ev1", acme.team.id)
    assert envelope["api_app_id"] == acme.slack.app.id
    assert envelope["event"]["event_ts"]
    assert envelope["authorizations"] == [
        {
            "enterprise_id": None,
            "team_id": acme.team.id,
            "user_id": acme.slack.world.bots[acme.team.id],
            "is_bot": True,
            "is_enterprise_install": False,
        }
    ]
    assert "X-Slack-Retry-Num" not in receiver.headers[0]


async def test_a_retried_event_is_marked(acme, receiver) -> None:
    """Headers have the number of the retry and its reason."""
    await acme.slack.send_event(acme.team.id, {"type": "a"}, "Ev1", retry_num=1, retry_reason="http_error")
    assert (receiver.headers[0]["X-Slack-Retry-Num"], receiver.headers[0]["X-Slack-Retry-Reason"]) == (
        "1",
        "http_error",
    )


async def test_an_event_without_a_2xx_response_is_retried(acme, receiver) -> None:
    """Slack retries up to three times, with the same `event_id`."""
    acme.slack.app_client.retry_delays = (0, 0, 0)
    receiver.answers = [web.Response(status=500), web.Response(status=503)]
    assert await acme.slack.change_user(acme.dana.id, title="CRO") == 200
    assert len({event(receiver, position)["event_id"] for position in range(3)}) == 1
    assert [headers.get("X-Slack-Retry-Num") for headers in receiver.headers] == [None, "1", "2"]


async def test_an_app_can_prevent_retries(acme, receiver) -> None:
    """`X-Slack-No-Retry: 1` stops them."""
    acme.slack.app_client.retry_delays = (0, 0, 0)
    receiver.answers = [web.Response(status=500, headers={"X-Slack-No-Retry": "1"})]
    assert await acme.slack.change_user(acme.dana.id, title="CRO") == 500
    assert len(receiver.bodies) == 1


async def test_an_app_that_is_not_running_has_status_0(acme, unused_tcp_port: int) -> None:
    """A refused connection has no HTTP status."""
    acme.slack.app_url = f"http://127.0.0.1:{unused_tcp_port}"
    assert await acme.slack.send_event(acme.team.id, {"type": "a"}) == 0


async def test_a_request_url_is_verified_with_a_challenge(acme, receiver) -> None:
    """The app returns the challenge as plain text or JSON."""
    receiver.answers = [
        lambda body: web.Response(text=json.loads(body)["challenge"]),
        lambda body: web.json_response({"challenge": json.loads(body)["challenge"]}),
    ]
    assert [await acme.slack.verify_url() for _ in range(3)] == [True, True, False]


async def test_new_changed_and_deactivated_members_send_events(acme, receiver) -> None:
    """`team_join` and `user_change` have the whole member, including `deleted`."""
    ada = await acme.slack.join_user(acme.team, "Ada Smith", "ada@acme.example")
    assert (event(receiver)["event"]["type"], event(receiver)["event"]["user"]["id"]) == ("team_join", ada.id)
    await acme.slack.change_user(ada.id, email="ada.smith@acme.example")
    assert event(receiver)["event"]["user"]["profile"]["email"] == "ada.smith@acme.example"
    await acme.slack.deactivate_user(ada.id)
    assert (event(receiver)["event"]["type"], event(receiver)["event"]["user"]["deleted"]) == ("user_change", True)
    assert acme.slack.world.user_by_email(acme.team.id, "ada@acme.example") is None


@pytest.mark.parametrize(("is_private", "prefix"), [(False, "channel"), (True, "group")])
async def test_changes_of_a_channel_send_events(acme, receiver, is_private: bool, prefix: str) -> None:
    """Public channels send `channel_*` events, private ones `group_*`."""
    slack = acme.slack
    channel = slack.add_channel(acme.team, "deals", is_private=is_private, is_member=True)
    await slack.archive_channel(channel.id)
    await slack.unarchive_channel(channel.id)
    await slack.rename_channel(channel.id, "big-deals")
    assert event(receiver)["event"]["channel"]["name"] == "big-deals"
    await slack.delete_channel(channel.id)
    kinds = [event(receiver, position)["event"]["type"] for position in range(len(receiver.bodies))]
    assert kinds == [f"{prefix}_{verb}" for verb in ("archive", "unarchive", "rename", "deleted")]
    assert channel.id not in slack.world.channels


async def test_a_private_channel_sends_nothing_after_the_bot_has_left(acme, receiver) -> None:
    """`group_left` is the last event of a private channel."""
    channel = acme.slack.add_channel(acme.team, "deals", is_private=True, is_member=True)
    await acme.slack.remove_bot(channel.id)
    assert event(receiver)["event"] | {"event_ts": ""} == {
        "type": "group_left",
        "channel": channel.id,
        "actor_id": "USLACKBOT",
        "event_ts": "",
    }
    assert await acme.slack.archive_channel(channel.id) is None
    assert len(receiver.bodies) == 1


async def test_a_shared_channel_can_change_its_id(acme, receiver) -> None:
    """The event has both ids; from then on only the new one works."""
    channel = acme.slack.add_channel(acme.team, "with-globex", is_ext_shared=True)
    old = channel.id
    await acme.slack.change_channel_id(old, "C999")
    id_changed = event(receiver)["event"]
    assert (id_changed["old_channel_id"], id_changed["new_channel_id"]) == (old, "C999")
    assert (await acme.client.conversations_info(channel="C999"))["ok"]


async def test_an_event_requires_a_subscription_and_a_scope(acme, receiver) -> None:
    """Without either, it is not sent."""
    channel = acme.slack.add_channel(acme.team, "deals")
    acme.slack.app.events = {"channel_archive"}
    assert await acme.slack.unarchive_channel(channel.id) is None
    assert await acme.slack.archive_channel(channel.id) == 200
    acme.slack.world.tokens[acme.token].scopes.discard("channels:read")
    assert await acme.slack.archive_channel(channel.id) is None


async def test_an_uninstall_sends_two_events_and_ends_the_token(acme, receiver) -> None:
    """https://docs.slack.dev/reference/events/tokens_revoked has user ids; app_uninstalled is sent too."""
    bot = acme.slack.world.bots[acme.team.id]
    await acme.slack.uninstall(acme.team.id)
    events = {event(receiver, position)["event"]["type"]: event(receiver, position)["event"] for position in range(2)}
    assert events["tokens_revoked"]["tokens"] == {"oauth": [], "bot": [bot]}
    assert "app_uninstalled" in events
    with pytest.raises(LookupError, match="not installed"):
        await acme.slack.open_home(acme.dana.id)


async def test_a_token_can_be_revoked_without_an_uninstall(acme, receiver) -> None:
    """Then Slack sends `tokens_revoked` only, and the token is invalid."""
    await acme.slack.revoke_token(acme.team.id)
    assert [event(receiver, position)["event"]["type"] for position in range(len(receiver.bodies))] == [
        "tokens_revoked"
    ]
    assert acme.slack.world.tokens[acme.token].error == "token_revoked"


async def test_an_invited_bot_can_see_a_private_channel(acme, receiver) -> None:
    """The invitation sends `member_joined_channel`."""
    channel = acme.slack.add_channel(acme.team, "deals", is_private=True)
    await acme.slack.invite_bot(channel.id)
    assert event(receiver)["event"]["type"] == "member_joined_channel"
    assert (await acme.client.conversations_info(channel=channel.id))["channel"]["is_member"]


async def test_a_call_of_apps_uninstall_sends_the_same_events(acme, receiver) -> None:
    """In no guaranteed order."""
    app = acme.slack.app
    await acme.client.apps_uninstall(client_id=app.client_id, client_secret=app.client_secret)
    await acme.slack.wait_for_events()
    assert sorted(event(receiver, n)["event"]["type"] for n in range(2)) == ["app_uninstalled", "tokens_revoked"]


async def test_opening_home_sends_the_published_view(acme, receiver) -> None:
    """`app_home_opened` has no view before the first one is published."""
    await acme.slack.open_home(acme.dana.id)
    opened = event(receiver)["event"]
    assert (opened["type"], opened["user"], opened["tab"]) == ("app_home_opened", acme.dana.id, "home")
    assert opened["channel"].startswith("D")
    assert "view" not in opened

    view = {"type": "home", "blocks": [{"type": "divider"}]}
    published = (await acme.client.views_publish(user_id=acme.dana.id, view=view))["view"]
    await acme.slack.open_home(acme.dana.id)
    assert event(receiver)["event"]["view"]["hash"] == published["hash"]


async def test_a_button_sends_its_message_value_and_response_url(acme, receiver) -> None:
    """The `response_url` can replace the message."""
    blocks = [actions(button(value="one"), block_id="a"), actions(button(value="two"), block_id="b")]
    posted = await acme.client.chat_postMessage(channel=acme.dana.id, text="hello", blocks=blocks)
    await acme.slack.press(acme.dana.id, posted["channel"], posted["ts"], "mute", "two")

    request = payload(receiver)
    assert request["type"] == "block_actions"
    assert request["user"] == {
        "id": acme.dana.id,
        "username": "dana.reyes",
        "name": "dana.reyes",
        "team_id": acme.team.id,
    }
    assert (request["team"], request["enterprise"]) == ({"id": acme.team.id, "domain": "acme"}, None)
    assert request["is_enterprise_install"] is False
    assert request["container"] == {
        "type": "message",
        "message_ts": posted["ts"],
        "channel_id": posted["channel"],
        "is_ephemeral": False,
    }
    assert request["message"]["ts"] == posted["ts"]
    assert [(act["block_id"], act["action_id"], act["value"]) for act in request["actions"]] == [("b", "mute", "two")]

    async with acme.http.post(request["response_url"], json={"text": "Muted.", "replace_original": True}) as response:
        assert (await response.json())["ok"]
    assert acme.slack.world.message(posted["channel"], posted["ts"]).text == "Muted."


async def test_people_cannot_use_what_is_not_shown_to_them(acme, receiver) -> None:
    """The sandbox raises LookupError for what a person could not do in Slack."""
    ada = acme.slack.add_user(acme.team, "Ada Smith")
    posted = await acme.client.chat_postMessage(channel=acme.dana.id, text="hello", blocks=[actions(button())])
    with pytest.raises(LookupError, match="cannot see a message"):
        await acme.slack.press(ada.id, posted["channel"], posted["ts"], "mute")
    with pytest.raises(LookupError, match="there are \\['mute'\\]"):
        await acme.slack.press(acme.dana.id, posted["channel"], posted["ts"], "unmute")
    assert not receiver.bodies


async def test_an_overflow_menu_sends_the_chosen_option(acme, receiver) -> None:
    """The action has the whole option; options that are not in the menu cannot be chosen."""
    menu = {"type": "overflow", "action_id": "more", "options": [option("why"), option("mute")]}
    posted = await acme.client.chat_postMessage(channel=acme.dana.id, text="hello", blocks=[actions(menu)])
    await acme.slack.press(acme.dana.id, posted["channel"], posted["ts"], "more", "why")
    assert payload(receiver)["actions"][0]["selected_option"] == option("why")
    with pytest.raises(LookupError, match="has no option 'all'"):
        await acme.slack.press(acme.dana.id, posted["channel"], posted["ts"], "more", "all")


async def test_a_choice_in_home_sends_the_view_with_its_hash_and_state(acme, receiver) -> None:
    """The state has all values chosen so far, and there is no `response_url`."""
    wins = acme.slack.add_channel(acme.team, "wins")
    channels = {"type": "conversations_select", "action_id": "channel", "initial_conversation": wins.id}
    boxes = {"type": "checkboxes", "action_id": "signals", "options": [option("one"), option("two")]}
    view = {"type": "home", "private_metadata": "m", "blocks": [actions(channels, boxes, button())]}
    published = (await acme.client.views_publish(user_id=acme.dana.id, view=view))["view"]

    await acme.slack.act_in_home(acme.dana.id, "signals", ["two"])
    assert payload(receiver)["actions"][0]["selected_options"] == [option("two")]
    await acme.slack.act_in_home(acme.dana.id, "channel", "C2")

    request = payload(receiver)
    assert request["container"] == {"type": "view", "view_id": published["id"]}
    assert request["actions"][0]["selected_conversation"] == "C2"
    assert (request["view"]["hash"], request["view"]["private_metadata"]) == (published["hash"], "m")
    assert request["view"]["state"]["values"] == {
        "row": {
            "channel": {"type": "conversations_select", "selected_conversation": "C2"},
            "signals": {"type": "checkboxes", "selected_options": [option("two")]},
        }
    }
    assert "response_url" not in request


async def test_a_choice_in_a_modal_is_part_of_the_submission(acme, receiver) -> None:
    """The state of the submission has it."""
    menu = {"type": "static_select", "action_id": "order", "options": [option("first"), option("last")]}
    await open_modal(acme, modal(actions(menu), entry(optional=True)))
    await acme.slack.act_in_modal(acme.dana.id, "order", "last")
    assert payload(receiver)["view"]["root_view_id"] == acme.slack.modal(acme.dana.id).id
    await acme.slack.submit_view(acme.dana.id)
    assert payload(receiver)["view"]["state"]["values"]["row"]["order"]["selected_option"] == option("last")


async def test_a_button_in_home_can_open_a_modal(acme, receiver) -> None:
    """Each action has a `trigger_id` for one modal."""
    view = {"type": "home", "blocks": [actions(button())]}
    await acme.client.views_publish(user_id=acme.dana.id, view=view)
    await acme.slack.act_in_home(acme.dana.id, "mute")
    await acme.client.views_open(trigger_id=payload(receiver)["trigger_id"], view=modal(entry()))
    assert acme.slack.modal(acme.dana.id).definition["callback_id"] == "form"


async def test_a_submission_has_the_entered_values_and_closes_the_modal(acme, receiver) -> None:
    """An empty optional field is null; an empty response closes the modal."""
    await open_modal(acme, modal(entry(), entry("note", optional=True)))
    submission = await acme.slack.submit_view(acme.dana.id, {"name": "Ada"})

    request = payload(receiver)
    assert submission.ok
    assert (request["type"], request["view"]["callback_id"]) == ("view_submission", "form")
    assert request["view"]["state"]["values"] == {
        "name": {"text": {"type": "plain_text_input", "value": "Ada"}},
        "note": {"text": {"type": "plain_text_input", "value": None}},
    }
    with pytest.raises(LookupError, match="no modal open"):
        acme.slack.modal(acme.dana.id)


async def test_a_form_with_an_empty_required_field_is_not_sent(acme, receiver) -> None:
    """Slack's client shows the error itself."""
    await open_modal(acme, modal(entry()))
    assert (await acme.slack.submit_view(acme.dana.id)).errors == {"name": "Please complete this required field."}
    assert not receiver.bodies


async def test_errors_are_shown_beside_their_fields(acme, receiver) -> None:
    """The modal stays open. A key of `errors` that is not an input block is a mistake of the app."""
    await open_modal(acme, modal(entry()))
    receiver.answers = [
        web.json_response({"response_action": "errors", "errors": {"name": "Too short."}}),
        web.json_response({"response_action": "errors", "errors": {"elsewhere": "Too short."}}),
    ]
    assert (await acme.slack.submit_view(acme.dana.id, {"text": "A"})).errors == {"name": "Too short."}
    assert "block_id of an input" in (await acme.slack.submit_view(acme.dana.id)).problem
    assert acme.slack.modal(acme.dana.id)


async def test_a_response_can_update_push_or_clear(acme, receiver) -> None:
    """It replaces the modal, opens another one above it, or closes all of them."""
    await open_modal(acme, modal(entry()))
    second = modal(entry(), callback_id="second")
    receiver.answers = [
        web.json_response({"response_action": "update", "view": second}),
        web.json_response({"response_action": "push", "view": modal(callback_id="third")}),
        web.json_response({"response_action": "clear"}),
    ]
    await acme.slack.submit_view(acme.dana.id, {"name": "Ada"})
    assert acme.slack.modal(acme.dana.id).definition["callback_id"] == "second"
    await acme.slack.submit_view(acme.dana.id)
    assert [v.definition["callback_id"] for v in acme.slack.world.modals[acme.dana.id]] == ["second", "third"]
    await acme.slack.submit_view(acme.dana.id)
    assert acme.slack.world.modals[acme.dana.id] == []


async def test_an_invalid_response_leaves_the_modal_open(acme, receiver) -> None:
    """The submission has the problem, and the entered values stay."""
    await open_modal(acme, modal())
    receiver.answers = [
        web.Response(status=500),
        web.json_response({"response_action": "update", "view": {"type": "modal", "blocks": []}}),
        web.Response(text="thanks"),
    ]
    problems = [(await acme.slack.submit_view(acme.dana.id)).problem for _ in range(3)]
    assert problems[0] == "http_500"
    assert "missing required field: title" in problems[1]
    assert "not a response" in problems[2]


async def test_closing_sends_view_closed_only_with_notify_on_close(acme, receiver) -> None:
    """Closing all modals sets `is_cleared`."""
    await open_modal(acme, modal())
    assert await acme.slack.close_view(acme.dana.id) is None
    await open_modal(acme, modal(notify_on_close=True))
    await acme.slack.close_view(acme.dana.id, clear=True)
    assert (payload(receiver)["type"], payload(receiver)["is_cleared"]) == ("view_closed", True)


async def test_a_command_can_be_answered_in_the_response_body(acme, receiver) -> None:
    """By default only the person who typed the command sees the message."""
    receiver.answers = [web.json_response({"text": "No problems.", "blocks": [{"type": "divider"}]})]
    answer = await acme.slack.command(acme.dana.id, "/usergems-status", "now")

    fields = {name: values[0] for name, values in parse_qs(receiver.bodies[-1]).items()}
    assert (fields["command"], fields["text"], fields["user_id"]) == ("/usergems-status", "now", acme.dana.id)
    assert (fields["is_enterprise_install"], fields["channel_name"]) == ("false", "directmessage")
    assert answer.message.text == "No problems."
    assert answer.message.ephemeral_to == acme.dana.id


async def test_a_command_can_be_answered_later_at_its_response_url(acme, receiver) -> None:
    """`in_channel` shows the message to everyone in the channel."""
    answer = await acme.slack.command(acme.dana.id, "/usergems-status", wait=False)
    url = parse_qs(receiver.bodies[-1])["response_url"][0]
    async with acme.http.post(url, json={"text": "No problems.", "response_type": "in_channel"}) as response:
        assert response.status == 200
    assert answer.message.text == "No problems."
    assert answer.message.ephemeral_to is None


async def test_an_invalid_response_to_a_command_is_not_shown(acme, receiver) -> None:
    """The result has Slack's error."""
    receiver.answers = [web.json_response({"blocks": [{"type": "nonsense"}]})]
    answer = await acme.slack.command(acme.dana.id, "/usergems-status")
    assert (answer.message, answer.problem) == (None, "invalid_blocks")


async def test_an_ephemeral_message_can_be_used_and_deleted(acme, receiver) -> None:
    """Its actions have no message, but their `response_url` can delete it."""
    receiver.answers = [web.json_response({"text": "Status", "blocks": [actions(button())]})]
    shown = (await acme.slack.command(acme.dana.id, "/usergems-status")).message
    await acme.slack.press(acme.dana.id, shown.channel_id, shown.ts, "mute")
    request = payload(receiver)
    assert request["container"]["is_ephemeral"] is True
    assert "message" not in request
    async with acme.http.post(request["response_url"], json={"delete_original": True}) as response:
        assert response.status == 200
    assert not acme.slack.world.ephemerals


async def test_a_response_url_is_valid_five_times_within_half_an_hour(acme, receiver, clock) -> None:
    """https://docs.slack.dev/interactivity/handling-user-interaction#message_responses"""

    async def respond(body: Json) -> tuple[int, Json]:
        async with acme.http.post(url, json=body) as response:
            return response.status, await response.json()

    await acme.slack.command(acme.dana.id, "/usergems-status", wait=False)
    url = parse_qs(receiver.bodies[-1])["response_url"][0]
    assert (await respond({}))[1]["error"] == "no_text"
    assert (await respond({"blocks": [{"type": "nonsense"}]}))[1]["error"] == "invalid_blocks"
    assert [(await respond({"text": "a"}))[0] for _ in range(6)] == [200] * 5 + [404]

    await acme.slack.command(acme.dana.id, "/usergems-status", wait=False)
    url = parse_qs(receiver.bodies[-1])["response_url"][0]
    clock.advance(seconds=30 * 60 + 1)
    assert await respond({"text": "a"}) == (404, {"ok": False, "error": "expired_url"})


async def test_a_manifest_configures_commands_events_and_tabs(acme, receiver) -> None:
    """Other commands are invalid, and other events are not sent."""
    acme.slack.configure(
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
    assert not acme.slack.app.messages_tab_enabled
    assert await acme.slack.open_home(acme.dana.id) is None
    with pytest.raises(LookupError, match="not a valid command"):
        await acme.slack.command(acme.dana.id, "/usergems")


async def test_requests_for_an_org_wide_installation_have_no_team(acme, receiver) -> None:
    """`team` is null; the enterprise and the team of the user are set."""
    team = acme.slack.add_team("Globex West", enterprise_id="E1", enterprise_name="Globex")
    ada = acme.slack.add_user(team, "Ada Smith")
    client = acme.as_bot(acme.slack.install(team.id, ada.id, org_wide=True))
    await client.views_publish(user_id=ada.id, view={"type": "home", "blocks": [actions(button())]})

    await acme.slack.open_home(ada.id)
    assert event(receiver)["authorizations"][0] | {"user_id": ""} == {
        "enterprise_id": "E1",
        "team_id": None,
        "user_id": "",
        "is_bot": True,
        "is_enterprise_install": True,
    }
    await acme.slack.act_in_home(ada.id, "mute")
    request = payload(receiver)
    assert (request["team"], request["enterprise"], request["is_enterprise_install"]) == (
        None,
        {"id": "E1", "name": "Globex"},
        True,
    )
    assert request["user"]["team_id"] == team.id
