"""Handles the slash command /usergems-status."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond

from listeners.status.explain_view import explained_blocks, explained_text, not_found
from listeners.status.status_view import (
    COMMAND,
    EXPLAIN_WHAT,
    HELP,
    NO_FAILED,
    NOT_INSTALLED,
    ONLY_ADMINS,
    failed_blocks,
    failed_lines,
    own_waiting_line,
    sent_test_text,
    status_blocks,
    status_lines,
    unknown_command,
)
from services.delivery.explain import Explainer
from services.delivery.failed import FailedJobChanges
from services.home.status import Status
from services.intake.sample import SampleSender
from services.slack.directory import Directory

SHOWN = 5
"""Failed job changes in an answer. The dialog has all of them."""

_MAILTO = re.compile(r"<mailto:([^|>]{1,400})(?:\|[^>]{0,400})?>")


@dataclass(frozen=True)
class Request:
    """A use of the command. `argument` is the text after the first word."""

    respond: Callable[..., Awaitable[object]]
    workspace_id: str
    user_id: str
    argument: str


@dataclass(frozen=True)
class StatusCommand:
    """The services that answer the command."""

    directory: Directory
    status: Status
    sample_sender: SampleSender
    explainer: Explainer
    failed_job_changes: FailedJobChanges


def register(app: AsyncApp) -> None:
    app.command(COMMAND)(answer)


async def answer(
    ack: AsyncAck,
    command: dict[str, str],
    respond: AsyncRespond,
    status_command: StatusCommand,
    workspace_id: str | None,
) -> None:
    """Only the person who typed the command sees the answer. https://docs.slack.dev/interactivity/implementing-slash-commands"""
    send: Callable[..., Awaitable[object]] = ack  # a client without a response URL gets the answer at once
    if command.get("response_url"):
        await ack()
        send = respond
    # Words may be separated by a line break, or by the non-breaking space that phones insert.
    word, argument = [*(command.get("text") or "").split(maxsplit=1), "", ""][:2]
    if workspace_id is None:
        await send(NOT_INSTALLED)
    elif word.lower() in _ANSWERS:
        request = Request(send, workspace_id, command["user_id"], argument.strip())
        await _ANSWERS[word.lower()](status_command, request)
    else:
        await send(unknown_command(word, [name for name in _ANSWERS if name]))


async def _status(services: StatusCommand, request: Request) -> None:
    """Members see numbers and the state of the connections; admins also see what is wrong."""
    status = await services.status.of(request.workspace_id)
    if status is None:
        await request.respond(NOT_INSTALLED)
        return
    own_line = own_waiting_line(await services.status.waiting_for(request.workspace_id, request.user_id))
    is_admin = await services.directory.is_admin(request.workspace_id, request.user_id)
    text = "\n".join(filter(None, [*status_lines(status, is_admin=is_admin), own_line]))
    await request.respond(text=text, blocks=status_blocks(status, own_line, is_admin=is_admin))


async def _help(_services: StatusCommand, request: Request) -> None:
    await request.respond(HELP)


async def _test(services: StatusCommand, request: Request) -> None:
    job_change_id, problem = await services.sample_sender.send(request.workspace_id, request.user_id)
    await request.respond(sent_test_text(job_change_id) if job_change_id else problem)


async def _explain(services: StatusCommand, request: Request) -> None:
    """Admins can ask about any job change. For members, those that were sent to others do not exist."""
    query = _MAILTO.sub(r"\1", request.argument).strip("`“”\"' ")
    if not query:
        await request.respond(EXPLAIN_WHAT)
        return
    is_admin = await services.directory.is_admin(request.workspace_id, request.user_id)
    reader = None if is_admin else request.user_id
    explanation = await services.explainer.find(request.workspace_id, query, reader)
    if explanation is None:
        await request.respond(not_found(query, is_admin=is_admin))
        return
    await request.respond(text=explained_text(explanation), blocks=explained_blocks(explanation, reader))


async def _failed(services: StatusCommand, request: Request) -> None:
    if not await services.directory.is_admin(request.workspace_id, request.user_id):
        await request.respond(ONLY_ADMINS)
        return
    status = await services.status.of(request.workspace_id)
    listed = await services.failed_job_changes.page(request.workspace_id, None, SHOWN)
    if status is None or not listed:
        await request.respond(NO_FAILED)
        return
    count = max(status.failed, len(listed))
    blocks = failed_blocks(listed, count, request.workspace_id)
    await request.respond(text="\n".join(failed_lines(listed, count)), blocks=blocks)


_ANSWERS: dict[str, Callable[[StatusCommand, Request], Awaitable[None]]] = {
    "": _status,
    "status": _status,
    "help": _help,
    "test": _test,
    "explain": _explain,
    "failed": _failed,
}
