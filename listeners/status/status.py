"""Somebody asks with /usergems-status how things are going, for a test, or what became of a job change."""

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
    NOT_INSTALLED,
    NOTHING_BURIED,
    ONLY_ADMINS,
    buried_blocks,
    buried_lines,
    mine_line,
    not_known,
    sent_test,
    status_blocks,
    status_lines,
)
from services.delivery.explain import Explainer
from services.delivery.failed import FailedJobChanges
from services.home.status import Status
from services.intake.sample import SampleSender
from services.slack.directory import Directory

SHOWN = 5
"""Of those that are buried: an answer has room for few, the dialog for all."""

_MAILTO = re.compile(r"<mailto:([^|>]+)(?:\|[^>]*)?>")


@dataclass(frozen=True)
class Asked:
    """Who asks what; *rest*: what stands behind the first word."""

    respond: Callable[..., Awaitable[object]]
    workspace_id: str
    user_id: str
    rest: str


@dataclass(frozen=True)
class StatusCommand:
    """All that the command can be answered from."""

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
    """Only whoever asked reads the answer. https://docs.slack.dev/interactivity/implementing-slash-commands"""
    say: Callable[..., Awaitable[object]] = ack  # whoever is no Slack, and waits for nothing later, is answered at once
    if command.get("response_url"):
        await ack()
        say = respond
    # Whatever stands between: a line break, or the space that a phone puts there.
    word, rest = [*command.get("text", "").split(maxsplit=1), "", ""][:2]
    if workspace_id is None:
        await say(NOT_INSTALLED)
    elif word.lower() in _ANSWERS:
        await _ANSWERS[word.lower()](status_command, Asked(say, workspace_id, command["user_id"], rest.strip()))
    else:
        await say(not_known(word))


async def _status(status_command: StatusCommand, asked: Asked) -> None:
    """For any member: numbers and the state of the connections, nothing of people; for admins what is wrong, too."""
    shown = await status_command.status.of(asked.workspace_id)
    if shown is None:
        await asked.respond(NOT_INSTALLED)
        return
    mine = mine_line(await status_command.status.waiting_for(asked.workspace_id, asked.user_id))
    may = await status_command.directory.is_admin(asked.workspace_id, asked.user_id)
    text = "\n".join(filter(None, [*status_lines(shown, may=may), mine]))
    await asked.respond(text=text, blocks=status_blocks(shown, mine, may=may))


async def _help(_status_command: StatusCommand, asked: Asked) -> None:
    await asked.respond(HELP)


async def _test(status_command: StatusCommand, asked: Asked) -> None:
    job_change_id, why_not = await status_command.sample_sender.send(asked.workspace_id, asked.user_id)
    await asked.respond(sent_test(job_change_id) if job_change_id else why_not)


async def _explain(status_command: StatusCommand, asked: Asked) -> None:
    """Admins of any, members only of what came to them: to them, another's is as if it were not there."""
    which = _MAILTO.sub(r"\1", asked.rest).strip("`“”\"' ")
    if not which:
        await asked.respond(EXPLAIN_WHAT)
        return
    may = await status_command.directory.is_admin(asked.workspace_id, asked.user_id)
    explained = await status_command.explainer.find(asked.workspace_id, which, None if may else asked.user_id)
    if explained is None:
        await asked.respond(not_found(which, may=may))
        return
    reader = None if may else asked.user_id
    await asked.respond(text=explained_text(explained), blocks=explained_blocks(explained, reader))


async def _buried(status_command: StatusCommand, asked: Asked) -> None:
    if not await status_command.directory.is_admin(asked.workspace_id, asked.user_id):
        await asked.respond(ONLY_ADMINS)
        return
    shown = await status_command.status.of(asked.workspace_id)
    listed = await status_command.failed_job_changes.page(asked.workspace_id, None, SHOWN)
    if shown is None or not listed:
        await asked.respond(NOTHING_BURIED)
        return
    buried = max(shown.failed, len(listed))
    await asked.respond(text="\n".join(buried_lines(listed, buried)), blocks=buried_blocks(listed, buried))


_ANSWERS: dict[str, Callable[[StatusCommand, Asked], Awaitable[None]]] = {
    "": _status,
    "status": _status,
    "help": _help,
    "test": _test,
    "explain": _explain,
    "buried": _buried,
}
