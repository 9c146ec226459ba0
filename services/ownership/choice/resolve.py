"""What an owner source finds for one side of a job change. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from services.ownership.choice.candidates import UNREADABLE, Candidate, Place, absent, known, named, of_lookup, owned
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

Single = OnePerson | Mapped | Manager | UserGroup | NamedChannel
"""Every source but a pool, which has many to try."""


def candidate(source: Single, place: Place, above: Sequence[Candidate]) -> Candidate:
    """Whom a source finds; *above*: those found before it in its chain."""
    if isinstance(source, Mapped):
        return _mapped(source, place)
    if isinstance(source, Manager):
        return _manager(source, place, above)
    if isinstance(source, UserGroup):
        why = f"The rule “{place.rule.name}” names your user group."
        return Candidate("user group", f"the user group {source.group}", why, group=source.group)
    if isinstance(source, NamedChannel):
        why = f"The rule “{place.rule.name}” names this channel."
        return Candidate("channel", f"the channel {source.channel}", why, channel=source.channel)
    return known(person(source, place), place.case)


def person(source: OnePerson, place: Place) -> Candidate:
    """Whom a source that finds one person finds."""
    match source:
        case Owner():
            return _record_owner(source, place)
        case OpportunityOwner():
            return _opportunity_owner(source, place)
        case UserField():
            return _user_field(source, place)
        case TeamRole():
            return _team_member(source, place)
        case Sender():
            return _of_sender(place)
        case NamedUser():
            return named(source.user, "named user", f"The rule “{place.rule.name}” names you.", place.case)


def _record_owner(source: Owner, place: Place) -> Candidate:
    view = place.view(source.side)
    if source.of == "contact":
        if view.contact is None:
            return absent("contact owner", f"no contact of {view.person}{_there(view)}", place)
        return owned(
            "contact owner", "the contact's owner", f"You own {view.person} in Salesforce.", view.contact.owner
        )
    if source.of == "lead":
        if view.lead is None:
            return absent("lead owner", f"no lead of {view.person}", place)
        return owned(
            "lead owner", "the lead's owner", f"You own the lead {view.person} in Salesforce.", view.lead.owner
        )
    if view.account is None:
        whose = view.person if view.side is None else view.company
        return absent(f"{source.of.replace('_', ' ')} owner", f"no account of {whose}", place)
    return _account_owner(view, view.account) if source.of == "account" else _parent_owner(view.account, place)


def _account_owner(view: View, account: Account) -> Candidate:
    is_theirs = view.contact is not None and view.contact.account == account
    whose = f", the account of {view.person}" if view.side is None and is_theirs else ""
    why = f"You own {account.name} in Salesforce{whose}."
    return owned("account owner", f"the owner of {account.name}", why, account.owner)


def _parent_owner(account: Account, place: Place) -> Candidate:
    parent = account.parent
    if parent is None:
        return absent("parent account owner", f"no parent of {account.name}", place)
    why = f"You own {parent.name} in Salesforce, the parent of {account.name}."
    return owned("parent account owner", f"the owner of {parent.name}", why, parent.owner)


def _opportunity_owner(source: OpportunityOwner, place: Place) -> Candidate:
    view = place.view(source.side)
    name = f"{OPPORTUNITY[source.which]} owner"
    if "opportunity" in place.case.unreadable:
        return Candidate(name, f"the {OPPORTUNITY[source.which]} of {view.company}", "", problem=UNREADABLE)
    found = _opportunity(view.account, source.which)
    if found is None:
        return absent(name, f"no {OPPORTUNITY[source.which]} of {view.company}", place)
    why = f"You own {found.name} in Salesforce, the {OPPORTUNITY[source.which]} of {view.company}."
    return owned(name, f"the owner of {found.name}", why, found.owner)


def _user_field(source: UserField, place: Place) -> Candidate:
    view = place.view(source.side)
    sobject, _, field = source.field.partition(".")
    opportunity = _opportunity(view.account, source.which) if sobject == "Opportunity" else None
    fields = view.fields(sobject, opportunity)
    label = field_label(source.field, place.case.labels)
    of = {"Contact": view.person, "Lead": view.person, "Account": view.company}.get(
        sobject, opportunity.name if opportunity else view.company
    )
    if source.field.lower() in place.case.unreadable:
        return Candidate(label, f"the {label} of {of}", "", problem=UNREADABLE)
    if fields is None:
        return absent(label, f"no {sobject.lower()} of {view.person if sobject in {'Contact', 'Lead'} else of}", place)
    value = fields.get(field.lower())
    why = f"You are the {label} of {of} in Salesforce."
    return of_lookup(label, f"the {label} of {of}", why, value if isinstance(value, str) else None, place.case)


def _team_member(source: TeamRole, place: Place) -> Candidate:
    view = place.view(source.side)
    record: Account | Opportunity | None = view.account
    if source.of == "opportunity":
        record = _opportunity(view.account, source.which)
    kind = f"{source.of} team"
    if record is None:
        missing = "account" if source.of == "account" else OPPORTUNITY[source.which]
        return absent(source.role, f"no {missing} of {view.company}", place)
    if f"{source.of}teammember" in place.case.unreadable:
        return Candidate(source.role, f"the {kind} of {record.name}", "", problem=UNREADABLE)
    members = record.team.get(source.role.casefold(), ())
    why = f"You are the {source.role} on the {kind} of {record.name} in Salesforce."
    label = f"the {source.role} on the {kind} of {record.name}"
    active = next((member for member in members if member.is_active), next(iter(members), None))
    return owned(source.role, label, why, active)


def _of_sender(place: Place) -> Candidate:
    email = place.case.change.dri_email
    if email is None:
        return Candidate("sender", "the sender", "", problem="named no DRI", is_absent=True)
    label = f"the DRI named by the sender, {email},"
    return Candidate("sender", label, "The sender of this job change named you as its DRI.", who=email)


def _mapped(source: Mapped, place: Place) -> Candidate:
    base = person(source.of, place)
    table = place.rules.mappings.get(source.table, {})
    if base.user is None and base.who is None:
        return replace(base, source=source.table)
    other = next((table[key] for key in _keys(base) if key in table), None)
    label = base.label.rstrip(",")
    if other is None:
        return Candidate(source.table, label, "", base.user, problem=f"is not in the mapping {source.table}")
    why = f"The mapping {source.table} names you beside {base.name or base.who}. {_third_person(base)}".strip()
    return named(other, source.table, why, place.case)


def _manager(source: Manager, place: Place, above: Sequence[Candidate]) -> Candidate:
    if source.of is not None:
        base: Candidate | None = known(person(source.of, place), place.case)
    else:
        base = next((one for one in reversed(above) if one.user and one.user.kind == "user"), None)
    if base is None or base.user is None:
        return Candidate("manager", "nobody", "", problem="whose manager it could be was found above", is_absent=True)
    manager = base.user.manager
    label = f"the manager of {base.user.name}"
    why = f"You manage {base.user.name} in Salesforce. {_third_person(base)}".strip()
    return known(owned("manager", label, why, manager), place.case)


def _third_person(base: Candidate) -> str:
    """Why it would have been theirs, told to somebody else."""
    for second, third in (("You own ", "owns"), ("You are ", "is")):
        if base.why.startswith(second):
            return f"{base.name or 'That person'} {third} {base.why.removeprefix(second)}"
    return ""


def _keys(base: Candidate) -> Iterator[str]:
    if base.user:
        yield base.user.id
    if base.email:
        yield base.email.lower()
    if base.who:
        yield base.who


def _opportunity(account: Account | None, which: OfOpportunity) -> Opportunity | None:
    if account is None:
        return None
    by_kind: Mapping[OfOpportunity, Callable[[], Opportunity | None]] = {
        "open": lambda: account.open,
        "last_won": lambda: account.last_won,
        "last_lost": lambda: account.last_lost,
    }
    return by_kind[which]()


def _there(view: View) -> str:
    return "" if view.side is None else f" at {view.company}"
