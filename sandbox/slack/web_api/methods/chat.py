"""chat.*: posting, updating and linking to messages."""

from collections.abc import Collection, Iterator, Mapping

from sandbox.slack.block_kit.blocks import check_message
from sandbox.slack.block_kit.parts import elements_of, with_ids
from sandbox.slack.block_kit.tables import TABLES
from sandbox.slack.shapes import message_json
from sandbox.slack.state import Channel, Json, Message, Team
from sandbox.slack.web_api.calls import ApiError, Call

MAX_TEXT = 40_000  # "will truncate messages containing more than 40,000 characters", chat.postMessage
MAX_EDIT = 4_000  # "The text field cannot exceed 4,000 characters.", chat.update
MAX_MARKDOWN = 12_000  # "Limit this field to 12,000 characters.", chat.postMessage
MAX_BLOCKS = 13_200  # all text of a message's blocks together: https://github.com/slackapi/bolt-js/issues/2509
MAX_METADATA = 8_000  # Slack does not publish its limit; this is the sandbox's own


def post_message(call: Call) -> Json:
    """https://docs.slack.dev/reference/methods/chat.postMessage

    `client_msg_id` is accepted and has no effect: Slack documents none for apps.
    """
    channel = _destination(call)
    content = _content(call, channel)
    seconds = call.limits.seconds_to_wait_for_channel(call.bot.installed_in, channel.id, call.world.now())
    if seconds:
        raise ApiError("ratelimited", retry_after=seconds)
    message = _message(call, channel, content)
    channel.messages[message.ts] = message
    call.world.touch()
    shape = message_json(message, call.world.app, with_metadata=True)
    return {"ok": True, "channel": channel.id, "ts": message.ts, "message": shape}


def post_ephemeral(call: Call) -> Json:
    """https://docs.slack.dev/reference/methods/chat.postEphemeral"""
    channel = _destination(call)
    content = _content(call, channel)
    user = call.world.users.get(call.required("user"))
    if user is None or (user.id not in channel.members and (channel.is_private or channel.is_im)):
        raise ApiError("user_not_in_channel")
    message = _message(call, channel, content)
    message.ephemeral_to, message.metadata = user.id, None
    call.world.ephemerals.append(message)
    call.world.touch()
    return {"ok": True, "message_ts": message.ts}


def update(call: Call) -> Json:
    """https://docs.slack.dev/reference/methods/chat.update: without `text` the old blocks are kept."""
    channel = call.channel()
    message = channel.messages.get(call.required("ts"))
    if message is None:
        raise ApiError("message_not_found")
    if channel.is_archived:
        raise ApiError("is_inactive")
    if message.bot_id != call.bot.bot_id:
        raise ApiError("cant_update_message")
    if len(call.text("text")) > MAX_EDIT:
        raise ApiError("msg_too_long")
    content = _content(call, channel)
    message.text = content["text"]
    message.blocks = content["blocks"] if content["blocks"] is not None or content["text"] else message.blocks
    message.attachments = content["attachments"]
    if call.arguments.get("metadata") is not None:
        message.metadata = content["metadata"] or None
    if content["blocks"] is None:
        message.edited_ts = call.world.new_ts()
    call.world.touch()
    shape = message_json(message, call.world.app, with_metadata=True)
    return {"ok": True, "channel": channel.id, "ts": message.ts, "text": message.text, "message": shape}


def get_permalink(call: Call) -> Json:
    """https://docs.slack.dev/reference/methods/chat.getPermalink"""
    channel = call.channel()
    ts = call.required("message_ts")
    if ts not in channel.messages:
        raise ApiError("message_not_found")
    return {"ok": True, "channel": channel.id, "permalink": call.world.permalink(channel, ts)}


def _destination(call: Call) -> Channel:
    """The conversation to post to, named by its id or name, or by a user id for the direct message with that user."""
    name, world = call.required("channel"), call.world
    user = world.users.get(name)
    if user is not None:
        if not call.can_see_user(user) or user.bot_id:
            raise ApiError("channel_not_found")
        # A post to a deactivated user succeeds, although nobody can read it:
        # https://github.com/slackapi/python-slack-sdk/issues/1156
        channel = world.open_dm(call.bot, user)
    elif name in world.channels:
        channel = call.channel()
    else:
        if call.bot.team_id is None:
            raise ApiError("team_not_found")  # "using an org-wide token, the channel_name is passed"
        by_name = world.channel_by_name(call.bot.team_id, name)
        if by_name is None or not call.can_see(by_name):
            raise ApiError("channel_not_found")
        channel = by_name
    if channel.is_im and not world.app.messages_tab_enabled:
        raise ApiError("messages_tab_disabled")
    if channel.is_archived:
        raise ApiError("is_archived")
    # https://docs.slack.dev/reference/scopes/chat.write.public
    if call.bot.bot_user not in channel.members and "chat:write.public" not in call.bot.scopes:
        raise ApiError("not_in_channel")
    return channel


