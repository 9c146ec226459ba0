"""What is remembered of Slack's requests, and how seldom."""

from __future__ import annotations

import pytest

from services.slack.inbound_health import EVERY_MS, SlackSigns
from store.database import Database
from store.slack import inbound_health
from store.slack.inbound_health import EVENT, GENUINE, Signs
from tests.conftest import SOMEDAY


@pytest.mark.both_databases
async def test_a_sign_is_stored_once_a_minute(database, clock):
    """It stands in the way of every request."""
    signs = SlackSigns(database, clock)
    await signs.note(GENUINE)
    clock.now += EVERY_MS - 1
    await signs.note(GENUINE)
    assert await database.run(inbound_health.signs) == Signs(genuine=SOMEDAY)

    clock.now += 1
    await signs.note(GENUINE)
    await signs.note(EVENT)
    assert await database.run(inbound_health.signs) == Signs(genuine=SOMEDAY + EVERY_MS, event=SOMEDAY + EVERY_MS)


async def test_without_the_database_slack_is_answered_all_the_same(clock, tmp_path):
    """It is only for the doctor, who tells of the database by himself."""
    away = Database(f"sqlite:///{tmp_path}/no-such-folder/usergems.db")

    await SlackSigns(away, clock).note(GENUINE)

    await away.close()
