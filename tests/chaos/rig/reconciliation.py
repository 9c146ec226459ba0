"""The account of a run: what came out against what was accepted, after Jepsen's total-queue checker."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, func, select

from domain.states import DeliveryState
from sandbox.slack import SlackSandbox
from store.database import Database
from store.schema import deliveries, job_changes, posts
from tests.world import sample_job_change

SERIAL = re.compile(r"Serial (\d{7}) joined")

WRONG = ("lost", "repeated", "unexpected")

Place = tuple[str, str]
"""A channel's id and a message's ts."""


@dataclass(frozen=True)
class Account:
    """
    What goes in must come out, once. *waiting* have no outcome yet: of a run that was drained none.

    *lost*: accepted, without outcome and not waiting; or told by their outcome but not at Slack. *repeated*: at Slack
    more than once, with how often. *unexpected*: at Slack but never accepted, told somewhere else than was recorded,
    or recorded as not told; *twofold*: accepted under more than one id, or ended under one that nobody was answered.
    """

    scenario: str
    accepted: int
    delivered: int
    channel: int
    buried: int
    waiting: int
    seconds: float
    lost: list[int] = field(default_factory=list)
    repeated: dict[int, int] = field(default_factory=dict)
    unexpected: list[int] = field(default_factory=list)
    twofold: list[int] = field(default_factory=list)

    @property
    def is_even(self) -> bool:
        """Every job change has exactly one outcome, and the messages at Slack match the outcomes one to one."""
        ended = self.delivered + self.channel + self.buried
        return ended == self.accepted and self.matches

    @property
    def matches(self) -> bool:
        """The same of those that have ended, while others still wait."""
        return not (self.lost or self.repeated or self.unexpected or self.twofold)

    def cells(self) -> tuple[str, ...]:
        """Of a table that people read."""
        ended = (self.accepted, self.delivered, self.channel, self.buried, self.waiting)
        counts = (*ended, len(self.lost), len(self.repeated), len({*self.unexpected, *self.twofold}))
        return (self.scenario, *(f"{count:,}" for count in counts), f"{self.seconds:.0f}")


@dataclass(frozen=True)
class Ended:
    """A job change that has its outcome. *places*: the messages that its outcome speaks of."""

    id: str
    outcome: str
    told: str | None
    places: frozenset[Place]


def numbered(serial: int, owner: int) -> dict[str, Any]:
    """A job change that can be told from every other, of a contact of this owner's."""
    person = {"full_name": f"Serial {serial:07}", "emails": [f"contact{owner}@hooli.example"]}
    return sample_job_change(source_event_id=str(serial), person=person)


async def account(
    scenario: str, accepted: Mapping[int, str | None], database: Database, slack: SlackSandbox, seconds: float
) -> Account:
    """*accepted*: the ids that were answered, by serial; None where nobody was told one."""
    found, waiting = await database.run(_ended), await database.run(count_open)
    at_slack = _messages(slack)
    kinds = Counter((each.outcome, each.told) for rows in found.values() for each in rows)
    buried = sum(count for (outcome, _), count in kinds.items() if outcome == "buried")
    return Account(
        scenario=scenario,
        accepted=len(accepted),
        delivered=kinds["delivered", "dri"],
        channel=kinds["delivered", "channel"],
        buried=buried,
        waiting=waiting,
        seconds=seconds,
        lost=[*sorted(accepted.keys() - found.keys())[waiting:], *_untold(found, at_slack)],
        repeated={serial: len(places) for serial, places in at_slack.items() if len(places) > 1},
        unexpected=sorted(_unexpected(found, at_slack)),
        twofold=sorted(_twofold(accepted, found)),
    )


def _untold(found: Mapping[int, list[Ended]], at_slack: Mapping[int, list[Place]]) -> Iterable[int]:
    for serial, rows in found.items():
        if serial not in at_slack and any(each.outcome == DeliveryState.DELIVERED for each in rows):
            yield serial


def _unexpected(found: Mapping[int, list[Ended]], at_slack: Mapping[int, list[Place]]) -> Iterable[int]:
    for serial, places in at_slack.items():
        recorded = {place for each in found.get(serial, ()) for place in each.places}
        if not recorded & set(places):
            yield serial


def _twofold(accepted: Mapping[int, str | None], found: Mapping[int, list[Ended]]) -> Iterable[int]:
    for serial, rows in found.items():
        known = accepted.get(serial) or rows[0].id
        if serial not in accepted or [each.id for each in rows] != [known]:
            yield serial


def _messages(slack: SlackSandbox) -> dict[int, list[Place]]:
    """Where each serial can be read."""
    found = defaultdict(list)
    for channel in slack.world.channels.values():
        for message in channel.messages.values():
            for serial in SERIAL.findall(message.text):
                found[int(serial)].append((channel.id, message.ts))
    return found


_told = (
    select(deliveries.c.job_change_id, posts.c.channel, posts.c.ts)
    .join(posts, posts.c.id == deliveries.c.post_id)
    .where(deliveries.c.state == DeliveryState.DELIVERED)
)
_rows = select(job_changes.c.id, job_changes.c.payload, job_changes.c.outcome, job_changes.c.told).where(
    job_changes.c.ended_at.is_not(None)
)


def _ended(connection: Connection) -> dict[int, list[Ended]]:
    places = defaultdict(set)
    for row in connection.execute(_told):
        places[row.job_change_id].add((row.channel, row.ts))
    found = defaultdict(list)
    for row in connection.execute(_rows):
        serial = re.search(r"Serial (\d{7})", row.payload)
        assert serial
        found[int(serial[1])].append(Ended(row.id, row.outcome, row.told, frozenset(places[row.id])))
    return found


def count_open(connection: Connection) -> int:
    """How many have no outcome yet."""
    return connection.execute(select(func.count()).where(job_changes.c.ended_at.is_(None))).scalar_one()


def as_table(rows: Collection[Sequence[str]]) -> list[str]:
    """A line for each account's cells, below a head."""
    head = ("scenario", "accepted", "delivered", "channel", "buried", "waiting", *WRONG, "seconds")
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return [
        "  ".join(cell.rjust(width) if number else cell.ljust(width) for number, (cell, width) in enumerate(cells))
        for cells in (zip(line, widths, strict=True) for line in lines)
    ]
