"""Sends messages in the layout that the operator chose, or in the usual one where Slack does not accept it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from domain.errors import MessageRefusedError
from services.messages.compose import Card, Message, compose, compose_with_newer_blocks
from services.slack.shapes import Posted

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Layouts:
    """
    With `newer_blocks`, messages have Slack's card and table blocks where these fit.

    Slack releases new blocks to one workspace after the other. A workspace whose Slack accepted a message only without
    them gets the usual blocks until this process is restarted.
    """

    newer_blocks: bool = False
    refused_by: set[str] = field(default_factory=set)

    async def send(
        self,
        workspace_id: str,
        cards: Sequence[Card],
        send: Callable[[Message], Awaitable[Posted]],
        *,
        plainness: int,
        digest: str | None,
    ) -> Posted:
        """Compose a message, see `compose`, and send it. Raises what `send` raises for the message in usual blocks."""
        usual = compose(cards, plainness=plainness, digest=digest)
        if not self.newer_blocks or plainness or workspace_id in self.refused_by:
            return await send(usual)
        newer = compose_with_newer_blocks(cards, digest=digest)
        if newer is None:
            return await send(usual)
        try:
            return await send(newer)
        except MessageRefusedError as error:
            posted = await send(usual)
            self.refused_by.add(workspace_id)
            log.warning("Slack refuses card and table blocks in workspace %s: %s", workspace_id, error)
            return posted
