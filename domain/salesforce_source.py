"""Where job changes are read in a workspace's Salesforce org. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

ACTIVE = "active"
PAUSED = "paused"


@dataclass(frozen=True, kw_only=True)
class Source:
    """One row. Times in milliseconds; *definition* is decoded JSON."""

    id: int
    workspace_id: str
    name: str
    sobject: str
    definition: Mapping[str, Any] = field(repr=False)
    org_id: str | None
    state: str
    since: int
    mark: int
    due_at: int
    failures: int
    looked_at: int | None
    found: int
    refused: int
    refusal: str | None
    problem: str | None
    made_by: str
    made_at: int


@dataclass(frozen=True, kw_only=True)
class NewSource:
    """*since*: nothing that changed before is told."""

    workspace_id: str
    name: str
    sobject: str
    definition: Mapping[str, Any]
    org_id: str | None
    since: int
    made_by: str
    made_at: int


@dataclass(frozen=True)
class PreviewLine:
    """One record: *told* as it would be, in mrkdwn, or why it would be *refused*."""

    record_id: str
    told: str | None
    refused: str | None


@dataclass(frozen=True)
class Preview:
    """*count*: how many a back-fill of so many days would tell; None: none was asked for. *unreadable* says why."""

    lines: Sequence[PreviewLine]
    count: int | None
    unreadable: Mapping[str, str]