def _content(call: Call, channel: Channel) -> Json:
    """The validated content of a message in this channel."""
    text, markdown = call.text("text"), call.text("markdown_text")
    blocks = call.json("blocks", "invalid_blocks_format")
    attachments = call.json("attachments", "invalid_attachments")
    if markdown and (text or blocks):
        raise ApiError("markdown_text_conflict")
    if len(markdown) > MAX_MARKDOWN:
        raise ApiError("msg_too_long")
    if blocks is not None:
        _check_blocks(blocks, call.world.teams[channel.team_id])
    if attachments is not None and not isinstance(attachments, list):
        raise ApiError("invalid_attachments")
    if attachments is not None and len(attachments) > 100:
        raise ApiError("too_many_attachments")
    if not (text or markdown or blocks or attachments):
        raise ApiError("no_text")
    return {
        "text": (text or markdown)[:MAX_TEXT],
        "blocks": None if blocks is None else with_ids(blocks),
        "attachments": attachments,
        "metadata": _metadata(call),
    }


def _check_blocks(blocks: object, team: Team) -> None:
    if not isinstance(blocks, list):
        raise ApiError("invalid_blocks_format")
    unknown_types = (
        f"unsupported type: {block['type']} [json-pointer:/blocks/{position}/type]"
        for position, block in enumerate(blocks)
        if block["type"] in team.blocks_not_released
    )
    errors = check_message(blocks) or [*unknown_types, *_workflow_errors(blocks, team.workflows)]
    if errors:
        raise ApiError(
            "invalid_blocks", errors=errors, response_metadata={"messages": [f"[ERROR] {error}" for error in errors]}
        )
    if sum(block["type"] in TABLES for block in blocks) > 1:
        raise ApiError("invalid_attachments", response_metadata={"messages": ["[ERROR] only_one_table_allowed"]})
    # "12,000 characters … cumulative": https://docs.slack.dev/reference/block-kit/blocks/markdown-block
    if sum(len(block["text"]) for block in blocks if block["type"] == "markdown") > MAX_MARKDOWN:
        raise ApiError("msg_blocks_too_long")
    if _text_length(blocks) > MAX_BLOCKS:
        raise ApiError("msg_blocks_too_long")


def _workflow_errors(blocks: list[Json], workflows: Mapping[str, Collection[str]]) -> Iterator[str]:
    """The URL "must be associated with a valid trigger", and each name "match an input parameter" of its workflow.

    Slack does not publish the text of these errors.
    https://docs.slack.dev/reference/block-kit/composition-objects/trigger-object
    """
    for position, block in enumerate(blocks):
        for number, element in enumerate(elements_of(block)):
            if element["type"] != "workflow_button":
                continue
            trigger = element["workflow"]["trigger"]
            pointer = f"/blocks/{position}/elements/{number}/workflow/trigger"
            if trigger["url"] not in workflows:
                yield f"invalid trigger url [json-pointer:{pointer}/url]"
                continue
            for place, given in enumerate(trigger.get("customizable_input_parameters") or ()):
                if given["name"] not in workflows[trigger["url"]]:
                    yield f"unknown input parameter [json-pointer:{pointer}/customizable_input_parameters/{place}]"


def _text_length(part: object) -> int:
    """The characters of every `text` in blocks, at any depth."""
    if isinstance(part, list):
        return sum(map(_text_length, part))
    if not isinstance(part, dict):
        return 0
    return sum(
        len(value) if name == "text" and isinstance(value, str) else _text_length(value) for name, value in part.items()
    )


def _metadata(call: Call) -> Json | None:
    """https://docs.slack.dev/messaging/message-metadata"""
    metadata = call.json("metadata", "invalid_metadata_format")
    if not metadata:
        return None
    if not isinstance(metadata, dict):
        raise ApiError("invalid_metadata_format")
    if not isinstance(metadata.get("event_type"), str) or not isinstance(metadata.get("event_payload"), dict):
        raise ApiError("invalid_metadata_schema")
    if len(str(metadata)) > MAX_METADATA:
        raise ApiError("metadata_too_large")
    return metadata


def _message(call: Call, channel: Channel, content: Json) -> Message:
    token = call.bot
    return Message(
        ts=call.world.new_ts(),
        channel_id=channel.id,
        team_id=channel.team_id,
        user=token.bot_user,
        bot_id=token.bot_id,
        thread_ts=call.text("thread_ts") or None,
        arguments=call.arguments,
        **content,
    )
