"""Checks rules against the org's schema: missing fields and roles, and fields of another type. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from services.ownership.rules.issues import RuleIssue
from services.ownership.rules.owner_sources import (
    ChannelField,
    Informed,
    Manager,
    Mapped,
    Owner,
    Source,
    TeamRole,
    UserField,
)
from services.ownership.rules.rule_set import FieldTest, Rule, RuleSet
from services.ownership.rules.unreachable import unreachable

NUMBER_TYPES = ("currency", "double", "int", "percent")
"""https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/field_types.htm"""


@dataclass(frozen=True)
class OrgField:
    """
    A field of the org. `name` is written as in rules, such as `Account.SDR__c`; `label` is what people see, "SDR".

    `refers_to` has the sObjects that a lookup can hold. `values` has those of a picklist.
    """

    name: str
    label: str
    refers_to: tuple[str, ...] = ()
    type: str = "string"
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class OrgSchema:
    """
    The parts of an org that rules can name.

    `fields` is keyed by object and field in lower case, such as `account.sdr__c`. `objects` are the sObjects that could
    be described, in lower case. `roles` has team roles by `account` and `opportunity`, if the org lists them.
    """

    objects: frozenset[str] = frozenset()
    fields: Mapping[str, OrgField] = field(default_factory=dict)
    roles: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def user_fields(self) -> list[str]:
        """The keys of the lookups to User, such as `account.sdr__c`."""
        return sorted(name for name, field in self.fields.items() if "User" in field.refers_to)


def check(rules: RuleSet, org: OrgSchema | None) -> list[RuleIssue]:
    """The issues that parsing cannot find. Without an org, only the rules themselves are checked."""
    issues = unreachable(rules.rules)
    if org is None:
        return issues
    for number, rule in enumerate(rules.rules):
        issues += _check_rule(rule, f"rules.{number}", org)
    for name, test in (("customer", rules.segments.customer), ("target", rules.segments.target)):
        if any(name in (rule.when.segment or ()) for rule in rules.in_force):
            issues += _check_field(test.field, f"segments.{name}.field", org)
    for place, name in enumerate(rules.context_fields or ()):
        issues += _check_field(name, f"context_fields.{place}", org)
        field = org.fields.get(name.lower())
        if field is not None and field.refers_to:
            issues.append(RuleIssue(f"context_fields.{place}", f"{name} is a lookup, which has no value to show"))
    return issues


def _check_rule(rule: Rule, path: str, org: OrgSchema) -> Iterator[RuleIssue]:
    for place, test in enumerate(rule.when.fields or ()):
        yield from _check_test(test, f"{path}.when.fields.{place}", org)
    for place, source in enumerate(rule.tell):
        yield from _check_source(source, f"{path}.tell.{place}", org)
    for place, informed in enumerate(rule.also_notify or ()):
        yield from _check_source(informed, f"{path}.also_notify.{place}", org)


def _check_test(test: FieldTest, path: str, org: OrgSchema) -> Iterator[RuleIssue]:
    yield from _check_field(test.field, f"{path}.field", org)
    field = org.fields.get(test.field.lower())
    if field is not None and field.type in NUMBER_TYPES and test.words:
        yield RuleIssue(f"{path}.values", f"{test.field} is a number, and “{test.words[0]}” is not one")


def _check_source(source: Source | Informed, path: str, org: OrgSchema) -> Iterator[RuleIssue]:
    if isinstance(source, Mapped | Manager):
        if isinstance(source, Manager) and "user" in org.objects:
            yield from _check_field("User.ManagerId", f"{path}.source", org)
        if source.of is not None:
            yield from _check_source(source.of, f"{path}.of", org)
    elif isinstance(source, Owner):
        if source.of == "parent_account":
            yield from _check_field("Account.ParentId", f"{path}.of", org)
    elif isinstance(source, ChannelField):
        yield from _check_field(source.field, f"{path}.field", org)
    elif isinstance(source, UserField):
        yield from _check_field(source.field, f"{path}.field", org)
        field = org.fields.get(source.field.lower())
        if field is not None and "User" not in field.refers_to:
            yield RuleIssue(f"{path}.field", f"{source.field} is not a lookup to a user")
    elif isinstance(source, TeamRole):
        yield from _check_team(source, path, org)


def _check_team(source: TeamRole, path: str, org: OrgSchema) -> Iterator[RuleIssue]:
    if f"{source.of}teammember" not in org.objects:
        yield RuleIssue(f"{path}.of", f"{source.of} teams are turned off in Salesforce, or the app may not read them")
        return
    roles = org.roles.get(source.of)
    if roles is not None and source.role.casefold() not in {role.casefold() for role in roles}:
        available = ", ".join(sorted(roles)) or "none"
        yield RuleIssue(f"{path}.role", f"{source.of} teams have no role {source.role}; available roles: {available}")


def _check_field(name: str, path: str, org: OrgSchema) -> Iterator[RuleIssue]:
    sobject = name.partition(".")[0]
    if sobject.lower() not in org.objects:
        yield RuleIssue(path, f"{sobject} cannot be read in Salesforce")
    elif name.lower() not in org.fields:
        yield RuleIssue(path, f"{name} does not exist in Salesforce, or the app may not read it")
