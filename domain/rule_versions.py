"""Versions of a workspace's ownership rules: published, drafted, and as somebody saw them. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class PublishedRules:
    """A rule set that is or was in force. *rules* as JSON; *published_by* a Slack user id or audit.OPERATOR."""

    version: int
    rules: str = field(repr=False)
    published_at: int
    published_by: str
    note: str


@dataclass(frozen=True)
class DraftRules:
    """What is being changed. *revision* grows with each change; *based_on*: the version it started from."""

    revision: int
    based_on: int
    rules: str = field(repr=False)
    changed_at: int
    changed_by: str


@dataclass(frozen=True)
class SeenVersion:
    """
    How the rules stood when somebody saw them. *revision* and *changed_at* 0: there was no draft.

    Nobody overwrites what they have not seen: neither a draft, nor the version that theirs would start from.
    """

    version: int
    revision: int = 0
    changed_at: int = 0


@dataclass(frozen=True)
class PoolAssignment:
    """A member of a pool has this account."""

    pool: str
    account: str
    member: str


ACTION = "ownership"
"""What the actions of the history begin with."""
