"""Finds the candidate that an owner source names, for one side of a job change. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from domain.decision.reasons import ReasonCode
from services.ownership.choice.candidates import (
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
    ChannelField,
    Manager,
    Mapped,
    NamedChannel,
    NamedUser,
    OfOpportunity,
    OnePerson,
    OpportunityOwner,
    Owner,
    QueueMembers,
    Sender,
    TeamRole,
    UserField,
    UserGroup,
)
from services.salesforce.records import Account, Opportunity

SingleSource = OnePerson | Mapped | Manager | QueueMembers | UserGroup | NamedChannel | ChannelField
"""Every source but a pool, which has several candidates."""

_CHANNEL_ID = re.compile(r"[CG][A-Z0-9]{8,20}")
_CHANNEL_NAME = re.compile(r"[^\s#@<>.,A-Z]{1,80}")
"""Slack's rules for names: https://docs.slack.dev/reference/methods/conversations.create#naming"""


def find_candidate(source: SingleSource, context: RuleContext, above: Sequence[Candidate]) -> Candidate:
    """The candidate of a source. `above` holds the candidates found before it in the chain."""
    match source:
        case Mapped():
            candidate = _mapped_recipient(source, context)
        case Manager():
            candidate = _manager(source, context, above)
        case QueueMembers():
            candidate = _queue(source, context)
        case UserGroup():
            why = ReasonCode.GROUP_OF_RULE.of(rule=context.rule.name)
            candidate = Candidate("user group", f"the user group {source.group}", why, group=source.group)
        case NamedChannel():
            why = ReasonCode.CHANNEL_OF_RULE.of(rule=context.rule.name)
            candidate = Candidate("channel", f"the channel {source.channel}", why, channel=source.channel)
        case ChannelField():
            candidate = _channel_in_field(source, context)
        case _:
            candidate = with_full_user(_find_person(source, context), context.case)
    return candidate


def _channel_in_field(source: ChannelField, context: RuleContext) -> Candidate:
    """The channel that a field names by its id, or by its name, which chat.postMessage accepts too."""
    account = context.view(source.side).account
    label = field_label(source.field, context.case.labels)
    value = account.fields.get(source.field.partition(".")[2].lower()) if account else None
    text = value.strip() if isinstance(value, str) else ""
    name = text.removeprefix("#").lower()
    if _CHANNEL_ID.fullmatch(text):
        channel = text
    elif _CHANNEL_NAME.fullmatch(name):
        channel = f"#{name}"
    else:
        problem = ReasonCode.NOT_A_CHANNEL if text else ReasonCode.NOT_SET_OR_HIDDEN
        return Candidate(label, f"the channel in {label}", problem=problem.of())
    return Candidate(label, f"the channel {channel}", channel=channel)


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
            why = ReasonCode.NAMED_BY_RULE.of(rule=context.rule.name)
            return named_person(source.user, "named user", why, context.case)


def _queue(source: QueueMembers, context: RuleContext) -> Candidate:
    """The queue that owns the lead. It has a problem if none of its members can be notified."""
    view = context.view(None)
    if view.lead is None:
        return absent("queue of the lead", "lead", view.person, context)
    owner = view.lead.owner
    if owner is None or owner.kind != "queue":
        problem = ReasonCode.NOT_A_QUEUE if owner else ReasonCode.NOT_SET_OR_HIDDEN
        label = f"the lead's owner, {owner.name}," if owner else "the lead's owner"
        return Candidate("queue of the lead", label, user=owner, problem=problem.of())
    code = ReasonCode.IN_QUEUE if source.members == "everyone" else ReasonCode.QUEUE_TURN
    why = code.of(record=owner.name, person=view.lead.name)
    queue = Candidate(f"queue {owner.name}", f"the queue {owner.name}", why, queue=owner.id)
    if "groupmember" in context.case.unreadable:
        return replace(queue, problem=ReasonCode.UNREADABLE.of())
    has_members = bool(context.case.queues.get(owner.id[:15]))
    return queue if has_members else replace(queue, problem=ReasonCode.QUEUE_EMPTY.of())


def _record_owner(source: Owner, context: RuleContext) -> Candidate:
    view = context.view(source.side)
    if source.of == "contact":
        if view.contact is None:
            at_company = "" if view.side is None else f" at {view.company}"
            return absent("contact owner", "contact", f"{view.person}{at_company}", context)
        why = ReasonCode.OWNS_CONTACT.of(person=view.person)
        return record_user("contact owner", "the contact's owner", why, view.contact.owner)
    if source.of == "lead":
        if view.lead is None:
            return absent("lead owner", "lead", view.person, context)
        why = ReasonCode.OWNS_LEAD.of(person=view.person)
        return record_user("lead owner", "the lead's owner", why, view.lead.owner)
    if view.account is None:
        name = view.person if view.side is None else view.company
        return absent(f"{source.of.replace('_', ' ')} owner", "account", name, context)
    return _account_owner(source, view, view.account, context)


