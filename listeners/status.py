"""Somebody asks with /usergems-status how things are going."""

from __future__ import annotations

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond

from listeners.status_view import COMMAND, HELP, NOT_INSTALLED, status_blocks, status_lines
from services.status import Status


def register(app: AsyncApp) -> None:
    app.command(COMMAND)(show_status)


async def show_status(
    ack: AsyncAck, command: dict[str, str], respond: AsyncRespond, status: Status, workspace_id: str | None
) -> None:
    """For any member, and only they see it: numbers and the state of the connections, nothing of people."""
    await ack()
    if command.get("text", "").strip():
        await respond(HELP)  # asked for, or a word that we do not know
        return
    shown = await status.of(workspace_id) if workspace_id else None
    if shown is None:
        await respond(NOT_INSTALLED)
        return
    await respond(text="\n".join(status_lines(shown)), blocks=status_blocks(shown))
