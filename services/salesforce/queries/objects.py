"""What a describe says of Salesforce objects and their fields, as far as we need it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class FieldInfo:
    """
    A field that we may read. *relationship*: the name of the way to the record it refers to, one of *refers_to*.

    *values*: of a picklist, those in use.
    """

    name: str
    label: str
    type: str
    relationship: str | None = None
    refers_to: tuple[str, ...] = ()
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class ObjectInfo:
    """A kind of record, with the fields that we may read, by name."""

    name: str
    label: str
    fields: Mapping[str, FieldInfo]

    def field(self, name: str) -> FieldInfo | None:
        """Found without regard to case, as Salesforce does."""
        return next((each for each in self.fields.values() if each.name.lower() == name.lower()), None)

    def relationship_field(self, relationship: str) -> FieldInfo | None:
        """The field behind `Account.` or `Past_Account__r.`."""
        return next(
            (each for each in self.fields.values() if (each.relationship or "").lower() == relationship.lower()), None
        )
