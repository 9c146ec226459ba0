"""Signs of Slack: that something came from it, and was genuine or not. The doctor cannot find it out by asking."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from store.database import Database, DatabaseUnavailableError
from store.slack import inbound_health

EVERY_MS = 60_000


@dataclass(frozen=True)
class InboundRecorder:
    """In the way of every request of Slack's, so a sign is stored once a minute and no more often."""

    database: Database
    now: Callable[[], int]
    _noted: dict[str, int] = field(default_factory=dict, init=False, repr=False)

    async def record(self, sign: str) -> None:
        """*sign*: one of those of store/slack/inbound_health.py."""
        now = self.now()
        if now - self._noted.get(sign, now - EVERY_MS) < EVERY_MS:
            return
        self._noted[sign] = now
        with suppress(DatabaseUnavailableError):  # it is only remembered, and the doctor tells of the database
            await self.database.run(inbound_health.record, sign, now)