def _account_owner(source: Owner, view: View, account: Account, context: RuleContext) -> Candidate:
    if source.of == "account":
        is_of_contact = view.contact is not None and view.contact.account == account
        why = ReasonCode.OWNS_ACCOUNT.of(record=account.name)
        if view.side is None and is_of_contact:
            why = ReasonCode.OWNS_ACCOUNT_OF.of(record=account.name, person=view.person)
        return record_user("account owner", f"the owner of {account.name}", why, account.owner)
    is_ultimate = source.of == "ultimate_parent_account"
    parent = account.ultimate if is_ultimate else account.parent
    kind = "ultimate parent account" if is_ultimate else "parent account"
    if parent is None:
        return absent(f"{kind} owner", kind, account.name, context)
    why = (ReasonCode.OWNS_ULTIMATE if is_ultimate else ReasonCode.OWNS_PARENT).of(
        record=parent.name, account=account.name
    )
    return record_user(f"{kind} owner", f"the owner of {parent.name}", why, parent.owner)


def _opportunity_owner(source: OpportunityOwner, context: RuleContext) -> Candidate:
    view, kind = context.view(source.side), OPPORTUNITY[source.which]
    if "opportunity" in context.case.unreadable:
        return Candidate(f"{kind} owner", f"the {kind} of {view.company}", problem=ReasonCode.UNREADABLE.of())
    if source.of == "contact":
        return _contact_opportunity_owner(view, context)
    opportunity = _opportunity(view.account, source.which)
    if opportunity is None:
        return absent(f"{kind} owner", kind, view.company, context)
    why = ReasonCode.OWNS_OPPORTUNITY.of(record=opportunity.name, kind=kind, company=view.company)
    return record_user(f"{kind} owner", f"the owner of {opportunity.name}", why, opportunity.owner)


def _contact_opportunity_owner(view: View, context: RuleContext) -> Candidate:
    label = "contact's open opportunity owner"
    if "opportunitycontactrole" in context.case.unreadable:
        return Candidate(label, f"the open opportunity of {view.person}", problem=ReasonCode.UNREADABLE.of())
    deal = view.contact.open if view.contact else None
    if deal is None:
        return absent(label, "open opportunity", view.person, context)
    why = ReasonCode.OWNS_OPPORTUNITY.of(record=deal.name, kind="open opportunity", company=view.person)
    return record_user(label, f"the owner of {deal.name}", why, deal.owner)


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
        return Candidate(label, f"the {label} of {record}", problem=ReasonCode.UNREADABLE.of())
    if fields is None:
        return absent(label, sobject.lower(), record, context)
    value = fields.get(field.lower())
    why = ReasonCode.IN_FIELD.of(label=label, record=record)
    user_id = value if isinstance(value, str) else None
    return lookup_user(label, f"the {label} of {record}", why, user_id, context.case)


def _team_member(source: TeamRole, context: RuleContext) -> Candidate:
    view = context.view(source.side)
    record: Account | Opportunity | None = view.account
    if source.of == "opportunity":
        record = _opportunity(view.account, source.which)
    if record is None:
        missing = "account" if source.of == "account" else OPPORTUNITY[source.which]
        return absent(source.role, missing, view.company, context)
    team = f"the {source.of} team of {record.name}"
    if f"{source.of}teammember" in context.case.unreadable:
        return Candidate(source.role, team, problem=ReasonCode.UNREADABLE.of())
    members = record.team.get(source.role.casefold(), ())
    active = next((member for member in members if member.is_active), next(iter(members), None))
    why = ReasonCode.ON_TEAM.of(role=source.role, team=source.of, record=record.name)
    return record_user(source.role, f"the {source.role} on {team}", why, active)


def _named_by_source(context: RuleContext) -> Candidate:
    email = context.case.change.dri_email
    if email is None:
        return Candidate("the source", "the source", problem=ReasonCode.NO_DRI_NAMED.of(), is_absent=True)
    label = f"the DRI named by the source, {email},"
    return Candidate("DRI named by the source", label, ReasonCode.NAMED_BY_SOURCE.of(), person_id=email)


def _mapped_recipient(source: Mapped, context: RuleContext) -> Candidate:
    owner = _find_person(source.of, context)
    table = context.rules.mappings.get(source.table, {})
    if owner.user is None and owner.person_id is None:
        return replace(owner, source=source.table)
    keys = [owner.user.id if owner.user else None, owner.email.lower() if owner.email else None, owner.person_id]
    recipient = next((table[key] for key in keys if key and key in table), None)
    if recipient is None:
        problem = ReasonCode.NOT_IN_MAPPING.of(table=source.table)
        return Candidate(source.table, owner.label.rstrip(","), None, owner.user, problem=problem)
    name = owner.name or owner.person_id or "That person"
    because = (owner.why,) if owner.why else ()
    why = ReasonCode.MAPPED.of(table=source.table, person=name, because=because)
    return named_person(recipient, source.table, why, context.case)


def _manager(source: Manager, context: RuleContext, above: Sequence[Candidate]) -> Candidate:
    report: Candidate | None
    if source.of is not None:
        report = with_full_user(_find_person(source.of, context), context.case)
    else:
        users = (candidate for candidate in reversed(above) if candidate.user and candidate.user.kind == "user")
        report = next(users, None)
    if report is None or report.user is None:
        return Candidate("manager", "", problem=ReasonCode.NO_REPORT.of(), is_absent=True)
    because = (report.why,) if report.why else ()
    why = ReasonCode.MANAGES.of(person=report.user.name, because=because)
    manager = record_user("manager", f"the manager of {report.user.name}", why, report.user.manager)
    return with_full_user(manager, context.case)


def _opportunity(account: Account | None, which: OfOpportunity) -> Opportunity | None:
    if account is None:
        return None
    return {"open": account.open, "last_won": account.last_won, "last_lost": account.last_lost}[which]
