"""Rules against the org they are for: fields and roles it lacks, fields that hold no users. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from services.ownership.rules.faults import RuleFault
from services.ownership.rules.owner_sources import Manager, Mapped, Source, TeamRole, UserField
from services.ownership.rules.rule_set import Rule, RuleSet
from services.ownership.rules.unreachable import unreachable


@dataclass(frozen=True)
class OrgField:
    """
    A field as the org describes it. *name*: as rules write it, `Account.SDR__c`; *label*: as people read it, "SDR".

    *refers_to*: the kinds of record it may hold, of a lookup.
    """

    name: str
    label: str
    refers_to: tuple[str, ...] = ()


@dataclass(frozen=True)
class OrgShape:
    """
    What rules may name. *fields* by object and field in lower case (`account.sdr__c`); *objects*: those that could be
    described, in lower case; *roles*: team roles by `account` and `opportunity`, where the org tells them.
    """

    objects: frozenset[str] = frozenset()
    fields: Mapping[str, OrgField] = field(default_factory=dict)
    roles: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def user_fields(self) -> list[str]:
        """The lookups to User, for a picker, as `account.sdr__c`."""
        return sorted(name for name, one in self.fields.items() if "User" in one.refers_to)


def check(rules: RuleSet, org: OrgShape | None) -> list[RuleFault]:
    """Every fault that parsing cannot see. *org* None: no Salesforce is connected, so only the rules themselves."""
    faults = unreachable(rules.rules)
    if org is None:
        return faults
    for number, rule in enumerate(rules.rules):
        faults += _of_rule(rule, f"rules.{number}", org)
    for name, test in (("customer", rules.segments.customer), ("target", rules.segments.target)):
        if any(name in (rule.when.segment or ()) for rule in rules.in_force):
            faults += _of_field(test.field, f"segments.{name}.field", org)
    return faults


def _of_rule(rule: Rule, path: str, org: OrgShape) -> Iterator[RuleFault]:
    for place, test in enumerate(rule.when.fields or ()):
        yield from _of_field(test.field, f"{path}.when.fields.{place}.field", org)
    for place, source in enumerate(rule.tell):
        yield from _of_source(source, f"{path}.tell.{place}", org)


def _of_source(source: Source, path: str, org: OrgShape) -> Iterator[RuleFault]:
    if isinstance(source, Mapped | Manager):
        if source.of is not None:
            yield from _of_source(source.of, f"{path}.of", org)
    elif isinstance(source, UserField):
        faults = list(_of_field(source.field, f"{path}.field", org))
        known = org.fields.get(source.field.lower())
        yield from faults
        if known is not None and "User" not in known.refers_to:
            yield RuleFault(f"{path}.field", f"{source.field} is not a lookup to a user")
    elif isinstance(source, TeamRole):
        yield from _of_team(source, path, org)


def _of_team(source: TeamRole, path: str, org: OrgShape) -> Iterator[RuleFault]:
    if f"{source.of}teammember" not in org.objects:
        yield RuleFault(f"{path}.of", f"{source.of} teams are switched off in Salesforce, or we may not read them")
        return
    roles = org.roles.get(source.of)
    if roles is not None and source.role.casefold() not in {role.casefold() for role in roles}:
        known = ", ".join(sorted(roles)) or "none"
        yield RuleFault(f"{path}.role", f"{source.of} teams have no role {source.role}; there are: {known}")


def _of_field(name: str, path: str, org: OrgShape) -> Iterator[RuleFault]:
    sobject = name.partition(".")[0]
    if sobject.lower() not in org.objects:
        yield RuleFault(path, f"{sobject} cannot be read in Salesforce")
    elif name.lower() not in org.fields:
        yield RuleFault(path, f"{name} does not exist in Salesforce, or we may not read it")
