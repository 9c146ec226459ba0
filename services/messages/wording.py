"""A job change in words: what happened, from where, since when, and what it means. Pure.

All that is foreign comes back escaped for mrkdwn.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Literal

from domain.job_change.model import JobChange
from domain.job_change.parts import ChangeType, Company, Job
from services.slack.mrkdwn import escape

Side = Literal["past", "current", "both"]
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
_PARTING = ("{who} left {left} and joined {where} as {what}", "{who} left {left} and joined {where}")
_ARRIVALS = {ChangeType.NEW_COMPANY, ChangeType.NEW_HIRE, ChangeType.ADDITIONAL_ROLE}
_LEAVINGS = {ChangeType.NEW_COMPANY, ChangeType.DEPARTURE}
_PARTINGS = {ChangeType.NEW_COMPANY, ChangeType.NEW_HIRE}


def headline(change: JobChange, strong: Strong, side: Side | None = None) -> str:
    """Who, and what they did, as the *side* that is told sees it; a sentence without its full stop."""
    job = change.previous if change.change_type is ChangeType.DEPARTURE else change.current
    titled, untitled = _PARTING if _is_parting(change, side) else _HEADLINES[change.change_type]
    return (titled if job.title else untitled).format(
        who=strong(change.person.name, _NAME),
        what=escape(job.title or "", _TITLE),
        where=_company(job.company, strong) or "a company without a name",
        left=_company(change.previous.company, strong),
    )


def one_line(change: JobChange) -> str:
    """The whole job change in one line of mrkdwn, for previews."""
    return " ".join(
        filter(
            None, [sentence(headline(change, escape)), background(change), sentence(", ".join(meaning(change, None)))]
        )
    )


def background(change: JobChange, side: Side | None = None) -> str:
    """From where, and since when, in sentences; empty where neither is known."""
    left = change.change_type is ChangeType.DEPARTURE
    day = change.occurred_on and _day(change.occurred_on)
    phrases = _careers_end(change) if left else _careers_step(change, side)
    if day:
        phrases.append(f"{'Left on' if left else 'New role since'} {day}")
    return " ".join(sentence(phrase) for phrase in phrases)


def meaning(change: JobChange, side: Side | None) -> list[str]:
    """What to make of it: a risk or an opening for the *side* that is told, and who this person is to us."""
    facts: list[str | None] = [*_calls(change, side)]
    facts += [escape(fact, _FACT) if fact else None for fact in (change.relationship, change.persona)]
    facts += [None if change.score is None else f"score {change.score:g}"]
    return [fact for fact in facts if fact]


def slack_time(at: int) -> str:
    """
    A time in milliseconds, in mrkdwn, as each reader's own clock and language have it.

    https://docs.slack.dev/messaging/formatting-message-text#date-formatting
    """
    spelled = datetime.fromtimestamp(at / 1_000, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"<!date^{at // 1_000}^{{date_short_pretty}} at {{time}}|{spelled}>"


def sentence(text: str) -> str:
    """With a full stop, unless it has an end of its own ("Globex Inc.")."""
    return text if text.endswith((".", "…", "!", "?", "”")) else f"{text}."


def _careers_end(change: JobChange) -> list[str]:
    was, now = change.previous.title, _job(change.current)
    return [*([f"Was {escape(was, _TITLE)}"] if was else []), *([f"Now {now}"] if now else [])]


def _careers_step(change: JobChange, side: Side | None) -> list[str]:
    told = change.previous if _is_parting(change, side) else change.current  # whose company the headline names already
    job = _job(change.previous, besides=told.company)
    verb = "Remains" if change.change_type is ChangeType.ADDITIONAL_ROLE else "Was"
    return [f"{verb} {job}"] if job else []


def _is_parting(change: JobChange, side: Side | None) -> bool:
    """Whether it is told to the side that was left, or to both, of somebody who joined another."""
    if side not in {"past", "both"} or change.change_type not in _PARTINGS:
        return False
    left = change.previous.company
    return left is not None and bool(left.name or left.domain)


def _calls(change: JobChange, side: Side | None) -> list[str]:
    """What it calls for."""
    if change.change_type is ChangeType.PROMOTION:
        return ["🎉 A reason to write"]
    if side is None:
        side = "current" if change.change_type in _ARRIVALS else "past"
    calls = []
    if side != "current" and _has_left(change):
        calls.append(f"⚠️ Risk at {_company(change.previous.company, escape) or 'the company left'}")
    if side != "past" and _has_arrived(change):
        calls.append(f"🌱 Opening at {_company(change.current.company, escape) or 'the new company'}")
    return calls


def _has_left(change: JobChange) -> bool:
    return change.change_type in _LEAVINGS or (
        change.change_type is ChangeType.NEW_HIRE and change.previous.company is not None
    )


def _has_arrived(change: JobChange) -> bool:
    return change.change_type in _ARRIVALS or (
        change.change_type is ChangeType.DEPARTURE and change.current.company is not None
    )


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
