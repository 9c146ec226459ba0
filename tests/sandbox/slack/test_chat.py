"""Messages: destinations, content, updates, permalinks and history."""

import pytest
from slack_sdk.errors import SlackApiError

from sandbox.slack.state import Json

SECTION = {"type": "section", "text": {"type": "mrkdwn", "text": "Ada Smith has a new job"}}


async def refusal(awaitable) -> Json:
    with pytest.raises(SlackApiError) as error:
        await awaitable
    return error.value.response.data


async def test_posting_to_a_user_id_opens_the_direct_message(acme) -> None:
    """The response has the id of the channel, and blocks with their ids."""
    first = await acme.client.chat_postMessage(channel=acme.dana.id, text="hello", blocks=[SECTION])
    second = await acme.client.chat_postMessage(channel=first["channel"], text="again", unfurl_links=False)

    assert first["channel"].startswith("D")
    assert second["channel"] == first["channel"]
    assert float(second["ts"]) > float(first["ts"])
    assert first["message"]["blocks"][0]["text"] == SECTION["text"]
    assert first["message"]["blocks"][0]["block_id"]
    assert acme.slack.world.channels[first["channel"]].im_user == acme.dana.id


async def test_posting_to_a_deactivated_user_succeeds(acme) -> None:
    """Although nobody can read it: https://github.com/slackapi/python-slack-sdk/issues/1156"""
    gone = acme.slack.add_user(acme.team, "Gone Person", deleted=True)
    assert (await acme.client.chat_postMessage(channel=gone.id, text="hello"))["ok"]


async def test_client_msg_id_does_not_prevent_a_second_message(acme) -> None:
    """Slack has no idempotency key for messages."""
    for _ in range(2):
        answer = await acme.client.chat_postMessage(channel=acme.dana.id, text="hi", client_msg_id="one")
    assert len(acme.slack.world.channels[answer["channel"]].messages) == 2


@pytest.mark.parametrize(
    ("channel", "error"),
    [
        ({"is_archived": True, "is_member": True}, "is_archived"),
        ({"is_private": True}, "channel_not_found"),
        ({}, "not_in_channel"),
    ],
    ids=["archived", "private, without the bot", "public, without the bot"],
)
async def test_a_channel_that_the_bot_cannot_post_to(acme, channel: dict[str, bool], error: str) -> None:
    """The error says whether it is archived, hidden from the bot, or restricted to members."""
    acme.slack.world.tokens[acme.token].scopes.discard("chat:write.public")
    added = acme.slack.add_channel(acme.team, "general", **channel)
    assert (await refusal(acme.client.chat_postMessage(channel=added.id, text="hello")))["error"] == error


async def test_with_chat_write_public_the_bot_can_post_without_being_a_member(acme) -> None:
    """In any public channel, by its id or its name."""
    added = acme.slack.add_channel(acme.team, "general")
    assert (await acme.client.chat_postMessage(channel="#general", text="hello"))["channel"] == added.id


async def test_other_workspaces_are_not_accessible(acme) -> None:
    """What a token cannot see is `channel_not_found`."""
    team = acme.slack.add_team("Globex")
    stranger, added = acme.slack.add_user(team, "Ada Smith"), acme.slack.add_channel(team, "general")
    for channel in (stranger.id, added.id, "C404", "#nowhere"):
        error = await refusal(acme.client.chat_postMessage(channel=channel, text="hello"))
        assert error["error"] == "channel_not_found"


async def test_the_messages_tab_can_be_switched_off(acme) -> None:
    """Without the Messages tab of App Home, an app cannot post direct messages."""
    acme.slack.app.messages_tab_enabled = False
    error = await refusal(acme.client.chat_postMessage(channel=acme.dana.id, text="hello"))
    assert error["error"] == "messages_tab_disabled"


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ({}, "no_text"),
        ({"text": "a", "markdown_text": "b"}, "markdown_text_conflict"),
        ({"markdown_text": "x" * 12_001}, "msg_too_long"),
        ({"blocks": "not json"}, "invalid_blocks_format"),
        ({"blocks": {"type": "section"}}, "invalid_blocks_format"),
        ({"blocks": [{"type": "sectoin"}]}, "invalid_blocks"),
        ({"blocks": [{"type": "markdown", "text": "x" * 7_000}] * 2}, "msg_blocks_too_long"),
        ({"blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 2_700}}] * 5}, "msg_blocks_too_long"),
        ({"blocks": [{"type": "table", "rows": [[{"type": "raw_text", "text": "a"}]]}] * 2}, "invalid_attachments"),
        ({"text": "a", "attachments": [{}] * 101}, "too_many_attachments"),
        ({"text": "a", "attachments": "7"}, "invalid_attachments"),
        ({"text": "a", "metadata": "not json"}, "invalid_metadata_format"),
        ({"text": "a", "metadata": {"event_payload": {}}}, "invalid_metadata_schema"),
        ({"text": "a", "metadata": {"event_type": "a", "event_payload": {"a": "x" * 9_000}}}, "metadata_too_large"),
    ],
)
async def test_invalid_content_is_rejected(acme, content: Json, error: str) -> None:
    """Each kind of invalid text, blocks, attachments or metadata has its own error."""
    call = acme.client.api_call("chat.postMessage", json={"channel": acme.dana.id, **content})
    assert (await refusal(call))["error"] == error


