"""Bringing messages up to date with the rows: at once after somebody acted, and later whatever could not be then."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from random import random

from domain.errors import MessageRefusedError, PermanentError, TransientError
from services.messages.cards import cards
from services.messages.compose import MOST_CARDS, Card, compose
from services.retry import backoff_ms
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
    """When a message shows what the rows say; the worst of several counts."""

    NOW = 0
    NEVER = 1
    LATER = 2


@dataclass(frozen=True)
class Redrawer:
    """
    The rows are the truth, and a message their picture.

    Whoever changes the rows marks the messages in the same transaction, so a picture that was not drawn, because Slack
    asked us to wait or the process died, is drawn later. One at a time draws a message: an older picture never
    replaces a newer one.
    """

    database: Database
    slack: Slack
    now: Callable[[], int]

    async def redraw(self, job_change_id: str) -> RedrawResult:
        """Every message that tells of this job change, as far as that can be done now."""
        worst = RedrawResult.NOW
        while due := await self.database.run(redraws.claim, self.now(), LEASE_MS, MOST_AT_ONCE, job_change_id):
            worst = max([worst, *[await self._draw(redraw) for redraw in due]])
        return worst

    async def catch_up(self) -> bool:
        """Some of what is due; False if nothing is."""
        due = await self.database.run(redraws.claim, self.now(), LEASE_MS, MOST_AT_ONCE)
        for redraw in due:
            await self._draw(redraw)
        return bool(due)

    async def _draw(self, redraw: Redraw) -> RedrawResult:
        if redraw.channel is None or redraw.ts is None:  # it is on its way
            return await self._wait(redraw, backoff_ms(redraw.attempts + 1, random()))  # noqa: S311
        try:
            is_drawn = await self._update(redraw, Posted(redraw.channel, redraw.ts))
        except TransientError as error:
            log.info("a message of %s is drawn later: %s", redraw.workspace_id, error)
            asked = error.retry_after and round(error.retry_after * 1_000)
            return await self._wait(redraw, asked or backoff_ms(redraw.attempts + 1, random()))  # noqa: S311
        except PermanentError as error:  # deleted, or too old to be changed
            log.info("a message of %s stays as it is: %s", redraw.workspace_id, error)
            return await self._give_up(redraw)
        await self.database.run(redraws.finish, redraw, self.now())
        return RedrawResult.NOW if is_drawn else RedrawResult.NEVER

    async def _update(self, redraw: Redraw, posted: Posted) -> bool:
        """False: something that it tells of was erased, so it stays as it is."""
        members = await self.database.run(redraws.deliveries_in, redraw.post_id)
        acted = await self.database.run(histories.histories, {member.job_change_id for member in members})
        shown = cards(members, redraw.destination, acted)
        if not shown or len(shown) < len(members) or len(shown) > MOST_CARDS:
            return False
        await self._update_as_fits(redraw, posted, shown, plainness=members[0].plainness)
        return True

    async def _update_as_fits(self, redraw: Redraw, posted: Posted, shown: list[Card], plainness: int) -> None:
        message = compose(shown, plainness=plainness, digest=redraw.digest)
        try:
            await self.slack.update(redraw.workspace_id, posted, text=message.short_text, blocks=message.blocks)
        except MessageRefusedError:
            if plainness >= PLAIN_TEXT:
                raise
            await self._update_as_fits(redraw, posted, shown, plainness + 1)

    async def _wait(self, redraw: Redraw, wait_ms: int) -> RedrawResult:
        if redraw.attempts >= MOST_ATTEMPTS:
            return await self._give_up(redraw)
        await self.database.run(redraws.postpone, redraw, self.now() + wait_ms)
        return RedrawResult.LATER

    async def _give_up(self, redraw: Redraw) -> RedrawResult:
        await self.database.run(redraws.drop, redraw)
        return RedrawResult.NEVER
