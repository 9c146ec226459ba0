"""Messages: where they may go, what they may hold, and what can be read of them."""

import pytest
from slack_sdk.errors import SlackApiError

from sandbox.slack.state import Json

SECTION = {"type": "section", "text": {"type": "mrkdwn", "text": "Ada Smith has a new job"}}


async def refusal(awaitable) -> Json:
    with pytest.raises(SlackApiError) as refused:
        await awaitable
    return refused.value.response.data


async def test_posting_to_a_person_opens_the_direct_message_and_answers_with_its_id(office) -> None:
    """A user id opens the direct message; Slack answers with the channel's own id, and blocks come back with ids."""
    first = await office.client.chat_postMessage(channel=office.dana.id, text="hello", blocks=[SECTION])
    second = await office.client.chat_postMessage(channel=first["channel"], text="again", unfurl_links=False)

    assert first["channel"].startswith("D")
    assert second["channel"] == first["channel"]
    assert float(second["ts"]) > float(first["ts"])
    assert first["message"]["blocks"][0]["text"] == SECTION["text"]
    assert first["message"]["blocks"][0]["block_id"]
    assert office.slack.world.channels[first["channel"]].im_user == office.dana.id


async def test_posting_to_a_deactivated_person_is_ok_and_nobody_reads_it(office) -> None:
    """The trap of https://github.com/slackapi/python-slack-sdk/issues/1156"""
    gone = office.slack.add_user(office.team, "Gone Person", deleted=True)
    assert (await office.client.chat_postMessage(channel=gone.id, text="hello"))["ok"]


async def test_the_same_client_msg_id_is_a_second_message(office) -> None:
    """Slack has no idempotency key for messages: `client_msg_id` suppresses nothing."""
    for _ in range(2):
        answer = await office.client.chat_postMessage(channel=office.dana.id, text="hi", client_msg_id="one")
    assert len(office.slack.world.channels[answer["channel"]].messages) == 2


@pytest.mark.parametrize(
    ("channel", "error"),
    [
        ({"is_archived": True, "is_member": True}, "is_archived"),
        ({"is_private": True}, "channel_not_found"),
        ({}, "not_in_channel"),
    ],
    ids=["archived", "private, without the bot", "public, without the bot"],
)
async def test_a_channel_the_bot_may_not_write_to(office, channel: dict[str, bool], error: str) -> None:
    """Slack names the reason: archived, hidden from the bot, or open to members alone."""
    office.slack.world.tokens[office.token].scopes.discard("chat:write.public")
    place = office.slack.add_channel(office.team, "general", **channel)
    assert (await refusal(office.client.chat_postMessage(channel=place.id, text="hello")))["error"] == error


async def test_with_chat_write_public_it_may_write_where_it_is_no_member(office) -> None:
    """That scope opens every public channel, by its id or by its name."""
    place = office.slack.add_channel(office.team, "general")
    assert (await office.client.chat_postMessage(channel="#general", text="hello"))["channel"] == place.id


async def test_another_workspace_is_out_of_reach(office) -> None:
    """Whatever a token cannot see does not exist for it: `channel_not_found`."""
    team = office.slack.add_team("Globex")
    stranger, place = office.slack.add_user(team, "Ada Smith"), office.slack.add_channel(team, "general")
    for channel in (stranger.id, place.id, "C404", "#nowhere"):
        error = await refusal(office.client.chat_postMessage(channel=channel, text="hello"))
        assert error["error"] == "channel_not_found"


async def test_the_messages_tab_can_be_switched_off(office) -> None:
    """Without the Messages tab of App Home, Slack lets no app write to a person."""
    office.slack.app.messages_tab_enabled = False
    error = await refusal(office.client.chat_postMessage(channel=office.dana.id, text="hello"))
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
        ({"text": "a", "attachments": [{}] * 101}, "too_many_attachments"),
        ({"text": "a", "attachments": "7"}, "invalid_attachments"),
        ({"text": "a", "metadata": "not json"}, "invalid_metadata_format"),
        ({"text": "a", "metadata": {"event_payload": {}}}, "invalid_metadata_schema"),
        ({"text": "a", "metadata": {"event_type": "a", "event_payload": {"a": "x" * 9_000}}}, "metadata_too_large"),
    ],
)
async def test_content_that_slack_does_not_take(office, content: Json, error: str) -> None:
    """Each way in which text, blocks, attachments or metadata are wrong has its own error."""
    call = office.client.api_call("chat.postMessage", json={"channel": office.dana.id, **content})
    assert (await refusal(call))["error"] == error


