"""The sObjects of the sandbox org: their fields, and how they refer to each other. Pure.

https://developer.salesforce.com/docs/platform/object-reference/guide/sforce-api-objects-list.html
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

Value = str | int | float | bool | None


@dataclass(frozen=True)
class Field:
    """`type` is Salesforce's name of it; `relationship` is the name of the way to the record it refers to.

    `label` is what people read; left out, it is the name.
    """

    name: str
    type: str = "string"
    refers_to: tuple[str, ...] = ()
    relationship: str | None = None
    children: str | None = None  # the name of the way back
    values: tuple[str, ...] = ()  # of a picklist
    label: str | None = None

    @property
    def is_polymorphic(self) -> bool:
        """May refer to more than one sObject: what can be read through it are then the fields of `Name`.

        https://developer.salesforce.com/docs/platform/object-reference/guide/sforce-api-objects-name.html
        """
        return len(self.refers_to) > 1


@dataclass(frozen=True)
class SObject:
    """One kind of record. Names are looked up without regard to case, as Salesforce does."""

    name: str
    prefix: str
    fields: tuple[Field, ...]
    required: tuple[str, ...] = ()
    is_person: bool = False  # Name is made of FirstName and LastName
    _by_name: dict[str, Field] = field(init=False, repr=False)
    _by_relationship: dict[str, Field] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_name", {one.name.lower(): one for one in self.fields})
        object.__setattr__(
            self, "_by_relationship", {one.relationship.lower(): one for one in self.fields if one.relationship}
        )

    def field(self, name: str) -> Field | None:
        return self._by_name.get(name.lower())

    def relationship(self, name: str) -> Field | None:
        return self._by_relationship.get(name.lower())


AUDIT = (
    Field("CreatedDate", "datetime"),
    Field("LastModifiedDate", "datetime"),
    Field("SystemModstamp", "datetime"),
    Field("IsDeleted", "boolean"),
)


def lookup(name: str, *refers_to: str, children: str | None = None) -> Field:
    """A field `XId` that refers to another record, read through `X`; a custom `X__c` is read through `X__r`."""
    relationship = name.removesuffix("__c") + "__r" if name.endswith("__c") else name.removesuffix("Id")
    return Field(name, "reference", refers_to, relationship, children)


def strings(names: str) -> Iterable[Field]:
    return (Field(name) for name in names.split())


_PERSON = (
    *strings("Name FirstName LastName Title LinkedIn__c"),
    Field("Email", "email"),
    Field("Phone", "phone"),
)

USER = SObject(
    "User",
    "005",
    (
        Field("Id", "id"),
        *strings("Name FirstName LastName Title Username Alias UserType ProfileId TimeZoneSidKey"),
        Field("Email", "email"),
        Field("IsActive", "boolean"),
        lookup("ManagerId", "User", children="Reports"),
        *AUDIT,
    ),
    required=("LastName",),
    is_person=True,
)
GROUP = SObject(
    "Group",
    "00G",
    (Field("Id", "id"), *strings("Name DeveloperName"), Field("Type", "picklist"), Field("Email", "email"), *AUDIT),
    required=("Name",),
)
ACCOUNT = SObject(
    "Account",
    "001",
    (
        Field("Id", "id"),
        *strings("Name Industry"),
        Field("Website", "url"),
        Field("Type", "picklist"),
        lookup("ParentId", "Account", children="ChildAccounts"),
        lookup("OwnerId", "User"),
        *AUDIT,
    ),
    required=("Name",),
)
CONTACT = SObject(
    "Contact",
    "003",
    (
        Field("Id", "id"),
        *_PERSON,
        lookup("AccountId", "Account", children="Contacts"),
        lookup("OwnerId", "User"),
        *AUDIT,
    ),
    required=("LastName",),
    is_person=True,
)
LEAD = SObject(
    "Lead",
    "00Q",
    (
        Field("Id", "id"),
        *_PERSON,
        *strings("Company"),
        Field("Website", "url"),
        Field("Status", "picklist"),
        Field("IsConverted", "boolean"),
        lookup("ConvertedContactId", "Contact"),
        lookup("ConvertedAccountId", "Account"),
        lookup("OwnerId", "Group", "User"),  # the one standard person that a queue may own
        *AUDIT,
    ),
    required=("LastName", "Company"),
    is_person=True,
)
OPPORTUNITY = SObject(
    "Opportunity",
    "006",
    (
        Field("Id", "id"),
        *strings("Name"),
        Field("StageName", "picklist"),
        Field("Amount", "currency"),
        Field("CloseDate", "date"),
        Field("IsClosed", "boolean"),
        Field("IsWon", "boolean"),
        lookup("AccountId", "Account", children="Opportunities"),
        lookup("ContactId", "Contact", children="Opportunities"),
        lookup("OwnerId", "User"),
        *AUDIT,
    ),
    required=("Name", "StageName", "CloseDate"),
)
_ROLES = ("Account Manager", "Customer Success Manager", "Sales Rep")


def _team(name: str, prefix: str, of: str) -> SObject:
    """Teams are there where an org has switched them on; `hide_type` switches them off."""
    return SObject(
        name,
        prefix,
        (
            Field("Id", "id"),
            Field("TeamMemberRole", "picklist", values=_ROLES),
            lookup(f"{of}Id", of, children=f"{name}s"),
            lookup("UserId", "User"),
            *AUDIT,
        ),
        required=(f"{of}Id", "UserId"),
    )


ACCOUNT_TEAM_MEMBER = _team("AccountTeamMember", "01M", "Account")
OPPORTUNITY_TEAM_MEMBER = _team("OpportunityTeamMember", "00q", "Opportunity")
ORGANIZATION = SObject(
    "Organization",
    "00D",
    (Field("Id", "id"), *strings("Name InstanceName OrganizationType"), Field("IsSandbox", "boolean"), *AUDIT),
    required=("Name",),
)
# What an owner field may point to when it may point to a queue. It is never queried by itself.
NAME = SObject(
    "Name",
    "",
    (
        Field("Id", "id"),
        *strings("Name FirstName LastName Title Username Alias ProfileId"),
        Field("Type", "picklist"),
        Field("Email", "email"),
        Field("Phone", "phone"),
        Field("IsActive", "boolean"),
    ),
)
STANDARD = (
    USER,
    GROUP,
    ACCOUNT,
    CONTACT,
    LEAD,
    OPPORTUNITY,
    ACCOUNT_TEAM_MEMBER,
    OPPORTUNITY_TEAM_MEMBER,
    ORGANIZATION,
)
