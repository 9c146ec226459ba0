"""Who people are in Slack: an e-mail address to somebody who can be told, cached and checked."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

from domain.errors import PermanentError, TransientError
from domain.people import BOT, DEACTIVATED, GUEST, NOT_IN_SLACK, STRANGER, UNKNOWN, Member
from services.slack.api import Slack
from services.slack.shapes import SlackUser
from store.database import Database
from store.delivery import pauses
from store.slack import members

log = logging.getLogger(__name__)

LOOKUPS_A_MINUTE = 45
"""Slack allows about 50. https://docs.slack.dev/reference/methods/users.lookupByEmail"""

LOOKUPS_AT_ONCE = 16
LISTED_PAGES = 15
"""Pages of people to read before going on one by one; Slack allows about 20 a minute."""

LISTING = "directory:listing"
LISTING_SETS_IN_AGAIN_MS = 24 * 60 * 60 * 1000
_MINUTE = 60_000
_USER_ID = re.compile(r"[uw][a-z0-9]{2,20}")


def member_of(user: SlackUser, workspace_id: str) -> Member:
    """Whether this person may be told of job changes in this workspace, and why not."""
    problems = (
        (user.deleted, DEACTIVATED),
        (user.is_bot, BOT),
        (user.is_stranger or _is_foreign(user, workspace_id), STRANGER),
        (user.is_guest, GUEST),
    )
    return Member(user.id, next((problem for holds, problem in problems if holds), None))


@dataclass(frozen=True)
class Directory:
    """Asks Slack who somebody is, and remembers the answer for all replicas; rights are asked for anew each time."""

    slack: Slack
    database: Database
    now: Callable[[], int]

    async def find(self, workspace_id: str, emails: Collection[str]) -> dict[str, Member]:
        """
        Who these addresses are in Slack, by the address in lower case; every one of them is in the answer.

        A Slack user id may stand for an address: then it is whether that user can be told.

        What could not be learnt now is UNKNOWN. Raises PermanentError when Slack does not let us ask at all.
        """
        wanted = {email.lower(): email.strip().lower() for email in emails}
        found = await self.database.run(members.cached, workspace_id, set(wanted.values()), self.now())
        unknown = sorted(set(wanted.values()) - found.keys())
        if unknown:
            found |= await self._learn(workspace_id, unknown)
        return {email: found[stripped] for email, stripped in wanted.items()}

    async def is_admin(self, workspace_id: str, user_id: str) -> bool:
        """Whether Slack says right now that this person is an admin or owner. Where it does not answer: no."""
        try:
            user = await self.slack.user(workspace_id, user_id)
        except (TransientError, PermanentError) as error:
            log.warning("the rights of %s in %s could not be checked: %s", user_id, workspace_id, error)
            return False
        return user is not None and user.is_admin and member_of(user, workspace_id).problem is None

    async def _learn(self, workspace_id: str, emails: list[str]) -> dict[str, Member]:
        allowed, wait = await self._allowance(workspace_id)
        found: dict[str, Member] = {}
        if len(emails) > allowed and await self._may_list(workspace_id):
            found = await self._list(workspace_id, emails)
        remaining = [email for email in emails if email not in found]
        found |= await self._look_up(workspace_id, remaining[:allowed])
        return {email: found.get(email, Member(None, UNKNOWN, wait)) for email in emails}

    async def _allowance(self, workspace_id: str) -> tuple[int, float]:
        """How many may be looked up now, and in how many seconds the next, whichever replica asked the others."""
        now = self.now()
        asked, first = await self.database.run(members.lookups_since, workspace_id, now - _MINUTE)
        wait = (first + _MINUTE - now) / 1000 if first else _MINUTE / 1000
        return max(0, LOOKUPS_A_MINUTE - asked), max(wait, 1.0)

    async def _look_up(self, workspace_id: str, emails: list[str]) -> dict[str, Member]:
        found: dict[str, Member] = {}
        for start in range(0, len(emails), LOOKUPS_AT_ONCE):
            some = emails[start : start + LOOKUPS_AT_ONCE]
            answers = await asyncio.gather(*(self._ask(workspace_id, email) for email in some))
            found |= dict(zip(some, answers, strict=True))
            learnt = {email: member for email, member in found.items() if member.problem != UNKNOWN}
            await self.database.run(members.cache, workspace_id, learnt, self.now())
            if len(learnt) < len(found):  # Slack is in trouble or asks us to wait: so do the rest
                wait = max(member.retry_after or 0 for member in found.values()) or None
                return found | {email: Member(None, UNKNOWN, wait) for email in emails[start + LOOKUPS_AT_ONCE :]}
        return found

    async def _ask(self, workspace_id: str, email: str) -> Member:
        try:
            if _USER_ID.fullmatch(email):
                user = await self.slack.user(workspace_id, email.upper())
            else:
                user = await self.slack.user_by_email(workspace_id, email)
        except TransientError as error:
            return Member(None, UNKNOWN, error.retry_after)
        return Member(None, NOT_IN_SLACK) if user is None else member_of(user, workspace_id)

    async def _may_list(self, workspace_id: str) -> bool:
        return await self.database.run(pauses.paused_until, workspace_id, LISTING, self.now()) is None

    async def _list(self, workspace_id: str, emails: list[str]) -> dict[str, Member]:
        """Those of *emails* that a walk through everybody tells of: fewer calls than one by one, up to LISTED_PAGES."""
        found, wanted, pages, has_addresses = dict[str, Member](), set(emails), 0, False
        try:
            async for page in self.slack.users(workspace_id):
                pages += 1
                has_addresses = has_addresses or any(user.email for user in page)
                for user in page:
                    for address in wanted & {user.email, user.id.lower()}:
                        _prefer(found, address, member_of(user, workspace_id))
                if pages == LISTED_PAGES:
                    await self._list_no_more(workspace_id)
                    break
            else:
                if has_addresses:  # without users:read.email nobody has one, and nobody is known to be missing
                    missing = (email for email in wanted - found.keys() if not _USER_ID.fullmatch(email))
                    found |= {email: Member(None, NOT_IN_SLACK) for email in missing}
        except TransientError as error:
            log.warning("listing the members of %s stopped at page %s: %s", workspace_id, pages + 1, error)
        await self.database.run(members.cache, workspace_id, found, self.now(), one_by_one=False)
        return found

    async def _list_no_more(self, workspace_id: str) -> None:
        now = self.now()
        until = now + LISTING_SETS_IN_AGAIN_MS
        await self.database.run(pauses.pause, workspace_id, LISTING, until, now, "there are too many people to list")


def _prefer(found: dict[str, Member], email: str, member: Member) -> None:
    """A closed account and a new one may share an address: the one that can be told counts."""
    if email not in found or found[email].problem is not None:
        found[email] = member


def _is_foreign(user: SlackUser, workspace_id: str) -> bool:
    """Whether this person is known to belong elsewhere: they can be seen in channels shared with another company."""
    homes = user.team_ids
    if workspace_id.startswith("E"):  # an organisation; which workspaces are in it is not said
        homes = frozenset(home for home in homes if home.startswith("E"))
    return bool(homes) and workspace_id not in homes
