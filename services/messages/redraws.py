"""Updates messages from the rows: right after an action, and later if Slack could not be reached then."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from random import random

from domain.errors import MessageRefusedError, PermanentError, TransientError
from services.messages.button_values import ButtonSigner
from services.messages.cards import Card, cards
from services.messages.compose import MOST_CARDS, Message
from services.messages.layouts import Layouts
from services.retry import backoff_ms, wait_ms
from services.slack.api import Posted, Slack
from store.database import Database
from store.delivery import redraws
from store.delivery.redraws import Redraw
from store.messages import histories

log = logging.getLogger(__name__)

LEASE_MS = 30_000
MOST_AT_ONCE = 20
MOST_ATTEMPTS = 30
PLAIN_TEXT = 2


class RedrawResult(IntEnum):
    """When a message shows the current rows. The result for several messages is the highest value."""

    NOW = 0
    NEVER = 1
    LATER = 2


@dataclass(frozen=True)
class Redrawer:
    """
    Updates messages.

    A transaction that changes the rows also marks the messages that show them. So a message that could not be updated,
    because Slack asked us to wait or the process died, is updated later. Only one process at a time updates a message,
    so that an older state never replaces a newer one.
    """

    database: Database
    slack: Slack
    signer: ButtonSigner
    now: Callable[[], int]
    layouts: Layouts

    async def redraw(self, job_change_id: str) -> RedrawResult:
        """Update every message about this job change, as far as that is possible now."""
        result = RedrawResult.NOW
        while due := await self.database.run(redraws.claim, self.now(), LEASE_MS, MOST_AT_ONCE, job_change_id):
            result = max([result, *[await self._redraw_one(redraw) for redraw in due]])
        return result

    async def catch_up(self) -> bool:
        """Update some of the messages that are due. False if none was."""
        due = await self.database.run(redraws.claim, self.now(), LEASE_MS, MOST_AT_ONCE)
        for redraw in due:
            await self._redraw_one(redraw)
        return bool(due)

    async def _redraw_one(self, redraw: Redraw) -> RedrawResult:
        if redraw.channel is None or redraw.ts is None:  # it is still being sent
            return await self._postpone(redraw, backoff_ms(redraw.attempts + 1, random()))  # noqa: S311
        try:
            is_updated = await self._update(redraw, Posted(redraw.channel, redraw.ts))
        except TransientError as error:
            log.info("a message of workspace %s will be updated later: %s", redraw.workspace_id, error)
            return await self._postpone(redraw, wait_ms(error, redraw.attempts + 1, random()))  # noqa: S311
        except PermanentError as error:  # deleted, or too old to be updated
            log.info("a message of workspace %s cannot be updated: %s", redraw.workspace_id, error)
            return await self._give_up(redraw)
        await self.database.run(redraws.finish, redraw, self.now())
        return RedrawResult.NOW if is_updated else RedrawResult.NEVER

    async def _update(self, redraw: Redraw, posted: Posted) -> bool:
        """False if one of its job changes was erased: then the message stays unchanged."""
        deliveries = await self.database.run(redraws.deliveries_in, redraw.post_id)
        job_change_ids = {delivery.job_change_id for delivery in deliveries}
        by_job_change = await self.database.read(histories.histories, job_change_ids)
        shown = cards(deliveries, redraw.destination, by_job_change, redraw.buttons)
        if not shown or len(shown) < len(deliveries) or len(shown) > MOST_CARDS:
            return False
        await self._update_plainer_if_refused(redraw, posted, shown, plainness=deliveries[0].plainness)
        return True

    async def _update_plainer_if_refused(
        self, redraw: Redraw, posted: Posted, shown: list[Card], plainness: int
    ) -> None:
        async def update(message: Message) -> Posted:
            signed = self.signer.signed(message, redraw.workspace_id, redraw.post_id)
            return await self.slack.update(
                redraw.workspace_id,
                posted,
                text=signed.short_text,
                blocks=signed.blocks,
                lease_until=redraw.lease_until,
            )

        try:
            await self.layouts.send(redraw.workspace_id, shown, update, plainness=plainness, digest=redraw.digest)
        except MessageRefusedError:
            if plainness >= PLAIN_TEXT:
                raise
            await self._update_plainer_if_refused(redraw, posted, shown, plainness + 1)

    async def _postpone(self, redraw: Redraw, wait_ms: int) -> RedrawResult:
        if redraw.attempts >= MOST_ATTEMPTS:
            return await self._give_up(redraw)
        await self.database.run(redraws.postpone, redraw, self.now() + wait_ms)
        return RedrawResult.LATER

    async def _give_up(self, redraw: Redraw) -> RedrawResult:
        await self.database.run(redraws.drop, redraw)
        return RedrawResult.NEVER
