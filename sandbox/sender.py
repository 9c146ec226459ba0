"""A system that knows of job changes and posts them, signed as https://www.standardwebhooks.com describes."""

import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp
from standardwebhooks import Webhook

Json = dict[str, Any]


@dataclass(frozen=True)
class Sender:
    """Sends to one workspace of the app at `app_url`; `secret` is its signing key, `whsec_…`."""

    http: aiohttp.ClientSession
    app_url: str
    workspace_id: str
    secret: str = field(repr=False)

    @classmethod
    @asynccontextmanager
    async def of(cls, app_url: str, workspace_id: str, secret: str) -> AsyncIterator["Sender"]:
        async with aiohttp.ClientSession() as http:
            yield cls(http, app_url, workspace_id, secret)

    async def post(self, job_change: Json) -> tuple[int, Json]:
        """The status, and the answer."""
        body = json.dumps(job_change)
        headers = self._signed(body) | {"Content-Type": "application/json"}
        async with self.http.post(self._url(), data=body.encode(), headers=headers) as response:
            return response.status, await response.json()

    async def ask(self, job_change_id: str) -> Json:
        """What became of one."""
        async with self.http.get(f"{self._url()}/{job_change_id}", headers=self._signed("")) as response:
            response.raise_for_status()
            answer: Json = await response.json()
            return answer

    def _url(self) -> str:
        return f"{self.app_url}/v1/workspaces/{self.workspace_id}/job-changes"

    def _signed(self, body: str) -> dict[str, str]:
        message_id, moment = f"msg_{uuid.uuid4().hex}", datetime.now(UTC)
        return {
            "webhook-id": message_id,
            "webhook-timestamp": str(int(moment.timestamp())),
            "webhook-signature": Webhook(self.secret).sign(message_id, moment, body),
        }
