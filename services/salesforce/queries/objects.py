"""Salesforce objects and their fields, as a describe returns them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class FieldInfo:
    """
    A field that the connected user can read.

    `relationship` is the name of the relationship to the record it refers to, which is of one of the objects in
    `refers_to`. `values` has the active values of a picklist. `is_filterable` is false for fields that cannot have a
    condition, such as encrypted fields and long texts.
    """

    name: str
    label: str
    type: str
    relationship: str | None = None
    refers_to: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    is_filterable: bool = True


@dataclass(frozen=True)
class ObjectInfo:
    """An object with the fields that the connected user can read, by name."""

    name: str
    label: str
    fields: Mapping[str, FieldInfo]

    def field(self, name: str) -> FieldInfo | None:
        """Return the field of this name, without regard to case, as in Salesforce."""
        return next((field for field in self.fields.values() if field.name.lower() == name.lower()), None)

    def relationship_field(self, relationship: str) -> FieldInfo | None:
        """Return the field of a relationship such as `Account` or `Past_Account__r`."""
        name = relationship.lower()
        return next((field for field in self.fields.values() if (field.relationship or "").lower() == name), None)
