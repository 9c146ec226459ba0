"""A job change in words: what happened, from where, since when, and what it means. Pure.

All that is foreign comes back escaped for mrkdwn.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Literal

from services.job_changes import ChangeType, Company, Job, JobChange
from services.mrkdwn import escape

Side = Literal["past", "current"]
Strong = Callable[[str, int], str]
"""How names that matter are set: `mrkdwn.bold`, or `mrkdwn.escape` where nothing can be bold."""

# Characters that are read. All of one job change, escaped at its worst, fits Slack's 3,000 of a section.
_NAME, _TITLE, _COMPANY, _FACT = 80, 100, 80, 60

# With a title, and without one.
_HEADLINES = {
    ChangeType.NEW_COMPANY: ("{who} joined {where} as {what}", "{who} joined {where}"),
    ChangeType.NEW_HIRE: ("{who} was hired by {where} as {what}", "{who} was hired by {where}"),
    ChangeType.PROMOTION: ("{who} was promoted to {what} at {where}", "{who} was promoted at {where}"),
    ChangeType.LATERAL: ("{who} moved to {what} at {where}", "{who} changed roles at {where}"),
    ChangeType.ADDITIONAL_ROLE: ("{who} is now also {what} at {where}", "{who} took an additional role at {where}"),
    ChangeType.DEPARTURE: ("{who} left {where}", "{who} left {where}"),
}
_ARRIVALS = {ChangeType.NEW_COMPANY, ChangeType.NEW_HIRE, ChangeType.ADDITIONAL_ROLE}
_LEAVINGS = {ChangeType.NEW_COMPANY, ChangeType.DEPARTURE}


def headline(change: JobChange, strong: Strong) -> str:
    """Who, and what they did; a sentence without its full stop."""
    job = change.previous if change.change_type is ChangeType.DEPARTURE else change.current
    titled, untitled = _HEADLINES[change.change_type]
    return (titled if job.title else untitled).format(
        who=strong(change.person.name, _NAME),
        what=escape(job.title or "", _TITLE),
        where=_company(job.company, strong) or "a company without a name",
    )


def background(change: JobChange) -> str:
    """From where, and since when, in sentences; empty where neither is known."""
    left = change.change_type is ChangeType.DEPARTURE
    day = change.occurred_on and _day(change.occurred_on)
    phrases = _careers_end(change) if left else _careers_step(change)
    if day:
        phrases.append(f"{'Left on' if left else 'New role since'} {day}")
    return " ".join(sentence(phrase) for phrase in phrases)


def meaning(change: JobChange, side: Side | None) -> list[str]:
    """What to make of it: a risk or an opening for the *side* that is told, and who this person is to us."""
    facts = [_risk_or_opening(change, side)]
    facts += [escape(fact, _FACT) if fact else None for fact in (change.relationship, change.persona)]
    facts += [None if change.score is None else f"score {change.score:g}"]
    return [fact for fact in facts if fact]


def sentence(text: str) -> str:
    """With a full stop, unless it has an end of its own ("Globex Inc.")."""
    return text if text.endswith((".", "…", "!", "?")) else f"{text}."


def _careers_end(change: JobChange) -> list[str]:
    was, now = change.previous.title, _job(change.current)
    return [*([f"Was {escape(was, _TITLE)}"] if was else []), *([f"Now {now}"] if now else [])]


def _careers_step(change: JobChange) -> list[str]:
    job = _job(change.previous, besides=change.current.company)
    verb = "Remains" if change.change_type is ChangeType.ADDITIONAL_ROLE else "Was"
    return [f"{verb} {job}"] if job else []


def _risk_or_opening(change: JobChange, side: Side | None) -> str | None:
    if side is None:
        side = "current" if change.change_type in _ARRIVALS else "past"
    if side == "past" and change.change_type in _LEAVINGS:
        return f"⚠️ Risk at {_company(change.previous.company, escape) or 'the company left'}"
    if side == "current" and change.change_type in _ARRIVALS:
        return f"🌱 Opening at {_company(change.current.company, escape) or 'the new company'}"
    return None


def _job(job: Job, besides: Company | None = None) -> str:
    """As much of "VP Sales at Initech" as is known; the company only where it is not *besides*."""
    title = escape(job.title, _TITLE) if job.title else ""
    company = _company(job.company, escape)
    if not company or company == _company(besides, escape):
        return title
    return f"{title} at {company}".strip()


def _company(company: Company | None, strong: Strong) -> str | None:
    name = company and (company.name or company.domain)
    return strong(name, _COMPANY) if name else None


def _day(day: date) -> str:
    return f"{day.day} {day:%b} {day.year}"
