"""Whose job is this: candidates in order, each kept or passed over with a reason, and who is told. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from services.job_changes import JobChange
from services.records import PersonRecords, SalesforceUser
from store.members import BOT, DEACTIVATED, GUEST, NOT_IN_SLACK, STRANGER, Member

RULE = "contact owner, else account owner, else lead owner, else the sender's dri_email, else the default channel"

_SLACK_PROBLEMS = {
    NOT_IN_SLACK: "is not in Slack",
    DEACTIVATED: "is deactivated in Slack",
    BOT: "is a bot in Slack",
    GUEST: "is a guest in Slack",
    STRANGER: "belongs to another Slack workspace",
}


@dataclass(frozen=True)
class Candidate:
    """
    Somebody whose job it may be.

    *label*: who that is, as in "the contact's owner, Dana Reyes, …". *why*: what the message says if they are told.
    *problem*: why they cannot be told, known before Slack is asked; None: ask Slack.
    """

    source: str
    label: str
    name: str | None
    email: str | None
    why: str
    problem: str | None = None


@dataclass(frozen=True)
class Considered:
    """What became of a candidate."""

    source: str
    name: str | None
    email: str | None
    result: str


@dataclass(frozen=True)
class Choice:
    """
    Who is told, and the way there.

    *user_id* None: nobody was found, and *reason* says why; else *reason* is why it is theirs.
    """

    user_id: str | None
    name: str | None
    reason: str
    considered: tuple[Considered, ...]

    def as_trace(self) -> dict[str, Any]:
        """As it is stored with the job change, and shown by explain."""
        return {
            "rule": RULE,
            "considered": [asdict(each) for each in self.considered],
            "chosen": self.name if self.user_id else None,
            "reason": self.reason,
        }


def candidates(change: JobChange, records: PersonRecords | None) -> tuple[list[Candidate], str | None]:
    """
    Who may be responsible, in order, and what is to be said if there is nobody at all.

    *records* None: no Salesforce is connected.
    """
    found: list[Candidate] = []
    if records is not None:
        found += _owners(change.person.name, records)
    if change.dri_email:
        found.append(
            Candidate(
                source="sender",
                label=f"the DRI named by the sender, {change.dri_email},",
                name=None,
                email=change.dri_email,
                why="The sender of this job change named you as its DRI.",
            )
        )
    return found, None if found else _nobody(change, records)


def _owners(person: str, records: PersonRecords) -> list[Candidate]:
    contact, lead = records.contact, records.lead
    found = []
    if contact:
        found.append(_owner("contact owner", "the contact's owner", contact.owner, f"You own {person} in Salesforce."))
        account = contact.account
        if account:
            why = f"You own {account.name} in Salesforce, the account of {person}."
            found.append(_owner("account owner", f"the owner of {account.name}", account.owner, why))
    if lead:
        why = f"You own the lead {person} in Salesforce."
        found.append(_owner("lead owner", "the lead's owner", lead.owner, why))
    return found


def _owner(source: str, role: str, owner: SalesforceUser | None, why: str) -> Candidate:
    if owner is None:
        return Candidate(source, role, None, None, why, problem="is not set or cannot be seen")
    label = f"{role}, {owner.name},"
    problem = None
    if owner.kind == "queue":
        problem = "is a queue"
    elif not owner.is_active:
        problem = "is inactive in Salesforce"
    elif not owner.email:
        problem = "has no e-mail address in Salesforce"
    return Candidate(source, label, owner.name, owner.email, why, problem)


def _nobody(change: JobChange, records: PersonRecords | None) -> str:
    if records is None:
        return "Salesforce is not connected, and the sender named no DRI"
    asked = "e-mail address or Salesforce id" if change.person.emails else "Salesforce id"
    return f"no contact or lead in Salesforce has this person's {asked}"


def choose(found: Sequence[Candidate], members: Mapping[str, Member], nobody: str | None) -> Choice:
    """
    The first candidate who can be told. *members*: what is known of their e-mail addresses, in lower case.

    A candidate whose address is not in *members* has not been looked up; see `next_to_look_up`.
    """
    considered: list[Considered] = []
    problems: list[str] = [nobody] if nobody else []
    for candidate in found:
        member = members.get((candidate.email or "").lower())
        problem = candidate.problem or _slack_problem(member)
        if problem is None and member is not None:
            considered.append(Considered(candidate.source, candidate.name, candidate.email, "told"))
            return Choice(member.user_id, candidate.name or candidate.email, candidate.why, tuple(considered))
        problems.append(f"{candidate.label} {problem}")
        considered.append(Considered(candidate.source, candidate.name, candidate.email, problem or ""))
    return Choice(None, None, f"No DRI found: {'; '.join(problems)}.", tuple(considered))


def next_to_look_up(found: Sequence[Candidate], members: Mapping[str, Member]) -> str | None:
    """The address (lower case) that must be looked up before `choose` can tell; None: it can tell now."""
    for candidate in found:
        if candidate.problem or not candidate.email:
            continue
        member = members.get(candidate.email.lower())
        if member is None:
            return candidate.email.lower()
        if member.problem is None:
            return None
    return None


def _slack_problem(member: Member | None) -> str | None:
    if member is None or member.problem is None:
        return None if member else "is not in Slack"
    return _SLACK_PROBLEMS.get(member.problem, member.problem)
