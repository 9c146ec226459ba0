"""
Round robin: whose turn it is in a pool, by weight, with accounts that stay where they are. Pure.

Each member has a place on a scale; whoever stands lowest is next, and then moves up by a step that is the smaller the
greater their weight. Whoever could not take a turn, or is new, comes back at the pool's own place: they are not given
all that they missed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from services.ownership.rules.rule_set import Pool, PoolMember

STEP = 25_225_200
"""Divisible by every weight up to 16, so that those are exact; beyond, a turn in a million is off."""


@dataclass(frozen=True)
class PoolState:
    """*at*: where the pool stands; *places*: where each member does, by who they are."""

    at: int = 0
    places: Mapping[str, int] = field(default_factory=dict)

    def taken(self, pool: Pool, who: str) -> PoolState:
        """After this member took a turn."""
        here = self._place(who)
        weight = next((member.weight for member in pool.members if member.user == who), 1)
        known = {member.user for member in pool.members}
        places = {name: place for name, place in self.places.items() if name in known}
        return replace(self, at=max(self.at, here), places=places | {who: here + STEP // weight})

    def in_turn(self, pool: Pool) -> Iterator[PoolMember]:
        """The members from the next one on; those who stand level in the order of the pool."""
        return iter(sorted(pool.members, key=lambda member: self._place(member.user)))

    def _place(self, who: str) -> int:
        return max(self.places.get(who, self.at), self.at)


@dataclass(frozen=True)
class Turn:
    """A member of a pool took a turn, and has this account from now on (None: no account is known)."""

    pool: str
    user: str
    account: str | None
