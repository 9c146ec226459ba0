"""What a member sees and chooses for themselves: what came to them lately, how they are told, who they are."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

from sqlalchemy import Connection

from domain.delivery import SentDelivery
from domain.errors import PermanentError, TransientError
from domain.job_change.model import JobChange
from domain.notification_hours import WEEKEND, WEEKLY, NotificationHours, zone_of
from domain.people import UNKNOWN
from services.home.home_state import (
    A_PAGE,
    SHOWN_AT_ONCE,
    MemberHome,
    RecentDeliveries,
    RecentDelivery,
    SalesforceIdentity,
)
from services.home.mutables import ALL
from services.messages.notices import Notices
from services.slack.directory import Directory
from services.slack.shapes import SlackUser
from store.database import Database
from store.home import member_preferences
from store.messages import histories
from store.ownership import choice_state, muting, owners
from store.slack import members

MOST_OWNERS = 10
LONGEST_ABSENCE = timedelta(days=366)


@dataclass(frozen=True)
class MyHome:
    """Everybody reads and changes what is their own: the Slack user is who Slack says, in a request that it signed."""

    database: Database
    directory: Directory
    notices: Notices
    now: Callable[[], int]

    async def stored(self, workspace_id: str, user_id: str) -> MemberHome:
        """As far as we know it ourselves: quick."""
        return await self.database.run(_read, workspace_id, user_id, self.now())

    async def read(self, workspace_id: str, user_id: str) -> MemberHome:
        """With what Slack says of them now, if it does: their time zone, and their address."""
        user, mine = await self._user(workspace_id, user_id), await self.stored(workspace_id, user_id)
        known = known_as(user.email if user else None, mine.known_as, mine.denied)
        tz = (user.tz if user else None) or mine.hours.tz
        return replace(mine, hours=replace(mine.hours, tz=tz), known_as=known)

    async def lately(self, workspace_id: str, user_id: str, skip: int = 0) -> RecentDeliveries:
        return await self.database.run(_page, workspace_id, user_id, self.now(), skip, A_PAGE)

    async def prefer(self, workspace_id: str, user_id: str, hours: NotificationHours) -> None:
        """How they want to be told, by the clock that Slack says is theirs; what waits already is kept accordingly."""
        known = await self.database.run(member_preferences.find, workspace_id, user_id)
        user = await self._user(workspace_id, user_id)
        tz = (user.tz if user else None) or known.tz
        await self.database.run(member_preferences.save, workspace_id, user_id, replace(hours, tz=tz), self.now())

    async def mute(self, workspace_id: str, user_id: str, chosen: Collection[str], offered: Collection[str]) -> None:
        """They do not want to hear of *chosen*; what was not *offered* to them stays as it was."""
        await self.database.run(_mute, workspace_id, user_id, frozenset(chosen) & ALL.keys(), offered, self.now())

    async def leave(
        self, workspace_id: str, user_id: str, first: date | None, last: date | None, delegate: str | None
    ) -> dict[str, str]:
        """
        They are out of office from the *first* day (None: now) to the end of the *last* one (None: until they say so).

        Answers what cannot be, by the name of the argument; empty: it is stored.
        """
        mine = await self.read(workspace_id, user_id)
        now, zone = self.now(), zone_of(mine.hours.tz)
        today = datetime.fromtimestamp(now / 1_000, zone).date()
        faults = absence_faults(today, first, last)
        if delegate and (problem := await self._cannot_stand_in(workspace_id, user_id, delegate)):
            faults["delegate"] = problem
        if faults:
            return faults

        def midnight(day: date) -> int:
            return round(datetime.combine(day, time(), zone).timestamp() * 1_000)

        since = midnight(first) if first and first > today else now
        until = midnight(last + timedelta(1)) if last else None
        await self.database.run(choice_state.set_absence, workspace_id, user_id, since, until, delegate)
        return {}

    async def come_back(self, workspace_id: str, user_id: str) -> None:
        await self.database.run(choice_state.end_absence, workspace_id, user_id)

    async def deny(self, workspace_id: str, user_id: str, owner: str) -> bool:
        """They are not this owner: they are not told in that one's place any more, and the admins read of it."""
        mine = await self.read(workspace_id, user_id)
        if owner not in {each.owner for each in mine.known_as}:
            return False
        await self.notices.not_me(workspace_id, owner, user_id)
        return True

    async def admit(self, workspace_id: str, user_id: str, owner: str) -> None:
        """They are this owner after all."""
        await self.database.run(owners.withdraw_denial, workspace_id, owner, user_id)

    async def _cannot_stand_in(self, workspace_id: str, user_id: str, delegate: str) -> str | None:
        if delegate == user_id:
            return "That is you. Choose a colleague, or nobody."
        try:
            problem = (await self.directory.find(workspace_id, {delegate}))[delegate.lower()].problem
        except PermanentError:
            problem = UNKNOWN
        if problem == UNKNOWN:
            return "Slack did not answer just now. Please try again in a minute."
        return "They cannot be told of job changes: only full members of this workspace can." if problem else None

    async def _user(self, workspace_id: str, user_id: str) -> SlackUser | None:
        try:
            return await self.directory.slack.user(workspace_id, user_id)
        except (TransientError, PermanentError):  # then what we know already has to do
            return None


