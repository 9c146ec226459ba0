"""Owner sources: the ways in which a rule can say whose job it is. Pure."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from domain.job_change.field_types import long_salesforce_id

Side = Literal["past", "current"]
OfOpportunity = Literal["open", "last_won", "last_lost"]

_SLACK_USER = re.compile(r"[UW][A-Z0-9]{2,20}")
_SALESFORCE_USER = re.compile(r"005[A-Za-z0-9]{12}(?:[A-Za-z0-9]{3})?")
_EMAIL = re.compile(r"[^\s@<>]+@[^\s@<>]+\.[^\s@<>]+")


class Part(BaseModel):
    """A part of a rule set. Unknown names are faults: a misspelt condition must not make a rule match everything."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


def _who(text: str) -> str:
    person = text.strip()
    if _SLACK_USER.fullmatch(person):
        return person
    if _SALESFORCE_USER.fullmatch(person):
        return long_salesforce_id(person)
    if _EMAIL.fullmatch(person) and len(person) <= 320:
        return person.lower()
    raise PydanticCustomError("who", "must be an e-mail address, a Slack user id or a Salesforce user id")


def is_slack_user(who: str) -> bool:
    return _SLACK_USER.fullmatch(who) is not None


def is_salesforce_user(who: str) -> bool:
    return _SALESFORCE_USER.fullmatch(who) is not None


Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
Who = Annotated[str, AfterValidator(_who)]
"""A person: an e-mail address, a Slack user id (U…) or a Salesforce user id (005…)."""

ChannelId = Annotated[str, StringConstraints(pattern=r"^[CG][A-Z0-9]{2,20}$")]
GroupId = Annotated[str, StringConstraints(pattern=r"^S[A-Z0-9]{2,20}$")]
FieldName = Annotated[
    str, StringConstraints(pattern=r"^(Contact|Lead|Account|Opportunity)\.[A-Za-z][A-Za-z0-9_]{0,79}$")
]
"""`Account.SDR__c`: an object, and the API name of one of its fields."""


class _OfARecord(Part):
    # Whose records: those of the company left or joined; left out: of the side on which the rule matched.
    side: Side | None = None


class Owner(_OfARecord):
    """The owner of a record."""

    source: Literal["owner"] = "owner"
    of: Literal["contact", "lead", "account", "parent_account"]


class OpportunityOwner(_OfARecord):
    """The owner of one of the account's opportunities."""

    source: Literal["opportunity_owner"] = "opportunity_owner"
    which: OfOpportunity = "open"


class UserField(_OfARecord):
    """The user in a lookup field; *which*: of an Opportunity field, whose."""

    source: Literal["field"] = "field"
    field: FieldName
    which: OfOpportunity = "open"


class TeamRole(_OfARecord):
    """The member of an account or opportunity team with this role; of several, the one added first."""

    source: Literal["team"] = "team"
    of: Literal["account", "opportunity"]
    role: Name
    which: OfOpportunity = "open"


class Pool(Part):
    """The next one of a round-robin pool."""

    source: Literal["pool"] = "pool"
    pool: Name


class Sender(Part):
    """Whom the sender named: the job change's `dri_email`."""

    source: Literal["sender"] = "sender"


class NamedUser(Part):
    """One person, always."""

    source: Literal["user"] = "user"
    user: Who


class UserGroup(Part):
    """Everybody in a Slack user group."""

    source: Literal["user_group"] = "user_group"
    group: GroupId


class NamedChannel(Part):
    """A channel, in place of a person."""

    source: Literal["channel"] = "channel"
    channel: ChannelId


OnePerson = Owner | OpportunityOwner | UserField | TeamRole | Sender | NamedUser
_OnePerson = Annotated[OnePerson, Field(discriminator="source")]
"""Sources that find one person, of whom others can be derived."""


class Mapped(Part):
    """Whoever stands beside the person found in a mapping table: the SDR of an account executive, say."""

    source: Literal["mapped"] = "mapped"
    table: Name
    of: _OnePerson


class Manager(Part):
    """The manager of the person found; *of* left out: of the nearest one above in the chain who was found."""

    source: Literal["manager"] = "manager"
    of: _OnePerson | None = None


Source = Annotated[
    Owner
    | OpportunityOwner
    | UserField
    | TeamRole
    | Mapped
    | Pool
    | Manager
    | Sender
    | NamedUser
    | UserGroup
    | NamedChannel,
    Field(discriminator="source"),
]


def innermost(source: Source) -> Source | None:
    """The source that a derived one derives from, itself for the others; None: a manager of whoever was found."""
    return source.of if isinstance(source, Mapped | Manager) else source
