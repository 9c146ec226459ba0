"""Recording when signed requests of Slack arrived. Slack cannot be asked whether it reaches the app."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from store.database import Database, DatabaseUnavailableError
from store.slack import inbound_health

EVERY_MS = 60_000


@dataclass(frozen=True)
class InboundRecorder:
    """Records each kind of request at most once a minute, because it delays every request of Slack."""

    database: Database
    now: Callable[[], int]
    _recorded_at: dict[str, int] = field(default_factory=dict, init=False, repr=False)

    async def record(self, kind: str) -> None:
        """`kind` is one of those in store/slack/inbound_health.py."""
        now = self.now()
        if now - self._recorded_at.get(kind, now - EVERY_MS) < EVERY_MS:
            return
        self._recorded_at[kind] = now
        with suppress(DatabaseUnavailableError):  # Slack must still be answered, and the doctor checks the database
            await self.database.run(inbound_health.record, kind, now)
