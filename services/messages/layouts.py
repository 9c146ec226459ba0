"""Sends messages in the best layout that Slack accepts: with newer blocks and the admins' buttons, or without them."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from domain.errors import MessageRefusedError
from services.messages.cards import Card
from services.messages.compose import Message, compose, compose_with_newer_blocks
from services.slack.shapes import Posted
from store.database import Database
from store.slack import workspaces

log = logging.getLogger(__name__)

Send = Callable[[Message], Awaitable[Posted]]


@dataclass(frozen=True)
class Layouts:
    """
    With `newer_blocks`, messages have Slack's card and table blocks where these fit.

    Slack releases new blocks to one workspace after the other. A workspace whose Slack accepted a message only without
    them gets the usual blocks until this process is restarted. If Slack accepted one only without the buttons that
    start a workflow, these are left out until an admin saves others, and the admins are notified.
    """

    database: Database
    newer_blocks: bool = False
    refused_by: set[str] = field(default_factory=set)

    async def send(
        self, workspace_id: str, cards: Sequence[Card], send: Send, *, plainness: int, digest: str | None
    ) -> Posted:
        """Compose a message, see `compose`, and send it. Raises what `send` raises for the message in usual blocks."""
        may_be_newer = self.newer_blocks and not plainness and workspace_id not in self.refused_by
        newer = compose_with_newer_blocks(cards, digest=digest) if may_be_newer else None
        refusal: MessageRefusedError | None = None
        if newer is not None:
            try:
                return await send(newer)
            except MessageRefusedError as error:
                refusal = error
        posted, is_complete = await self._send_usual(workspace_id, cards, send, plainness, digest)
        if refusal and is_complete:  # otherwise the buttons may have been the reason
            self.refused_by.add(workspace_id)
            log.warning("Slack refuses card and table blocks in workspace %s: %s", workspace_id, refusal)
        return posted

    async def _send_usual(
        self, workspace_id: str, cards: Sequence[Card], send: Send, plainness: int, digest: str | None
    ) -> tuple[Posted, bool]:
        """The second value is False if Slack accepted it only without the buttons that start a workflow."""
        usual = compose(cards, plainness=plainness, digest=digest)
        try:
            return await send(usual), True
        except MessageRefusedError as error:
            without = compose([card.without_workflows for card in cards], plainness=plainness, digest=digest)
            if without == usual:
                raise
            posted = await send(without)
            log.warning("Slack refuses the workflow buttons of workspace %s: %s", workspace_id, error)
            urls = {button.url for card in cards for button in card.buttons if button.is_workflow}
            await self.database.run_until_available(workspaces.workflows_refused, workspace_id, urls, str(error))
            return posted, False
