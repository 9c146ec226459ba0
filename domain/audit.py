"""Entries of the audit log: what an admin, the operator, Slack or the app changed. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class AuditEntry:
    """One change. `actor` is a Slack user id or one of the constants below; `at` is in milliseconds."""

    at: int
    actor: str
    action: str
    detail: str


OPERATOR = "operator"
SLACK = "slack"
APP = "app"
"""Actors that are not Slack users: the operator at the terminal, Slack by an event, and the app itself."""
