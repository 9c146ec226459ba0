"""Finds the candidate that an owner source names, for one side of a job change. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from services.ownership.choice.candidates import (
    UNREADABLE,
    Candidate,
    RuleContext,
    absent,
    lookup_user,
    named_person,
    record_user,
    with_full_user,
)
from services.ownership.choice.case import View
from services.ownership.rules.labels import OPPORTUNITY, field_label
from services.ownership.rules.owner_sources import (
    Manager,
    Mapped,
    NamedChannel,
    NamedUser,
    OfOpportunity,
    OnePerson,
    OpportunityOwner,
    Owner,
    Sender,
    TeamRole,
    UserField,
    UserGroup,
)
from services.salesforce.records import Account, Opportunity

SingleSource = OnePerson | Mapped | Manager | UserGroup | NamedChannel
"""Every source but a pool, which has several candidates."""


def find_candidate(source: SingleSource, context: RuleContext, above: Sequence[Candidate]) -> Candidate:
    """The candidate of a source. `above` holds the candidates found before it in the chain."""
    rule = context.rule
    if isinstance(source, Mapped):
        return _mapped_recipient(source, context)
    if isinstance(source, Manager):
        return _manager(source, context, above)
    if isinstance(source, UserGroup):
        why = f"The rule “{rule.name}” notifies your user group."
        return Candidate("user group", f"the user group {source.group}", why, group=source.group)
    if isinstance(source, NamedChannel):
        why = f"The rule “{rule.name}” notifies this channel."
        return Candidate("channel", f"the channel {source.channel}", why, channel=source.channel)
    return with_full_user(_find_person(source, context), context.case)


def _find_person(source: OnePerson, context: RuleContext) -> Candidate:
    match source:
        case Owner():
            return _record_owner(source, context)
        case OpportunityOwner():
            return _opportunity_owner(source, context)
        case UserField():
            return _user_field(source, context)
        case TeamRole():
            return _team_member(source, context)
        case Sender():
            return _named_by_source(context)
        case NamedUser():
            why = f"The rule “{context.rule.name}” notifies you."
            return named_person(source.user, "named user", why, context.case)


def _record_owner(source: Owner, context: RuleContext) -> Candidate:
    view = context.view(source.side)
    if source.of == "contact":
        if view.contact is None:
            at_company = "" if view.side is None else f" at {view.company}"
            return absent("contact owner", f"no contact for {view.person}{at_company}", context)
        why = f"You own {view.person} in Salesforce."
        return record_user("contact owner", "the contact's owner", why, view.contact.owner)
    if source.of == "lead":
        if view.lead is None:
            return absent("lead owner", f"no lead for {view.person}", context)
        why = f"You own the lead {view.person} in Salesforce."
        return record_user("lead owner", "the lead's owner", why, view.lead.owner)
    if view.account is None:
        name = view.person if view.side is None else view.company
        return absent(f"{source.of.replace('_', ' ')} owner", f"no account for {name}", context)
    return _account_owner(view, view.account) if source.of == "account" else _parent_owner(view.account, context)


def _account_owner(view: View, account: Account) -> Candidate:
    is_of_contact = view.contact is not None and view.contact.account == account
    relation = f", the account of {view.person}" if view.side is None and is_of_contact else ""
    why = f"You own {account.name} in Salesforce{relation}."
    return record_user("account owner", f"the owner of {account.name}", why, account.owner)


def _parent_owner(account: Account, context: RuleContext) -> Candidate:
    parent = account.parent
    if parent is None:
        return absent("parent account owner", f"no parent account for {account.name}", context)
    why = f"You own {parent.name} in Salesforce, the parent of {account.name}."
    return record_user("parent account owner", f"the owner of {parent.name}", why, parent.owner)


def _opportunity_owner(source: OpportunityOwner, context: RuleContext) -> Candidate:
    view, kind = context.view(source.side), OPPORTUNITY[source.which]
    if "opportunity" in context.case.unreadable:
        return Candidate(f"{kind} owner", f"the {kind} of {view.company}", "", problem=UNREADABLE)
    opportunity = _opportunity(view.account, source.which)
    if opportunity is None:
        return absent(f"{kind} owner", f"no {kind} for {view.company}", context)
    why = f"You own {opportunity.name} in Salesforce, the {kind} of {view.company}."
    return record_user(f"{kind} owner", f"the owner of {opportunity.name}", why, opportunity.owner)


def _user_field(source: UserField, context: RuleContext) -> Candidate:
    view = context.view(source.side)
    sobject, _, field = source.field.partition(".")
    opportunity = _opportunity(view.account, source.which) if sobject == "Opportunity" else None
    fields = view.fields(sobject, opportunity)
    label = field_label(source.field, context.case.labels)
    record = view.person if sobject in {"Contact", "Lead"} else view.company
    if opportunity:
        record = opportunity.name
    if source.field.lower() in context.case.unreadable:
        return Candidate(label, f"the {label} of {record}", "", problem=UNREADABLE)
    if fields is None:
        return absent(label, f"no {sobject.lower()} for {record}", context)
    value = fields.get(field.lower())
    why = f"You are the {label} of {record} in Salesforce."
    user_id = value if isinstance(value, str) else None
    return lookup_user(label, f"the {label} of {record}", why, user_id, context.case)


def _team_member(source: TeamRole, context: RuleContext) -> Candidate:
    view = context.view(source.side)
    record: Account | Opportunity | None = view.account
    if source.of == "opportunity":
        record = _opportunity(view.account, source.which)
    if record is None:
        missing = "account" if source.of == "account" else OPPORTUNITY[source.which]
        return absent(source.role, f"no {missing} for {view.company}", context)
    team = f"the {source.of} team of {record.name}"
    if f"{source.of}teammember" in context.case.unreadable:
        return Candidate(source.role, team, "", problem=UNREADABLE)
    members = record.team.get(source.role.casefold(), ())
    active = next((member for member in members if member.is_active), next(iter(members), None))
    why = f"You are the {source.role} on {team} in Salesforce."
    return record_user(source.role, f"the {source.role} on {team}", why, active)


def _named_by_source(context: RuleContext) -> Candidate:
    email = context.case.change.dri_email
    if email is None:
        return Candidate("sender", "the source", "", problem="did not name a DRI", is_absent=True)
    label = f"the DRI named by the source, {email},"
    return Candidate("sender", label, "The source of this job change named you as its DRI.", person_id=email)


def _mapped_recipient(source: Mapped, context: RuleContext) -> Candidate:
    owner = _find_person(source.of, context)
    table = context.rules.mappings.get(source.table, {})
    if owner.user is None and owner.person_id is None:
        return replace(owner, source=source.table)
    recipient = next((table[key] for key in _mapping_keys(owner) if key in table), None)
    if recipient is None:
        problem = f"is not in the mapping {source.table}"
        return Candidate(source.table, owner.label.rstrip(","), "", owner.user, problem=problem)
    owner_name = owner.name or owner.person_id
    why = f"The mapping {source.table} has you as the recipient for {owner_name}. {_third_person(owner)}".strip()
    return named_person(recipient, source.table, why, context.case)


def _manager(source: Manager, context: RuleContext, above: Sequence[Candidate]) -> Candidate:
    report: Candidate | None
    if source.of is not None:
        report = with_full_user(_find_person(source.of, context), context.case)
    else:
        users = (candidate for candidate in reversed(above) if candidate.user and candidate.user.kind == "user")
        report = next(users, None)
    if report is None or report.user is None:
        return Candidate(
            "manager", "", "", problem="no person was found whose manager could be notified", is_absent=True
        )
    why = f"You manage {report.user.name} in Salesforce. {_third_person(report)}".strip()
    manager = record_user("manager", f"the manager of {report.user.name}", why, report.user.manager)
    return with_full_user(manager, context.case)


def _third_person(candidate: Candidate) -> str:
    """Why the job change would have been the candidate's, for the person who is notified in their place."""
    for second, third in (("You own ", "owns"), ("You are ", "is")):
        if candidate.why.startswith(second):
            return f"{candidate.name or 'That person'} {third} {candidate.why.removeprefix(second)}"
    return ""


def _mapping_keys(candidate: Candidate) -> Iterator[str]:
    if candidate.user:
        yield candidate.user.id
    if candidate.email:
        yield candidate.email.lower()
    if candidate.person_id:
        yield candidate.person_id


def _opportunity(account: Account | None, which: OfOpportunity) -> Opportunity | None:
    if account is None:
        return None
    by_kind: Mapping[OfOpportunity, Callable[[], Opportunity | None]] = {
        "open": lambda: account.open,
        "last_won": lambda: account.last_won,
        "last_lost": lambda: account.last_lost,
    }
    return by_kind[which]()
