"""Sample records: Ada leaves Initech, a customer whose owner is Kim, for Globex, a target whose owner is Omar."""

from __future__ import annotations

from dataclasses import replace

from domain.job_change.model import JobChange
from domain.people import NOT_IN_SLACK, Member
from services.ownership.choice.availability import Availability, BatchState
from services.ownership.choice.case import Case
from services.ownership.choice.conditions import PreparedRules
from services.ownership.choice.decide import Choice, decide
from services.ownership.rules.rule_set import RuleSet
from services.salesforce.records import Account, Contact, Lead, Opportunity, PersonRecords, SalesforceUser


def job_change(**changes: object) -> JobChange:
    """A champion goes from Initech to Globex."""
    fields: dict[str, object] = {
        "signal": "contact_tracking",
        "change_type": "new_company",
        "person": {"full_name": "Ada Smith", "emails": ["ada@globex.com"]},
        "previous": {"title": "VP Sales", "company": {"name": "Initech", "domain": "initech.com"}},
        "current": {"title": "CRO", "company": {"name": "Globex", "domain": "globex.com"}},
        "relationship": "Champion",
        "persona": "Economic buyer",
        "score": 87,
    }
    return JobChange.parse(fields | changes)


def user(name: str, number: int = 0, **fields: object) -> SalesforceUser:
    """A user with an email address at acme.example. `number` makes the id."""
    number = number or sum(map(ord, name))
    defaults = {"id": f"005{number:012}AAA", "name": name, "email": f"{name.split(maxsplit=1)[0].lower()}@acme.example"}
    return SalesforceUser(**{**defaults, "is_active": True, **fields})  # type: ignore[arg-type]  # by name


DANA, KIM, OMAR, SUE, BO = (user(name) for name in ("Dana Reyes", "Kim Lee", "Omar Diaz", "Sue Park", "Bo Chen"))
USERS = {user.id[:15]: user for user in (DANA, KIM, OMAR, SUE, BO)}
INITECH = Account("001000000000001AAA", "Initech", "initech.com", KIM, {"type": "Customer - Direct", "csm__c": BO.id})
GLOBEX = Account(
    "001000000000002AAA", "Globex", "globex.com", OMAR, {"type": "Target", "sdr__c": SUE.id, "revenue__c": 1234567.5}
)
ADA = Contact("003000000000001AAA", "Ada Smith", "ada@initech.com", INITECH, DANA)
LEAD = Lead("00Q000000000001AAA", "Ada Smith", "ada@initech.com", "Initech", SUE)
RECORDS = PersonRecords(contact=ADA, contacts=(ADA,), past_account=INITECH, current_account=GLOBEX)
DEAL = Opportunity("006000000000001AAA", "Big deal", BO, closed_on="2026-01-01")

SLACK = {user.email: Member(f"U{user.name.split()[0].upper()}") for user in USERS.values() if user.email}


def case(records: PersonRecords | None = RECORDS, **changes: object) -> Case:
    return Case(job_change(**changes), records, USERS)


def availability(**changes: object) -> Availability:
    return replace(Availability(members=SLACK), **changes)  # type: ignore[arg-type]  # by name


def rules(*raw_rules: dict[str, object], **parts: object) -> PreparedRules:
    return PreparedRules.of(RuleSet.parse({"rules": list(raw_rules), **parts}))


def owner(of: str, **parts: object) -> dict[str, object]:
    return {"source": "owner", "of": of, **parts}


def rule(*tell: dict[str, object], name: str = "One", **parts: object) -> dict[str, object]:
    return {"name": name, "tell": list(tell), **parts}


def chosen(
    of: Case, prepared: PreparedRules, how: Availability | None = None, batch: BatchState | None = None
) -> Choice:
    decision = decide(of, prepared, how or availability(), batch or BatchState())
    assert isinstance(decision, Choice)
    return decision


def notified(of: Case, prepared: PreparedRules, people: Availability | None = None) -> dict[str | None, str | None]:
    """The names of the recipients by side."""
    choices = chosen(of, prepared, people).choices
    return {choice.side: choice.name if choice.recipients else None for choice in choices}


def missing(email: str | None) -> Availability:
    """Slack without this person."""
    return availability(members={**SLACK, str(email): Member(None, NOT_IN_SLACK)})
