"""The progress of job changes is counted and logged by ids only."""

from __future__ import annotations

import dataclasses
import logging

import pytest

from domain.decision.reasons import legacy
from domain.decision.record import Decision
from domain.delivery import ClaimedDelivery, NewDelivery
from domain.notification_hours import NotificationHours
from domain.states import Role
from services.journal import MOST_KEYS, Journal, RefusalLog, Repetitions
from services.measures import SETTLED, Measures
from store.delivery.lanes import Claim
from store.delivery.routing import Routed
from store.delivery.settlements import Failed, InDoubt, Moved, Parked, Postponed, Sent
from store.intake.job_changes import Added

MEMBERS = tuple(
    ClaimedDelivery(number, f"jc-{number}", Role.DRI, legacy("Dana owns it"), None, 0, 0, "{}", "{}")
    for number in (1, 2)
)
CLAIM = Claim(1, "lease", 0, "T1", "U1", "U1", "post-1", 0, False, 0, None, 0, False, MEMBERS)


class RecordedMeasures(Measures):
    """Keeps the counts that are not zero."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.seconds: list[float] = []

    def received(self, result, count):
        self.counts |= {result: count} if count else {}

    routed = settled = received

    def sent(self, seconds):
        self.seconds.append(seconds)


@pytest.fixture
def measures(caplog) -> RecordedMeasures:
    caplog.set_level(logging.INFO)
    return RecordedMeasures()


def logged(caplog) -> list[tuple[str, ...]]:
    """Message, workspace, job change and post of each log line."""
    names = ("workspace", "job_change", "post")
    return [(record.getMessage(), *(getattr(record, name, None) for name in names)) for record in caplog.records]


def test_each_received_job_change_is_logged(measures, caplog):
    """A duplicate is logged with the id of the first; a refused job change has no id."""
    journal = Journal(measures)
    journal.added("T1", [Added("jc-1", is_new=True), None, Added("jc-0", is_new=False)])
    journal.not_added("T1", refused=3)

    assert measures.counts == {"accepted": 1, "duplicate": 1, "refused": 3}
    assert logged(caplog) == [
        ("accepted", "T1", "jc-1", None),
        ("duplicate", "T1", "jc-0", None),
        ("3 refused", "T1", None, None),
    ]


@pytest.mark.parametrize(("quiet_to", "seconds"), [(None, 7_230.0), (60, 3_630.0), (180, 0.0)])
def test_the_time_to_the_message_is_measured_from_acceptance(measures, quiet_to, seconds):
    """Hours that the reader chose do not count: what came in the night is as fast as the morning's first."""
    hours = NotificationHours(quiet_from=0, quiet_to=quiet_to) if quiet_to else None
    delivery = dataclasses.replace(MEMBERS[0], accepted_at=0, created_at=30_000)
    claim = dataclasses.replace(CLAIM, deliveries=(delivery,), hours=hours)
    Journal(measures).settled(Sent(claim, 7_230_000, "C1", "1.0"))

    assert measures.seconds == [seconds]


def new(role: str) -> NewDelivery:
    return NewDelivery("jc-1", "U1", role, legacy("Dana owns it"), None)


@pytest.mark.parametrize(
    ("routed", "outcome"),
    [
        (Routed("jc-1", Decision(), (new(Role.DRI), new(Role.COPY))), "dri"),
        (Routed("jc-1", Decision(), (new(Role.FALLBACK), new(Role.DRI))), "dri"),
        (Routed("jc-1", Decision(), (new(Role.FALLBACK),)), "default_channel"),
        (Routed("jc-1", Decision(), (new(Role.CHANNEL),)), "channel"),
        (Routed("jc-1", Decision(), (), "muted", "Dana mutes it"), "muted"),
        (Routed("jc-1", Decision(), (), "buried", "it cannot be read"), "failed"),
    ],
)
def test_a_routing_outcome_is_logged_without_its_reason(measures, caplog, routed, outcome):
    """Reasons name people."""
    Journal(measures).routed("T1", [routed], 2)

    assert measures.counts == {outcome: 1, "postponed": 2}
    assert logged(caplog)[0] == (f"routed: {outcome}", "T1", "jc-1", None)
    assert "Dana" not in caplog.text


@pytest.mark.parametrize(
    ("settlement", "result"),
    [
        (Sent(CLAIM, 0, "D1", "1.2"), "delivered"),
        (Postponed(CLAIM, 0, 0, "Dana"), "retried"),
        (Postponed(CLAIM, 0, 0, "Dana", is_failure=False), "postponed"),
        (Postponed(CLAIM, 0, 0, "Dana", simplify=True), "simplified"),
        (InDoubt(CLAIM, 0, 0, "Dana", by_answer=True), "in_doubt"),
        (InDoubt(CLAIM, 0, 0, "Dana", by_answer=False), "postponed"),
        (Failed(CLAIM, 0, "Dana"), "failed"),
        (Moved(CLAIM, 0, legacy("Dana"), "gone"), "moved"),
        (Parked(CLAIM, 0, "Dana"), "parked"),
    ],
)
def test_each_result_of_an_attempt_is_logged_for_every_delivery(measures, caplog, settlement, result):
    """Each line has the id of the post, which is in the metadata of the message."""
    Journal(measures).settled(settlement)

    assert result in SETTLED
    assert measures.counts == {result: 2}
    assert logged(caplog) == [(result, "T1", "jc-1", "post-1"), (result, "T1", "jc-2", "post-1")]
    assert "Dana" not in caplog.text


def test_nothing_is_logged_above_info(measures, caplog):
    """With LOG_LEVEL=WARNING a batch is only counted."""
    caplog.set_level(logging.WARNING)
    Journal(measures).settled(dataclasses.replace(Sent(CLAIM, 0, "D1", "1.2")))

    assert caplog.records == []
    assert measures.counts == {"delivered": 2}


def test_refused_requests_leave_one_line_a_minute_for_each_workspace_and_status(clock, caplog):
    """A sender with an old key shows at once, and cannot fill the disk. Anyone can make up ids of workspaces."""
    refusals = RefusalLog("the intake", Repetitions(clock))
    for _ in range(100):
        refusals.record(401, "T1")
    refusals.record(422, "T1")
    refusals.record(401)
    clock.advance(seconds=61)
    refusals.record(401, "T1")

    assert [(record.message, record.workspace) for record in caplog.records] == [
        ("Refused 1 request to the intake with HTTP 401", "T1"),
        ("Refused 1 request to the intake with HTTP 422", "T1"),
        ("Refused 1 request to the intake with HTTP 401", None),
        ("Refused 100 requests to the intake with HTTP 401", "T1"),
    ]


def test_refusals_of_many_workspaces_are_logged_together(clock):
    """The memory that they need is limited."""
    refusals = RefusalLog("the intake", Repetitions(clock))
    for number in range(2 * MOST_KEYS):
        refusals.record(401, f"T{number}")

    assert len(refusals.repetitions._repeated) <= MOST_KEYS + 1
