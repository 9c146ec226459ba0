"""The outbox of outgoing webhooks, on both databases."""

from __future__ import annotations

from dataclasses import replace

from domain.decision.record import Decision
from domain.states import Outcome
from domain.workspace import OutgoingWebhook, WebhookEvent
from store.delivery import posts, routing, webhooks
from tests.conftest import SOMEDAY
from tests.store.sample_rows import LEASE_MS, add_job_change, add_routed, add_workspace, claim

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


async def test_a_webhook_that_works_again_waits_for_nothing(database):
    """Whether it answered, or an admin has set it again. Each failure pauses it for all of its events."""
    await queue_event(database)
    ids = await database.run(add_routed, "U2", "U3", "U4")
    await database.run(webhooks.queue, WebhookEvent.FAILED, ids[:1], SOMEDAY)
    for event in await claim_events(database):
        await database.run(webhooks.postpone, event, SOMEDAY + 1_000)
    failed, answered = await claim_events(database, SOMEDAY + 1_000)
    await database.run(webhooks.postpone, failed, SOMEDAY + 9_000)
    await database.run(webhooks.queue, WebhookEvent.FAILED, ids[1:2], SOMEDAY)
    assert await claim_events(database, SOMEDAY + 1_000) == []

    await database.run(webhooks.settle_sent, answered)
    (event,) = await claim_events(database, SOMEDAY + 1_000)
    assert (event.job_change_id, event.webhook.failures) == (ids[1], 0)

    await database.run(webhooks.postpone, event, SOMEDAY + 9_000)
    await database.run(webhooks.save, replace(WEBHOOK, url="another url"))
    await database.run(webhooks.queue, WebhookEvent.FAILED, ids[2:], SOMEDAY)
    (event,) = await claim_events(database, SOMEDAY + 1_000)
    assert (event.job_change_id, event.webhook.url, event.webhook.failures) == (ids[2], "another url", 0)


async def test_what_fails_while_it_is_routed_is_an_event_of_that_time(database):
    """Whether it cannot be read, or a bug has stopped it too often."""
    await database.run(add_workspace)
    await database.run(webhooks.save, WEBHOOK)
    unreadable = await database.run(add_job_change)
    batch = await database.run(routing.claim, SOMEDAY + 1, LEASE_MS)
    routed = routing.Routed(unreadable, Decision(), (), outcome=Outcome.FAILED, reason="it cannot be read")
    await database.run(routing.settle, batch, [routed], [], SOMEDAY + 2)
    buggy = await database.run(add_job_change)
    batch = await database.run(routing.claim, SOMEDAY + 3, LEASE_MS)
    await database.run(routing.give_up, batch, "ValueError while routing", SOMEDAY + 4, SOMEDAY + 5, 1)

    events = await claim_events(database, SOMEDAY + 9)

    assert [(event.job_change_id, event.event, event.at) for event in events] == [
        (unreadable, WebhookEvent.FAILED, SOMEDAY + 2),
        (buggy, WebhookEvent.FAILED, SOMEDAY + 4),
    ]
