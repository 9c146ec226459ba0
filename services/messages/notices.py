"""Sends notices to the people who administer the app: what only they can fix, once per failure, and the setup steps."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from random import random

from sqlalchemy import Connection

from domain.audit import AuditEntry
from domain.errors import PermanentError, TransientError
from domain.messages.notices import (
    NOT_ME,
    WEBHOOK_OFF,
    Notice,
)
from domain.workspace import Workspace
from services.messages.notice_text import Denial, NoticeContext, NoticeMessage, next_update_at, notice_message
from services.retry import wait_ms
from services.slack.api import Posted, Slack
from services.slack.directory import member_of
from store import audit
from store.audit import MOST_RECENT_ADMINS
from store.database import Database
from store.delivery import webhooks
from store.home import assigned
from store.messages import notices
from store.ownership import owners
from store.salesforce import connections
from store.slack import workspaces

log = logging.getLogger(__name__)

LEASE_MS = 30_000
LONGEST_TRY_MS = 3 * 24 * 60 * 60 * 1_000
MOST_LISTED_PAGES = 3


@dataclass(frozen=True)
class Notices:
    """
    Sends notices and keeps their messages up to date.

    A notice is a row before it is sent, so that another process can send it if this one dies. Only one process at a
    time works on it. A message is never sent twice: if it cannot be found out whether an attempt arrived, it counts as
    sent. `install_url` is where an admin adds the app to Slack.
    """

    database: Database
    slack: Slack
    now: Callable[[], int]
    install_url: str = ""

    async def catch_up(self) -> bool:
        """Send or update one notice that is due. False if none was."""
        for workspace_id, kind in await self.database.run(_find_changes, self.now()):
            await self._notify_admins(workspace_id, kind)
        notice = await self.database.run(notices.claim, self.now(), LEASE_MS)
        if notice is not None:
            await self._send_or_update(notice)
        return notice is not None

    async def show(self, workspace_id: str) -> None:
        """Send and update everything that is due in one workspace now, because someone there is watching."""
        while notice := await self.database.run(notices.claim, self.now(), LEASE_MS, workspace_id):
            await self._send_or_update(notice)

    async def default_channel_unusable(self, workspace_id: str, kind: str) -> None:
        """Notify the admins that job changes wait. `kind` is NO_DEFAULT_CHANNEL or DEFAULT_CHANNEL_BROKEN."""
        await self._notify_admins(workspace_id, kind)
        await self.show(workspace_id)

    async def salesforce_problem(self, workspace_id: str, kind: str, connected_by: str | None) -> None:
        """
        Notify the admins, and the Slack user who connected Salesforce.

        `kind` is SALESFORCE_BROKEN or SALESFORCE_CALLS_LOW.
        """
        if await self._notify_admins(workspace_id, kind, connected_by):
            await self.show(workspace_id)

    async def not_me(self, workspace_id: str, owner: str, user_id: str) -> None:
        """Store that a member is not this owner, and notify the admins, who can link the right person."""
        workspace = await self.database.run(workspaces.find, workspace_id)
        recipients = await self._recipients(workspace) if workspace else []
        entry = AuditEntry(self.now(), user_id, NOT_ME, owner)
        if await self.database.run(_deny, workspace_id, owner, user_id, entry, recipients):
            await self.show(workspace_id)

    async def _notify_admins(self, workspace_id: str, kind: str, also: str | None = None) -> bool:
        """False if they were notified of this before."""
        workspace = await self.database.run(workspaces.find, workspace_id)
        if workspace is None or await self.database.run(workspaces.was_notified, workspace_id, kind):
            return False
        recipients = list(dict.fromkeys([*await self._recipients(workspace), *([also] if also else [])]))
        return await self.database.run(_add_once, workspace_id, kind, recipients, self.now())

    async def _recipients(self, workspace: Workspace) -> list[str]:
        """
        Slack users who can fix it: those who installed the app or changed its settings, if they are still admins.

        If none of them is, any admins; if Slack does not say who is an admin, those who installed or changed it.
        """
        recent = await self.database.run(audit.recent_admins, workspace.id)
        candidates = list(dict.fromkeys(filter(None, [workspace.installer_user_id, *recent])))[:MOST_RECENT_ADMINS]
        try:
            admins = []
            for user_id in candidates:
                user = await self.slack.user(workspace.id, user_id)
                if user is not None and user.is_admin and member_of(user).problem is None:
                    admins.append(user_id)
            return admins or await self._any_admins(workspace.id) or candidates
        except (TransientError, PermanentError) as error:
            log.info("the admins of workspace %s could not be listed: %s", workspace.id, error)
            return candidates

    async def _any_admins(self, workspace_id: str) -> list[str]:
        admins, pages = list[str](), 0
        async for page, _ in self.slack.users(workspace_id):
            pages += 1
            admins += [user.id for user in page if user.is_admin and member_of(user).problem is None]
            if len(admins) >= MOST_RECENT_ADMINS or pages == MOST_LISTED_PAGES:
                break
        return admins[:MOST_RECENT_ADMINS]

    async def _send_or_update(self, notice: Notice) -> None:
        context = await self.database.run(_context, notice)
        if context is None or not context.workspace.is_active:
            await self.database.run(notices.drop, notice)
            return
        context = replace(context, install_url=self.install_url)
        message, steps = notice_message(notice.kind, context), int(context.steps)
        try:
            if notice.channel and notice.ts:
                posted = Posted(notice.channel, notice.ts)
                if message.digest != notice.shown:
                    blocks, lease_until = message.blocks, notice.lease_until
                    await self.slack.update(
                        notice.workspace_id, posted, text=message.text, blocks=blocks, lease_until=lease_until
                    )
                due_at = self._next_update_at(notice, message)
                await self.database.run(notices.settle, notice, due_at, shown=message.digest, steps=steps, attempts=0)
            else:
                await self._send(notice, message, steps)
        except TransientError as error:
            await self._postpone(notice, error)
        except PermanentError as error:
            log.warning("the notice %s of workspace %s cannot be sent: %s", notice.kind, notice.workspace_id, error)
            await self.database.run(notices.settle, notice, None)

    async def _send(self, notice: Notice, message: NoticeMessage, steps: int) -> None:
        if notice.begun_at is not None:
            # If it cannot be found out whether an earlier attempt arrived, this raises, and it is not sent again.
            dm = await self.database.run(notices.known_dm, notice.workspace_id, notice.user_id)
            if posted := await self.slack.find_post(notice.workspace_id, dm, notice.id, notice.begun_at):
                await self._record_sent(notice, posted, self.now())  # due now, as its text may be old
                return
        elif message.is_final:
            await self.database.run(notices.drop, notice)
            return
        begun_at = self.now()
        if await self.database.run(notices.begin, notice, begun_at, LEASE_MS):
            posted = await self.slack.post(
                notice.workspace_id,
                notice.user_id,
                text=message.text,
                blocks=message.blocks,
                post_id=notice.id,
                lease_until=begun_at + LEASE_MS,
            )
            due_at = self._next_update_at(notice, message)
            await self._record_sent(notice, posted, due_at, shown=message.digest, steps=steps, attempts=0)

    async def _record_sent(self, notice: Notice, posted: Posted, due_at: int | None, **values: object) -> None:
        message = {"channel": posted.channel, "ts": posted.ts}
        await self.database.run_until_available(notices.settle, notice, due_at, **message, **values)

    def _next_update_at(self, notice: Notice, message: NoticeMessage) -> int | None:
        return None if message.is_final else next_update_at(notice.kind, notice.made_at, self.now())

    async def _postpone(self, notice: Notice, error: TransientError) -> None:
        log.info("the notice %s of workspace %s will be retried: %s", notice.kind, notice.workspace_id, error)
        due_at = self.now() + wait_ms(error, notice.attempts + 1, random())  # noqa: S311
        values: dict[str, int | None] = {"attempts": notice.attempts + 1}
        if notice.ts is None and notice.begun_at is None and not error.in_doubt:
            values["begun_at"] = None
        too_old = due_at - notice.made_at > LONGEST_TRY_MS and notice.ts is None
        await self.database.run(notices.settle, notice, None if too_old else due_at, **values)


def _find_changes(connection: Connection, now: int) -> list[tuple[str, str]]:
    """Schedule the messages that show old setup steps, and return the problems of which nobody was notified."""
    notices.wake_outdated(connection, now)
    return notices.unreported_problems(connection)


def _add_once(connection: Connection, workspace_id: str, kind: str, user_ids: list[str], now: int) -> bool:
    """If two processes find the same failure, only one of them adds notices."""
    is_first = workspaces.claim_notice(connection, workspace_id, kind, now)
    if is_first:
        notices.add(connection, workspace_id, kind, user_ids, now)
    return is_first


def _deny(
    connection: Connection, workspace_id: str, owner: str, user_id: str, entry: AuditEntry, recipients: list[str]
) -> bool:
    is_first = owners.deny(connection, workspace_id, owner, user_id, entry)
    if is_first:
        notices.add(connection, workspace_id, NOT_ME, recipients, entry.at)
    return is_first


def _context(connection: Connection, notice: Notice) -> NoticeContext | None:
    workspace_id = notice.workspace_id
    workspace = workspaces.find(connection, workspace_id)
    if workspace is None:
        return None
    reports = owners.denials_at(connection, workspace_id, notice.made_at) if notice.kind == NOT_ME else ()
    denials = [
        Denial(owner, assigned.owner_names(connection, workspace_id, user_id).get(owner), user_id)
        for owner, user_id in reports
    ]
    webhook = webhooks.find(connection, workspace_id) if notice.kind == WEBHOOK_OFF else None
    return NoticeContext(
        workspace=workspace,
        steps=notices.setup_steps(connection, workspace_id),
        salesforce=connections.status_of(connection, workspace_id),
        denials=tuple(denials),
        webhook_off_because=webhook.off_because if webhook else None,
    )
