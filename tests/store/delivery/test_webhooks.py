"""The outbox of outgoing webhooks, on both databases."""

from __future__ import annotations

from domain.workspace import OutgoingWebhook, WebhookEvent
from store.delivery import posts, webhooks
from tests.conftest import SOMEDAY
from tests.store.sample_rows import LEASE_MS, add_routed, add_workspace, claim

WEBHOOK = OutgoingWebhook("T1", "url", "secret", "hooks.example.com", WebhookEvent.DELIVERED | WebhookEvent.FAILED)


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
