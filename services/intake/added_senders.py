"""The senders of a workspace for its admins: their keys and figures, and the payloads that were refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection

from domain.workspace import ListedKey
from services.intake.intake import Intake, Received
from services.intake.keys import valid_keys
from services.intake.senders import registry
from services.intake.senders.sender import Sender
from store.database import Database
from store.intake import mappings, refused_payloads, senders
from store.intake.senders import AddedSender
from store.slack import workspaces

MOST_REFUSED = 10
"""Refused payloads that are listed, the latest first."""

LONGEST_SHOWN = 600
"""Characters of a masked payload."""


@dataclass(frozen=True)
class ListedSender:
    """A sender that was added, with its adapter and its valid keys."""

    figures: AddedSender
    adapter: Sender
    keys: Sequence[ListedKey]
    has_mapping: bool

    @property
    def name(self) -> str:
        return self.figures.name


@dataclass(frozen=True)
class MaskedPayload:
    """A refused payload in which values are shortened to their first letters. `received_at` is in milliseconds."""

    id: int
    received_at: int
    reason: str
    text: str


@dataclass(frozen=True)
class AddedSenders:
    """The caller checks permissions."""

    database: Database
    intake: Intake
    public_url: str
    now: Callable[[], int]

    def url(self, workspace_id: str, name: str) -> str:
        """Where a sender posts."""
        return f"{self.public_url}/v1/workspaces/{workspace_id}/job-changes?source={quote(name)}"

    async def all_of(self, workspace_id: str) -> list[ListedSender]:
        return await self.database.run(_listed, workspace_id, self.now())

    async def merges(self, workspace_id: str) -> bool:
        """Whether several reports of one move are one job change."""
        workspace = await self.database.run(workspaces.find, workspace_id)
        return workspace is None or workspace.merge_reports

    async def refused(self, workspace_id: str, name: str) -> list[MaskedPayload]:
        """Return the latest refused payloads of a sender, masked."""
        payloads = await self.database.run(refused_payloads.of_sender, workspace_id, name, MOST_REFUSED)
        return [
            MaskedPayload(
                payload.id,
                payload.received_at,
                payload.reason,
                json.dumps(masked(json.loads(payload.payload)), ensure_ascii=False)[:LONGEST_SHOWN],
            )
            for payload in payloads
        ]

    async def send_again(self, workspace_id: str, payload_id: int) -> Received | None:
        """
        Receive a refused payload once more, with the mapping of today. None: it is no longer kept.

        What is refused again is kept as a new one, so the old one is removed in any case.
        """
        payload = await self.database.run(refused_payloads.find, workspace_id, payload_id)
        if payload is None:
            return None
        received = await self.intake.receive(workspace_id, json.loads(payload.payload), payload.sender)
        await self.database.run(refused_payloads.remove, workspace_id, payload_id)
        return received


def _listed(connection: Connection, workspace_id: str, now: int) -> list[ListedSender]:
    keys, own = valid_keys(connection, workspace_id, now), mappings.all_of(connection, workspace_id)
    return [
        ListedSender(
            figures,
            registry.find(figures.name),
            [key for key in keys if key.sender == figures.name],
            figures.name in own,
        )
        for figures in senders.all_of(connection, workspace_id)
    ]


def masked(value: Any) -> Any:
    """Return decoded JSON with its names and its structure, in which texts are shortened and numbers hidden."""
    if isinstance(value, dict):
        return {name[:100]: masked(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [masked(inner) for inner in value]
    if isinstance(value, str):
        return value[:2] + "…" if value else value
    return value if value is None or isinstance(value, bool) else 0
