"""A source that posts job changes to the app, signed as https://www.standardwebhooks.com describes."""

import hmac
import json
import time
import uuid
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from yarl import URL

Json = dict[str, Any]


@dataclass(frozen=True)
class Sender:
    """Posts to one workspace of the app at `app_url`. `secret` is its signing key, `whsec_…`."""

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
        """Return the HTTP status and the JSON of the response."""
        body = json.dumps(job_change)
        headers = self._signature_headers(body) | {"Content-Type": "application/json"}
        async with self.http.post(self._url(), data=body.encode(), headers=headers) as response:
            return response.status, await response.json()

    async def fetch(self, job_change_id: str) -> Json:
        """Return a job change with its outcome, decision and deliveries."""
        url = URL(f"{self._url()}/{job_change_id}")
        async with self.http.get(url, headers=self._signature_headers(url.raw_path_qs)) as response:
            response.raise_for_status()
            job_change: Json = await response.json()
            return job_change

    def _url(self) -> str:
        return f"{self.app_url}/v1/workspaces/{self.workspace_id}/job-changes"

    def _signature_headers(self, body: str) -> dict[str, str]:
        message_id, timestamp = f"msg_{uuid.uuid4().hex}", str(int(time.time()))
        secret, signed = b64decode(self.secret.removeprefix("whsec_")), f"{message_id}.{timestamp}.{body}"
        signature = hmac.digest(secret, signed.encode(), "sha256")
        return {
            "webhook-id": message_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": f"v1,{b64encode(signature).decode()}",
        }
