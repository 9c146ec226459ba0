"""The permission set of the connected user, made of everything that the app's statements read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from xml.sax.saxutils import escape

from ops.salesforce.statements import every_statement
from sandbox.salesforce.schema import NAME, STANDARD, Field, SObject
from sandbox.salesforce.soql.parser import AllOf, AnyOf, Compare, Condition, Not, Query, parse

OBJECTS = ("Account", "Contact", "Lead", "Opportunity")
"""The objects with permissions of their own; access to team members and contact roles comes with them."""

LABEL = "UserGems Slack"
DESCRIPTION = "Lets the UserGems app for Slack read the owners of records. It changes nothing."
_BY_NAME = {sobject.name.lower(): sobject for sobject in STANDARD}


def permission_set(extra: Iterable[str] = ()) -> str:
    """
    Return the metadata of the permission set.

    `extra` has custom fields that rules or imports use, such as Account.SDR__c. Standard fields that nobody can hide
    are not listed, because Salesforce refuses to deploy them.
    """
    fields = {path for statement in every_statement(1) for path in _readable(parse(statement))}
    return "\n".join(
        [
            '<?xml version="1.0" encoding="UTF-8"?>',
            '<PermissionSet xmlns="http://soap.sforce.com/2006/04/metadata">',
            f"    <description>{escape(DESCRIPTION)}</description>",
            *(line for path in sorted({*fields, *extra}) for line in _field_permission(path)),
            "    <hasActivationRequired>false</hasActivationRequired>",
            f"    <label>{escape(LABEL)}</label>",
            *(line for name in OBJECTS for line in _object_permission(name)),
            *_user_permission("ViewAllUsers"),
            "</PermissionSet>",
            "",
        ]
    )


def _readable(query: Query, parent: SObject | None = None) -> Iterator[str]:
    """Yield the standard fields that a query needs and that field-level security can hide."""
    if parent is None:
        sobject = _BY_NAME[query.source.lower()]
    else:
        lookup, sobject = _child(parent, query.source)
        yield from _hideable(sobject, lookup)
    for selected in query.fields:
        if isinstance(selected, Query):
            yield from _readable(selected, sobject)
        else:
            yield from _on_path(sobject, selected)
    for path in [*(order.path for order in query.order), *(_compared(query.where) if query.where else ())]:
        yield from _on_path(sobject, path)


def _on_path(sobject: SObject, path: str) -> Iterator[str]:
    *steps, name = path.split(".")
    for step in steps:
        lookup = sobject.relationship(step)
        if lookup is None:  # a custom relationship
            return
        yield from _hideable(sobject, lookup)
        sobject = NAME if lookup.is_polymorphic else _BY_NAME[lookup.refers_to[0].lower()]
    field = sobject.field(name)
    if field is not None:
        yield from _hideable(sobject, field)


def _hideable(sobject: SObject, field: Field) -> Iterator[str]:
    if field.can_be_hidden and not field.name.endswith("__c"):
        yield f"{sobject.name}.{field.name}"


def _child(parent: SObject, relationship: str) -> tuple[Field, SObject]:
    return next(
        (field, sobject)
        for sobject in STANDARD
        for field in sobject.fields
        if field.children == relationship and parent.name in field.refers_to
    )


def _compared(condition: Condition) -> Iterator[str]:
    match condition:
        case Not(inner):
            yield from _compared(inner)
        case AllOf(conditions) | AnyOf(conditions):
            for part in conditions:
                yield from _compared(part)
        case Compare():
            yield condition.path


def _field_permission(path: str) -> Iterator[str]:
    yield "    <fieldPermissions>"
    yield "        <editable>false</editable>"
    yield f"        <field>{path}</field>"
    yield "        <readable>true</readable>"
    yield "    </fieldPermissions>"


def _object_permission(name: str) -> Iterator[str]:
    yield "    <objectPermissions>"
    for right in ("allowCreate", "allowDelete", "allowEdit"):
        yield f"        <{right}>false</{right}>"
    yield "        <allowRead>true</allowRead>"
    yield "        <modifyAllRecords>false</modifyAllRecords>"
    yield f"        <object>{name}</object>"
    yield "        <viewAllRecords>true</viewAllRecords>"
    yield "    </objectPermissions>"


def _user_permission(name: str) -> Iterator[str]:
    yield "    <userPermissions>"
    yield "        <enabled>true</enabled>"
    yield f"        <name>{name}</name>"
    yield "    </userPermissions>"
