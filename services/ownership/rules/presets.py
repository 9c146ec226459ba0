"""Preset rules for common scenarios. Pure."""

from __future__ import annotations

from domain.job_change.parts import ChangeType
from services.ownership.rules.owner_sources import (
    OfOpportunity,
    OpportunityOwner,
    Owner,
    Sender,
    Side,
    Source,
    TeamRole,
    UserField,
)
from services.ownership.rules.rule_set import Conditions, Rule, Segment

CSM_FIELD = "Account.CSM__c"
SDR_FIELD = "Account.SDR__c"
CSM_ROLE = "Customer Success Manager"
"""The names that the presets use. `check` reports them if the org has other names."""

_JOINS = (ChangeType.NEW_COMPANY, ChangeType.NEW_HIRE, ChangeType.DEPARTURE)
_HIRES = (ChangeType.NEW_HIRE, ChangeType.PROMOTION)


def presets(csm_field: str | None = CSM_FIELD, sdr_field: str | None = SDR_FIELD) -> tuple[Rule, ...]:
    """
    The preset rules, in an order in which none makes another unreachable.

    `csm_field` and `sdr_field` are the org's lookups from an account to its customer success manager and SDR. If they
    are None, the chains start with the next source.
    """
    contact, account = Owner(of="contact"), Owner(of="account")
    csm: tuple[Source, ...] = (*_field(csm_field), TeamRole(of="account", role=CSM_ROLE), account)
    sdr = _field(sdr_field)
    return (
        _rule("A new hire or promotion at a customer", "current", "customer", (*_field(csm_field), account), _HIRES),
        _rule("A new hire or promotion at a target account", "current", "target", (*sdr, account), _HIRES),
        _rule("Leaves a customer", "past", "customer", (*csm, contact)),
        _rule("Joins a customer", "current", "customer", (*csm, contact), _JOINS),
        _rule("Leaves an open opportunity", "past", "open_opportunity", (_opportunity_owner("open"), account, contact)),
        _rule(
            "Joins an open opportunity", "current", "open_opportunity", (_opportunity_owner("open"), account), _JOINS
        ),
        _rule("Joins a target account", "current", "target", (*sdr, account), _JOINS),
        _rule("Leaves a target account", "past", "target", (*sdr, contact)),
        _rule(
            "Joins a closed-lost account", "current", "closed_lost", (_opportunity_owner("last_lost"), account), _JOINS
        ),
        _rule(
            "Joins a company that is not in Salesforce",
            "current",
            "not_in_salesforce",
            (Owner(of="account", side="past"), Owner(of="contact", side="past")),
            _JOINS,
        ),
        Rule(
            name="Anything else",
            tell=(Owner(of="contact", side="past"), Owner(of="account", side="past"), Owner(of="lead"), Sender()),
        ),
    )


def _rule(
    name: str,
    side: Side,
    segment: Segment,
    tell: tuple[Source, ...],
    change_types: tuple[ChangeType, ...] | None = None,
) -> Rule:
    return Rule(name=name, when=Conditions(side=side, segment=(segment,), change_type=change_types), tell=tell)


def _field(name: str | None) -> tuple[Source, ...]:
    return (UserField(field=name),) if name else ()


def _opportunity_owner(which: OfOpportunity) -> Source:
    return OpportunityOwner(which=which)
