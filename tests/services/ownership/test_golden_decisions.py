"""
Decisions as a text to review: the candidates of each source, why each is kept or skipped, and where the card goes.

`REGENERATE_GOLDEN=1 python -m pytest tests/services/ownership/test_golden_decisions.py` writes the text again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from domain.decision.reasons import Reason, ReasonCode, Reasons
from domain.job_change.model import TEST_SOURCE
from domain.people import NOT_IN_SLACK, Member
from domain.preferences import EVERYTHING, SEGMENT
from services.ownership.choice.availability import Absence, Availability, BatchState, Group, Matching
from services.ownership.choice.candidates import SideChoice
from services.ownership.choice.case import Case
from services.ownership.choice.conditions import PreparedRules
from services.ownership.choice.context_fields import context_values
from services.ownership.choice.decide import Choice, decide
from services.ownership.choice.delivery_plan import decision_of, missed_job_changes, plan_deliveries
from services.ownership.choice.person_notes import person_notes
from services.salesforce.queries.objects import FieldInfo
from services.salesforce.records import Account, Opportunity, PersonRecords, SalesforceUser
from tests.services.ownership.cases import (
    ADA,
    BO,
    DANA,
    GLOBEX,
    INITECH,
    KIM,
    LEAD,
    OMAR,
    SUE,
    availability,
    chosen,
    job_change,
    owner,
    rule,
    rules,
    user,
)
from tests.services.ownership.test_choice import WORKSPACE

GOLDEN = Path(__file__).parent / "golden" / "decisions.txt"

ANN, ED = user("Ann Ray"), user("Ed Poe", alternate="E.Poe@other.example", slack_id=" UED ")
GONE = user("Gus Old", is_active=False)
INBOUND = user("Inbound", id="00G000000000001AAA", kind="queue", email=None)
PEOPLE = {person.id[:15]: person for person in (DANA, KIM, OMAR, SUE, BO, ANN, ED, GONE)}
SLACK = {str(person.email): Member(f"U{person.name.split()[0].upper()}") for person in PEOPLE.values()} | {
    f"u{name}": Member(f"U{name.upper()}") for name in ("kim", "sue", "ed", "nina")
}
NOBODY = dict.fromkeys([*SLACK, "e.poe@other.example"], Member(None, NOT_IN_SLACK))


def deal(name: str, owner_of_it: SalesforceUser, closed_on: str, **fields: str | float) -> Opportunity:
    team = {"sales rep": (GONE, ANN), "engineer": (GONE,)}
    return Opportunity(f"006{name}", name, owner_of_it, fields, closed_on=closed_on, team=team)


HOOLI = Account("001000000000003AAA", "Hooli", None, ANN)
TOP = Account("001000000000004AAA", "Gavin Holdings", None, ED)
PAST = replace(
    INITECH,
    fields={**INITECH.fields, "csm__c": BO.id, "queue__c": INBOUND.id, "gone__c": "005000000000999AAA", "vip__c": True}
    | {
        "channel__c": " #Initech ",
        "room__c": "C0123456789",
        "wiki__c": "see the wiki",
        "flag__c": False,
        "staff__c": 50000.0,
    },
    parent=HOOLI,
    ultimate=TOP,
    open=deal("Renewal", SUE, "2026-03-01", sdr__c=ANN.id, stage="Proposal"),
    last_won=deal("Pilot", OMAR, "2025-01-01", sdr__c=ED.id),
    last_lost=deal("Upsell", ED, "2024-01-01", sdr__c=SUE.id),
    team={"csm": (GONE, BO), "engineer": (GONE,)},
)
CONTACT = replace(
    ADA, account=PAST, fields={"exec__c": SUE.id, "level": "C"}, open=deal("Ada's deal", KIM, "2026-05-01")
)
A_LEAD = replace(LEAD, fields={"rep__c": OMAR.id, "rating": "Hot"})
RICH = PersonRecords(
    contact=CONTACT, lead=A_LEAD, contacts=(CONTACT,), past_account=PAST, current_account=GLOBEX, found_by="email"
)
UNREADABLE = {"opportunity", "opportunitycontactrole", "accountteammember", "opportunityteammember", "groupmember"}


def case(records: PersonRecords | None = RICH, **changes: object) -> Case:
    of_case = {
        name: changes.pop(name) for name in ("unreadable", "trouble", "labels", "domain_field") if name in changes
    }
    queues = {INBOUND.id[:15]: (DANA.id, KIM.id, GONE.id)}
    change = job_change(**{"dri_email": "ann@acme.example", **changes})
    return replace(Case(change, records, PEOPLE, queues=queues), **of_case)  # type: ignore[arg-type]  # by name


FIELDS = (
    ("Account.CSM__c", {}),
    ("Account.Queue__c", {}),
    ("Account.Gone__c", {}),
    ("Account.Type", {}),
    ("Account.VIP__c", {}),
    ("Account.Hidden__c", {}),
    ("Contact.Exec__c", {}),
    ("Lead.Rep__c", {}),
    ("Opportunity.SDR__c", {}),
    ("Opportunity.SDR__c", {"which": "last_won"}),
)
SOURCES: tuple[dict[str, object], ...] = (
    *(owner(of) for of in ("contact", "lead", "account", "parent_account", "ultimate_parent_account")),
    *(owner(of, side="past") for of in ("contact", "account")),
    {"source": "opportunity_owner", "side": "past"},
    {"source": "field", "field": "Account.CSM__c", "side": "past"},
    {"source": "team", "of": "account", "role": "CSM", "side": "past"},
    *({"source": "opportunity_owner", "which": which} for which in ("open", "last_won", "last_lost")),
    {"source": "opportunity_owner", "of": "contact"},
    *({"source": "field", "field": field, **parts} for field, parts in FIELDS),
    {"source": "team", "of": "account", "role": "CSM"},
    {"source": "team", "of": "account", "role": "Engineer"},
    {"source": "team", "of": "account", "role": "King"},
    {"source": "team", "of": "opportunity", "role": "Sales Rep"},
    {"source": "team", "of": "opportunity", "role": "Sales Rep", "which": "last_lost"},
    {"source": "sender"},
    {"source": "user", "user": "kim@acme.example"},
    {"source": "user", "user": "UNINA"},
    {"source": "user", "user": SUE.id},
    {"source": "user", "user": "005000000000999AAA"},
    {"source": "mapped", "table": "by id", "of": owner("account")},
    {"source": "mapped", "table": "by address", "of": owner("account")},
    {"source": "mapped", "table": "by address", "of": {"source": "sender"}},
    {"source": "mapped", "table": "by address", "of": {"source": "user", "user": "UNINA"}},
    {"source": "mapped", "table": "by id", "of": owner("parent_account")},
    {"source": "manager", "of": owner("account")},
    {"source": "manager", "of": owner("contact")},
    {"source": "manager", "of": {"source": "user", "user": "UNINA"}},
    {"source": "queue", "members": "in_turn"},
    {"source": "queue", "members": "everyone"},
    {"source": "pool", "pool": "SDRs"},
    {"source": "user_group", "group": "S111"},
    {"source": "channel", "channel": "C111"},
)
PARTS: dict[str, object] = {
    "mappings": {
        "by id": {KIM.id: SUE.id, ANN.id: "UNINA"},
        "by address": {"kim@acme.example": "sue@acme.example", "ann@acme.example": "UKIM", "UNINA": BO.id},
    },
    "pools": {"SDRs": {"members": [{"user": ED.id}, {"user": "kim@acme.example"}]}},
}
MANAGED = {**PEOPLE, KIM.id[:15]: replace(KIM, manager=GONE), DANA.id[:15]: replace(DANA, manager=BO)}
GROUPS = {
    "S111": Group(("UKIM", "USUE", "UNINA")),
    "S222": Group(),
    "S333": Group(problem=ReasonCode.GROUP_FORBIDDEN.of()),
}
EVERYBODY = availability(members=SLACK, groups=GROUPS)


def shown(reasons: Reason | Reasons | None) -> str:
    """Codes with their parameters."""
    if reasons is None:
        return "-"
    if isinstance(reasons, tuple):
        return " + ".join(map(shown, reasons)) or "-"
    values = [f"{name}: {shown(value) if isinstance(value, tuple) else value}" for name, value in reasons.parameters]
    return f"{reasons.code.value}({', '.join(values)})" if values else reasons.code.value


def lines_of(choice: SideChoice) -> Iterator[str]:
    for row in choice.considered:
        kind = f"{' channel' if row.is_channel else ''}{' informed' if row.is_informed else ''}"
        result = f"skipped: {shown(row.problem)}" if row.problem else f"kept: {shown(row.match)}"
        yield f"  {row.source} | {row.name} | {row.email} |{kind} {result}"
    where = [*choice.recipients, *([choice.channel] if choice.channel else [])]
    flags = f"{' by default' if choice.by_default else ''}{' silent' if choice.is_silent else ''}"
    yield f"  = {choice.name} at {choice.place}: {' '.join(where) or 'nobody'}{flags}, because {shown(choice.reasons)}"
    for turn in choice.turns:
        yield f"  turn in {turn.pool}: {turn.user}, who keeps {turn.account}"
    yield from (f"  unmatched: {candidate.source}, {candidate.label}" for candidate in choice.unmatched)
    if choice.informed:
        yield f"  informed: {' '.join(choice.informed)}"


def decided(
    job: Case,
    prepared: PreparedRules,
    people: Availability = EVERYBODY,
    batch: BatchState | None = None,
    **preferences: object,
) -> list[str]:
    """Everything that a decision says, and the deliveries to which it leads."""
    choice = decide(job, prepared, people, batch or BatchState())
    if not isinstance(choice, Choice):
        return [f"  look up {sorted(choice.addresses)} {sorted(choice.groups)}"]
    workspace = replace(WORKSPACE, **preferences)  # type: ignore[arg-type]  # by name
    plan = plan_deliveries("jc", choice, workspace, job.change.signal)
    lines = []
    for of_side in choice.choices:
        lines += [f"{of_side.side}, “{of_side.rule.name}”:", *lines_of(of_side)]
    of_choices = {of_side.reasons for of_side in choice.choices}
    for delivery in plan.deliveries:
        reasons = "the same reason" if delivery.reasons in of_choices else shown(delivery.reasons)
        lines.append(f"to {delivery.destination}: {delivery.role}, {delivery.side}, {delivery.rule or '-'}, {reasons}")
    if plan.outcome:
        lines.append(f"to nobody: {plan.outcome}, {shown(plan.reasons)}")
    for missed in missed_job_changes("jc", choice):
        lines.append(
            f"missed by {missed.owner} ({missed.name}): {shown(missed.problem)}, {shown(missed.reasons)}, {missed.side}"
        )
    return lines


def stored(job: Case, prepared: PreparedRules) -> str:
    """The decision as JSON."""
    choice = chosen(job, prepared, EVERYBODY)
    plan = plan_deliveries("jc", choice, WORKSPACE, job.change.signal)
    return decision_of(choice, plan, 7, person_notes(job)).to_stored()


def searched_without(unreadable: str, company: dict[str, str]) -> Iterator[str]:
    """The rule that matches a company without an account, if a field cannot be read: the company left, or joined."""
    prepared = rules(rule(SENDER, name="Not in Salesforce", when={"segment": ["not_in_salesforce"]}))
    for changes in (
        {"change_type": "departure", "previous": {"company": company}, "current": {}},
        {"change_type": "new_hire", "previous": {}, "current": {"company": company}},
    ):
        job = case(PersonRecords(), unreadable=frozenset({unreadable}), domain_field="Host__c", **changes)
        yield f"{company} without {unreadable}: {decided(job, prepared)[0]}"


def of_sources() -> Iterator[str]:
    """Each source on its own: with everybody in Slack, with nobody, and with records that are missing or hidden."""
    nobody = availability(members=NOBODY, groups={"S111": Group()})
    hidden = frozenset({*UNREADABLE, "account.hidden__c", "account.csm__c", "contact.email"})
    managed = replace(case(), users=MANAGED)
    for source in SOURCES:
        yield f"# {', '.join(f'{name} {value}' for name, value in source.items())}"
        of_side = [rule(source, name=side, when={"side": side}) for side in ("past", "current")]
        prepared, past = rules(*of_side, **PARTS), rules(of_side[0], **PARTS)
        job = replace(managed, records=QUEUED) if source["source"] == "queue" else managed
        found = [line for choice in choices_of(job, prepared) for line in lines_of(choice)]
        yield from found
        for how, other, people in (
            ("nobody is in Slack", job, nobody),
            ("no records", case(PersonRecords(), dri_email=None), EVERYBODY),
            ("hidden", replace(job, unreadable=hidden), EVERYBODY),
            ("no Salesforce", case(None, dri_email=None), EVERYBODY),
        ):
            (choice,) = choices_of(other, past, people)
            is_found = how in {"nobody is in Slack", "hidden"}
            lines = [line for line in lines_of(choice) if line not in found and (is_found or line[:3] != "  =")]
            yield from (f"{how}: {line.strip()}" for line in lines)
        yield ""


def choices_of(job: Case, prepared: PreparedRules, people: Availability = EVERYBODY) -> tuple[SideChoice, ...]:
    return chosen(job, prepared, people).choices


CONTACT_OWNER, ACCOUNT_OWNER = owner("contact", side="past"), owner("account", side="past")
QUEUE, POOL, GROUP = {"source": "queue"}, {"source": "pool", "pool": "SDRs"}, {"source": "user_group", "group": "S111"}
CHANNEL, SENDER, MANAGER = {"source": "channel", "channel": "C111"}, {"source": "sender"}, {"source": "manager"}
ROOMS = [
    {"source": "channel_field", "field": f"Account.{name}__c"} for name in ("Channel", "Room", "Wiki", "None", "VIP")
]


def left(*tell: dict[str, object], **parts: object) -> PreparedRules:
    """One rule for the company left."""
    shared = {name: parts.pop(name) for name in ("pools", "mappings", "guards") if name in parts}
    return rules(rule(*tell, name="Left", when={"side": "past"}, **parts), **{**PARTS, **shared})


def both(*tell: dict[str, object], **parts: object) -> PreparedRules:
    """One rule for both sides."""
    return rules(rule(*tell, name="Both", **parts), **PARTS)


def guarded(**guards: object) -> PreparedRules:
    return left(ACCOUNT_OWNER, CONTACT_OWNER, guards=guards)


def with_people(**changes: object) -> Availability:
    return replace(EVERYBODY, **changes)  # type: ignore[arg-type]  # by name


def without(*names: str, **changes: object) -> Availability:
    """Slack without these people."""
    gone = {f"{name}@acme.example": Member(None, NOT_IN_SLACK) for name in names}
    return with_people(members={**SLACK, **gone}, **changes)


def away(delegate: str | None) -> Availability:
    return with_people(absences={"UKIM": Absence(delegate)})


def muting(what: str, *required: str) -> Availability:
    return with_people(muted=frozenset({("UKIM", what)}), required=frozenset(required))


def matched(**matching: object) -> Availability:
    """Slack with Kim, Ed and Sue under other addresses."""
    others = {"kim@slack.example": Member("UKIM"), "e.poe@other.example": Member("UED"), "usue": Member("USUE")}
    return with_people(members={**NOBODY, **others}, matching=Matching(**matching))  # type: ignore[arg-type]  # by name


QUEUED = replace(RICH, lead=replace(A_LEAD, owner=INBOUND))
TO_CHANNEL = {"to": "channel", "channel": "C222"}
TO_BOTH = {"to": "dri_and_channel", "channel": "C222"}
FIRST_CONTACT = replace(CONTACT, id="003000000000002AAA", account=GLOBEX, owner=OMAR)
NAMELESS = {"company": {"name": "INITECH Ltd"}}
LEFT = left(ACCOUNT_OWNER, CONTACT_OWNER)
EVERYONE = {"channel_gets": "everything"}


SHOWN = ("Account.ARR__c", "Account.Type", "Account.Flag__c", "Account.Empty__c", "Contact.Level", "Opportunity.Amount")
DESCRIBED = {
    "account.arr__c": FieldInfo("ARR__c", "Recurring revenue", "currency"),
    "account.type": FieldInfo("Type", "Account Type", "picklist"),
    "opportunity.amount": FieldInfo("Amount", "Amount", "currency"),
}
RICHER = replace(PAST, fields={**PAST.fields, "arr__c": 7.5, "currencyisocode": "EUR", "empty__c": ""})
ADAS_DEAL = deal("Ada's deal", KIM, "2026-05-01", amount=9.0, currencyisocode="USD")
PRICED = case(
    replace(
        RICH,
        contact=replace(CONTACT, account=RICHER, open=ADAS_DEAL),
        current_account=replace(GLOBEX, open=deal("Expansion", SUE, "2026-04-01", amount=12.0)),
    )
)


def scenarios() -> dict[str, list[str]]:
    return {
        "the rule notifies nobody": decided(case(), left(CONTACT_OWNER, deliver={"to": "nobody"})),
        "a channel is first in the chain": decided(case(), left(CHANNEL, CONTACT_OWNER)),
        "a channel comes after someone who was skipped": decided(case(), left(ACCOUNT_OWNER, CHANNEL), without("kim")),
        "the fallback is used": decided(
            case(), left(owner("lead"), fallback={"source": "user", "user": "UNINA"}), without("sue")
        ),
        "missing records are not named beside another reason": decided(case(), both(owner("contact")), without("dana")),
        "the rule has a chain without anybody": decided(case(), left(deliver=TO_CHANNEL)),
        "the channel of the rule gets it without a DRI": decided(
            case(), left(CONTACT_OWNER, deliver=TO_CHANNEL), without("dana")
        ),
        "the channel of the rule gets it and reads the DRI": decided(
            case(), left(CONTACT_OWNER, deliver=TO_CHANNEL), **EVERYONE
        ),
        "the DRI and a channel get it": decided(case(), left(CONTACT_OWNER, deliver=TO_BOTH)),
        "the DRI and a channel, but there is no DRI": decided(
            case(), left(CONTACT_OWNER, deliver=TO_BOTH), without("dana")
        ),
        "the DRI and a channel, but DRIs are not notified": decided(
            case(), left(CONTACT_OWNER, deliver=TO_BOTH, also_notify=[CHANNEL, ACCOUNT_OWNER]), tell_dris=False
        ),
        "the default channel gets everything": decided(case(), left(CONTACT_OWNER), **EVERYONE),
        "one side has a channel, the other a DRI": decided(
            case(),
            rules(
                rule(CONTACT_OWNER, name="A", when={"side": "past"}, deliver=TO_CHANNEL),
                rule(owner("account"), name="B"),
            ),
            **EVERYONE,
        ),
        "the default channel gets everything, of both sides": decided(
            case(),
            rules(rule(CONTACT_OWNER, name="A", when={"side": "past"}), rule(owner("account"), name="B")),
            **EVERYONE,
        ),
        "the channel of the signal gets everything": decided(
            case(),
            left(CONTACT_OWNER),
            signal_channels={"contact_tracking": "C333"},
            default_channel_id=None,
            **EVERYONE,
        ),
        "no default channel": decided(case(), left(CONTACT_OWNER), default_channel_id=None, **EVERYONE),
        "the rule names the default channel": decided(
            case(), left({"source": "channel", "channel": "C333"}), default_channel_id="C333"
        ),
        "one rule for both sides": decided(case(), both(owner("account"))),
        "one rule for both sides, and only one has a DRI": decided(
            case(), both({"source": "field", "field": "Account.SDR__c"})
        ),
        "one rule for both sides with the same DRI": decided(case(), both(CONTACT_OWNER), **EVERYONE),
        "one rule for both sides, and neither has a DRI": decided(
            case(), both(owner("account")), without("kim", "omar")
        ),
        "a channel on one side, and a later person on the other": decided(
            case(), both({"source": "field", "field": "Account.CSM__c"}, CHANNEL)
        ),
        "others are informed": decided(
            case(), left(CONTACT_OWNER, also_notify=[*ROOMS, ACCOUNT_OWNER, CHANNEL, GROUP, owner("lead"), MANAGER])
        ),
        "others are informed without a DRI": decided(
            case(), left(CONTACT_OWNER, also_notify=[CHANNEL, ACCOUNT_OWNER, GROUP, CONTACT_OWNER]), without("dana")
        ),
        "a group that is informed is not known yet": decided(
            case(), left(CONTACT_OWNER, also_notify=[{"source": "user_group", "group": "S444"}])
        ),
        "a group without members, one that cannot be read, and one with members away": decided(
            case(),
            left(*({"source": "user_group", "group": f"S{n}{n}{n}"} for n in (2, 3, 1))),
            with_people(absences={"UKIM": Absence("UED"), "USUE": Absence()}),
        ),
        "nobody of a group can be notified": decided(
            case(), left(GROUP), with_people(absences={user_id: Absence() for user_id in ("UKIM", "USUE", "UNINA")})
        ),
        "the delegate of an absent owner": decided(case(), LEFT, away("UED")),
        "the delegate is unknown, too": decided(case(), LEFT, away("UNOBODY")),
        "the delegate is not in Slack any more": decided(
            case(), LEFT, replace(away("UGONE"), members={**SLACK, "ugone": Member(None, "deactivated")})
        ),
        "an absent owner without a delegate": decided(case(), LEFT, away(None)),
        "the delegate of someone whom the rule names by a Slack id": decided(
            case(), left({"source": "user", "user": "UKIM"}), away("UED")
        ),
        "the delegate is away, too": decided(
            case(), LEFT, with_people(absences={"UKIM": Absence("UED"), "UED": Absence("UKIM")})
        ),
        "excluded by an address": decided(case(), guarded(excluded=["KIM@acme.example"])),
        "excluded by a Slack id": decided(case(), guarded(excluded=["UKIM"])),
        "excluded by a Salesforce id": decided(case(), guarded(excluded=[KIM.id])),
        "someone else is excluded": decided(case(), guarded(excluded=["UED"])),
        "excluded in a group by the Slack id": decided(case(), left(GROUP, guards={"excluded": ["UKIM"]})),
        "the daily limit is reached together with the batch": decided(
            case(), guarded(daily_cap=5), with_people(recent_counts={"UKIM": 3}), BatchState(counts={"UKIM": 2})
        ),
        "one more is within the daily limit": decided(
            case(),
            guarded(daily_cap=5),
            with_people(recent_counts={"UKIM": 3}),
            BatchState(counts={"UKIM": 1, "UED": 9}),
        ),
        "the signal is muted": decided(case(), LEFT, muting("contact_tracking")),
        "everything is muted": decided(case(), LEFT, muting(EVERYTHING)),
        "the change type is muted": decided(case(), LEFT, muting("new_company")),
        "the segment is muted": decided(case(), LEFT, muting(f"{SEGMENT}customer")),
        "another segment is muted": decided(case(), LEFT, muting(f"{SEGMENT}target")),
        "the signal is muted, but the segment is required": decided(
            case(), LEFT, muting("contact_tracking", f"{SEGMENT}customer")
        ),
        "the change type is muted, but it is required": decided(case(), LEFT, muting("new_company", "new_company")),
        "the change type is muted, and another signal is required": decided(
            case(), LEFT, muting("new_company", "custom")
        ),
        "matched by an alias domain": decided(case(), LEFT, matched(alias_domains={"acme.example": "slack.example"})),
        "matched by another address": decided(
            case(), left(owner("ultimate_parent_account")), matched(email_field="Other__c")
        ),
        "linked by the Salesforce id": decided(case(), LEFT, matched(links={KIM.id: "USUE"})),
        "linked by the address": decided(case(), LEFT, matched(links={"kim@acme.example": "USUE"})),
        "linked to the Slack user in Salesforce": decided(
            case(), left(owner("ultimate_parent_account")), with_people(matching=Matching(links={ED.id: "UED"}))
        ),
        "the Slack user said that they are not this owner": decided(
            case(), LEFT, with_people(matching=Matching(denied=frozenset({(KIM.id, "UKIM"), (DANA.id, "UKIM")})))
        ),
        "an owner without an address": decided(
            case(
                replace(
                    RICH,
                    past_account=replace(PAST, owner=SalesforceUser("005000000000777AAA", "Bea", None, True)),
                    contact=None,
                )
            ),
            left(ACCOUNT_OWNER),
            with_people(),
        ),
        "Slack refuses to look someone up": decided(
            case(),
            LEFT,
            with_people(members={**SLACK, "kim@acme.example": Member(None, "not_looked_up", error="no scope")}),
        ),
        "a pool takes a turn": decided(case(), left(POOL)),
        "a pool is not looked up yet": decided(case(), left(POOL), availability(members={})),
        "a pool whose first member is away": decided(
            case(), left(POOL), with_people(absences={"UED": Absence("USUE")})
        ),
        "a pool keeps the account": decided(
            case(), left(POOL), batch=BatchState(sticky={("SDRs", PAST.id[:15]): "kim@acme.example"})
        ),
        "a pool keeps the account joined": decided(
            case(), rules(rule(POOL, name="Joined", when={"side": "current"}), **PARTS)
        ),
        "a pool whose holder has left it": decided(
            case(), left(POOL), batch=BatchState(sticky={("SDRs", PAST.id[:15]): DANA.id})
        ),
        "a pool takes one turn for both sides": decided(
            case(),
            rules(rule(POOL, name="A", when={"side": "past"}), rule(POOL, name="B", when={"side": "current"}), **PARTS),
            batch=BatchState(sticky={("SDRs", GLOBEX.id[:15]): "kim@acme.example"}),
        ),
        "a pool remembers companies without an account": [
            line
            for company in ({"name": "INITECH Ltd"}, {"domain": "initech.com", "name": "I"}, {})
            for line in decided(
                case(PersonRecords(), previous={"company": company} if company else {}),
                rules(*(rule(POOL, name=side, when={"side": side}) for side in ("past", "current")), **PARTS),
            )
            if "turn in" in line
        ],
        "the manager of the nearest person above": decided(
            replace(case(), users=MANAGED),
            left(SENDER, CONTACT_OWNER, owner("contact"), MANAGER),
            without("ann", "dana"),
        ),
        "the manager of a member of a pool": decided(
            replace(case(), users={**MANAGED, ED.id[:15]: replace(ED, manager=BO)}),
            left(POOL, MANAGER, pools={"SDRs": {"members": [{"user": ED.id}]}}),
            with_people(absences={"UED": Absence()}),
        ),
        "there is nobody above to have a manager": decided(
            case(), left({"source": "user", "user": "UNINA"}, MANAGER), with_people(absences={"UNINA": Absence()})
        ),
        "members of a queue take turns": decided(case(QUEUED), both(QUEUE)),
        "a queue that everyone works on, and nobody is there": decided(
            case(QUEUED), left({**QUEUE, "members": "everyone"}), without("dana", "kim")
        ),
        "a queue without members": decided(replace(case(QUEUED), queues={}), left(QUEUE)),
        "the owner of the lead is no queue": decided(case(), left(QUEUE)),
        "the lead has no owner": decided(
            case(replace(RICH, lead=replace(A_LEAD, owner=None))), left(QUEUE, owner("lead"))
        ),
        "records without an owner": decided(
            case(replace(RICH, contact=replace(CONTACT, owner=None, account=replace(PAST, owner=INBOUND)))),
            left(CONTACT_OWNER, ACCOUNT_OWNER),
        ),
        "nothing matches": decided(case(), left(CONTACT_OWNER, enabled=False)),
        "nothing matches, and the owner is not in Slack": decided(
            case(), rules(), without("dana", "kim", "sue", "ann")
        ),
        "nothing matches, and Salesforce is down": decided(
            case(None, trouble=ReasonCode.SALESFORCE_DOWN.of(), dri_email=None), rules()
        ),
        "nothing matches, Salesforce is down, and the DRI is not in Slack": decided(
            case(None, trouble=ReasonCode.SALESFORCE_DOWN.of()), rules(), without("ann")
        ),
        "nothing matches, and there is no Salesforce": decided(case(None, dri_email=None), rules()),
        "nothing matches, and contacts cannot be searched": decided(
            case(PersonRecords(), dri_email=None, unreadable=frozenset({"contact.email"})), rules()
        ),
        "nothing matches, and leads cannot be searched": decided(
            case(PersonRecords(), dri_email=None, unreadable=frozenset({"lead.email"})), rules()
        ),
        "nothing matches, and there are no records": decided(case(PersonRecords(), dri_email=None), rules()),
        "nothing matches, and the contact of the id is gone": decided(
            case(
                PersonRecords(),
                dri_email=None,
                person={"full_name": "Ada Smith"},
                salesforce={"contact_id": "003000000000009"},
            ),
            rules(),
        ),
        "a test message": decided(case(None, source=TEST_SOURCE), left(CONTACT_OWNER), **EVERYONE),
        "a contact at each company": decided(
            case(replace(RICH, contact=FIRST_CONTACT, contacts=(FIRST_CONTACT, CONTACT))),
            rules(rule(owner("contact"), name="A", when={"side": "past"}), rule(owner("contact"), name="B")),
        ),
        "only a contact at the company joined": decided(
            case(replace(RICH, contact=FIRST_CONTACT, contacts=(FIRST_CONTACT,))), both(owner("contact"))
        ),
        "the sender named the contact at the company left": decided(
            case(replace(RICH, past_contact=replace(CONTACT, owner=ED))), left(owner("contact"))
        ),
        "a promotion": decided(case(change_type="promotion", previous={}), both(owner("account"), owner("contact"))),
        "a promotion at the account of the contact": decided(
            case(replace(RICH, current_account=None), change_type="promotion", previous={}), both(owner("account"))
        ),
        "the contact already is at the company joined": decided(
            case(replace(RICH, contact=replace(CONTACT, account=GLOBEX))),
            rules(rule(owner("account"), name="A", when={"side": "past"})),
        ),
        "the source named the account left by its id": decided(
            case(
                replace(RICH, contact=replace(CONTACT, account=HOOLI)),
                previous={"company": {"name": "Initech", "salesforce_id": INITECH.id}},
            ),
            left(owner("account")),
        ),
        "nothing matches, and the source named an account by its id": decided(
            case(
                PersonRecords(past_account=PAST, current_account=GLOBEX),
                previous={"company": {"salesforce_id": INITECH.id}},
            ),
            rules(),
        ),
        "nothing matches, and the source named the account joined": decided(
            case(
                PersonRecords(past_account=PAST, current_account=GLOBEX),
                current={"company": {"salesforce_id": GLOBEX.id}},
            ),
            rules(),
        ),
        "fields of each record are tested": [
            line
            for field, value in (
                ("Contact.Level", "c"),
                ("Lead.Rating", "HOT"),
                ("Opportunity.Stage", "Proposal"),
                ("Account.VIP__c", "true"),
                ("Account.Flag__c", "False"),
                ("Account.Staff__c", "50000"),
            )
            for line in decided(
                case(),
                rules(
                    rule(
                        CONTACT_OWNER,
                        name=field,
                        when={"side": "past", "fields": [{"field": field, "values": [value]}]},
                    )
                ),
            )
            if "to " in line
        ],
        "the contact has an open opportunity": decided(
            case(),
            rules(
                rule(CONTACT_OWNER, name="No", when={"contact_has_open_opportunity": False, "side": "past"}),
                rule(SENDER, name="Yes", when={"contact_has_open_opportunity": True}),
            ),
        ),
        "it is not known whether the contact has an open opportunity": decided(
            case(unreadable=frozenset({"opportunitycontactrole"})),
            rules(*(rule(SENDER, name=str(has), when={"contact_has_open_opportunity": has}) for has in (True, False))),
        ),
        "the org has labels of its own": decided(
            case(labels={"account.csm__c": "Success Manager"}), left({"source": "field", "field": "Account.CSM__c"})
        ),
        "a company is in no segment if accounts cannot be searched for it": [
            line
            for company, unreadable in (
                ({"name": "Hooli", "domain": "hooli.com"}, "nothing"),
                ({"name": "Hooli", "domain": "hooli.com"}, "account.website"),
                ({"name": "Hooli"}, "account.website"),
                ({"name": "Hooli"}, "account.name"),
                ({"name": "Hooli", "domain": "hooli.com"}, "account.host__c"),
                ({"name": "Hooli", "salesforce_id": "001000000000009AAA"}, "account.name"),
            )
            for line in searched_without(unreadable, company)
        ],
        "an account that was found has its segments although others cannot be searched": decided(
            case(unreadable=frozenset({"account.name", "account.website"})),
            rules(rule(ACCOUNT_OWNER, name="Customer", when={"side": "past", "segment": ["customer"]})),
        ),
        "what cards show of the records": [
            f"{side}: {value.label} | {value.value} | {value.kind} | {value.currency}"
            for side in ("past", "current", None)
            for value in context_values(PRICED, side, SHOWN, DESCRIBED)
        ],
        "what is stored of a decision": [
            stored(
                case(labels={"account.csm__c": "Success Manager"}), left({"source": "field", "field": "Account.CSM__c"})
            ),
            stored(case(), both(owner("account"), also_notify=[CHANNEL])),
            stored(case(), left(CHANNEL, deliver={"to": "dri_and_channel", "channel": "C222"})),
            stored(case(), rules()),
        ],
        "how the person was found": [
            shown(tuple(person_notes(job)))
            for job in (
                case(),
                case(replace(RICH, contact=None, contacts=(), lead_found_by="LinkedIn")),
                case(replace(RICH, found_by=None, lead_found_by="LinkedIn")),
                case(replace(RICH, contact=None, contacts=())),
                case(PersonRecords()),
                case(None),
                case(replace(RICH, contact=FIRST_CONTACT, contacts=(FIRST_CONTACT, CONTACT))),
                case(replace(RICH, contacts=(CONTACT, replace(CONTACT, id="003000000000003AAA", account=None)))),
                case(replace(RICH, contacts=(CONTACT,) * 7), salesforce={"contact_id": CONTACT.id[:15]}),
            )
        ],
    }


def test_decisions_equal_their_golden_text():
    """A change of what is chosen, why, or of what the trace says is seen in review."""
    of_scenarios = (line for title, lines in scenarios().items() for line in (f"# {title}", *lines, ""))
    text = "\n".join([*of_sources(), *of_scenarios])
    if "REGENERATE_GOLDEN" in os.environ:
        GOLDEN.write_text(text, encoding="utf-8")

    assert text.splitlines() == GOLDEN.read_text(encoding="utf-8").splitlines()
