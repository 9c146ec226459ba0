"""The outgoing webhook of a workspace: what admins set, and how its events are sent."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from random import random
from urllib.parse import urlsplit
from uuid import uuid4

from pydantic import BaseModel
from sqlalchemy import Connection

from domain.audit import AuditEntry
from domain.delivery import JobChangeRecord
from domain.errors import PermanentError, TransientError
from domain.messages.notices import WEBHOOK_OFF
from domain.workspace import OutgoingWebhook, SecretChange, WebhookEvent
from services.delivery.webhook_calls import GoneError, WebhookCalls
from services.intake.signatures import text_of
from services.retry import is_hopeless, wait_ms
from store import audit
from store.database import Database
from store.delivery import webhooks
from store.delivery.webhooks import ClaimedEvent
from store.encryption import Cipher
from store.intake import job_changes
from store.slack import workspaces

log = logging.getLogger(__name__)

LEASE_MS = 30_000
"""Longer than a call."""

OVERLAP_MS = 24 * 60 * 60 * 1_000
"""For how long the current secret also signs after it was rotated."""

MOST_AT_ONCE = 16
TEST_TYPE = "webhook.test"


@dataclass(frozen=True)
class Webhooks:
    """The settings. The caller checks permissions; `actor` is a Slack user id."""

    database: Database
    cipher: Cipher
    calls: WebhookCalls
    now: Callable[[], int]

    async def find(self, workspace_id: str) -> OutgoingWebhook | None:
        return await self.database.run(webhooks.find, workspace_id)

    def url_of(self, webhook: OutgoingWebhook) -> str:
        return self.cipher.decrypt(webhook.url)

    async def save(
        self,
        workspace_id: str,
        actor: str,
        url: str,
        events: WebhookEvent,
        change: SecretChange = SecretChange.KEEP,
    ) -> str | None:
        """
        Store a URL without a `url_fault`, and switch the webhook on.

        Return the secret if one was made: for the first URL, and if asked for. It can be shown only once.
        """
        existing, now = await self.find(workspace_id), self.now()
        secret = text_of(secrets.token_bytes(32)) if existing is None or change is not SecretChange.KEEP else None
        current = self.cipher.encrypt(secret) if secret else existing.secret if existing else ""
        old: tuple[str | None, int | None] = (None, None)
        if existing and change is SecretChange.ROTATE:
            old = (existing.secret, now + OVERLAP_MS)
        elif existing and change is SecretChange.KEEP:
            old = (existing.old_secret, existing.old_secret_until)
        webhook = OutgoingWebhook(
            workspace_id,
            self.cipher.encrypt(url),
            current,
            urlsplit(url).hostname or "",
            events,
            old_secret=old[0],
            old_secret_until=old[1],
        )
        await self.database.run(_save, webhook, actor, now)
        return secret

    async def remove(self, workspace_id: str, actor: str) -> bool:
        """Return False if there was none."""
        return await self.database.run(_remove, workspace_id, actor, self.now())

    async def test(self, workspace_id: str) -> int:
        """Post a test and return the status. Raises PermanentError and TransientError."""
        webhook = await self.find(workspace_id)
        if webhook is None:
            raise PermanentError("there is no outgoing webhook")
        body = _body(TEST_TYPE, self.now(), {"workspace_id": workspace_id})
        keys = [self.cipher.decrypt(secret) for secret in webhook.secrets(self.now())]
        return await self.calls.post(self.url_of(webhook), keys, f"test_{uuid4()}", body)


@dataclass(frozen=True)
class WebhookSender:
    """
    Sends what waits, at least once and in no order.

    `shown` is a job change as receivers see it. It is read when it is sent, so that nothing that was erased is sent.
    """

    database: Database
    cipher: Cipher
    calls: WebhookCalls
    shown: Callable[[JobChangeRecord], BaseModel]
    now: Callable[[], int]

    async def send_due(self) -> bool:
        """Send some events that are due. False if none was."""
        claimed = await self.database.run(webhooks.claim, self.now(), LEASE_MS, MOST_AT_ONCE)
        await asyncio.gather(*map(self._send, claimed))
        return bool(claimed)

    async def _send(self, event: ClaimedEvent) -> None:
        workspace_id = event.webhook.workspace_id
        job_change = await self.database.read(job_changes.find, workspace_id, event.job_change_id)
        if job_change is None:
            await self.database.run(webhooks.settle_sent, event)
            return
        shown = self.shown(job_change).model_dump(mode="json")
        body = _body(event.event.type, event.at, {"workspace_id": workspace_id, "job_change": shown})
        keys = [self.cipher.decrypt(secret) for secret in event.webhook.secrets(self.now())]
        try:
            await self.calls.post(self.cipher.decrypt(event.webhook.url), keys, event.id, body)
        except GoneError as error:
            await self._switch_off(event, str(error))
        except TransientError as error:
            await self._postpone(event, error)
        else:
            await self.database.run(webhooks.settle_sent, event)

    async def _postpone(self, event: ClaimedEvent, error: TransientError) -> None:
        if event.webhook.failures and is_hopeless(event.at, self.now()):
            await self._switch_off(event, f"{error}, for three days")
            return
        log.info("the outgoing webhook of workspace %s will be retried: %s", event.webhook.workspace_id, error)
        due_at = self.now() + wait_ms(error, event.webhook.failures + 1, random())  # noqa: S311
        await self.database.run(webhooks.postpone, event, due_at)

    async def _switch_off(self, event: ClaimedEvent, because: str) -> None:
        """The problem is one of those that services/messages/notices.py reports to the admins."""
        log.warning("the outgoing webhook of workspace %s is switched off: %s", event.webhook.workspace_id, because)
        await self.database.run(webhooks.switch_off, event, because, self.now())


def _body(kind: str, at: int, data: dict[str, object]) -> bytes:
    """The form of https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md"""
    timestamp = datetime.fromtimestamp(at / 1_000, UTC).isoformat(timespec="milliseconds")
    return json.dumps({"type": kind, "timestamp": timestamp, "data": data}).encode()


def _save(connection: Connection, webhook: OutgoingWebhook, actor: str, now: int) -> None:
    webhooks.save(connection, webhook)
    workspaces.clear_notice(connection, webhook.workspace_id, WEBHOOK_OFF)
    names = ", ".join((event.name or "").lower() for event in webhook.events)
    audit.record(
        connection,
        webhook.workspace_id,
        AuditEntry(now, actor, "set the outgoing webhook", f"{webhook.host}: {names}"),
    )


def _remove(connection: Connection, workspace_id: str, actor: str, now: int) -> bool:
    removed = webhooks.remove(connection, workspace_id)
    if removed:
        audit.record(connection, workspace_id, AuditEntry(now, actor, "removed the outgoing webhook", ""))
    return removed
