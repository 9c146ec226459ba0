"""Compare what was accepted in a run with what arrived at Slack, like Jepsen's total-queue checker."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, func, select

from domain.states import DeliveryState, Outcome
from sandbox.slack import SlackSandbox
from store.database import Database
from store.schema import deliveries, job_changes, posts
from tests.world import sample_job_change

SERIAL = re.compile(r"Serial (\d{7}) joined")

WRONG = ("lost", "repeated", "unexpected")

Place = tuple[str, str]
"""A channel's id and a message's ts."""


@dataclass(frozen=True)
class RunReport:
    """
    Every accepted job change must be delivered once. `waiting` counts those without an outcome, 0 after draining.

    `delivered` went to the owner, `in_channel` to the default channel. `lost` have neither an outcome nor a place in
    the queue, or are recorded as delivered but are not at Slack. `repeated` are at Slack more than once, with their
    count. `unexpected` are at Slack but were never accepted, or are recorded as sent elsewhere or not at all.
    `duplicated` are stored under more than one id, or under an id that no sender received.
    """

    scenario: str
    accepted: int
    delivered: int
    in_channel: int
    failed: int
    waiting: int
    seconds: float
    lost: list[int] = field(default_factory=list)
    repeated: dict[int, int] = field(default_factory=dict)
    unexpected: list[int] = field(default_factory=list)
    duplicated: list[int] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        """Every job change has one outcome, and the messages at Slack match the outcomes one to one."""
        finished = self.delivered + self.in_channel + self.failed
        return finished == self.accepted and self.is_consistent

    @property
    def is_consistent(self) -> bool:
        """As `is_complete`, but job changes may still wait."""
        return not (self.lost or self.repeated or self.unexpected or self.duplicated)

    def cells(self) -> tuple[str, ...]:
        """A row of `format_table`."""
        states = (self.accepted, self.delivered, self.in_channel, self.failed, self.waiting)
        counts = (*states, len(self.lost), len(self.repeated), len({*self.unexpected, *self.duplicated}))
        return (self.scenario, *(f"{count:,}" for count in counts), f"{self.seconds:.0f}")


@dataclass(frozen=True)
class FinishedJobChange:
    """A job change with an outcome. `places` are its messages, as recorded."""

    id: str
    outcome: str
    told: str | None
    places: frozenset[Place]


def numbered_job_change(serial: int, owner: int) -> dict[str, Any]:
    """A job change whose person's name contains the serial, for a contact of this owner."""
    person = {"full_name": f"Serial {serial:07}", "emails": [f"contact{owner}@hooli.example"]}
    return sample_job_change(source_event_id=str(serial), person=person)


async def report_run(
    scenario: str, accepted: Mapping[int, str | None], database: Database, slack: SlackSandbox, seconds: float
) -> RunReport:
    """`accepted` has the ids by serial; None where the sender received no id."""
    finished, waiting = await database.run(_read_finished), await database.run(count_open)
    at_slack = _messages(slack)
    kinds = Counter((row.outcome, row.told) for rows in finished.values() for row in rows)
    failed = sum(count for (outcome, _), count in kinds.items() if outcome == Outcome.FAILED)
    return RunReport(
        scenario=scenario,
        accepted=len(accepted),
        delivered=kinds["delivered", "dri"],
        in_channel=kinds["delivered", "channel"],
        failed=failed,
        waiting=waiting,
        seconds=seconds,
        lost=[*sorted(accepted.keys() - finished.keys())[waiting:], *_missing_at_slack(finished, at_slack)],
        repeated={serial: len(places) for serial, places in at_slack.items() if len(places) > 1},
        unexpected=sorted(_unexpected(finished, at_slack)),
        duplicated=sorted(_duplicated(accepted, finished)),
    )


def _missing_at_slack(
    finished: Mapping[int, list[FinishedJobChange]], at_slack: Mapping[int, list[Place]]
) -> Iterable[int]:
    for serial, rows in finished.items():
        if serial not in at_slack and any(row.outcome == Outcome.DELIVERED for row in rows):
            yield serial


def _unexpected(finished: Mapping[int, list[FinishedJobChange]], at_slack: Mapping[int, list[Place]]) -> Iterable[int]:
    for serial, places in at_slack.items():
        recorded = {place for row in finished.get(serial, ()) for place in row.places}
        if not recorded & set(places):
            yield serial


def _duplicated(accepted: Mapping[int, str | None], finished: Mapping[int, list[FinishedJobChange]]) -> Iterable[int]:
    for serial, rows in finished.items():
        expected_id = accepted.get(serial) or rows[0].id
        if serial not in accepted or [row.id for row in rows] != [expected_id]:
            yield serial


def _messages(slack: SlackSandbox) -> dict[int, list[Place]]:
    """The messages at Slack that contain each serial."""
    places = defaultdict(list)
    for channel in slack.world.channels.values():
        for message in channel.messages.values():
            for serial in SERIAL.findall(message.text):
                places[int(serial)].append((channel.id, message.ts))
    return places


_DELIVERED_PLACES = (
    select(deliveries.c.job_change_id, posts.c.channel, posts.c.ts)
    .join(posts, posts.c.id == deliveries.c.post_id)
    .where(deliveries.c.state == DeliveryState.DELIVERED)
)
_FINISHED = select(job_changes.c.id, job_changes.c.payload, job_changes.c.outcome, job_changes.c.told).where(
    job_changes.c.ended_at.is_not(None)
)


def _read_finished(connection: Connection) -> dict[int, list[FinishedJobChange]]:
    places = defaultdict(set)
    for row in connection.execute(_DELIVERED_PLACES):
        places[row.job_change_id].add((row.channel, row.ts))
    finished = defaultdict(list)
    for row in connection.execute(_FINISHED):
        serial = re.search(r"Serial (\d{7})", row.payload)
        assert serial
        finished[int(serial[1])].append(FinishedJobChange(row.id, row.outcome, row.told, frozenset(places[row.id])))
    return finished


def count_open(connection: Connection) -> int:
    """The number of job changes without an outcome."""
    return connection.execute(select(func.count()).where(job_changes.c.ended_at.is_(None))).scalar_one()


def format_table(rows: Collection[Sequence[str]]) -> list[str]:
    """A header line and one line for each row."""
    head = ("scenario", "accepted", "delivered", "channel", "failed", "waiting", *WRONG, "seconds")
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return [
        "  ".join(cell.rjust(width) if number else cell.ljust(width) for number, (cell, width) in enumerate(cells))
        for cells in (zip(line, widths, strict=True) for line in lines)
    ]
