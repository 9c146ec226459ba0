"""What is remembered of Slack's requests, and how seldom."""

from __future__ import annotations

import pytest

from services.slack.inbound_health import EVERY_MS, InboundRecorder
from store.database import Database
from store.slack import inbound_health
from store.slack.inbound_health import EVENT, GENUINE, InboundHealth
from tests.conftest import SOMEDAY


@pytest.mark.both_databases
async def test_a_sign_is_stored_once_a_minute(database, clock):
    """It stands in the way of every request."""
    recorder = InboundRecorder(database, clock)
    await recorder.record(GENUINE)
    clock.now += EVERY_MS - 1
    await recorder.record(GENUINE)
    assert await database.run(inbound_health.read) == InboundHealth(genuine=SOMEDAY)

    clock.now += 1
    await recorder.record(GENUINE)
    await recorder.record(EVENT)
    assert await database.run(inbound_health.read) == InboundHealth(
        genuine=SOMEDAY + EVERY_MS, event=SOMEDAY + EVERY_MS
    )


async def test_without_the_database_slack_is_answered_all_the_same(clock, tmp_path):
    """It is only for the doctor, who tells of the database by himself."""
    away = Database(f"sqlite:///{tmp_path}/no-such-folder/usergems.db")

    await InboundRecorder(away, clock).record(GENUINE)

    await away.close()
