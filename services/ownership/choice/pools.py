"""
Round robin: whose turn it is in a pool, by weight. Pure.

Each member has a position on a scale. The member with the lowest position is next, and then moves up by a step; the
greater their weight, the smaller the step. A member who is new or could not take a turn comes back at the pool's own
position, so they do not get all the turns that they missed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from domain.decision.reasons import Reason
from services.ownership.rules.rule_set import Pool, PoolMember

STEP = 25_225_200
"""Divisible by every weight up to 16, so those are exact. With greater weights, one turn in a million is off."""


@dataclass(frozen=True)
class PoolState:
    """`at` is the position of the pool; `places` holds the position of each member, as stored."""

    at: int = 0
    places: Mapping[str, int] = field(default_factory=dict)

    def after_turn(self, pool: Pool, user: str) -> PoolState:
        """The state after this member took a turn."""
        position = self._position(user)
        weight = next((member.weight for member in pool.members if member.user == user), 1)
        members = {member.user for member in pool.members}
        places = {name: place for name, place in self.places.items() if name in members}
        return replace(self, at=max(self.at, position), places=places | {user: position + STEP // weight})

    def in_turn(self, pool: Pool) -> Iterator[PoolMember]:
        """The members from the next one on. Members with the same position stay in the order of the pool."""
        return iter(sorted(pool.members, key=lambda member: self._position(member.user)))

    def _position(self, user: str) -> int:
        return max(self.places.get(user, self.at), self.at)


@dataclass(frozen=True)
class Rota:
    """
    People who take turns: a pool of the rules, or the members of a queue.

    `name` is what its state is stored under. `source` is how the trace shows it, and `why` the reason that the message
    gives to the member whose turn it is.
    """

    name: str
    pool: Pool
    source: str
    why: Reason


@dataclass(frozen=True)
class Turn:
    """A member took a turn. They keep this account from now on; None means that no account is known."""

    rota: Rota
    user: str
    account: str | None

    @property
    def pool(self) -> str:
        return self.rota.name
