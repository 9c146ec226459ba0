"""The sentences that say why a job change is someone's, or why no DRI was found. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from services.ownership.choice.candidates import Candidate
from services.ownership.choice.case import Case

_NO_DRI_FOUND = "No DRI found: "


def no_dri_found(problems: Iterable[str]) -> str:
    """One sentence with each problem once."""
    return f"{_NO_DRI_FOUND}{'; '.join(dict.fromkeys(problems))}."


def join_reasons(reasons: Iterable[str]) -> str:
    """The reasons of both sides as one text. What both sides have in common is said once."""
    distinct = dict.fromkeys(reasons)
    failures = [reason for reason in distinct if reason.startswith(_NO_DRI_FOUND)]
    problems = [problem for reason in failures for problem in reason[len(_NO_DRI_FOUND) : -1].split("; ")]
    others = [reason for reason in distinct if reason not in failures]
    return " ".join([*([no_dri_found(problems)] if problems else []), *others])


def catch_all_problems(case: Case, problems: list[str]) -> list[str]:
    """Why nobody was found when no rule matched. `problems` are those of the candidates that were considered."""
    if case.trouble:
        return [case.trouble, *problems]
    if problems:
        return problems
    if case.records is None:
        return [f"{case.no_records_reason}, and the source did not name a DRI"]
    keys = "email address or Salesforce id" if case.change.person.emails else "Salesforce id"
    return [f"no contact or lead in Salesforce has this person's {keys}"]


def third_person_reason(absentee: Candidate) -> str:
    """Why the job change was theirs, for the delegate who is notified in their place."""
    if absentee.why.startswith("You own "):
        return f"They own {absentee.why.removeprefix('You own ')}"
    return f"They are {absentee.why.removeprefix('You are ')}" if absentee.why.startswith("You are ") else ""
