"""Events for an outgoing webhook: queued with what happens, signed, and repeated until they are received."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.fernet import Fernet
from jsonschema import Draft202012Validator
from sqlalchemy import func, select
from standardwebhooks import Webhook

from domain.audit import AuditEntry
from domain.errors import PermanentError
from domain.job_change.model import TEST_SOURCE
from domain.workspace import SecretChange, WebhookEvent
from listeners.intake import openapi
from listeners.intake.api_view import State
from services.delivery.webhook_calls import WebhookCalls
from services.delivery.webhooks import OVERLAP_MS, Webhooks, WebhookSender
from services.messages.notices import Notices
from services.retry import LONGEST_WAIT_MS, PATIENCE_MS
from services.settings import DIRECT
from store import audit
from store.encryption import Cipher
from store.messages import actions
from store.operations import erasure, housekeeping
from store.operations.due_work import Queue, due_queues
from store.schema import deliveries, webhook_events
from tests.world import World

ALL = WebhookEvent(sum(WebhookEvent))
EVA = {"full_name": "Eva Lund", "emails": ["eva@soylent.example"]}
BEN = {"full_name": "Ben Roy", "emails": ["ben@soylent.example"]}


@dataclass
class Receiver:
    """A program that receives events, with the webhook that calls it. It answers with `status`."""

    world: World
    webhooks: Webhooks
    sender: WebhookSender
    url: str = ""
    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        self.requests.append((dict(request.headers), await request.read()))
        return web.Response(status=self.status, headers=self.headers)

    @property
    def events(self) -> list[dict]:
        return [json.loads(body) for _, body in self.requests]

    async def save(self, events: WebhookEvent = ALL, change: SecretChange = SecretChange.KEEP) -> str | None:
        return await self.webhooks.save(self.world.workspace_id, self.world.admin.id, self.url, events, change)

    async def signed_with(self, *secrets: str | None) -> list[bool]:
        """Post a test, and say whether the reference library accepts it with each of these secrets."""
        await self.webhooks.test(self.world.workspace_id)
        headers, body = self.requests[-1]
        signed_at = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
        signatures = headers["webhook-signature"].split(" ")
        made = [Webhook(secret or "").sign(headers["webhook-id"], signed_at, body.decode()) for secret in secrets]
        assert len(signatures) == len(set(signatures) & set(made))
        return [signature in signatures for signature in made]

    async def deliver(self, **changes) -> str:
        self.world.clock.now += 2_000  # the default channel gets a message a second
        return await self.world.deliver(**changes)

    async def act(self, act, job_change_id: str, *arguments) -> None:
        """Act on the only delivery of a job change."""

        def work(connection) -> None:
            of_job_change = select(deliveries.c.id).where(deliveries.c.job_change_id == job_change_id)
            delivery_id = connection.execute(of_job_change).scalar_one()
            delivery = actions.find(connection, self.world.workspace_id, delivery_id)
            act(connection, delivery, "U_DANA", *arguments, self.world.clock())

        await self.world.database.run(work)

    async def waiting(self) -> int:
        count = select(func.count()).select_from(webhook_events)
        return await self.world.database.run(lambda connection: connection.execute(count).scalar_one())


@pytest.fixture
async def receiver(world) -> AsyncIterator[Receiver]:
    await world.default_channel()
    cipher = Cipher.of([Fernet.generate_key().decode()])
    calls = WebhookCalls(DIRECT, ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), True, world.clock)
    webhooks = Webhooks(world.database, cipher, calls, world.clock)
    receiver = Receiver(world, webhooks, WebhookSender(world.database, cipher, calls, State.of, world.clock))
    app = web.Application()
    app.router.add_post("/events", receiver.handle)
    async with TestServer(app) as server:
        receiver.url = str(server.make_url("/events"))
        yield receiver


async def test_events_are_sent_signed_and_then_deleted(receiver):
    """The reference library makes the same signature. The state is the one that the API answers with."""
    secret = await receiver.save()
    job_change_id = await receiver.deliver()
    await receiver.act(actions.take, job_change_id)
    await receiver.act(actions.report, job_change_id, "not_moved", None)
    assert Queue.WEBHOOKS in await receiver.world.database.run(due_queues, receiver.world.clock())

    assert [await receiver.sender.send_due() for _ in range(2)] == [True, False]

    types = sorted(event["type"] for event in receiver.events)
    assert types == ["job_change.delivered", "job_change.taken", "job_change.wrong_data"]
    assert {event["data"]["job_change"]["id"] for event in receiver.events} == {job_change_id}
    assert {event["data"]["job_change"]["state"] for event in receiver.events} == {"delivered"}
    happened_at = datetime.fromtimestamp(receiver.world.clock() / 1_000, UTC)
    assert {datetime.fromisoformat(event["timestamp"]) for event in receiver.events} == {happened_at}
    headers, body = receiver.requests[0]
    signed_at = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
    assert headers["webhook-signature"] == Webhook(secret).sign(headers["webhook-id"], signed_at, body.decode())
    assert len({headers["webhook-id"] for headers, _ in receiver.requests}) == 3
    assert await receiver.waiting() == 0


async def test_nothing_is_queued_that_nobody_wants(receiver):
    """Without a webhook, for events that were not chosen, and for tests."""
    await receiver.deliver()
    await receiver.save(WebhookEvent.TAKEN)
    await receiver.deliver(person=EVA)
    await receiver.save()
    await receiver.deliver(person=BEN, source=TEST_SOURCE)

    assert await receiver.waiting() == 0


async def test_the_audit_log_says_who_set_and_who_removed_a_webhook(receiver):
    """Removing one that does not exist is no change."""
    world = receiver.world
    await receiver.save(WebhookEvent.TAKEN | WebhookEvent.DONE)
    world.clock.advance(seconds=60)
    removed = [await receiver.webhooks.remove(world.workspace_id, world.admin.id) for _ in range(2)]

    entries = await world.database.run(audit.recent, world.workspace_id)
    now = world.clock()
    assert removed == [True, False]
    assert [entry for entry in entries if "outgoing webhook" in entry.action] == [
        AuditEntry(now, world.admin.id, "removed the outgoing webhook", ""),
        AuditEntry(now - 60_000, world.admin.id, "set the outgoing webhook", "127.0.0.1: taken, done"),
    ]
    with pytest.raises(PermanentError):
        await receiver.webhooks.test(world.workspace_id)


async def test_an_event_is_repeated_under_its_id_until_it_is_received(receiver):
    """As late as the receiver asks. Meanwhile it is not called for other events either."""
    await receiver.save()
    job_change_id = await receiver.deliver()
    receiver.status, receiver.headers = 503, {"Retry-After": "120"}
    await receiver.sender.send_due()
    await receiver.act(actions.take, job_change_id)
    receiver.world.clock.now += 119_000
    assert not await receiver.sender.send_due()

    receiver.world.clock.now += 1_000
    receiver.status = 200
    await receiver.sender.send_due()

    ids = [headers["webhook-id"] for headers, _ in receiver.requests]
    assert (len(ids), len(set(ids)), ids.count(ids[0])) == (3, 2, 2)
    assert await receiver.waiting() == 0


async def gone(receiver: Receiver) -> None:
    receiver.status = 410
    await receiver.sender.send_due()


async def failing_for_three_days(receiver: Receiver) -> None:
    """An event that is older than that when it is sent first, because the app did not run, is repeated all the same."""
    receiver.status = 500
    receiver.world.clock.now += PATIENCE_MS + 1
    await receiver.sender.send_due()
    assert await receiver.waiting() == 1
    receiver.world.clock.now += LONGEST_WAIT_MS
    await receiver.sender.send_due()


@pytest.mark.parametrize(("end", "status"), [(gone, "410"), (failing_for_three_days, "500")])
async def test_a_webhook_is_switched_off_with_a_notice(receiver, end, status):
    """After 410, or three days of failures. Then nothing is queued. Saving it again switches it on."""
    world = receiver.world
    await receiver.save()
    await receiver.deliver()
    await end(receiver)
    await receiver.deliver(person=EVA)
    assert await receiver.waiting() == 0

    notices = Notices(world.database, world.worker.courier.slack, world.clock)
    while await notices.catch_up():
        pass

    (notice,) = world.direct_messages("Alma Admin")
    assert "The outgoing webhook is switched off" in notice.text
    assert status in notice.text
    assert await receiver.save() is None  # it keeps its secret
    await receiver.deliver(person=BEN)
    assert await receiver.waiting() == 1
    await end(receiver)
    while await notices.catch_up():
        pass
    assert len(world.direct_messages("Alma Admin")) == 2


async def test_a_rotated_secret_signs_beside_the_new_one_for_a_day(receiver):
    """So that a receiver can change it at any time. One that was stolen can be replaced at once."""
    clock, first = receiver.world.clock, await receiver.save()
    assert await receiver.signed_with(first) == [True]

    second = await receiver.save(change=SecretChange.ROTATE)
    assert await receiver.save() is None  # another change keeps both
    assert await receiver.signed_with(first, second) == [True, True]

    clock.advance(seconds=OVERLAP_MS / 1_000)
    assert await receiver.signed_with(first, second) == [False, True]
    await receiver.world.database.run(housekeeping.delete_stale, clock() + 1)
    assert (await receiver.webhooks.find(receiver.world.workspace_id)).old_secret is None

    third = await receiver.save(change=SecretChange.ROTATE)
    fourth = await receiver.save(change=SecretChange.REPLACE)
    assert await receiver.signed_with(second, third, fourth) == [False, False, True]


async def test_what_is_sent_is_described_in_openapi_json(receiver):
    """Programs can generate their models from it."""
    document = openapi.document()
    schema = document["webhooks"]["jobChangeEvent"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    await receiver.save()
    job_change_id = await receiver.deliver()
    await receiver.act(actions.finish, job_change_id, "done")
    while await receiver.sender.send_due():
        pass
    await receiver.webhooks.test(receiver.world.workspace_id)

    assert len(receiver.events) == 3
    for event in receiver.events:
        Draft202012Validator(schema | {"components": document["components"]}).validate(event)
    headers = {parameter["name"] for parameter in document["webhooks"]["jobChangeEvent"]["post"]["parameters"]}
    assert headers <= {name.lower() for name in receiver.requests[0][0]}


async def test_erasing_a_person_deletes_what_waits(receiver):
    """Rows hold no personal data anyway: the state is read when it is sent."""
    await receiver.save()
    job_change_id = await receiver.deliver()
    assert await receiver.waiting() == 1

    await receiver.world.database.run(erasure.erase, [job_change_id], receiver.world.clock())

    assert await receiver.waiting() == 0
