"""The standard objects of the sandbox org, with their fields and relationships. Pure.

https://developer.salesforce.com/docs/platform/object-reference/guide/sforce-api-objects-list.html
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

Value = str | int | float | bool | None


@dataclass(frozen=True)
class Field:
    """A field. `type` is Salesforce's field type; `label` None means that the label is the name.

    `relationship` is the relationship name of a reference field; `children` is that of the opposite direction.
    """

    name: str
    type: str = "string"
    refers_to: tuple[str, ...] = ()
    relationship: str | None = None
    children: str | None = None
    values: tuple[str, ...] = ()  # of a picklist
    label: str | None = None

    @property
    def is_polymorphic(self) -> bool:
        """Whether it may refer to several objects. Through it only the fields of `Name` can be read.

        https://developer.salesforce.com/docs/platform/object-reference/guide/sforce-api-objects-name.html
        """
        return len(self.refers_to) > 1


@dataclass(frozen=True)
class SObject:
    """An object type. Field names are case-insensitive, as in Salesforce."""

    name: str
    prefix: str
    fields: tuple[Field, ...]
    required: tuple[str, ...] = ()
    is_person: bool = False  # Name consists of FirstName and LastName
    _by_name: dict[str, Field] = field(init=False, repr=False)
    _by_relationship: dict[str, Field] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_name", {field.name.lower(): field for field in self.fields})
        object.__setattr__(
            self, "_by_relationship", {item.relationship.lower(): item for item in self.fields if item.relationship}
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
    """A reference field. The relationship of `XId` is `X`, that of a custom `X__c` is `X__r`."""
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
        lookup("OwnerId", "Group", "User"),  # of the standard people, only a lead can be owned by a queue
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
    """Orgs can switch teams off; `Org.hide_type` does the same."""
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
# The target of an owner field that may also refer to a queue. It cannot be queried directly.
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