async def test_what_is_wrong_with_blocks_is_said_with_the_place(office) -> None:
    """`invalid_blocks` carries one message a fault, with a pointer to the field."""
    blocks = [SECTION, {"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}]
    error = await refusal(office.client.chat_postMessage(channel=office.dana.id, text="a", blocks=blocks))
    assert error["error"] == "invalid_blocks"
    assert error["response_metadata"]["messages"] == [
        "[ERROR] must be less than 151 characters [json-pointer:/blocks/1/text/text]"
    ]


async def test_a_very_long_text_is_cut_short(office) -> None:
    """Slack keeps the first 40,000 characters of a text and refuses nothing."""
    answer = await office.client.chat_postMessage(channel=office.dana.id, text="x" * 50_000)
    assert len(answer["message"]["text"]) == 40_000


async def test_an_update_replaces_blocks_only_when_it_brings_text_or_blocks(office) -> None:
    """https://docs.slack.dev/reference/methods/chat.update"""
    posted = await office.client.chat_postMessage(channel=office.dana.id, text="hello", blocks=[SECTION])
    place, ts = posted["channel"], posted["ts"]

    kept = await office.client.chat_update(channel=place, ts=ts, text="hello again", blocks=[{"type": "divider"}])
    assert [block["type"] for block in kept["message"]["blocks"]] == ["divider"]
    assert "edited" not in kept["message"]
    gone = await office.client.chat_update(channel=place, ts=ts, text="only words")
    assert "blocks" not in gone["message"]
    assert gone["message"]["edited"]

    assert (await refusal(office.client.chat_update(channel=place, ts="1.2", text="a")))["error"] == "message_not_found"
    too_long = office.client.chat_update(channel=place, ts=ts, text="x" * 4_001)
    assert (await refusal(too_long))["error"] == "msg_too_long"


async def test_an_ephemeral_message_is_for_one_person_and_not_in_the_history(office) -> None:
    """An ephemeral message is shown to a member of the channel, and is not kept."""
    place = office.slack.add_channel(office.team, "general", is_member=True)
    await office.client.chat_postEphemeral(channel=place.id, user=office.dana.id, text="psst")
    assert [message.ephemeral_to for message in office.slack.world.ephemerals] == [office.dana.id]
    assert not (await office.client.conversations_history(channel=place.id))["messages"]
    private = office.slack.add_channel(office.team, "secret", is_private=True, is_member=True)
    error = await refusal(office.client.chat_postEphemeral(channel=private.id, user=office.dana.id, text="psst"))
    assert error["error"] == "user_not_in_channel"


async def test_a_permalink_leads_to_the_message_and_may_lead_to_this_machine(office) -> None:
    """Permalinks look like Slack's; the demo's lead to the sandbox's page instead."""
    posted = await office.client.chat_postMessage(channel=office.dana.id, text="hello")
    place, ts = posted["channel"], posted["ts"]
    expected = f"/archives/{place}/p{ts.replace('.', '')}"
    link = await office.client.chat_getPermalink(channel=place, message_ts=ts)
    assert link["permalink"] == f"https://acme.slack.com{expected}"
    office.slack.world.permalink_base = office.slack.url
    link = await office.client.chat_getPermalink(channel=place, message_ts=ts)
    assert link["permalink"] == f"{office.slack.url}{expected}"
    error = await refusal(office.client.chat_getPermalink(channel=place, message_ts="1.2"))
    assert error["error"] == "message_not_found"


async def test_history_is_read_newest_first_a_page_at_a_time(office) -> None:
    """`conversations.history` goes back in time, a cursor a page, until `has_more` is false."""
    for number in range(5):
        posted = await office.client.chat_postMessage(channel=office.dana.id, text=f"m{number}")
    pages, cursor = [], ""
    while True:
        page = await office.client.conversations_history(channel=posted["channel"], limit=2, cursor=cursor)
        pages.append([message["text"] for message in page["messages"]])
        if not page["has_more"]:
            break
        cursor = page["response_metadata"]["next_cursor"]
    assert pages == [["m4", "m3"], ["m2", "m1"], ["m0"]]


async def test_history_shows_metadata_only_when_asked(office) -> None:
    """Slack leaves metadata out unless `include_all_metadata` is set."""
    metadata = {"event_type": "job_change_posted", "event_payload": {"post": "p1"}}
    posted = await office.client.chat_postMessage(channel=office.dana.id, text="hello", metadata=metadata)
    place = posted["channel"]
    plain = await office.client.conversations_history(channel=place)
    full = await office.client.conversations_history(channel=place, include_all_metadata=True)
    assert "metadata" not in plain["messages"][0]
    assert full["messages"][0]["metadata"] == metadata


async def test_history_is_bounded_by_oldest_and_latest(office, clock) -> None:
    """Both bounds are exclusive unless `inclusive` is set, and must be timestamps."""
    stamps = []
    for number in range(3):
        clock.advance(seconds=10)
        posted = await office.client.chat_postMessage(channel=office.dana.id, text=f"m{number}")
        stamps.append(posted["ts"])

    async def between(**bounds: object) -> list[str]:
        page = await office.client.conversations_history(channel=posted["channel"], **bounds)
        return [message["text"] for message in page["messages"]]

    assert await between(oldest=stamps[0]) == ["m2", "m1"]
    assert await between(oldest=stamps[0], inclusive=True) == ["m2", "m1", "m0"]
    assert await between(latest=stamps[2], oldest=stamps[0]) == ["m1"]
    error = await refusal(office.client.conversations_history(channel=posted["channel"], oldest="yesterday"))
    assert error["error"] == "invalid_ts_oldest"


async def test_history_needs_the_scope_of_that_kind_of_channel(office) -> None:
    """A direct message is read with `im:history` and with nothing else."""
    posted = await office.client.chat_postMessage(channel=office.dana.id, text="hello")
    office.slack.world.tokens[office.token].scopes.discard("im:history")
    error = await refusal(office.client.conversations_history(channel=posted["channel"]))
    assert (error["error"], error["needed"]) == ("missing_scope", "im:history")
