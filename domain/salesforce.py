"""A workspace's connection to its Salesforce org, and where job changes are read in it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from domain.day_counts import DAY_MS
from domain.job_change.model import JobChange


@dataclass(frozen=True, kw_only=True)
class ConnectionStatus:
    """How a workspace is connected, without its secrets. Times are in milliseconds."""

    workspace_id: str
    flow: str  # CLIENT_CREDENTIALS | WEB_SERVER
    login_url: str
    connected_at: int
    instance_url: str | None = None
    client_id: str | None = None  # None: the operator's
    org_id: str | None = None
    org_name: str | None = None
    org_edition: str | None = None
    is_sandbox: bool | None = None
    user_id: str | None = None
    user_name: str | None = None
    unreadable: str | None = None  # fields that the user may not read; routing continues without them
    problem: str | None = None
    connected_by: str | None = None  # a Slack user id; None: the operator
    renewed_at: int | None = None  # when the session was renewed, or when renewing it began
    last_success_at: int | None = None
    api_used: int | None = None  # by everybody, in 24 hours
    api_limit: int | None = None
    our_calls: int = 0  # on the day of `our_calls_day`
    our_calls_day: int = 0  # days since the epoch, UTC

    def our_calls_on(self, now: int) -> int:
        """How many API calls we made on the day of `now`, in UTC."""
        return self.our_calls if self.our_calls_day == now // DAY_MS else 0

    @property
    def has_worked(self) -> bool:
        """Whether it has ever worked, or no problem is known, as before the first use."""
        return self.problem is None or self.last_success_at is not None

    @property
    def uses_operator_app(self) -> bool:
        """Whether it uses the credentials from the operator's environment rather than those of the workspace."""
        return self.flow == CLIENT_CREDENTIALS and self.client_id is None


@dataclass(frozen=True)
class CallsMade:
    """API calls that the app made. `usage` is the org's calls used and allowed in 24 hours, or None if unknown."""

    count: int
    usage: tuple[int, int] | None = None


@dataclass(frozen=True, kw_only=True)
class SalesforceTokens:
    """Salesforce's answer to a token request. `refresh_token` None means that the one we have stays valid."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    instance_url: str
    org_id: str | None
    user_id: str | None


CLIENT_CREDENTIALS = "client_credentials"
WEB_SERVER = "web_server"


@dataclass(frozen=True, kw_only=True)
class SalesforceConnection(ConnectionStatus):
    """A connection with its decrypted secrets."""

    access_token: str | None = field(default=None, repr=False)  # None: none yet, or being renewed
    refresh_token: str | None = field(default=None, repr=False)
    client_secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class SalesforceApp:
    """Consumer key and secret. `set_by` is a Slack user id; `set_at` is in milliseconds."""

    client_id: str
    client_secret: str = field(repr=False)
    set_by: str
    set_at: int


FIRST_MATCH = "first match"
"""In place of a date field: a record counts from when it is first seen to match. Records that match already do not."""

ACTIVE = "active"
PAUSED = "paused"


@dataclass(frozen=True, kw_only=True)
class Source:
    """A source of job changes. Times are in milliseconds; `definition` is decoded JSON."""

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
    """A source to store. Records that changed before `since` are ignored."""

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
    """One record: the job change it would become, or why it would be refused."""

    record_id: str
    job_change: JobChange | None
    refusal: str | None


@dataclass(frozen=True)
class Preview:
    """`count` is how many records a back-fill would deliver, None without one. `unreadable` has the reason by field."""

    lines: Sequence[PreviewLine]
    count: int | None
    unreadable: Mapping[str, str]
