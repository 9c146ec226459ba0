"""Finding the Slack users behind email addresses, and whether they can be notified."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from random import random

from sqlalchemy import Connection

from domain.errors import PermanentError, TransientError, UnknownCodeError
from domain.people import BOT, DEACTIVATED, GUEST, NOT_IN_SLACK, STRANGER, UNKNOWN, Member
from services.retry import wait_ms
from services.slack.api import Slack
from services.slack.call import subject
from services.slack.shapes import SlackUser
from store.database import Database
from store.delivery import pauses, routing
from store.slack import listings, members
from store.slack.listings import Listing, ListingState

log = logging.getLogger(__name__)

LOOKUPS_A_MINUTE = 45
"""Slack allows about 50. https://docs.slack.dev/reference/methods/users.lookupByEmail"""

ADMIN_SEEN_MS = 60 * 60 * 1000
"""How long an admin keeps the Home of an admin while Slack does not answer."""

LOOKUP, LOOKUPS_AT_ONCE = "users.lookupByEmail", 16
LISTED_AT_ONCE, PAGE_EVERY_MS = 15, 3_000
"""
Pages of users that are read at once, and how often one may be read after that, counted from the first.

Slack allows about 20 pages a minute. https://docs.slack.dev/apis/web-api/rate-limits (tier 2)
"""

LISTING = "the members of the workspace are being listed"
LISTING_LEASE_MS = 30_000
REFUSED_RETRY_MS = 60 * 60_000
_MINUTE = 60_000
_USER_ID = re.compile(r"[uw][a-z0-9]{2,20}")


def member_of(user: SlackUser) -> Member:
    """Return the user as a member of the workspace that they were read for, with the reason not to notify them."""
    problems = (
        (user.deleted, DEACTIVATED),
        (user.is_bot, BOT),
        (user.is_outsider, STRANGER),
        (user.is_guest, GUEST),
    )
    return Member(user.id, next((problem for applies, problem in problems if applies), None))


@dataclass(frozen=True)
class Person:
    """
    Who acts, as Slack described them a moment ago. `user` None: Slack does not know them, or did not respond.

    `sees_admin_home` is for showing only. It decides nothing: each action asks `is_admin`.
    """

    user: SlackUser | None
    is_admin: bool
    sees_admin_home: bool


@dataclass(frozen=True)
class Allowance:
    """How many users may be looked up in this minute, how many `now`, and in how many seconds more may be."""

    total: int
    now: int
    wait: float


