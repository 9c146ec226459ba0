"""Owner sources: the ways in which a rule can name the person to notify. Pure."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from domain.job_change.field_types import long_salesforce_id

Side = Literal["past", "current"]
OfOpportunity = Literal["open", "last_won", "last_lost"]

_SLACK_USER = re.compile(r"[UW][A-Z0-9]{2,20}")
_SALESFORCE_USER = re.compile(r"005[A-Za-z0-9]{12}(?:[A-Za-z0-9]{3})?")
_EMAIL = re.compile(r"[^\s@<>]+@[^\s@<>][^.\s@<>]*\.[^\s@<>]+")


class RulePart(BaseModel):
    """A part of a rule set. Unknown keys are errors: a misspelled condition must not make a rule match everything."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


def _person_id(text: str) -> str:
    person = text.strip()
    if _SLACK_USER.fullmatch(person):
        return person
    if _SALESFORCE_USER.fullmatch(person):
        return long_salesforce_id(person)
    if _EMAIL.fullmatch(person) and len(person) <= 320:
        return person.lower()
    raise PydanticCustomError("who", "must be an email address, a Slack user id or a Salesforce user id")


def is_slack_user(person_id: str) -> bool:
    return _SLACK_USER.fullmatch(person_id) is not None


def is_salesforce_user(person_id: str) -> bool:
    return _SALESFORCE_USER.fullmatch(person_id) is not None


Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
PersonId = Annotated[str, AfterValidator(_person_id)]
"""A person: an email address, a Slack user id (U…) or a Salesforce user id (005…)."""

ChannelId = Annotated[str, StringConstraints(pattern=r"^[CG][A-Z0-9]{2,20}$")]
GroupId = Annotated[str, StringConstraints(pattern=r"^S[A-Z0-9]{2,20}$")]
FieldName = Annotated[
    str, StringConstraints(pattern=r"^(Contact|Lead|Account|Opportunity)\.[A-Za-z][A-Za-z0-9_]{0,79}$")
]
"""`Account.SDR__c`: an object, and the API name of one of its fields."""


ContextField = Annotated[str, StringConstraints(pattern=r"^(Contact|Account|Opportunity)\.[A-Za-z][A-Za-z0-9_]{0,79}$")]
"""A field whose value is shown on cards."""


class _RecordSource(RulePart):
    # The side whose records are used. None means the side that the rule matched.
    side: Side | None = None


class Owner(_RecordSource):
    source: Literal["owner"] = "owner"
    of: Literal["contact", "lead", "account", "parent_account", "ultimate_parent_account"]


class OpportunityOwner(_RecordSource):
    """The owner of an opportunity of the account, or of the open opportunity in which the contact has a role."""

    source: Literal["opportunity_owner"] = "opportunity_owner"
    of: Literal["account", "contact"] = "account"
    which: OfOpportunity = "open"

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.of == "contact" and self.which != "open":
            raise PydanticCustomError("which", "must be open for an opportunity of the contact")
        return self


class UserField(_RecordSource):
    """The user in a lookup field. `which` selects the opportunity, for a field of Opportunity."""

    source: Literal["field"] = "field"
    field: FieldName
    which: OfOpportunity = "open"


class TeamRole(_RecordSource):
    """The account or opportunity team member with this role. If there are several, the one added first."""

    source: Literal["team"] = "team"
    of: Literal["account", "opportunity"]
    role: Name
    which: OfOpportunity = "open"


class Pool(RulePart):
    """The next member of a round-robin pool."""

    source: Literal["pool"] = "pool"
    pool: Name


class QueueMembers(RulePart):
    """The members of the queue that owns the lead: everyone, or the next one in turn."""

    source: Literal["queue"] = "queue"
    of: Literal["lead"] = "lead"
    members: Literal["everyone", "in_turn"] = "in_turn"


class Sender(RulePart):
    """The person named by the source: the job change's `dri_email`."""

    source: Literal["sender"] = "sender"


class NamedUser(RulePart):
    """A fixed person."""

    source: Literal["user"] = "user"
    user: PersonId


class UserGroup(RulePart):
    """Everyone in a Slack user group."""

    source: Literal["user_group"] = "user_group"
    group: GroupId


class NamedChannel(RulePart):
    """A channel instead of a person."""

    source: Literal["channel"] = "channel"
    channel: ChannelId


class ChannelField(_RecordSource):
    """The channel whose id or name is in a field of the account."""

    source: Literal["channel_field"] = "channel_field"
    field: Annotated[str, StringConstraints(pattern=r"^Account\.[A-Za-z][A-Za-z0-9_]{0,79}$")]


OnePerson = Owner | OpportunityOwner | UserField | TeamRole | Sender | NamedUser
_OnePerson = Annotated[OnePerson, Field(discriminator="source")]
"""Sources that find one person, from whom others can be derived."""


class Mapped(RulePart):
    """The recipient that a mapping table has for the person found, such as the SDR of an account executive."""

    source: Literal["mapped"] = "mapped"
    table: Name
    of: _OnePerson


class Manager(RulePart):
    """The manager of the person found. `of` None means the nearest person found above it in the chain."""

    source: Literal["manager"] = "manager"
    of: _OnePerson | None = None


Source = Annotated[
    Owner
    | OpportunityOwner
    | UserField
    | TeamRole
    | Mapped
    | Pool
    | QueueMembers
    | Manager
    | Sender
    | NamedUser
    | UserGroup
    | NamedChannel,
    Field(discriminator="source"),
]


Informed = Annotated[
    Owner
    | OpportunityOwner
    | UserField
    | TeamRole
    | Mapped
    | Manager
    | Sender
    | NamedUser
    | UserGroup
    | NamedChannel
    | ChannelField,
    Field(discriminator="source"),
]
"""Who is informed in addition to the DRI. Pools and queues are left out: being informed takes no turn."""


def base_source(source: Source | Informed) -> Source | ChannelField | None:
    """The source that a source is derived from, or itself. None for a manager of the nearest person found."""
    return source.of if isinstance(source, Mapped | Manager) else source
