"""People: members of a Slack workspace, owners in Salesforce, and the fields by which people are found. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

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
    """An owner and their Slack user, as an admin matched them. `name` is known while they have missed job changes."""

    owner: str
    user_id: str
    linked_by: str
    name: str | None = field(default=None, repr=False)


EMAIL = "email"
LINKEDIN = "linkedin"

MOST_KEYS = 10
"""Each costs a query in every batch."""

_LINE = re.compile(r"(Contact|Lead)\.([A-Za-z][A-Za-z0-9_]{0,79})\s*=\s*(email|linkedin|custom\.\S(?:.{0,98}\S)?)")


@dataclass(frozen=True)
class PersonKey:
    """
    A field of Contact or Lead, and what it is compared with.

    `kind` is EMAIL, LINKEDIN, or `custom.NAME`: the value that the sender puts there, such as its own id of the person.
    """

    sobject: str
    field: str
    kind: str

    def __str__(self) -> str:
        return f"{self.sobject}.{self.field} = {self.kind}"

    @property
    def label(self) -> str:
        """What people read in "found by …"."""
        if self.field == "Email":
            return "email address"
        noun = {EMAIL: "email address", LINKEDIN: "LinkedIn URL"}.get(self.kind, self.kind.partition(".")[2])
        return f"{noun} in {self.field}"

    @property
    def is_standard(self) -> bool:
        return self.field == "Email" and self.kind == EMAIL


DEFAULT_KEYS = (PersonKey("Contact", "Email", EMAIL), PersonKey("Lead", "Email", EMAIL))


@dataclass(frozen=True)
class SearchFields:
    """
    The fields by which the people of job changes and their companies are found.

    `domain_field` of Account has the domain of the company, such as globex.com. None means that no field has it.
    """

    keys: tuple[PersonKey, ...]
    domain_field: str | None


def parse_keys(text: str) -> tuple[PersonKey, ...] | str:
    """Read one key per line, or return what is wrong. An empty text means the default."""
    keys: list[PersonKey] = []
    for number, line in enumerate(filter(None, map(str.strip, text.splitlines())), 1):
        match = _LINE.fullmatch(line)
        if match is None:
            return f"Line {number}: enter a field and what it holds, such as Contact.LinkedIn_URL__c = linkedin."
        key = PersonKey(match[1], match[2], match[3])
        if key.field == "Email" and key.kind != EMAIL:
            return f"Line {number}: {key.sobject}.Email holds an email address."
        if key in keys:
            return f"Line {number}: {key} is listed twice."
        keys.append(key)
    if len(keys) > MOST_KEYS:
        return f"Enter at most {MOST_KEYS} fields."
    return tuple(keys) or DEFAULT_KEYS


def key_lines(keys: Sequence[PersonKey]) -> str:
    """The text that `parse_keys` reads."""
    return "\n".join(map(str, keys))


@dataclass(frozen=True)
class OwnerMatching:
    """
    How owners are matched with Slack users beyond their email address.

    `slack_id_field` of Salesforce's User has a Slack user id, which is tried before any address. `person_keys` are the
    fields by which the people of job changes are found, and `domain_field` of Account the one by which their companies
    are found before the website. `links` has the Slack user of an owner. `alias_domains` maps a domain to the one that
    Slack may know instead. `denied` has pairs of an owner and the Slack user who reported that the owner is not them.
    """

    email_field: str | None = None
    alias_domains: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    denied: frozenset[tuple[str, str]] = frozenset()
    slack_id_field: str | None = None
    person_keys: tuple[PersonKey, ...] = DEFAULT_KEYS
    domain_field: str | None = None


NO_MATCHING = OwnerMatching()
