"""From the first failed call on, everything that shows health says that a vendor fails, in the same words."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet

from domain.errors import Outage, Vendor, by_vendor
from domain.notification_hours import utc_text
from listeners.cli.status import status_lines_of
from listeners.status.status_view import status_lines
from services.clock import SteadyClock
from services.home.status import Status
from services.operations.clock_watch import ClockWatch
from services.operations.database_watch import DatabaseWatch
from services.operations.readiness import Readiness
from store.delivery.pauses import outages
from store.encryption import Cipher
from store.operations import health_figures


@pytest.fixture
async def readiness(world) -> Readiness:
    watch = DatabaseWatch(world.database, Cipher.of([Fernet.generate_key().decode()]), world.clock)
    return Readiness(world.database, watch, ClockWatch(SteadyClock(), world.database))


async def test_salesforce_fails_from_the_first_failed_batch_until_the_next_success(world, readiness):
    """Slack, the terminal, readiness and metrics say since when, with what, and what waits."""
    await world.default_channel()
    owner = world.add_owner("Dana Reyes")
    world.salesforce.add("Contact", LastName="Smith", Email="ada@initech.example", OwnerId=owner)
    world.salesforce.faults.add("composite", status=503, times=None)
    began = world.clock()
    await world.deliver()

    (outage,) = await world.database.run(outages, world.workspace_id)
    assert (outage.vendor, outage.since, outage.waiting) == (Vendor.SALESFORCE, began, 1)
    assert "503" in outage.error
    text = f"{outage.text(utc_text)}."
    assert text.endswith("They are retried. 1 job change waits for Salesforce.")
    status = await Status(world.database, world.clock).of(world.workspace_id)
    assert text in "\n".join(status_lines_of(status))
    assert f"({outage.error}). They are retried" in "\n".join(status_lines(status, is_admin=True))
    assert outage.error not in "\n".join(status_lines(status, is_admin=False))
    assert not any("Connected" in line.text for line in status.salesforce)
    assert (await readiness.check()).warnings == (text.removesuffix("."),)
    figures = await world.database.run(health_figures.collect, world.clock())
    assert figures.failing == {Vendor.SLACK: 0, Vendor.SALESFORCE: 1}

    world.salesforce.faults.clear()
    world.clock.advance(seconds=60)
    await world.worker.drain()
    assert await world.database.run(outages) == ()
    assert (await readiness.check()).warnings == ()


async def test_slack_fails_from_the_first_failed_message_on(world):
    """What waits is what was routed and not sent."""
    await world.default_channel()
    world.slack.faults.add("chat.postMessage", status=503, times=None)
    began = world.clock()
    await world.deliver()

    (outage,) = await world.database.run(outages)
    assert (outage.vendor, outage.since, outage.waiting) == (Vendor.SLACK, began, 1)


def test_the_outages_of_all_workspaces_are_one_for_each_vendor():
    """Since the first of them, with everything that waits."""
    late, early = (Outage(f"T{since}", Vendor.SLACK, since, f"HTTP 50{since}", since) for since in (3, 2))

    assert by_vendor([late, early]) == [Outage("T2", Vendor.SLACK, 2, "HTTP 502", 5)]
