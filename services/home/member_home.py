"""Reads what Home shows a member about themselves: what is assigned to them, preferences and Salesforce account."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from domain.job_change.model import JobChange
from domain.workspace import Workspace
from services.home.home_state import (
    FILTERS,
    PAGE_SIZE,
    Assigned,
    AssignedJobChange,
    AssignedPage,
    MemberHome,
    SalesforceIdentity,
)
from services.slack.directory import Directory
from services.slack.shapes import SlackUser
from store.database import Database
from store.home import assigned, member_preferences
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
        """Read everything from the database, without a call to Slack."""
        return await self.database.run(read_member, workspace_id, user_id, self.now(), None)

    async def read(self, workspace_id: str, user_id: str) -> MemberHome:
        """Return it with the time zone and the email address that Slack has for them now, if it responds."""
        person = await self.directory.person(workspace_id, user_id)
        return await self.database.run(read_member, workspace_id, user_id, self.now(), person.user)


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
    """
    Return the Home of a member, without what is assigned to them.

    `user` is what Slack says about the member now; without it, the stored time zone and addresses are used.
    """
    names = assigned.owner_names(connection, workspace_id, user_id)
    links = owners.linked_by(connection, workspace_id, user_id)
    addresses = {*links, *members.emails_of(connection, workspace_id, user_id)}
    identities = [SalesforceIdentity(owner, names.get(owner), links.get(owner)) for owner in sorted(addresses)]
    not_me = tuple(owners.denied_by(connection, workspace_id, user_id))
    hours = member_preferences.find(connection, workspace_id, user_id)
    return MemberHome(
        user_id=user_id,
        hours=replace(hours, tz=(user.tz if user else None) or hours.tz),
        held_back=member_preferences.held_back(connection, workspace_id, user_id, now),
        muted=muting.muted(connection, workspace_id, user_id, now),
        required=muting.required(connection, workspace_id),
        absence=choice_state.absence_of(connection, workspace_id, user_id, now),
        identities=with_own_address(user.email if user else None, identities, not_me),
        not_me={owner: names.get(owner) for owner in not_me},
        shown_at=now,
    )


def read_assigned(connection: Connection, workspace: Workspace, user_id: str, page: AssignedPage) -> Assigned:
    rows = assigned.page(connection, workspace.id, user_id, FILTERS[page.filter], page.skip, PAGE_SIZE)
    history_of = histories.histories(connection, {row.job_change_id for row in rows}) if rows else {}
    shown = [
        AssignedJobChange(
            delivery_id=row.delivery_id,
            at=row.sent_at,
            side=row.side,
            job_change=change,
            state=row.state,
            is_claimed=row.destination != user_id,
            history=history_of[row.job_change_id],
            channel=row.channel,
            ts=row.ts,
        )
        for row in rows
        if (change := JobChange.if_readable(row.payload))
    ]
    return Assigned(page, tuple(shown), assigned.counts(connection, workspace.id, user_id), workspace.url)