def absence_faults(today: date, first: date | None, last: date | None) -> dict[str, str]:
    """Why somebody cannot be away on these days, by the name of what is wrong."""
    if last and last < today:
        return {"last": "That day is over."}
    if last and first and last < first:
        return {"last": "That is before the first day."}
    if last and last > today + LONGEST_ABSENCE:
        return {"last": "That is more than a year away. Leave it empty to be away until you say so."}
    return {"first": "That is more than a year away."} if first and first > today + LONGEST_ABSENCE else {}


def hours_faults(hours: NotificationHours) -> dict[str, str]:
    """What of these preferences cannot be, by the name of the field."""
    if (hours.quiet_from is None) != (hours.quiet_to is None):
        missing = "quiet_from" if hours.quiet_from is None else "quiet_to"
        return {missing: "Quiet hours need a beginning and an end."}
    if hours.quiet_from is not None and hours.quiet_from == hours.quiet_to:
        return {"quiet_to": "Quiet hours cannot end when they begin."}
    if hours.is_digest and hours.is_quiet_at(hours.digest_at):
        return {"digest_at": "That is in your quiet hours."}
    if hours.delivery == WEEKLY and hours.quiet_weekends and hours.weekday in WEEKEND:
        return {"weekday": "You want nothing on weekends."}
    return {}


def known_as(
    address: str | None, known: Sequence[SalesforceIdentity], denied: Collection[str]
) -> tuple[SalesforceIdentity, ...]:
    """With their own *address* in Slack, which is what owners are matched by; without those they are not."""
    own = [SalesforceIdentity(address)] if address and address not in {each.owner for each in known} else []
    return tuple(each for each in [*known, *own] if each.owner not in denied)[:MOST_OWNERS]


def _read(connection: Connection, workspace_id: str, user_id: str, now: int) -> MemberHome:
    recent = histories.recent_deliveries(connection, workspace_id, user_id, now, 0, A_PAGE)
    names = dict(name for each in recent for name in _names(each.decision))
    links = owners.linked_by(connection, workspace_id, user_id)
    addresses = {*links, *members.emails_of(connection, workspace_id, user_id)}
    return MemberHome(
        user_id=user_id,
        hours=member_preferences.find(connection, workspace_id, user_id),
        waiting=member_preferences.held_back(connection, workspace_id, user_id, now),
        lately=RecentDeliveries(_told(connection, recent[:SHOWN_AT_ONCE]), 0, len(recent) > SHOWN_AT_ONCE),
        muted=muting.muted(connection, workspace_id, user_id, now),
        unmutable=muting.required(connection, workspace_id),
        absence=choice_state.absence_of(connection, workspace_id, user_id, now),
        known_as=tuple(SalesforceIdentity(owner, names.get(owner), links.get(owner)) for owner in sorted(addresses)),
        denied=tuple(owners.denied_by(connection, workspace_id, user_id)),
        shown_at=now,
    )


def _names(decision: str | None) -> Iterator[tuple[str, str]]:
    """The names of owners by their addresses, as Salesforce had them when it was decided."""
    for each in json.loads(decision or "{}").get("considered", []):
        if each.get("email") and each.get("name"):
            yield each["email"].lower(), each["name"]


def _page(connection: Connection, workspace_id: str, user_id: str, now: int, skip: int, most: int) -> RecentDeliveries:
    found = histories.recent_deliveries(connection, workspace_id, user_id, now, skip, most + 1)
    return RecentDeliveries(_told(connection, found[:most]), skip, len(found) > most)


def _told(connection: Connection, found: Sequence[SentDelivery]) -> tuple[RecentDelivery, ...]:
    known = histories.histories(connection, {each.job_change_id for each in found})
    return tuple(
        RecentDelivery(
            each.delivery_id, each.sent_at, each.side, JobChange.if_readable(each.payload), known[each.job_change_id]
        )
        for each in found
    )


def _mute(
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
