"""Reads what Home shows a member about themselves: their recent deliveries, preferences and Salesforce account."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from domain.decision.record import Decision
from domain.delivery import SentDelivery
from domain.job_change.model import JobChange
from services.home.home_state import (
    PAGE_SIZE,
    SHOWN_IN_HOME,
    MemberHome,
    RecentDeliveries,
    RecentDelivery,
    SalesforceIdentity,
)
from services.slack.directory import Directory
from services.slack.shapes import SlackUser
from store.database import Database
from store.home import member_preferences
from store.messages import histories
from store.ownership import choice_state, muting, owners
from store.slack import members

MOST_IDENTITIES = 10


@dataclass(frozen=True)
class MemberHomes:
    """Reads the part of Home about one member."""

    database: Database
    directory: Directory
    now: Callable[[], int]

    async def stored(self, workspace_id: str, user_id: str) -> MemberHome:
        """Everything from the database, without a call to Slack."""
        return await self.database.run(read_member, workspace_id, user_id, self.now(), None)

    async def read(self, workspace_id: str, user_id: str) -> MemberHome:
        """With the time zone and the email address that Slack has for them now, if it responds."""
        person = await self.directory.person(workspace_id, user_id)
        return await self.database.run(read_member, workspace_id, user_id, self.now(), person.user)

    async def recent_deliveries(self, workspace_id: str, user_id: str, skip: int = 0) -> RecentDeliveries:
        """A page of the last two weeks, without the newest `skip`."""
        return await self.database.read(_page, workspace_id, user_id, self.now(), skip)


def with_own_address(
    address: str | None, stored: Sequence[SalesforceIdentity], not_me: Collection[str]
) -> tuple[SalesforceIdentity, ...]:
    """
    The identities of a member, with the owner of their own `address` in Slack and without those they reported.

    Owners are matched by that address even before it has ever been looked up.
    """
    identities = list(stored)
    if address and address not in {identity.owner for identity in stored}:
        identities.append(SalesforceIdentity(address))
    return tuple(identity for identity in identities if identity.owner not in not_me)[:MOST_IDENTITIES]


def read_member(
    connection: Connection, workspace_id: str, user_id: str, now: int, user: SlackUser | None
) -> MemberHome:
    """`user` is what Slack says about the member now; without it, the stored time zone and addresses are used."""
    recent = histories.recent_deliveries(connection, workspace_id, user_id, now, 0, PAGE_SIZE)
    # The names that owners had in Salesforce at the time, by their addresses.
    names = {
        candidate.email.lower(): candidate.name
        for delivery in recent
        for candidate in Decision.from_stored(delivery.decision).considered
        if candidate.email and candidate.name
    }
    links = owners.linked_by(connection, workspace_id, user_id)
    addresses = {*links, *members.emails_of(connection, workspace_id, user_id)}
    identities = [SalesforceIdentity(owner, names.get(owner), links.get(owner)) for owner in sorted(addresses)]
    not_me = tuple(owners.denied_by(connection, workspace_id, user_id))
    hours = member_preferences.find(connection, workspace_id, user_id)
    return MemberHome(
        user_id=user_id,
        hours=replace(hours, tz=(user.tz if user else None) or hours.tz),
        held_back=member_preferences.held_back(connection, workspace_id, user_id, now),
        recent=RecentDeliveries(_deliveries(connection, recent[:SHOWN_IN_HOME]), 0, len(recent) > SHOWN_IN_HOME),
        muted=muting.muted(connection, workspace_id, user_id, now),
        required=muting.required(connection, workspace_id),
        absence=choice_state.absence_of(connection, workspace_id, user_id, now),
        identities=with_own_address(user.email if user else None, identities, not_me),
        not_me=not_me,
        shown_at=now,
    )


def _page(connection: Connection, workspace_id: str, user_id: str, now: int, skip: int) -> RecentDeliveries:
    rows = histories.recent_deliveries(connection, workspace_id, user_id, now, skip, PAGE_SIZE + 1)
    return RecentDeliveries(_deliveries(connection, rows[:PAGE_SIZE]), skip, len(rows) > PAGE_SIZE)


def _deliveries(connection: Connection, rows: Sequence[SentDelivery]) -> tuple[RecentDelivery, ...]:
    history_of = histories.histories(connection, {row.job_change_id for row in rows})
    return tuple(
        RecentDelivery(
            row.delivery_id, row.sent_at, row.side, JobChange.if_readable(row.payload), history_of[row.job_change_id]
        )
        for row in rows
    )
