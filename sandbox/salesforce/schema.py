"""The standard objects of the sandbox org, with their fields and relationships. Pure.

`objects.json` has the facts of each, with where they come from.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

Value = str | int | float | bool | None


@dataclass(frozen=True)
class Field:
    """A field. `type` is Salesforce's field type; `label` None means that the label is the name.

    `relationship` is the relationship name of a reference field; `children` is that of the opposite direction.
    `is_permissionable` means that field-level security can hide it; None means that it can if it is a custom field.
    """

    name: str
    type: str = "string"
    refers_to: tuple[str, ...] = ()
    relationship: str | None = None
    children: str | None = None
    values: tuple[str, ...] = ()  # of a picklist
    label: str | None = None
    is_filterable: bool = True
    is_sortable: bool = True
    is_permissionable: bool | None = None
    is_nillable: bool = True
    is_encrypted: bool = False

    @property
    def is_polymorphic(self) -> bool:
        """Whether it may refer to several objects. Through it only the fields of `Name` can be read.

        https://developer.salesforce.com/docs/platform/object-reference/guide/sforce-api-objects-name.html
        """
        return len(self.refers_to) > 1

    @property
    def can_be_hidden(self) -> bool:
        """Whether field-level security applies to it."""
        return self.name.endswith("__c") if self.is_permissionable is None else self.is_permissionable

    def encrypted(self) -> "Field":
        """The field with Shield's probabilistic encryption: it can be read, but not filtered or sorted.

        https://help.salesforce.com/s/articleView?id=xcloud.security_pe_deterministic.htm
        """
        return replace(self, is_filterable=False, is_sortable=False, is_encrypted=True)


@dataclass(frozen=True)
class SObject:
    """An object type. Field names are case-insensitive, as in Salesforce."""

    name: str
    prefix: str
    fields: tuple[Field, ...]
    required: tuple[str, ...] = ()
    is_person: bool = False  # Name consists of FirstName and LastName
    label: str | None = None
    is_custom_setting: bool = False
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


def lookup(name: str, *refers_to: str) -> Field:
    """A reference field. The relationship of `XId` is `X`, that of a custom `X__c` is `X__r`."""
    relationship = name.removesuffix("__c") + "__r" if name.endswith("__c") else name.removesuffix("Id")
    return Field(name, "reference", refers_to, relationship)


def strings(names: str) -> Iterable[Field]:
    return (Field(name) for name in names.split())


def _field(name: str, facts: dict[str, Any]) -> Field:
    """The flags say what holds: (f)ilterable, (s)ortable, (p)ermissionable, (n)illable."""
    flags = facts["flags"]
    return Field(
        name,
        facts["type"],
        tuple(facts.get("refers_to", ())),
        facts.get("relationship"),
        facts.get("children"),
        tuple(facts.get("values", ())),
        facts["label"],
        is_filterable="f" in flags,
        is_sortable="s" in flags,
        is_permissionable="p" in flags,
        is_nillable="n" in flags,
    )


def _standard() -> dict[str, SObject]:
    described = json.loads((Path(__file__).parent / "objects.json").read_text())
    people = {"User", "Contact", "Lead"}
    customs = dict.fromkeys(("Contact", "Lead"), (Field("LinkedIn__c", label="LinkedIn"),))
    return {
        name: SObject(
            name,
            facts["prefix"],
            (*(_field(field, flags) for field, flags in facts["fields"].items()), *customs.get(name, ())),
            required=tuple(facts["required"]),
            is_person=name in people,
            label=facts["label"],
        )
        for name, facts in described.items()
    }


_OBJECTS = _standard()
# The target of an owner field that may also refer to a queue. It cannot be queried directly.
NAME = _OBJECTS.pop("Name")
STANDARD = tuple(_OBJECTS.values())
