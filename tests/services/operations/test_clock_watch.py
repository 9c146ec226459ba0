"""The app follows the machine's clock after it was set, and compares that clock with Slack's."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import partial

import pytest
from cryptography.fernet import Fernet
from slack_bolt.app.async_app import AsyncApp

from domain.workspace import OutgoingWebhook, WebhookEvent
from listeners.http.metrics import Metrics
from listeners.slack.requests import InboundRecorder, SlackRequests
from sandbox.slack import SlackSandbox
from services.clock import SteadyClock
from services.intake.keys import IntakeKeys, KeyCheck
from services.intake.senders.proofs import Credentials
from services.intake.signatures import Signature
from services.operations.clock_watch import ClockWatch
from services.operations.vendor_calls import open_session
from services.settings import Settings
from store.delivery import lanes, pauses, webhooks
from store.encryption import Cipher
from tests.conftest import SOMEDAY
from tests.store.sample_rows import add_routed, add_workspace, lane_of

HOUR_MS = 3_600_000
FORGED = "this machine's clock is 7,200 seconds ahead of Slack's, so signed requests look forged: use NTP"


@dataclass
class Machine:
    """The machine's two clocks, in seconds."""

    wall: float = SOMEDAY / 1_000
    steady: float = 0.0


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def watch(machine, database) -> ClockWatch:
    return ClockWatch(SteadyClock(lambda: machine.wall, lambda: machine.steady), database)


async def test_a_clock_that_was_wrong_at_the_start_is_followed_once_it_is_right(watch, machine, caplog):
    """It is followed at the second look, so not while somebody sets it. Until then the process is not ready."""
    machine.wall += 7_200
    await watch.check()
    assert watch.clock() == SOMEDAY
    assert watch.problem == "this machine's clock was set: following it"

    await watch.check()
    assert watch.clock() == SOMEDAY + 2 * HOUR_MS
    assert watch.problem is None
    assert "set by +7200 seconds" in caplog.text


async def test_a_jump_that_is_taken_back_moves_nothing(watch, machine):
    """An NTP client may correct itself, and tests of other programs set clocks."""
    for jump in (600, -600, 600, -600):
        machine.wall += jump
        machine.steady += 5
        machine.wall += 5
        await watch.check()

    assert watch.clock() == SOMEDAY + 20_000
    assert watch.problem is None


@pytest.mark.parametrize("step", [2 * HOUR_MS, -2 * HOUR_MS], ids=["forward", "back"])
async def test_leases_keep_their_duration_and_pauses_are_not_hours_longer(watch, machine, database, step):
    """Another process must not take over a message that is being sent, and a retry must not wait for two hours."""
    webhook = OutgoingWebhook("T1", "url", "secret", "hooks.example.com", WebhookEvent.DELIVERED)

    def prepare(connection):
        add_workspace(connection)
        webhooks.save(connection, webhook)
        webhooks.queue(connection, WebhookEvent.DELIVERED, add_routed(connection, "U1"), SOMEDAY)
        (event,) = webhooks.claim(connection, SOMEDAY, 30_000, 1)
        webhooks.postpone(connection, event, SOMEDAY + 30_000)
        lanes.claim(connection, SOMEDAY, 30_000, 1)
        pauses.pause(connection, "T1", "slack", SOMEDAY + 30_000, SOMEDAY, "busy")

    await database.run(prepare)
    machine.wall += step / 1_000
    await watch.check()
    await watch.check()

    now = SOMEDAY + step
    lane = await database.run(lane_of, "U1")
    assert (lane.lease is not None, lane.due_at) == (True, now + 30_000)
    assert await database.run(pauses.paused_until, "T1", "slack", now + 30_000) is None
    assert len(await database.run(webhooks.claim, now + 30_000, 30_000, 1)) == 1


async def test_signatures_are_checked_against_the_machines_clock(database):
    """Those of senders and of Slack, whatever the app's own clock shows."""
    seconds, key = SOMEDAY // 1_000, Fernet.generate_key().decode()
    keys = IntakeKeys(database, Cipher.of([key]), lambda: SOMEDAY - 2 * HOUR_MS, lambda: SOMEDAY)
    signature = Signature(b"msg_1", str(seconds).encode(), b"v1,c2lnbmF0dXJl")
    assert (await keys.check_head("T1", Credentials(signature, ()))).result is KeyCheck.NEEDS_BODY

    recorder = InboundRecorder(database, lambda: SOMEDAY - 2 * HOUR_MS)
    slack = SlackRequests.of(AsyncApp(signing_secret="s", token="xoxb-1"), "s", recorder, lambda: SOMEDAY)
    headers = {"X-Slack-Request-Timestamp": str(seconds), "X-Slack-Signature": f"v0={'0' * 64}"}
    assert slack.looks_signed(headers)


@pytest.mark.parametrize(
    ("ahead", "problem", "warning"),
    [
        (30, None, None),
        (-120, None, "this machine's clock is 120 seconds behind Slack's: use NTP"),
        (7_200, FORGED, None),
    ],
)
async def test_a_machine_whose_clock_differs_from_slacks_says_so(watch, clock, ahead, problem, warning):
    """Every answer of Slack has the time. From five minutes on, its signed requests cannot be accepted."""
    slack_seconds = SOMEDAY // 1_000 - ahead
    watch.saw_date(format_datetime(datetime.fromtimestamp(slack_seconds, UTC), usegmt=True))
    watch.saw_date("not a date")

    assert (watch.problem, watch.warning) == (problem, warning)


async def test_slack_is_asked_for_its_time_until_it_is_known_and_the_clock_is_right(watch):
    """Otherwise a process with a wrong clock, which refuses what Slack sends, would report that it is ready."""
    slack_times = [SOMEDAY // 1_000 - 7_200, SOMEDAY // 1_000]

    @asynccontextmanager
    async def ask_slack():
        seconds = slack_times.pop(0)
        watch.saw_date(format_datetime(datetime.fromtimestamp(seconds, UTC), usegmt=True))
        yield

    watch.ask_slack = ask_slack
    await watch.compare()
    assert watch.problem == FORGED
    await watch.compare()
    assert watch.problem is None
    await watch.compare()  # would fail with another question

    assert slack_times == []


async def test_a_process_asks_slack_for_its_time(database, watch):
    """Each answer has it, also without a token: https://docs.slack.dev/reference/methods/api.test"""
    async with SlackSandbox().serving() as url:
        settings = Settings.from_environ({"SLACK_API_URL": f"{url}/api/"})
        async with open_session(settings, Metrics(), watch.saw_date) as http:
            watch.ask_slack = partial(http.post, f"{settings.slack_api_url}api.test")
            await watch.compare()

    assert watch.skew_ms is not None