async def test_slack_accepts_a_new_block_only_where_it_was_released(acme) -> None:
    """As for every type that Slack does not know."""
    acme.team.blocks_not_released.add("card")
    card = {"type": "card", "title": {"type": "plain_text", "text": "Ada"}}

    error = await refusal(acme.client.chat_postMessage(channel=acme.dana.id, text="a", blocks=[SECTION, card]))

    assert error["errors"] == ["unsupported type: card [json-pointer:/blocks/1/type]"]
    acme.team.blocks_not_released.clear()
    assert await acme.client.chat_postMessage(channel=acme.dana.id, text="a", blocks=[SECTION, card])


async def test_a_workflow_button_needs_a_workflow_that_can_be_started(acme) -> None:
    """It may set only the inputs of that workflow. A press starts the workflow, and the app is not notified."""
    url, inputs = "https://slack.com/shortcuts/Ft0123ABC456/321", [{"name": "contact_id", "value": "003"}]
    trigger = {"url": url, "customizable_input_parameters": inputs}
    button = {"type": "workflow_button", "action_id": "run", "text": {"type": "plain_text", "text": "Run"}}
    row = {"type": "actions", "elements": [button | {"workflow": {"trigger": trigger}}]}

    async def errors() -> list[str]:
        refused = await refusal(acme.client.chat_postMessage(channel=acme.dana.id, text="a", blocks=[SECTION, row]))
        return refused["errors"]

    place = "[json-pointer:/blocks/1/elements/0/workflow/trigger"
    assert await errors() == [f"invalid trigger url {place}/url]"]
    acme.team.workflows[url] = {"account_id"}
    assert await errors() == [f"unknown input parameter {place}/customizable_input_parameters/0]"]

    acme.team.workflows[url] = {"contact_id"}
    posted = await acme.client.chat_postMessage(channel=acme.dana.id, text="a", blocks=[SECTION, row])
    reply = await acme.slack.press(acme.dana.id, posted["channel"], posted["ts"], "run")
    assert (reply.status, acme.team.workflow_runs) == (200, [trigger])

    del acme.team.workflows[url]
    update = {"channel": posted["channel"], "ts": posted["ts"], "text": "a", "blocks": [SECTION, row]}
    assert (await refusal(acme.client.chat_update(**update)))["error"] == "invalid_blocks"


