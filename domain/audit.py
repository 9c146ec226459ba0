"""Changes that admins, the operator, Slack or the app made, as the audit log keeps them. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class AuditEntry:
    """One change. *actor* is a Slack user id, or one of those below; *at* in milliseconds."""

    at: int
    actor: str
    action: str
    detail: str


OPERATOR = "operator"
SLACK = "slack"
APP = "app"
"""Whoever is at the terminal; Slack, which told us; and we by ourselves."""
