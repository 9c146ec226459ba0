"""Telling those who look after the app what only people can mend, once each time it breaks, and what is left to do."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from random import random

from sqlalchemy import Connection

from domain.audit import AuditEntry
from domain.errors import PermanentError, TransientError
from domain.job_change.model import TEST_SOURCE
from domain.notices import (
    DEFAULT_CHANNEL_BROKEN,
    NO_DEFAULT_CHANNEL,
    NOT_ME,
    SALESFORCE_BROKEN,
    SALESFORCE_CALLS_LOW,
    Notice,
)
from domain.workspace import Workspace
from services.messages.notice_text import NoticeContext, NoticeMessage, next_update_at, notice_message
from services.retry import backoff_ms
from services.slack.api import Posted, Slack
from services.slack.directory import member_of
from store.database import Database
from store.messages import notices
from store.messages.notices import MOST_RECENT_ADMINS
from store.ownership import owners
from store.salesforce import connections
from store.slack import workspaces

log = logging.getLogger(__name__)

LEASE_MS = 30_000
LONGEST_TRY_MS = 3 * 24 * 60 * 60 * 1_000
SKEW_MS = 300_000
"""How far Slack's clock may be behind ours when we look for a message by its time."""

MOST_LISTED_PAGES = 3


@dataclass(frozen=True)
class Notices:
    """
    Each is a row first, so that it outlives whoever dies before it is sent, and one of us has it in hand at a time.

    A message is never sent twice: where it cannot be learnt whether an attempt has arrived, it counts as told.
    """

    database: Database
    slack: Slack
    now: Callable[[], int]

    async def catch_up(self) -> bool:
        """A bit of what is due: somebody is told, or what they were told is brought up to date; False if nothing is."""
        for workspace_id, kind in await self.database.run(workspaces.unreported_channel_problems):
            await self._tell_caretakers(workspace_id, kind)
        notice = await self.database.run(notices.claim, self.now(), LEASE_MS)
        if notice is not None:
            await self._bring(notice)
        return notice is not None

    async def show(self, workspace_id: str) -> None:
        """What is due in one workspace, at once: somebody there is watching."""
        while notice := await self.database.run(notices.claim, self.now(), LEASE_MS, workspace_id):
            await self._bring(notice)

    async def default_channel_missing(self, workspace_id: str) -> None:
        """Job changes wait because no default channel is chosen."""
        await self._tell_caretakers(workspace_id, NO_DEFAULT_CHANNEL)
        await self.show(workspace_id)

    async def default_channel_broken(self, workspace_id: str) -> None:
        """The default channel cannot be posted to; why is told by the workspace's own row."""
        await self._tell_caretakers(workspace_id, DEFAULT_CHANNEL_BROKEN)
        await self.show(workspace_id)

    async def salesforce_broken(self, workspace_id: str, connected_by: str | None) -> None:
        """Salesforce cannot be asked until an admin mends it: also told to *connected_by*, a Slack user."""
        if await self._tell_caretakers(workspace_id, SALESFORCE_BROKEN, connected_by):
            await self.show(workspace_id)

    async def salesforce_calls_low(self, workspace_id: str, connected_by: str | None) -> None:
        """Of the org's API calls most are used up; also told to *connected_by*, a Slack user."""
        if await self._tell_caretakers(workspace_id, SALESFORCE_CALLS_LOW, connected_by):
            await self.show(workspace_id)

    async def not_me(self, workspace_id: str, owner: str, user_id: str) -> None:
        """A member says that they are not this owner: it is stored, and somebody has to say who is."""
        workspace = await self.database.run(workspaces.find, workspace_id)
        people = await self._caretakers(workspace) if workspace else []
        change = AuditEntry(self.now(), user_id, NOT_ME, owner)
        if await self.database.run(_deny, workspace_id, owner, user_id, change, people):
            await self.show(workspace_id)

    async def _tell_caretakers(self, workspace_id: str, kind: str, also: str | None = None) -> bool:
        """False: they have been told before."""
        workspace = await self.database.run(workspaces.find, workspace_id)
        if workspace is None or await self.database.run(workspaces.was_notified, workspace_id, kind):
            return False
        people = list(dict.fromkeys([*await self._caretakers(workspace), *([also] if also else [])]))
        return await self.database.run(_promise_once, workspace_id, kind, people, self.now())

    async def _caretakers(self, workspace: Workspace) -> list[str]:
        """
        Who can mend it: whoever installed the app or changed its settings, as far as they still are admins; else any
        admins. Where Slack does not say who is one, those we know of.
        """
        changed = await self.database.run(notices.recent_admins, workspace.id)
        known = list(dict.fromkeys(filter(None, [workspace.installer_user_id, *changed])))[:MOST_RECENT_ADMINS]
        try:
            admins = [user_id for user_id in known if await self._is_admin(workspace.id, user_id)]
            return admins or await self._any_admins(workspace.id) or known
        except (TransientError, PermanentError) as error:
            log.info("who is an admin of %s could not be learnt: %s", workspace.id, error)
            return known

    async def _is_admin(self, workspace_id: str, user_id: str) -> bool:
        user = await self.slack.user(workspace_id, user_id)
        return user is not None and user.is_admin and member_of(user, workspace_id).problem is None

    async def _any_admins(self, workspace_id: str) -> list[str]:
        found, pages = list[str](), 0
        async for page in self.slack.users(workspace_id):
            pages += 1
            found += [user.id for user in page if user.is_admin and member_of(user, workspace_id).problem is None]
            if len(found) >= MOST_RECENT_ADMINS or pages == MOST_LISTED_PAGES:
                break
        return found[:MOST_RECENT_ADMINS]

    async def _bring(self, notice: Notice) -> None:
        standing = await self.database.run(_standing, notice)
        if standing is None or not standing.workspace.is_active:
            await self.database.run(notices.drop, notice)
            return
        message = notice_message(notice.kind, standing)
        try:
            if notice.channel and notice.ts:
                await self._update(notice, Posted(notice.channel, notice.ts), message)
            else:
                await self._send(notice, message)
        except TransientError as error:
            await self._postpone(notice, error)
        except PermanentError as error:
            log.warning("the notice %s of %s cannot be given: %s", notice.kind, notice.workspace_id, error)
            await self.database.run(notices.settle, notice, None)

    async def _send(self, notice: Notice, message: NoticeMessage) -> None:
        if notice.begun_at is not None and (found := await self._look_for(notice, notice.begun_at)):
            await self._arrived(notice, found, None, self.now())  # what it said then is brought up to date at once
        elif notice.begun_at is None and message.is_over:
            await self.database.run(notices.drop, notice)
        elif await self.database.run(notices.begin, notice, self.now()):
            posted = await self.slack.post(
                notice.workspace_id, notice.user_id, text=message.text, blocks=message.blocks, post_id=notice.id
            )
            await self._arrived(notice, posted, message.digest, self._next(notice, message))

    async def _arrived(self, notice: Notice, posted: Posted, shown: str | None, due_at: int | None) -> None:
        where = {"channel": posted.channel, "ts": posted.ts}
        await self.database.run_until_available(notices.settle, notice, due_at, shown=shown, **where)

    async def _look_for(self, notice: Notice, begun_at: int) -> Posted | None:
        """
        The message that somebody set out to send; None: it is not there. Raises PermanentError where that cannot be
        learnt: then it is not sent once more.
        """
        dm = await self.database.run(notices.known_dm, notice.workspace_id, notice.user_id)
        if dm is None:
            raise PermanentError("it may have arrived, and it cannot be looked up whether it did")
        return await self.slack.find_post(notice.workspace_id, dm, notice.id, begun_at - SKEW_MS)

    async def _update(self, notice: Notice, posted: Posted, message: NoticeMessage) -> None:
        if message.digest != notice.shown:
            await self.slack.update(notice.workspace_id, posted, text=message.text, blocks=message.blocks)
        await self.database.run(notices.settle, notice, self._next(notice, message), shown=message.digest, attempts=0)

    def _next(self, notice: Notice, message: NoticeMessage) -> int | None:
        return None if message.is_over else next_update_at(notice.kind, notice.made_at, self.now())

    async def _postpone(self, notice: Notice, error: TransientError) -> None:
        log.info("the notice %s of %s was not given now: %s", notice.kind, notice.workspace_id, error)
        wait = round(error.retry_after * 1_000) if error.retry_after else backoff_ms(notice.attempts + 1, random())  # noqa: S311
        due_at = self.now() + wait
        values: dict[str, int | None] = {"attempts": notice.attempts + 1}
        if notice.ts is None and notice.begun_at is None and not error.in_doubt:
            values["begun_at"] = None
        too_old = due_at - notice.made_at > LONGEST_TRY_MS and notice.ts is None
        await self.database.run(notices.settle, notice, None if too_old else due_at, **values)


def _promise_once(connection: Connection, workspace_id: str, kind: str, people: list[str], now: int) -> bool:
    """Of two who find out at the same time only one promises."""
    is_first = workspaces.claim_notice(connection, workspace_id, kind, now)
    if is_first:
        notices.add(connection, workspace_id, kind, people, now)
    return is_first


def _deny(
    connection: Connection, workspace_id: str, owner: str, user_id: str, change: AuditEntry, people: list[str]
) -> bool:
    is_first = owners.deny(connection, workspace_id, owner, user_id, change)
    if is_first:
        notices.add(connection, workspace_id, NOT_ME, people, change.at)
    return is_first


def _standing(connection: Connection, notice: Notice) -> NoticeContext | None:
    workspace_id = notice.workspace_id
    workspace = workspaces.find(connection, workspace_id)
    if workspace is None:
        return None
    denials = owners.denials_at(connection, workspace_id, notice.made_at) if notice.kind == NOT_ME else ()
    return NoticeContext(
        workspace=workspace,
        steps=notices.setup_steps(connection, workspace_id, TEST_SOURCE),
        salesforce=connections.status_of(connection, workspace_id),
        denials=tuple(denials),
    )
