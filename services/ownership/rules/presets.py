"""Rules to start from: single rules for common cases, and a whole rule set. Pure."""

from __future__ import annotations

from domain.job_change.parts import ChangeType
from services.ownership.rules.owner_sources import (
    Informed,
    OpportunityOwner,
    Owner,
    Sender,
    Side,
    Source,
    TeamRole,
    UserField,
    UserGroup,
)
from services.ownership.rules.rule_set import Conditions, FieldTest, Rule, Segment

CSM_FIELD = "Account.CSM__c"
SDR_FIELD = "Account.SDR__c"
CSM_ROLE = "Customer Success Manager"
"""The names that the presets use. `check` reports them if the org has other names."""

TO_ENTER, GROUP_TO_CHOOSE = "…", "S000"
"""A value and a user group that the admin has to fill in before the rule can be saved."""

_JOINS = (ChangeType.NEW_COMPANY, ChangeType.NEW_HIRE, ChangeType.DEPARTURE)
_HIRES = (ChangeType.NEW_HIRE, ChangeType.PROMOTION)


def presets(csm_field: str | None = CSM_FIELD, sdr_field: str | None = SDR_FIELD) -> tuple[Rule, ...]:
    """
    The preset rules, in an order in which none makes another unreachable.

    `csm_field` and `sdr_field` are the org's lookups from an account to its customer success manager and SDR. If they
    are None, the chains start with the next source.
    """
    contact, account = Owner(of="contact"), Owner(of="account")
    open_deal, lost_deal = OpportunityOwner(which="open"), OpportunityOwner(which="last_lost")
    csm: tuple[Source, ...] = (*_field(csm_field), TeamRole(of="account", role=CSM_ROLE), account)
    sdr = _field(sdr_field)
    return (
        _rule("A new hire or promotion at a customer", "current", "customer", (*_field(csm_field), account), _HIRES),
        _rule("A new hire or promotion at a target account", "current", "target", (*sdr, account), _HIRES),
        _rule("Leaves a customer", "past", "customer", (*csm, contact)),
        _rule("Joins a customer", "current", "customer", (*csm, contact), _JOINS),
        _rule("Leaves an open opportunity", "past", "open_opportunity", (open_deal, account, contact)),
        _rule("Joins an open opportunity", "current", "open_opportunity", (open_deal, account), _JOINS),
        _rule("Joins a target account", "current", "target", (*sdr, account), _JOINS),
        _rule("Leaves a target account", "past", "target", (*sdr, contact)),
        _rule("Joins a closed-lost account", "current", "closed_lost", (lost_deal, account), _JOINS),
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


def plays(csm_field: str | None = CSM_FIELD, sdr_field: str | None = SDR_FIELD) -> tuple[Rule, ...]:
    """Single rules that teams often add to their own. What differs from team to team is left to fill in."""
    contact, account, past_contact = Owner(of="contact"), Owner(of="account"), Owner(of="contact", side="past")
    csm, sdr, group = (*_field(csm_field), account), (*_field(sdr_field), account), UserGroup(group=GROUP_TO_CHOOSE)
    left = Conditions(side="past", contact_has_open_opportunity=True)
    hired = Conditions(side="current", segment=("open_opportunity",), change_type=_HIRES)
    revenue = FieldTest(field="Account.AnnualRevenue", test="at_least", values=("50000",))
    large = Conditions(relationship=("Champion",), segment=("customer",), fields=(revenue,))
    promoted = Conditions(change_type=(ChangeType.PROMOTION,), title_contains=_LEADERS)
    return (
        _play("A champion leaves a customer", _champion("past", "customer"), (*csm, contact)),
        _play("A champion joins a target account", _champion("current", "target", _JOINS), (*sdr, past_contact)),
        _play("A champion joins a new company", _champion("current", "none", _JOINS), (past_contact, account)),
        _play("A champion at a large customer", large, (account, contact)),
        _play("A deal loses its contact", left, (OpportunityOwner(of="contact"), account)),
        _play("A new hire or promotion during a deal", hired, (OpportunityOwner(), account)),
        _play("A contact is promoted to a leader", promoted, (contact, account)),
        _play("A leader joins a customer", _leader("customer"), csm, also=(account,) if csm_field else None),
        _play("A leader joins a target account", _leader("target"), sdr),
        _play("A territory by country", _on_account("BillingCountry"), (group, account)),
        _play("Named accounts", _on_account("Name"), (group, account)),
        _play("An industry", _on_account("Industry"), (group, account)),
    )


_LEADERS = ("Chief", "VP", "Vice President", "Head", "Director")


def _play(name: str, when: Conditions, tell: tuple[Source, ...], also: tuple[Informed, ...] | None = None) -> Rule:
    return Rule(name=name, when=when, tell=tell, also_notify=also)


def _champion(side: Side, segment: Segment, change_type: tuple[ChangeType, ...] | None = None) -> Conditions:
    return Conditions(side=side, relationship=("Champion",), segment=(segment,), change_type=change_type)


def _leader(segment: Segment) -> Conditions:
    return Conditions(side="current", segment=(segment,), change_type=_JOINS, title_contains=_LEADERS)


def _on_account(field: str) -> Conditions:
    return Conditions(side="current", fields=(FieldTest(field=f"Account.{field}", values=(TO_ENTER,)),))


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
