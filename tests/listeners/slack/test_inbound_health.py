"""Recording when requests of Slack arrived."""

from __future__ import annotations

import pytest

from listeners.slack.requests import RECORDED_EVERY_MS, InboundRecorder
from store.database import Database
from store.slack import inbound_health
from store.slack.inbound_health import EVENT, GENUINE, InboundHealth
from tests.conftest import SOMEDAY


@pytest.mark.both_databases
async def test_each_kind_of_request_is_recorded_once_a_minute(database, clock):
    """Recording delays every request of Slack."""
    recorder = InboundRecorder(database, clock)
    await recorder.record(GENUINE)
    clock.now += RECORDED_EVERY_MS - 1
    await recorder.record(GENUINE)
    assert await database.run(inbound_health.read) == InboundHealth(genuine=SOMEDAY)

    clock.now += 1
    await recorder.record(GENUINE)
    await recorder.record(EVENT)
    assert await database.run(inbound_health.read) == InboundHealth(
        genuine=SOMEDAY + RECORDED_EVERY_MS, event=SOMEDAY + RECORDED_EVERY_MS
    )


async def test_without_the_database_slack_is_still_answered(clock, tmp_path):
    """The record is only for the doctor, which checks the database itself."""
    away = Database(f"sqlite:///{tmp_path}/no-such-folder/usergems.db")

    await InboundRecorder(away, clock).record(GENUINE)

    await away.close()
