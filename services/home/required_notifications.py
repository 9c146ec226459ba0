"""What the admins of a workspace want everybody to hear of: it cannot be muted."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from domain.audit import AuditEntry
from services.home.mutables import GROUPS, labels
from store.database import Database
from store.ownership import muting

_KNOWN = frozenset(what for group in GROUPS.values() for what in group)


@dataclass(frozen=True)
class MutingLimits:
    """Whether somebody may change them is for the caller to check."""

    database: Database
    now: Callable[[], int]

    async def read(self, workspace_id: str) -> frozenset[str]:
        """Signals, change types and segments, as store/ownership/muting.py has them."""
        return await self.database.run(muting.required, workspace_id)

    async def choose(self, workspace_id: str, actor: str, chosen: Collection[str]) -> None:
        """From now on nobody may mute these; who has muted them already is told again."""
        known = _KNOWN & frozenset(chosen)
        change = AuditEntry(self.now(), actor, "mute_limits", ", ".join(labels(known)) or "none")
        await self.database.run(muting.set_required, workspace_id, known, change)