@dataclass(frozen=True)
class Directory:
    """Looks up users in Slack and caches them for all replicas. Admin rights are cached for showing Home only."""

    slack: Slack
    database: Database
    now: Callable[[], int]
    _last_seen_admins: dict[tuple[str, str], int] = field(default_factory=dict, init=False, repr=False)

    async def find(self, workspace_id: str, emails: Collection[str]) -> dict[str, Member]:
        """
        Return the member behind each of these email addresses, by the address in lower case.

        An address may also be a Slack user id. If Slack cannot answer now, the member's problem is UNKNOWN. Raises
        PermanentError if Slack does not allow the app to look up users.
        """
        stripped = {email.lower(): email.strip().lower() for email in emails}
        by_email = await self.database.read(members.cached, workspace_id, set(stripped.values()), self.now())
        missing = sorted(set(stripped.values()) - by_email.keys())
        if missing:
            by_email |= await self._fetch(workspace_id, missing)
        return {email: by_email[address] for email, address in stripped.items()}

    async def is_admin(self, workspace_id: str, user_id: str) -> bool:
        """Ask Slack whether this user is an admin or owner. False if Slack does not respond."""
        return (await self.person(workspace_id, user_id)).is_admin

    async def person(self, workspace_id: str, user_id: str) -> Person:
        """
        Ask Slack about this user. They are no admin if Slack does not respond.

        On a busy morning Slack limits how often users are looked up. Then the last answer counts for a while, but only
        for what is shown.
        """
        key, now = (workspace_id, user_id), self.now()
        try:
            user = await self.slack.user(workspace_id, user_id)
        except (TransientError, PermanentError) as error:
            log.warning("Could not check whether %s is an admin of %s: %s", user_id, workspace_id, error)
            last_seen = self._last_seen_admins.get(key, now - ADMIN_SEEN_MS)
            was_admin = isinstance(error, TransientError) and now - last_seen < ADMIN_SEEN_MS
            return Person(None, is_admin=False, sees_admin_home=was_admin)
        is_admin = user is not None and user.is_admin and member_of(user).problem is None
        self._last_seen_admins.pop(key, None)
        if is_admin:
            self._last_seen_admins[key] = now
        return Person(user, is_admin, is_admin)

    async def catch_up(self) -> bool:
        """Go on with one listing that is due. Return False if there was none."""
        listing = await self.database.run(listings.claim, self.now(), LISTING_LEASE_MS)
        if listing is not None:
            try:
                await self._list(listing)
            except PermanentError as error:
                log.warning("The users of workspace %s cannot be listed: %s", listing.workspace_id, error)
        return listing is not None

    async def _fetch(self, workspace_id: str, emails: list[str]) -> dict[str, Member]:
        allowance = await self.database.run(_allowance, workspace_id, self.now())
        if len(emails) <= allowance.total:
            answers = await self._look_up(workspace_id, emails[: allowance.now])
            return {email: answers.get(email, Member(None, UNKNOWN, allowance.wait)) for email in emails}
        state, by_email = await self._listed(workspace_id, emails)
        remaining, now = [email for email in emails if email not in by_email], self.now()
        if state.is_running:
            until = now + listings.LONGEST_MS
            await self.database.run(pauses.pause, workspace_id, routing.DIRECTORY, until, now, LISTING)
            return by_email | {email: Member(None, UNKNOWN, listings.LONGEST_MS / 1_000) for email in remaining}
        # Without users:read.email, users have no email, which does not mean they are missing.
        if state.finished_at and state.has_emails:
            just_listed = now < state.finished_at + members.PROBLEM_VALID_MS
            unlisted = [email for email in remaining if not _USER_ID.fullmatch(email)][
                0 if just_listed else allowance.now :
            ]
            absent = {email: Member(None, NOT_IN_SLACK) for email in unlisted}
            await self.database.run(members.cache, workspace_id, absent, now, one_by_one=False)
            by_email |= absent
            remaining = [email for email in remaining if email not in absent]
        by_email |= await self._look_up(workspace_id, remaining[: allowance.now])
        return {email: by_email.get(email, Member(None, UNKNOWN, allowance.wait)) for email in emails}

    async def _listed(self, workspace_id: str, emails: list[str]) -> tuple[ListingState, dict[str, Member]]:
        """List all users if that was never done, which takes fewer calls than looking up many one by one."""
        state = await self.database.run(listings.ensure, workspace_id, self.now())
        if state.finished_at is None:
            listing = await self.database.run(listings.claim, self.now(), LISTING_LEASE_MS, workspace_id)
            if listing is not None:
                await self._list(listing)
            state = await self.database.run(listings.ensure, workspace_id, self.now())
        user_ids = [email for email in emails if _USER_ID.fullmatch(email)]
        by_id = await self.database.run(members.with_ids, workspace_id, user_ids, self.now())
        return state, by_id | await self.database.read(members.cached, workspace_id, emails, self.now())

    async def _list(self, listing: Listing) -> None:
        """Read pages as long as Slack's limit allows it, and keep the place after each one. Raises PermanentError."""
        try:
            async for users, cursor in self.slack.users(listing.workspace_id, listing.cursor or ""):
                now, page = self.now(), [(user.email, member_of(user)) for user in users if user.email]
                if not cursor:
                    await self.database.run(listings.finish, listing, page, now)
                    return
                if not await self.database.run(listings.advance, listing, page, cursor, now + LISTING_LEASE_MS, now):
                    return
                listing = replace(listing, pages=listing.pages + 1)
                if listing.pages >= LISTED_AT_ONCE:
                    due_at = max(now, listing.began_at + listing.pages * PAGE_EVERY_MS)
                    await self.database.run(listings.postpone, listing, due_at)
                    return
        except TransientError as error:
            log.info("Listing the users of %s stopped after page %s: %s", listing.workspace_id, listing.pages, error)
            await self.database.run(listings.postpone, listing, self.now() + wait_ms(error, 1, random()))  # noqa: S311
        except PermanentError:
            await self.database.run(listings.restart, listing, self.now() + REFUSED_RETRY_MS)
            raise

    async def _look_up(self, workspace_id: str, emails: list[str]) -> dict[str, Member]:
        by_email: dict[str, Member] = {}
        for start in range(0, len(emails), LOOKUPS_AT_ONCE):
            batch = emails[start : start + LOOKUPS_AT_ONCE]
            answers = await asyncio.gather(*(self._look_up_one(workspace_id, email) for email in batch))
            by_email |= dict(zip(batch, answers, strict=True))
            answered = {email: member for email, member in by_email.items() if member.problem != UNKNOWN}
            certain = {
                email: member for email, member in answered.items() if member.user_id or member.problem == NOT_IN_SLACK
            }
            await self.database.run(members.cache, workspace_id, certain, self.now())
            if len(answered) < len(by_email):  # Slack fails or limits the rate, so the rest waits too
                wait = max(member.retry_after or 0 for member in by_email.values()) or None
                return by_email | {email: Member(None, UNKNOWN, wait) for email in emails[start + LOOKUPS_AT_ONCE :]}
        return by_email

    async def _look_up_one(self, workspace_id: str, email: str) -> Member:
        try:
            if _USER_ID.fullmatch(email):
                user = await self.slack.user(workspace_id, email.upper())
            else:
                user = await self.slack.user_by_email(workspace_id, email)
        except UnknownCodeError as error:  # it says something about this user, and must not hold back the others
            return Member(None, f"cannot be looked up in Slack: {error}")
        except TransientError as error:
            return Member(None, UNKNOWN, error.retry_after)
        return Member(None, NOT_IN_SLACK) if user is None else member_of(user)


def _allowance(connection: Connection, workspace_id: str, now: int) -> Allowance:
    """Return what is allowed now, over all replicas. After Slack asked to wait, that grows evenly from zero."""
    since, paused_until = now - _MINUTE, pauses.last_until(connection, workspace_id, subject(LOOKUP))
    count, first = members.lookups_since(connection, workspace_id, since)
    total, wait = max(0, LOOKUPS_A_MINUTE - count), (first + _MINUTE - now if first else _MINUTE) / 1_000
    if paused_until <= since:
        return Allowance(total, total, max(wait, 1.0))
    made, _ = members.lookups_since(connection, workspace_id, paused_until)
    grown = 1 + LOOKUPS_A_MINUTE * (now - paused_until) // _MINUTE - made
    return Allowance(total, min(total, max(grown, 0)), max((paused_until + _MINUTE - now) / 1_000, 1.0))
