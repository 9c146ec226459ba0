"""What becomes of job changes is counted and logged, by ids and by nothing else."""

from __future__ import annotations

import dataclasses
import logging

import pytest

from domain.delivery import ClaimedDelivery, NewDelivery
from domain.states import Role
from services.journal import Journal
from services.measures import SETTLED, Unmeasured
from store.delivery.lanes import Claim
from store.delivery.posts import Doubted, Moved, Parked, PutBack, Sent, Undeliverable
from store.delivery.routing import Routed
from store.intake.job_changes import Added

MEMBERS = tuple(
    ClaimedDelivery(number, f"jc-{number}", Role.DRI, "Dana owns it", None, 0, 0, "{}", "{}") for number in (1, 2)
)
CLAIM = Claim(1, "lease", 0, "T1", "U1", "U1", "post-1", 0, False, 0, None, 0, False, MEMBERS)


class Counted(Unmeasured):
    """What was reported, noughts left out."""

    def __init__(self) -> None:
        self.seen: dict[str, int] = {}

    def received(self, result, count):
        self.seen |= {result: count} if count else {}

    routed = settled = received


@pytest.fixture
def counted(caplog) -> Counted:
    caplog.set_level(logging.INFO)
    return Counted()


def told(caplog) -> list[tuple[str, ...]]:
    """Message, workspace, job change and post of each event."""
    names = ("workspace", "job_change", "post")
    return [(record.getMessage(), *(getattr(record, name, None) for name in names)) for record in caplog.records]


def test_what_came_in_is_told_one_by_one(counted, caplog):
    """A duplicate under the id of the first; what was refused has none."""
    journal = Journal(counted)
    journal.added("T1", [Added("jc-1", is_new=True), None, Added("jc-0", is_new=False)])
    journal.refused("T1", 3)

    assert counted.seen == {"accepted": 1, "duplicate": 1, "refused": 3}
    assert told(caplog) == [
        ("accepted", "T1", "jc-1", None),
        ("sent again", "T1", "jc-0", None),
        ("3 refused", "T1", None, None),
    ]


def new(role: str) -> NewDelivery:
    return NewDelivery("jc-1", "U1", role, "Dana owns it", None)


@pytest.mark.parametrize(
    ("routed", "outcome"),
    [
        (Routed("jc-1", {}, (new(Role.DRI), new(Role.COPY))), "dri"),
        (Routed("jc-1", {}, (new(Role.FALLBACK), new(Role.DRI))), "dri"),
        (Routed("jc-1", {}, (new(Role.FALLBACK),)), "default_channel"),
        (Routed("jc-1", {}, (new(Role.CHANNEL),)), "channel"),
        (Routed("jc-1", {}, (), "muted", "Dana mutes it"), "muted"),
        (Routed("jc-1", {}, (), "buried", "it cannot be read"), "buried"),
    ],
)
def test_what_was_decided_is_told_without_the_reason(counted, caplog, routed, outcome):
    """Which names people."""
    Journal(counted).routed("T1", [routed], 2)

    assert counted.seen == {outcome: 1, "postponed": 2}
    assert told(caplog)[0] == (f"routed: {outcome}", "T1", "jc-1", None)
    assert "Dana" not in caplog.text


@pytest.mark.parametrize(
    ("settlement", "result"),
    [
        (Sent(CLAIM, 0, "D1", "1.2"), "delivered"),
        (PutBack(CLAIM, 0, 0, "Dana"), "retried"),
        (PutBack(CLAIM, 0, 0, "Dana", is_failure=False), "put_off"),
        (PutBack(CLAIM, 0, 0, "Dana", plainer=True), "plainer"),
        (Doubted(CLAIM, 0, 0, "Dana", by_answer=True), "in_doubt"),
        (Doubted(CLAIM, 0, 0, "Dana", by_answer=False), "put_off"),
        (Undeliverable(CLAIM, 0, "Dana"), "buried"),
        (Moved(CLAIM, 0, "Dana", "gone"), "moved"),
        (Parked(CLAIM, 0, "Dana"), "parked"),
    ],
)
def test_each_way_an_attempt_ends_has_a_name(counted, caplog, settlement, result):
    """Told of every delivery in the post, with the id that stands in the message."""
    Journal(counted).settled(settlement)

    assert result in SETTLED
    assert counted.seen == {result: 2}
    assert told(caplog) == [(result, "T1", "jc-1", "post-1"), (result, "T1", "jc-2", "post-1")]
    assert "Dana" not in caplog.text


def test_where_nobody_listens_nothing_is_made(counted, caplog):
    """Below INFO a batch costs no line."""
    caplog.set_level(logging.WARNING)
    Journal(counted).settled(dataclasses.replace(Sent(CLAIM, 0, "D1", "1.2")))

    assert caplog.records == []
    assert counted.seen == {"delivered": 2}
