"""Ready-made rules for the scenarios that every team has, to start from. Pure."""

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
"""What the presets call these; `check` says where an org has other names."""

_JOINS = (ChangeType.NEW_COMPANY, ChangeType.NEW_HIRE, ChangeType.DEPARTURE)
_RISES = (ChangeType.NEW_HIRE, ChangeType.PROMOTION)


def presets(csm_field: str | None = CSM_FIELD, sdr_field: str | None = SDR_FIELD) -> tuple[Rule, ...]:
    """
    The scenarios in an order in which none hides another.

    *csm_field*, *sdr_field*: the org's lookup fields of an account's customer success manager and SDR; None: it has
    none, and the chains begin with what comes next.
    """
    contact, account = Owner(of="contact"), Owner(of="account")
    csm: tuple[Source, ...] = (*_field(csm_field), TeamRole(of="account", role=CSM_ROLE), account)
    sdr = _field(sdr_field)
    return (
        _rule("A new hire or promotion at a customer", "current", "customer", (*_field(csm_field), account), _RISES),
        _rule("A new hire or promotion at a target account", "current", "target", (*sdr, account), _RISES),
        _rule("Leaves a customer", "past", "customer", (*csm, contact)),
        _rule("Joins a customer", "current", "customer", (*csm, contact), _JOINS),
        _rule("Leaves an open opportunity", "past", "open_opportunity", (_deal("open"), account, contact)),
        _rule("Joins an open opportunity", "current", "open_opportunity", (_deal("open"), account), _JOINS),
        _rule("Joins a target account", "current", "target", (*sdr, account), _JOINS),
        _rule("Leaves a target account", "past", "target", (*sdr, contact)),
        _rule("Joins a closed-lost account", "current", "closed_lost", (_deal("last_lost"), account), _JOINS),
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


def _deal(which: OfOpportunity) -> Source:
    return OpportunityOwner(which=which)
