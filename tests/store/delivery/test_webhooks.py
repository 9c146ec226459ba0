"""The outbox of outgoing webhooks, on both databases."""

from __future__ import annotations

from dataclasses import replace

from domain.workspace import OutgoingWebhook, WebhookEvent
from store.delivery import posts, webhooks
from tests.conftest import SOMEDAY
from tests.store.sample_rows import LEASE_MS, add_routed, add_workspace, claim

WEBHOOK = OutgoingWebhook("T1", "url", "secret", "hooks.example.com", WebhookEvent.DELIVERED | WebhookEvent.FAILED)


async def claim_events(database, now=SOMEDAY):
    return await database.run(webhooks.claim, now, LEASE_MS, 10)


async def queue_event(database, workspace_id="T1"):
    """Queue an event of a workspace that has a webhook."""
    await database.run(add_workspace, workspace_id)
    await database.run(webhooks.save, replace(WEBHOOK, workspace_id=workspace_id, url=f"url of {workspace_id}"))
    ids = await database.run(add_routed, "U1", workspace_id=workspace_id)
    await database.run(webhooks.queue, WebhookEvent.FAILED, ids, SOMEDAY)


async def test_an_event_is_claimed_once_until_it_is_settled(database):
    """It is stored with what it reports. After a failure, the webhook is not called before its time."""
    await database.run(add_workspace)
    await database.run(webhooks.save, WEBHOOK)
    await database.run(add_routed, "U1")
    claims = await database.run(claim, SOMEDAY)
    await database.run(posts.settle, [posts.Sent(each, SOMEDAY, "D1", "1.1") for each in claims])

    (event,) = await database.run(webhooks.claim, SOMEDAY, LEASE_MS, 10)
    assert (event.event, event.at, event.webhook) == (WebhookEvent.DELIVERED, SOMEDAY, WEBHOOK)
    assert await database.run(webhooks.claim, SOMEDAY, LEASE_MS, 10) == []
    await database.run(webhooks.postpone, event, SOMEDAY + 5_000)
    assert await database.run(webhooks.claim, SOMEDAY + 4_999, LEASE_MS, 10) == []

    (again,) = await database.run(webhooks.claim, SOMEDAY + 5_000, LEASE_MS, 10)
    await database.run(webhooks.settle_sent, event)  # its lease was lost
    await database.run(webhooks.switch_off, again, "it answered 410 (Gone)", SOMEDAY)
    assert (again.id, again.webhook.failures) == (event.id, 1)
    stored = await database.run(webhooks.find, "T1")
    assert (stored.off_at, stored.off_because) == (SOMEDAY, "it answered 410 (Gone)")
    await database.run(webhooks.queue, WebhookEvent.FAILED, [again.job_change_id], SOMEDAY)
    assert await database.run(webhooks.claim, SOMEDAY + LEASE_MS * 2, LEASE_MS, 10) == []
    assert await database.run(webhooks.remove, "T1")


async def test_a_webhook_that_an_admin_changes_meanwhile_stays_on(database):
    """The receiver that wanted no more events was the earlier one. What waits goes to the new one."""
    await queue_event(database)
    (event,) = await claim_events(database)
    await database.run(webhooks.save, replace(WEBHOOK, url="another url"))

    await database.run(webhooks.switch_off, event, "it answered 410 (Gone)", SOMEDAY)

    assert (await database.run(webhooks.find, "T1")).off_at is None
    (again,) = await claim_events(database, SOMEDAY + LEASE_MS)
    assert (again.id, again.webhook.url) == (event.id, "another url")


async def test_the_webhooks_of_workspaces_fail_and_recover_independently(database):
    """One that answers ends no pause of another, and one that is gone switches no other off."""
    for workspace_id in ("T1", "T2", "T3"):
        await queue_event(database, workspace_id)
    for event in await claim_events(database):
        await database.run(webhooks.postpone, event, SOMEDAY + (5_000 if event.webhook.workspace_id == "T1" else 1_000))

    sent, gone = sorted(await claim_events(database, SOMEDAY + 1_000), key=lambda event: event.webhook.workspace_id)
    await database.run(webhooks.settle_sent, sent)
    await database.run(webhooks.switch_off, gone, "it answered 410 (Gone)", SOMEDAY)

    first, second, third = [await database.run(webhooks.find, workspace_id) for workspace_id in ("T1", "T2", "T3")]
    assert (first.failures, second.failures) == (1, 0)
    assert (first.off_at, second.off_at, third.off_at) == (None, None, SOMEDAY)
    assert await claim_events(database, SOMEDAY + 4_999) == []
    assert len(await claim_events(database, SOMEDAY + 5_000)) == 1
