"""The part of Home about the member who opens it: what is on hold for them, and their preferences. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import accumulate

from domain.day_counts import counted
from domain.notification_hours import DAILY, WEEKLY, NotificationHours, day_text
from domain.people import Absence
from domain.preferences import WEEKDAYS, clock
from listeners.dialogs.blocks import LONGEST_SECTION, Block, actions, button, context, header, section
from services.home.home_state import MemberHome
from services.home.mute_options import labels
from services.messages.wording import slack_time
from services.slack.mrkdwn import code, escape

CHANGE_HOURS, CHANGE_MUTES = "my_reading", "my_mutes"
SET_ABSENCE, END_ABSENCE, NOT_ME = "my_away", "my_back", "my_not_me"
"""The action_ids of the buttons. Their dialogs are in listeners/home/member_dialogs_view.py."""

_DAY_MS = 24 * 60 * 60 * 1_000


def preference_blocks(member: MemberHome, *, has_salesforce: bool = True) -> list[Block]:
    """What a member chooses for themselves."""
    hours = f"*Notifications*\n{hours_text(member.hours)}"
    mutes = f"*Muted*\n{', '.join(labels(member.muted)) or 'No muted job changes.'}"
    if member.required:
        mutes += f"\nRequired by your admins: {', '.join(labels(member.required))}."
    absence = f"*Out of office*\n{absence_text(member.absence, member.hours, member.shown_at)}"
    account = _identities_text(member) if has_salesforce else "Salesforce is not connected yet."
    reportable = has_salesforce and (member.identities or member.not_me)
    return [
        header("Your preferences"),
        section(hours, button("Change…", CHANGE_HOURS)),
        section(mutes, button("Change…", CHANGE_MUTES)),
        section(absence, button("Change…" if member.absence else "Set dates…", SET_ABSENCE)),
        *(actions(button("I'm back", END_ABSENCE)) if member.absence else []),
        section(
            f"*Your Salesforce account*\n{account}",
            button("Not my account…", NOT_ME) if reportable else None,
        ),
    ]


def hours_text(hours: NotificationHours) -> str:
    """When a member is notified, in sentences."""
    sentences = ["Each job change, right away."]
    if hours.delivery == DAILY:
        sentences = [f"Daily digest at {clock(hours.digest_at)}."]
    elif hours.delivery == WEEKLY:
        sentences = [f"Weekly digest on {WEEKDAYS[hours.weekday]}s at {clock(hours.digest_at)}."]
    if hours.quiet_from is not None and hours.quiet_to is not None:
        sentences.append(f"Quiet hours from {clock(hours.quiet_from)} to {clock(hours.quiet_to)}.")
    if hours.quiet_weekends:
        sentences.append("No messages on weekends.")
    if len(sentences) > 1 or hours.is_digest:
        zone = hours.tz.replace("_", " ") if hours.tz else "UTC, because Slack did not provide your time zone"
        sentences.append(f"Times are in {zone}.")
    return " ".join(sentences)


def absence_text(absence: Absence | None, hours: NotificationHours, now: int) -> str:
    """Whether a member is or will be out of office, until when, and who gets their job changes."""
    if absence is None:
        return "Not set. While you are away, someone else gets your job changes."
    until = f" until {_day(absence.until - _DAY_MS // 2, hours)}" if absence.until else ", with no end date"
    if absence.since > now:
        dates = f"You will be away from {_day(absence.since, hours)}{until}."
    else:
        dates = f"You are away{until}."
    instead = f"<@{absence.delegate}>, otherwise to the" if absence.delegate else "the"
    return f"{dates} Your job changes go to {instead} next person in the rules, or to the channel."


def held_back_blocks(member: MemberHome) -> Iterator[Block]:
    """What waits for a member, and why."""
    waiting = member.held_back
    if not waiting.count or waiting.since is None:
        return
    count = f"{counted(waiting.count, 'job change')} {'is' if waiting.count == 1 else 'are'}"
    if waiting.held_until is None:
        yield context(f"📨 {count} about to be sent to you.")
        return
    why = member.hours.hold_reason(waiting.since, member.shown_at)
    yield context(f"🌙 {count} on hold until {slack_time(waiting.held_until)} because of your {why}.")


def _identities_text(member: MemberHome) -> str:
    """Return as many of the owners as fit into a section, each whole."""
    lines = [] if member.identities else ["You are not matched to a Salesforce owner yet."]
    for identity in member.identities:
        match = f"linked by <@{identity.linked_by}>" if identity.linked_by else "matched by email"
        lines.append(f"• {owner_text(identity.owner, identity.name)}, {match}")
    lines += [f"• {owner_text(*owner)}: not your account, reported by you" for owner in member.not_me.items()]
    lengths = accumulate(len(line) + 1 for line in lines)
    return "\n".join(line for line, length in zip(lines, lengths, strict=True) if length < LONGEST_SECTION)


def owner_text(owner: str, name: str | None) -> str:
    """An owner in Salesforce, in mrkdwn. `name` is None if it is not known."""
    return f"{escape(name, 60)}, `{code(owner, 120)}`" if name else f"`{code(owner, 120)}`"


def _day(at: int, hours: NotificationHours) -> str:
    return day_text(datetime.fromtimestamp(at / 1_000, hours.zone))
