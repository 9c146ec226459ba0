"""Finding the Slack users behind email addresses, and whether they can be notified."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from domain.errors import PermanentError, TransientError, UnknownCodeError
from domain.people import BOT, DEACTIVATED, GUEST, NOT_IN_SLACK, STRANGER, UNKNOWN, Member
from services.slack.api import Slack
from services.slack.shapes import SlackUser
from store.database import Database
from store.delivery import pauses
from store.slack import members

log = logging.getLogger(__name__)

LOOKUPS_A_MINUTE = 45
"""Slack allows about 50. https://docs.slack.dev/reference/methods/users.lookupByEmail"""

ADMIN_SEEN_MS = 60 * 60 * 1000
"""How long an admin keeps the Home of an admin while Slack does not answer."""

LOOKUPS_AT_ONCE = 16
LISTED_PAGES = 15
"""Pages of users to read before looking up the rest one by one. Slack allows about 20 pages a minute."""

LISTING = "directory:listing"
LISTING_PAUSE_MS = 24 * 60 * 60 * 1000
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
        by_email = await self.database.run(members.cached, workspace_id, set(stripped.values()), self.now())
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

    async def _fetch(self, workspace_id: str, emails: list[str]) -> dict[str, Member]:
        allowed, wait = await self._allowance(workspace_id)
        by_email: dict[str, Member] = {}
        if len(emails) > allowed and await self._may_list(workspace_id):
            by_email = await self._list(workspace_id, emails)
        remaining = [email for email in emails if email not in by_email]
        by_email |= await self._look_up(workspace_id, remaining[:allowed])
        return {email: by_email.get(email, Member(None, UNKNOWN, wait)) for email in emails}

    async def _allowance(self, workspace_id: str) -> tuple[int, float]:
        """Return how many lookups are allowed now, over all replicas, and in how many seconds the next one is."""
        now = self.now()
        count, first = await self.database.run(members.lookups_since, workspace_id, now - _MINUTE)
        wait = (first + _MINUTE - now) / 1000 if first else _MINUTE / 1000
        return max(0, LOOKUPS_A_MINUTE - count), max(wait, 1.0)

    async def _look_up(self, workspace_id: str, emails: list[str]) -> dict[str, Member]:
        by_email: dict[str, Member] = {}
        for start in range(0, len(emails), LOOKUPS_AT_ONCE):
            batch = emails[start : start + LOOKUPS_AT_ONCE]
            answers = await asyncio.gather(*(self._look_up_one(workspace_id, email) for email in batch))
            by_email |= dict(zip(batch, answers, strict=True))
            answered = {email: member for email, member in by_email.items() if member.problem != UNKNOWN}
            known = {
                email: member for email, member in answered.items() if member.user_id or member.problem == NOT_IN_SLACK
            }
            await self.database.run(members.cache, workspace_id, known, self.now())
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

    async def _may_list(self, workspace_id: str) -> bool:
        return await self.database.run(pauses.paused_until, workspace_id, LISTING, self.now()) is None

    async def _list(self, workspace_id: str, emails: list[str]) -> dict[str, Member]:
        """Find these emails in the list of all users, up to LISTED_PAGES, which takes fewer calls than lookups."""
        by_email, wanted, pages, has_emails = dict[str, Member](), set(emails), 0, False
        try:
            async for page in self.slack.users(workspace_id):
                pages += 1
                has_emails = has_emails or any(user.email for user in page)
                for user in page:
                    for email in wanted & {user.email, user.id.lower()}:
                        member = member_of(user)
                        if email not in by_email or by_email[email].problem is not None:
                            by_email[email] = member
                if pages == LISTED_PAGES:
                    now = self.now()
                    until = now + LISTING_PAUSE_MS
                    await self.database.run(
                        pauses.pause, workspace_id, LISTING, until, now, "the workspace has too many users to list"
                    )
                    break
            else:
                if has_emails:  # without users:read.email, users have no email, which does not mean they are missing
                    missing = (email for email in wanted - by_email.keys() if not _USER_ID.fullmatch(email))
                    by_email |= {email: Member(None, NOT_IN_SLACK) for email in missing}
        except TransientError as error:
            log.warning("Listing the users of %s stopped at page %s: %s", workspace_id, pages + 1, error)
        await self.database.run(members.cache, workspace_id, by_email, self.now(), one_by_one=False)
        return by_email
