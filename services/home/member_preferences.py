"""What members choose for themselves: notification hours, muted job changes, absences, and "Not my account"."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

from sqlalchemy import Connection

from domain.errors import PermanentError
from domain.notification_hours import WEEKEND, WEEKLY, NotificationHours, zone_of
from domain.people import UNKNOWN
from services.home.member_home import MemberHomes
from services.home.mute_options import ALL
from services.messages.notices import Notices
from services.messages.snooze import milliseconds_at
from store.database import Database
from store.home import member_preferences
from store.ownership import choice_state, muting, owners

LONGEST_ABSENCE = timedelta(days=366)


@dataclass(frozen=True)
class MemberPreferences:
    """Members change only their own preferences: `user_id` is the Slack user of the signed request."""

    database: Database
    homes: MemberHomes
    notices: Notices
    now: Callable[[], int]

    async def save_hours(self, workspace_id: str, user_id: str, hours: NotificationHours, tz: str | None) -> None:
        """
        Store the hours, and reschedule the deliveries that wait for this member already.

        `tz` is the time zone that Slack has for them. None means that Slack did not respond: then the stored one stays.
        """
        await self.database.run(_save_hours, workspace_id, user_id, replace(hours, tz=tz), self.now())

    async def save_mutes(
        self, workspace_id: str, user_id: str, chosen: Collection[str], offered: Collection[str]
    ) -> None:
        """Mute what they have chosen. Options that the dialog did not offer stay unchanged."""
        await self.database.run(_save_mutes, workspace_id, user_id, frozenset(chosen) & ALL.keys(), offered, self.now())

    async def set_absence(
        self, workspace_id: str, user_id: str, first: date | None, last: date | None, delegate: str | None
    ) -> dict[str, str]:
        """
        Out of office from the first day (None means now) to the end of the last day (None means no end).

        Returns what is wrong, by the name of the argument. It is empty when the absence was stored.
        """
        member = await self.homes.read(workspace_id, user_id)
        now, zone = self.now(), zone_of(member.hours.tz)
        today = datetime.fromtimestamp(now / 1_000, zone).date()
        errors = absence_errors(today, first, last)
        if delegate and (problem := await self._delegate_problem(workspace_id, user_id, delegate)):
            errors["delegate"] = problem
        if errors:
            return errors

        since = milliseconds_at(first, time(), zone) if first and first > today else now
        until = milliseconds_at(last + timedelta(1), time(), zone) if last else None
        await self.database.run(choice_state.set_absence, workspace_id, user_id, since, until, delegate)
        return {}

    async def end_absence(self, workspace_id: str, user_id: str) -> None:
        await self.database.run(choice_state.end_absence, workspace_id, user_id)

    async def report_not_me(self, workspace_id: str, user_id: str, owner: str) -> bool:
        """End the match with this owner and notify the admins. False when they are not matched to it."""
        member = await self.homes.read(workspace_id, user_id)
        if owner not in {identity.owner for identity in member.identities}:
            return False
        await self.notices.not_me(workspace_id, owner, user_id)
        return True

    async def undo_not_me(self, workspace_id: str, user_id: str, owner: str) -> None:
        await self.database.run(owners.withdraw_denial, workspace_id, owner, user_id)

    async def _delegate_problem(self, workspace_id: str, user_id: str, delegate: str) -> str | None:
        if delegate == user_id:
            return "You cannot be your own delegate. Choose a colleague, or leave this empty."
        try:
            problem = (await self.homes.directory.find(workspace_id, {delegate}))[delegate.lower()].problem
        except PermanentError:
            problem = UNKNOWN
        if problem == UNKNOWN:
            return "Slack did not respond. Please try again in a minute."
        if problem:
            return "Choose a full member of this workspace. Guests and apps cannot receive job changes."
        return None


def absence_errors(today: date, first: date | None, last: date | None) -> dict[str, str]:
    """Why these days are refused, by the name of the field."""
    if last and last < today:
        return {"last": "This day is in the past."}
    if last and first and last < first:
        return {"last": "The last day is before the first day."}
    if last and last > today + LONGEST_ABSENCE:
        return {"last": "This is more than a year away. Leave it empty for no end date."}
    return {"first": "This is more than a year away."} if first and first > today + LONGEST_ABSENCE else {}


def hours_errors(hours: NotificationHours) -> dict[str, str]:
    """Why these notification hours are refused, by the name of the field."""
    if (hours.quiet_from is None) != (hours.quiet_to is None):
        missing = "quiet_from" if hours.quiet_from is None else "quiet_to"
        return {missing: "Quiet hours need a start and an end."}
    if hours.quiet_from is not None and hours.quiet_from == hours.quiet_to:
        return {"quiet_to": "Quiet hours cannot start and end at the same time."}
    if hours.is_digest and hours.is_quiet_at(hours.digest_at):
        return {"digest_at": "This is during your quiet hours."}
    if hours.delivery == WEEKLY and hours.quiet_weekends and hours.weekday in WEEKEND:
        return {"weekday": "Choose a weekday, because you have turned off messages on weekends."}
    return {}


def _save_hours(connection: Connection, workspace_id: str, user_id: str, hours: NotificationHours, now: int) -> None:
    tz = hours.tz or member_preferences.find(connection, workspace_id, user_id).tz
    member_preferences.save(connection, workspace_id, user_id, replace(hours, tz=tz), now)


def _save_mutes(
    connection: Connection,
    workspace_id: str,
    user_id: str,
    chosen: frozenset[str],
    offered: Collection[str],
    now: int,
) -> None:
    kept = muting.muted(connection, workspace_id, user_id, now) - frozenset(offered)
    allowed = chosen - muting.required(connection, workspace_id)
    muting.set_mutes(connection, workspace_id, user_id, kept | allowed)
