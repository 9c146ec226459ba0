"""People: members of a Slack workspace, owners in Salesforce, and how the two are matched. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from domain.person_keys import DEFAULT_KEYS, PersonKey

NOT_IN_SLACK = "not_in_slack"
DEACTIVATED = "deactivated"
BOT = "bot"
GUEST = "guest"
STRANGER = "stranger"
UNKNOWN = "unknown"
NOT_LOOKED_UP = "not_looked_up"


@dataclass(frozen=True)
class Member:
    """
    The Slack user behind an email address.

    `problem` is why they cannot be notified, None if they can. UNKNOWN is never stored: Slack could not say, and
    `retry_after` is how many seconds to wait before asking again (None means soon). `error` is why Slack refuses to
    say.
    """

    user_id: str | None
    problem: str | None = None
    retry_after: float | None = None
    error: str | None = None


@dataclass(frozen=True)
class Absence:
    """Out of office. `until` None means until they come back; `delegate` None means that they have no delegate."""

    since: int
    until: int | None = None
    delegate: str | None = None


@dataclass(frozen=True)
class UnmatchedOwner:
    """An owner without a Slack user. `waiting` counts the job changes that went to the default channel instead."""

    owner: str
    name: str = field(repr=False)
    problem: str
    waiting: int
    last_seen_at: int


@dataclass(frozen=True)
class OwnerLink:
    """An owner and their Slack user, as an admin matched them."""

    owner: str
    user_id: str
    linked_at: int
    linked_by: str


@dataclass(frozen=True)
class OwnerMatching:
    """
    How owners are matched with Slack users beyond their email address.

    `slack_id_field` of Salesforce's User has a Slack user id, which is tried before any address. `person_keys` are the
    fields by which the people of job changes are found. `links` has the Slack user of an owner. `alias_domains` maps a
    domain to the one that Slack may know instead. `denied` has pairs of an owner and the Slack user who reported that
    the owner is not them.
    """

    email_field: str | None = None
    alias_domains: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    denied: frozenset[tuple[str, str]] = frozenset()
    slack_id_field: str | None = None
    person_keys: tuple[PersonKey, ...] = DEFAULT_KEYS


NO_MATCHING = OwnerMatching()
