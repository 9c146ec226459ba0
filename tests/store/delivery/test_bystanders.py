"""What is done for one job change changes no row of any other job change or workspace."""

from __future__ import annotations

from collections import Counter

import pytest
from sqlalchemy import Table, select

from domain.decision.reasons import legacy
from domain.delivery import NewDelivery
from domain.states import DEFAULT_CHANNEL, Role
from domain.workspace import OutgoingWebhook, WebhookEvent
from store.delivery import failed, pauses, redraws, reminders, webhooks
from store.delivery.deliveries import deliver_again
from store.delivery.posts import settle
from store.delivery.reminders import HOUR_MS
from store.delivery.settlements import Failed, Moved, Postponed, Sent
from store.schema import deliveries, earlier_posts, job_changes, lanes, posts
from store.schema import pauses as pause_rows
from store.schema import redraws as redraw_rows
from store.schema import reminders as reminder_rows
from store.schema import webhooks as webhook_rows
from store.slack import workspaces
from tests.conftest import SOMEDAY
from tests.store.sample_rows import LEASE_MS, add_routed, add_workspace, claim

TABLES = (
    deliveries,
    earlier_posts,
    job_changes,
    lanes,
    pause_rows,
    posts,
    redraw_rows,
    reminder_rows,
    webhook_rows,
)
SUBJECT = "slack:chat.postMessage"


def rows(connection) -> dict[str, Counter[str]]:
    """The rows of each table, but for the lane of T1's default channel, which all its job changes share."""

    def is_shared(table: Table, row) -> bool:
        return table is lanes and (row.workspace_id, row.destination) == ("T1", DEFAULT_CHANNEL)

    return {
        table.name: Counter(repr(tuple(row)) for row in connection.execute(select(table)) if not is_shared(table, row))
        for table in TABLES
    }


async def send_all(database, now=SOMEDAY):
    for claimed in await database.run(claim, now):
        ts = f"{now}.{claimed.lane_id}"
        await database.run(settle, [Sent(claimed, now, f"C{claimed.lane_id}", ts)])


async def populate(database, workspace_id, reader):
    """A delivered job change that is marked to be redrawn, one that was delivered twice, and one that failed."""
    delivered, twice = await database.run(add_routed, reader, reader, workspace_id=workspace_id)
    for job_change_id in (delivered, twice):
        extra = {"workspace_id": workspace_id, "role": Role.COPY, "job_change_id": job_change_id}
        await database.run(lambda connection, extra=extra: add_routed(connection, DEFAULT_CHANNEL, **extra))
    await send_all(database)
    again = NewDelivery(twice, reader, Role.DRI, legacy("Reassigned to you."))
    await database.run(deliver_again, workspace_id, again, SOMEDAY + 2_000)
    await send_all(database, SOMEDAY + 2_000)
    await database.run(redraws.mark, delivered, SOMEDAY + 3_000)
    (refused,) = await database.run(add_routed, reader, workspace_id=workspace_id, now=SOMEDAY + 4_000)
    (claimed,) = await database.run(claim, SOMEDAY + 4_000)
    await database.run(settle, [Failed(claimed, SOMEDAY + 4_000, "Slack refused it")])
    return delivered, twice, refused


async def add_neighbours(database, workspace_id, reminder_hours):
    await database.run(add_workspace, workspace_id)
    await database.run(workspaces.change, workspace_id, None, reminder_hours=reminder_hours)
    await populate(database, workspace_id, "U_OMAR")
    for subject in (SUBJECT, "salesforce"):
        await database.run(pauses.pause, workspace_id, subject, SOMEDAY + 9 * HOUR_MS, SOMEDAY, "it is down")


@pytest.fixture
async def before(database):
    """The rows of another workspace, and of other job changes of the same one."""
    await add_neighbours(database, "T2", reminder_hours=40)
    await database.run(webhooks.save, OutgoingWebhook("T2", "url", "secret", "hooks.example", WebhookEvent.FAILED))
    await add_neighbours(database, "T1", reminder_hours=40)
    await database.run(workspaces.change, "T1", None, reminder_hours=4)
    await database.run(pauses.clear, "T1", "slack")
    return await database.run(rows)


async def assert_unchanged(database, before):
    after = await database.run(rows)
    assert {name: list((before[name] - after[name]).keys()) for name in before} == {name: [] for name in before}


async def test_redraws_and_retries_change_nothing_else(database, before):
    """Marking, claiming and finishing a redraw, delivering again, and retrying what failed."""
    delivered, twice, refused = await populate(database, "T1", "U_DANA")
    now = SOMEDAY + 10_000

    claimed = await database.run(redraws.claim, now, LEASE_MS, 99, delivered)
    await database.run(redraws.mark, delivered, now)
    for redraw in claimed:
        await database.run(redraws.finish, redraw, now)
    await database.run(redraws.mark, twice, now)
    await database.run(deliver_again, "T1", NewDelivery(twice, "U_DANA", Role.DRI, legacy("Yours again.")), now)
    await database.run(failed.retry, [refused], now)

    assert len(claimed) == 2
    await assert_unchanged(database, before)


async def test_settlements_change_nothing_else(database, before):
    """Of a message that is sent later, and of one that goes to the default channel, which has a copy already."""
    await populate(database, "T1", "U_DANA")
    now = SOMEDAY + 10_000
    (moved,) = await database.run(add_routed, "U_GONE", now=now)
    await database.run(lambda c: add_routed(c, DEFAULT_CHANNEL, role=Role.COPY, job_change_id=moved, now=now))

    claims = {claimed.destination: claimed for claimed in await database.run(claim, now)}
    await database.run(settle, [Postponed(claims[DEFAULT_CHANNEL], now, now + 2_000, "it is down")])
    await database.run(settle, [Moved(claims["U_GONE"], now, legacy("U_GONE left."), "left")])
    await send_all(database, now + 2_000)

    await assert_unchanged(database, before)


async def test_reminders_change_nothing_else(database, before):
    """Claimed, begun, postponed and sent."""
    await populate(database, "T1", "U_DANA")
    due = SOMEDAY + 4 * HOUR_MS + 10_000

    claimed = await database.run(reminders.claim, due, LEASE_MS, 99)
    begun = await database.run(reminders.begin, claimed, due, LEASE_MS, "post", "1.1")
    await database.run(reminders.postpone, begun, due + 1_000, failed=True)
    again = await database.run(reminders.claim, due + 1_000, LEASE_MS, 99)
    await database.run(reminders.finish, again)

    assert len(begun) == len(again) == 2
    await assert_unchanged(database, before)


async def test_pauses_and_webhooks_of_a_workspace_change_nothing_of_others(database, before):
    """Pausing, failing, recovering and clearing; saving and removing the webhook."""
    await database.run(pauses.pause, "T1", SUBJECT, SOMEDAY + 60_000, SOMEDAY, "it asked for it")
    await database.run(pauses.record_failure, "T1", SUBJECT, SOMEDAY, "it is down")
    await database.run(pauses.record_success, "T1", SUBJECT)
    await database.run(pauses.end, "T1", SUBJECT, SOMEDAY + 1)
    await database.run(pauses.clear, "T1", "slack")
    await database.run(webhooks.save, OutgoingWebhook("T1", "url", "secret", "hooks.example", WebhookEvent.FAILED))
    await database.run(webhooks.remove, "T1")

    await assert_unchanged(database, before)
