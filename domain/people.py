"""People: members of a Slack workspace, owners in Salesforce, and how the two are matched. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

NOT_IN_SLACK = "not_in_slack"
DEACTIVATED = "deactivated"
BOT = "bot"
GUEST = "guest"
STRANGER = "stranger"
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Member:
    """
    Who an e-mail address is in Slack.

    *problem*: why nobody can be told there; None: they can. UNKNOWN is never stored: it could not be learnt now, and
    *retry_after* seconds is when to ask again (None: soon).
    """

    user_id: str | None
    problem: str | None = None
    retry_after: float | None = None


@dataclass(frozen=True)
class Absence:
    """Out of office; *until* None: until they say so, *delegate* None: nobody takes their place."""

    since: int
    until: int | None = None
    delegate: str | None = None


@dataclass(frozen=True)
class UnmatchedOwner:
    """An owner without a Slack user. *waiting*: job changes that the default channel got in their place, for replay."""

    owner: str
    name: str = field(repr=False)
    problem: str
    waiting: int
    last_seen_at: int


@dataclass(frozen=True)
class OwnerLink:
    """An owner and the Slack user they are, set by hand."""

    owner: str
    user_id: str
    linked_at: int
    linked_by: str


@dataclass(frozen=True)
class OwnerMatching:
    """
    *links*: a Slack user by owner. *alias_domains*: a domain, and the one by which Slack may know its people.

    *denied*: owners with a Slack user each who says that it is not them.
    """

    email_field: str | None = None
    alias_domains: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    denied: frozenset[tuple[str, str]] = frozenset()