async def test_invalid_blocks_are_reported_with_json_pointers(acme) -> None:
    """`invalid_blocks` has a message per error, with a pointer to the field."""
    blocks = [SECTION, {"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}]
    error = await refusal(acme.client.chat_postMessage(channel=acme.dana.id, text="a", blocks=blocks))
    assert error["error"] == "invalid_blocks"
    assert error["response_metadata"]["messages"] == [
        "[ERROR] must be less than 151 characters [json-pointer:/blocks/1/text/text]"
    ]


async def test_a_very_long_text_is_truncated(acme) -> None:
    """Slack keeps the first 40,000 characters."""
    answer = await acme.client.chat_postMessage(channel=acme.dana.id, text="x" * 50_000)
    assert len(answer["message"]["text"]) == 40_000


async def test_an_update_replaces_blocks_only_if_it_has_text_or_blocks(acme) -> None:
    """https://docs.slack.dev/reference/methods/chat.update"""
    posted = await acme.client.chat_postMessage(channel=acme.dana.id, text="hello", blocks=[SECTION])
    channel_id, ts = posted["channel"], posted["ts"]

    kept = await acme.client.chat_update(channel=channel_id, ts=ts, text="hello again", blocks=[{"type": "divider"}])
    assert [block["type"] for block in kept["message"]["blocks"]] == ["divider"]
    assert "edited" not in kept["message"]
    gone = await acme.client.chat_update(channel=channel_id, ts=ts, text="only words")
    assert "blocks" not in gone["message"]
    assert gone["message"]["edited"]

    assert (await refusal(acme.client.chat_update(channel=channel_id, ts="1.2", text="a")))[
        "error"
    ] == "message_not_found"
    too_long = acme.client.chat_update(channel=channel_id, ts=ts, text="x" * 4_001)
    assert (await refusal(too_long))["error"] == "msg_too_long"


async def test_an_ephemeral_message_is_shown_to_one_person_and_not_in_the_history(acme) -> None:
    """The person must be a member of the channel."""
    added = acme.slack.add_channel(acme.team, "general", is_member=True)
    await acme.client.chat_postEphemeral(channel=added.id, user=acme.dana.id, text="psst")
    assert [message.ephemeral_to for message in acme.slack.world.ephemerals] == [acme.dana.id]
    assert not (await acme.client.conversations_history(channel=added.id))["messages"]
    private = acme.slack.add_channel(acme.team, "secret", is_private=True, is_member=True)
    error = await refusal(acme.client.chat_postEphemeral(channel=private.id, user=acme.dana.id, text="psst"))
    assert error["error"] == "user_not_in_channel"


async def test_a_permalink_has_the_domain_of_slack_or_of_the_sandbox(acme) -> None:
    """The demo sets `permalink_base`, so that permalinks open the sandbox's page."""
    posted = await acme.client.chat_postMessage(channel=acme.dana.id, text="hello")
    channel_id, ts = posted["channel"], posted["ts"]
    expected = f"/archives/{channel_id}/p{ts.replace('.', '')}"
    link = await acme.client.chat_getPermalink(channel=channel_id, message_ts=ts)
    assert link["permalink"] == f"https://acme.slack.com{expected}"
    acme.slack.world.permalink_base = acme.slack.url
    link = await acme.client.chat_getPermalink(channel=channel_id, message_ts=ts)
    assert link["permalink"] == f"{acme.slack.url}{expected}"
    error = await refusal(acme.client.chat_getPermalink(channel=channel_id, message_ts="1.2"))
    assert error["error"] == "message_not_found"


async def test_history_is_paged_newest_first(acme) -> None:
    """Each page has a cursor for the next one, until `has_more` is false."""
    for number in range(5):
        posted = await acme.client.chat_postMessage(channel=acme.dana.id, text=f"m{number}")
    pages, cursor = [], ""
    while True:
        page = await acme.client.conversations_history(channel=posted["channel"], limit=2, cursor=cursor)
        pages.append([message["text"] for message in page["messages"]])
        if not page["has_more"]:
            break
        cursor = page["response_metadata"]["next_cursor"]
    assert pages == [["m4", "m3"], ["m2", "m1"], ["m0"]]


async def test_history_contains_metadata_only_on_request(acme) -> None:
    """Metadata requires `include_all_metadata`."""
    metadata = {"event_type": "job_change_posted", "event_payload": {"post": "p1"}}
    posted = await acme.client.chat_postMessage(channel=acme.dana.id, text="hello", metadata=metadata)
    channel_id = posted["channel"]
    plain = await acme.client.conversations_history(channel=channel_id)
    full = await acme.client.conversations_history(channel=channel_id, include_all_metadata=True)
    assert "metadata" not in plain["messages"][0]
    assert full["messages"][0]["metadata"] == metadata


async def test_history_can_be_limited_with_oldest_and_latest(acme, clock) -> None:
    """Both bounds are exclusive unless `inclusive` is set, and must be timestamps."""
    stamps = []
    for number in range(3):
        clock.advance(seconds=10)
        posted = await acme.client.chat_postMessage(channel=acme.dana.id, text=f"m{number}")
        stamps.append(posted["ts"])

    async def between(**bounds: object) -> list[str]:
        page = await acme.client.conversations_history(channel=posted["channel"], **bounds)
        return [message["text"] for message in page["messages"]]

    assert await between(oldest=stamps[0]) == ["m2", "m1"]
    assert await between(oldest=stamps[0], inclusive=True) == ["m2", "m1", "m0"]
    assert await between(latest=stamps[2], oldest=stamps[0]) == ["m1"]
    error = await refusal(acme.client.conversations_history(channel=posted["channel"], oldest="yesterday"))
    assert error["error"] == "invalid_ts_oldest"


async def test_a_thread_is_read_with_its_message_first(acme) -> None:
    """Its replies are not in the history of the channel. A message that does not exist has no thread."""
    posted = await acme.client.chat_postMessage(channel=acme.dana.id, text="hello")
    place = {"channel": posted["channel"]}
    metadata = {"event_type": "reminder", "event_payload": {"post": "p1"}}
    await acme.client.chat_postMessage(**place, thread_ts=posted["ts"], text="still open", metadata=metadata)
    thread = await acme.client.conversations_replies(**place, ts=posted["ts"], include_all_metadata=True)
    error = await refusal(acme.client.conversations_replies(**place, ts="1.2"))
    assert [message["text"] for message in thread["messages"]] == ["hello", "still open"]
    assert thread["messages"][1]["metadata"] == metadata
    assert error["error"] == "thread_not_found"


async def test_history_requires_the_scope_for_the_type_of_channel(acme) -> None:
    """Reading a direct message requires `im:history`."""
    posted = await acme.client.chat_postMessage(channel=acme.dana.id, text="hello")
    acme.slack.world.tokens[acme.token].scopes.discard("im:history")
    error = await refusal(acme.client.conversations_history(channel=posted["channel"]))
    assert (error["error"], error["needed"]) == ("missing_scope", "im:history")
