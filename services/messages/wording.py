"""Describes a job change in words: what happened, the previous job, the date, and what it means. Pure.

Text from senders and from Salesforce is returned escaped for mrkdwn.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from domain.day_counts import counted
from domain.decision.record import ContextValue
from domain.job_change.model import JobChange
from domain.job_change.parts import ChangeType, Company, Job
from domain.notification_hours import day_text, utc_text
from domain.states import Side
from services.slack.mrkdwn import escape

Strong = Callable[[str, int], str]
"""How to format important names: `mrkdwn.bold`, or `mrkdwn.escape` for text without formatting."""

# Lengths in visible characters. Even if every character is escaped, a job change fits a section's limit of 3,000.
_NAME, _TITLE, _COMPANY, _DETAIL = 80, 100, 80, 60

# One sentence with a job title and one without.
_HEADLINES = {
    ChangeType.NEW_COMPANY: ("{who} joined {where} as {what}", "{who} joined {where}"),
    ChangeType.NEW_HIRE: ("{who} was hired by {where} as {what}", "{who} was hired by {where}"),
    ChangeType.PROMOTION: ("{who} was promoted to {what} at {where}", "{who} was promoted at {where}"),
    ChangeType.LATERAL: ("{who} moved to {what} at {where}", "{who} changed roles at {where}"),
    ChangeType.ADDITIONAL_ROLE: ("{who} is now also {what} at {where}", "{who} took an additional role at {where}"),
    ChangeType.DEPARTURE: ("{who} left {where}", "{who} left {where}"),
}
_LEFT_AND_JOINED = ("{who} left {left} and joined {where} as {what}", "{who} left {left} and joined {where}")
_JOIN_TYPES = {ChangeType.NEW_COMPANY, ChangeType.NEW_HIRE, ChangeType.ADDITIONAL_ROLE}
_LEAVE_TYPES = {ChangeType.NEW_COMPANY, ChangeType.DEPARTURE}
_MOVE_TYPES = {ChangeType.NEW_COMPANY, ChangeType.NEW_HIRE}


def headline(change: JobChange, strong: Strong, side: Side | None = None) -> str:
    """A sentence without its full stop. `side` is the side whose owner is notified."""
    job = change.previous if change.change_type is ChangeType.DEPARTURE else change.current
    titled, untitled = _LEFT_AND_JOINED if _shows_move(change, side) else _HEADLINES[change.change_type]
    return (titled if job.title else untitled).format(
        who=strong(change.person.name, _NAME),
        what=escape(job.title or "", _TITLE),
        where=_company(job.company, strong) or "a company without a name",
        left=_company(change.previous.company, strong),
    )


def one_line(change: JobChange) -> str:
    """Everything in one line of mrkdwn, for previews."""
    parts = [sentence(headline(change, escape)), background(change), sentence(", ".join(meaning(change, None)))]
    return " ".join(filter(None, parts))


def background(change: JobChange, side: Side | None = None) -> str:
    """The previous job and the date, in sentences; empty if neither is known."""
    has_left = change.change_type is ChangeType.DEPARTURE
    if has_left:
        title = change.previous.title
        was, now = escape(title, _TITLE) if title else "", _job(change.current)
    else:
        headline_job = change.previous if _shows_move(change, side) else change.current
        was, now = _job(change.previous, other_than=headline_job.company), ""
    remains = change.change_type is ChangeType.ADDITIONAL_ROLE
    phrases = [f"{'Remains' if remains else 'Was'} {was}"] if was else []
    phrases += [f"Now {now}"] if now else []
    if day := change.occurred_on:
        phrases.append(f"{'Left on' if has_left else 'New role since'} {day_text(day)}")
    return " ".join(sentence(phrase) for phrase in phrases)


def meaning(change: JobChange, side: Side | None) -> list[str]:
    """The risk or opportunity for the side whose owner is notified, and how the person is known to the company."""
    details = [escape(detail, _DETAIL) for detail in (change.relationship, change.persona) if detail]
    score = [] if change.score is None else [f"score {change.score:g}"]
    return [*_risks_and_opportunities(change, side), *details, *score]


def field_text(field: ContextValue) -> str:
    """A field of a record in mrkdwn, such as "Amount: 120,000 USD". Unknown types are shown as they are."""
    return f"{escape(field.label, _DETAIL)}: {escape(_value_text(field), _DETAIL)}"


def _value_text(field: ContextValue) -> str:
    value = field.value
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, int | float):
        number = f"{value:,.2f}".removesuffix(".00")
        unit = {"percent": "%", "currency": f" {field.currency}" if field.currency else ""}.get(field.kind, "")
        return f"{number}{unit}"
    if field.kind in {"date", "datetime"}:
        try:
            day = date.fromisoformat(value[:10])
        except ValueError:
            return value
        return day_text(day)
    return value.replace(";", ", ") if field.kind == "multipicklist" else value


def slack_time(at: int) -> str:
    """
    A time in milliseconds, in mrkdwn. Slack shows it in each reader's time zone and language.

    https://docs.slack.dev/messaging/formatting-message-text#date-formatting
    """
    return f"<!date^{at // 1_000}^{{date_short_pretty}} at {{time}}|{utc_text(at)}>"


def sentence(text: str) -> str:
    """Adds a full stop unless the text already ends with one, as in "Globex Inc."."""
    return text if text.endswith((".", "…", "!", "?", "”")) else f"{text}."


def time_span(milliseconds: int) -> str:
    """Such as "under a minute", "1 minute", "3 hours" or "2 days"."""
    minutes = round(milliseconds / 60_000)
    if minutes < 1:
        return "under a minute"
    if minutes < 60:
        return counted(minutes, "minute")
    hours = round(minutes / 60)
    return counted(hours, "hour") if hours < 48 else counted(round(hours / 24), "day")


def _shows_move(change: JobChange, side: Side | None) -> bool:
    """Whether the headline names both companies: for the owner of the company that the person left."""
    if side not in {Side.PAST, Side.BOTH} or change.change_type not in _MOVE_TYPES:
        return False
    left = change.previous.company
    return left is not None and bool(left.name or left.domain)


def _risks_and_opportunities(change: JobChange, side: Side | None) -> list[str]:
    if change.change_type is ChangeType.PROMOTION:
        return ["🎉 Reason to reach out"]
    if side is None:
        side = Side.CURRENT if change.change_type in _JOIN_TYPES else Side.PAST
    kind, left, joined = change.change_type, change.previous.company, change.current.company
    leaves_company = kind in _LEAVE_TYPES or (kind is ChangeType.NEW_HIRE and left is not None)
    joins_company = kind in _JOIN_TYPES or (kind is ChangeType.DEPARTURE and joined is not None)
    texts = []
    if side != Side.CURRENT and leaves_company:
        texts.append(f"⚠️ Risk at {_company(left, escape) or 'the previous company'}")
    if side != Side.PAST and joins_company:
        texts.append(f"🌱 Opportunity at {_company(joined, escape) or 'the new company'}")
    return texts


def _job(job: Job, other_than: Company | None = None) -> str:
    """Return as much of "VP Sales at Initech" as is known, without the company if that is `other_than`."""
    title = escape(job.title, _TITLE) if job.title else ""
    company = _company(job.company, escape)
    if not company or company == _company(other_than, escape):
        return title
    return f"{title} at {company}".strip()


def _company(company: Company | None, strong: Strong) -> str | None:
    name = company and (company.name or company.domain)
    return strong(name, _COMPANY) if name else None
