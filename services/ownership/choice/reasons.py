"""Why a job change is read where it is, in sentences: whose it is, or why nobody was found. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from services.ownership.choice.candidates import Candidate
from services.ownership.choice.case import Case

_NONE_FOUND = "No DRI found: "


def none_found(ways: Iterable[str]) -> str:
    """*ways*: what was in the way, each once."""
    return f"{_NONE_FOUND}{'; '.join(dict.fromkeys(ways))}."


def all_reasons(reasons: Iterable[str]) -> str:
    """Those of both sides as one text: what is the same of both is said once, also that nobody was found."""
    distinct = dict.fromkeys(reasons)
    missing = [reason for reason in distinct if reason.startswith(_NONE_FOUND)]
    ways = [way for reason in missing for way in reason[len(_NONE_FOUND) : -1].split("; ")]
    told = [reason for reason in distinct if reason not in missing]
    return " ".join([*([none_found(ways)] if ways else []), *told])


def of_catch_all(case: Case, problems: list[str]) -> list[str]:
    """Why nobody was found where no rule took the job change; *problems*: of those who were considered."""
    if case.trouble:
        return [case.trouble, *problems]
    if problems:
        return problems
    if case.records is None:
        return [f"{case.no_records}, and the sender named no DRI"]
    asked = "e-mail address or Salesforce id" if case.change.person.emails else "Salesforce id"
    return [f"no contact or lead in Salesforce has this person's {asked}"]


def of_somebody(absent: Candidate) -> str:
    """Why it was theirs, told to whoever stands in for them."""
    if absent.why.startswith("You own "):
        return f"They own {absent.why.removeprefix('You own ')}"
    return f"They are {absent.why.removeprefix('You are ')}" if absent.why.startswith("You are ") else ""
