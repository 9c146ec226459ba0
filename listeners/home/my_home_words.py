"""The words of My Home: when somebody is told, what they have muted, what has become of what they were told. Pure."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from domain.delivery import Handling
from domain.notification_hours import DAILY, WEEKLY, NotificationHours
from domain.people import Absence
from domain.states import HandlingState
from services.home.home_state import RecentDelivery
from services.home.mutables import labels
from services.messages.wording import Side, headline, sentence, slack_time
from services.slack.mrkdwn import bold

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_NOWHERE = "UTC, as Slack does not say where you are"
_DAY_MS = 24 * 60 * 60 * 1_000
_SIDES: tuple[Side, ...] = ("past", "current", "both")


def clock(minute: int) -> str:
    """Minutes after midnight as 17:05."""
    return "{:02}:{:02}".format(*divmod(minute, 60))


def reading(hours: NotificationHours) -> str:
    """When and how somebody is told, in sentences."""
    sentences = [_delivery(hours)]
    if hours.quiet_from is not None and hours.quiet_to is not None:
        sentences.append(f"Quiet from {clock(hours.quiet_from)} to {clock(hours.quiet_to)}.")
    if hours.quiet_weekends:
        sentences.append("Nothing on weekends.")
    if len(sentences) > 1 or hours.is_digest:
        sentences.append(f"Times are in {(hours.tz or _NOWHERE).replace('_', ' ')}.")
    return " ".join(sentences)


def mute_list(muted: Collection[str], unmutable: Collection[str]) -> str:
    """What this person has muted, and what their admins do not let them mute."""
    listed = ", ".join(labels(muted)) or "Nothing: you hear about everything that is yours."
    kept = labels(unmutable)
    return f"{listed}\nYour admins want everybody to hear about: {', '.join(kept)}." if kept else listed


def away(absence: Absence | None, hours: NotificationHours, now: int) -> str:
    """Whether somebody is out of office, or will be, until when, and who takes their place."""
    if absence is None:
        return "Not set. While you are away, somebody else gets what is yours."
    verb = "You are away" if absence.since <= now else f"You will be away from {_day(absence.since, hours)}"
    until = f" until {_day(absence.until - _DAY_MS // 2, hours)}" if absence.until else " until you say you are back"
    instead = f"<@{absence.delegate}>, else the" if absence.delegate else "the"
    return f"{verb}{until}. In your place: {instead} next person in the rules, or the channel."


def told_line(told: RecentDelivery) -> str:
    """What happened, in mrkdwn."""
    if told.job_change is None:
        return "_A job change that has since been erased._"
    side = next((each for each in _SIDES if each == told.side), None)
    return sentence(headline(told.job_change, bold, side))


def come(told: RecentDelivery, user_id: str) -> str:
    """What has become of something that this person was told: by themselves, else by somebody else who was told."""
    history = told.history
    own = next((each for each in history.handled if each.delivery_id == told.delivery_id), None)
    later = next((each for each in history.later if each.delivery_id == told.delivery_id and each.due_at), None)
    if own is None and later and later.due_at:
        return f"⏰ Comes back {slack_time(later.due_at)}"
    handled = own or next((each for each in history.handled if each.state == HandlingState.TAKEN), None)
    return _handled(handled, user_id) if handled else "⚪ Open"


def _handled(handled: Handling, user_id: str) -> str:
    mine = handled.actor == user_id
    who = "You" if mine else f"<@{handled.actor}>"
    if handled.state == HandlingState.TAKEN:
        return f"✅ {who} {'are' if mine else 'is'} on it"
    if handled.state == HandlingState.REASSIGNED:
        return f"↪️ {who} gave it to <@{handled.given_to}>"
    return f"↩️ {who} gave it back to the channel" if handled.state == HandlingState.RETURNED else "⚪ Open"


def _delivery(hours: NotificationHours) -> str:
    if hours.delivery == DAILY:
        return f"In a daily digest at {clock(hours.digest_at)}."
    if hours.delivery == WEEKLY:
        return f"In a weekly digest, on {WEEKDAYS[hours.weekday]}s at {clock(hours.digest_at)}."
    return "About each job change, right away."


def _day(at: int, hours: NotificationHours) -> str:
    here = datetime.fromtimestamp(at / 1_000, hours.zone)
    return f"{here:%A}, {here.day} {here:%B}"
