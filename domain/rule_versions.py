"""Versions of a workspace's ownership rules: published, drafted, and as an admin saw them. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class PublishedRules:
    """A published rule set. `rules` is JSON; `published_by` is a Slack user id or audit.OPERATOR."""

    version: int
    rules: str = field(repr=False)
    published_at: int
    published_by: str
    note: str


@dataclass(frozen=True)
class DraftRules:
    """A draft. `revision` grows with each change; `based_on` is the version it started from."""

    revision: int
    based_on: int
    rules: str = field(repr=False)
    changed_at: int
    changed_by: str


@dataclass(frozen=True)
class SeenVersion:
    """
    Which version an admin saw. `revision` and `changed_at` are 0 when there was no draft.

    A change is refused when the rules have changed since, so that nobody overwrites what they have not seen.
    """

    version: int
    revision: int = 0
    changed_at: int = 0


@dataclass(frozen=True)
class PoolAssignment:
    """An account that a member of a pool keeps."""

    pool: str
    account: str
    member: str


ACTION = "ownership"
"""The prefix of audit actions about ownership."""
