"""Reminds people who have not acted on a job change, and then notifies their manager or the channel, once each."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from random import random
from uuid import uuid4

from domain.day_counts import counted
from domain.decision.reasons import ReasonCode
from domain.decision.record import Decision
from domain.delivery import NewDelivery
from domain.errors import PermanentError, TransientError
from domain.job_change.model import JobChange
from domain.preferences import ESCALATE_TO_CHANNEL, ESCALATE_TO_MANAGER, EVERYTHING, SEGMENT
from domain.states import Role, Side
from domain.workspace import Workspace
from services.messages.snooze import after_working_hours
from services.messages.wording import headline, sentence
from services.ownership.managers import Managers
from services.retry import wait_ms
from services.slack.api import Posted, Slack
from services.slack.mrkdwn import bold, link
from services.slack.shapes import SlackUser
from store.database import Database
from store.delivery import reminders
from store.delivery.reminders import Reminder
from store.home import member_preferences
from store.ownership import muting
from store.slack import workspaces

log = logging.getLogger(__name__)

LEASE_MS = 60_000
MOST_AT_ONCE = 20
MOST_ATTEMPTS = 30

_NEXT = {ESCALATE_TO_MANAGER: "your manager is notified", ESCALATE_TO_CHANNEL: "it is posted in the channel"}
_NEXT_OF_SEVERAL = _NEXT | {ESCALATE_TO_CHANNEL: "they are posted in the channel"}


@dataclass(frozen=True)
class OpenJobChange:
    """A job change that its reader has not acted on. `url` links to its message if the reminder is elsewhere."""

    job_change: JobChange
    side: Side | None
    url: str | None = None


@dataclass(frozen=True)
class ReminderSender:
    """
    Sends the reminders that are due, one reader at a time.

    A reminder is recorded as begun before Slack is called. If a process finds one that has begun and does not know the
    result, it looks for its message. Where the app may not read, the reminder counts as sent: nobody is reminded twice.
    """

    database: Database
    slack: Slack
    managers: Managers
    now: Callable[[], int]

    async def catch_up(self) -> bool:
        """Send or escalate some reminders that are due. False if none was."""
        due = await self.database.run(reminders.claim, self.now(), LEASE_MS, MOST_AT_ONCE)
        if due:
            try:
                await self._process(due)
            except TransientError as error:
                log.info("reminders of workspace %s will be retried: %s", due[0].workspace_id, error)
                await self._postpone(due, error)
        return bool(due)

    async def _process(self, due: Sequence[Reminder]) -> None:
        """All of them belong to one reader."""
        workspace = await self.database.run(workspaces.find, due[0].workspace_id)
        changes = await self._open_job_changes(due)
        over = [reminder for reminder in due if reminder.delivery_id not in changes]
        if over:
            await self.database.run(reminders.finish, over)
        if workspace is None or not changes:
            return
        still_open = [reminder for reminder in due if reminder.delivery_id in changes]
        try:
            reader = await self.slack.user(workspace.id, still_open[0].reader)
        except PermanentError:  # Slack refuses to say who they are
            reader = None
        due_now = await self._due_by_working_hours(still_open, reader.tz if reader else None)
        unsent = [reminder for reminder in due_now if reminder.reminded_at is None]
        if new := [reminder for reminder in unsent if reminder.begun_at is None]:
            await self._remind(new, str(uuid4()), changes, workspace)
        in_doubt = [reminder for reminder in unsent if reminder.begun_at is not None]
        for post_id in {reminder.post_id: None for reminder in in_doubt}:
            await self._resolve_doubt([item for item in in_doubt if item.post_id == post_id], changes, workspace)
        for reminder in due_now:
            if reminder.reminded_at is not None:
                await self._escalate(reminder, changes[reminder.delivery_id], workspace, reader)

    async def _open_job_changes(self, due: Sequence[Reminder]) -> dict[int, JobChange]:
        """The job changes that the reader can still act on, by delivery."""
        workspace_id, changes = due[0].workspace_id, dict[int, JobChange]()
        muted = await self.database.run(muting.muted, workspace_id, due[0].reader, self.now())
        required = await self.database.run(muting.required, workspace_id) if muted else frozenset[str]()
        for reminder in due:
            change = JobChange.if_readable(reminder.payload)
            if change and not reminder.is_over and not _is_muted(reminder, change, muted, required):
                changes[reminder.delivery_id] = change
        return changes

    async def _due_by_working_hours(self, batch: Sequence[Reminder], tz: str | None) -> list[Reminder]:
        """Return those that are due by the reader's working hours. The others are postponed until they are."""
        due_now, waiting, now = [], [], self.now()
        hours = await self.database.run(member_preferences.find, batch[0].workspace_id, batch[0].reader)
        for reminder in batch:
            due_at = max(now, after_working_hours(reminder.hours, reminder.reminded_at or reminder.delivered_at, tz))
            if reminder.reminded_at is None:  # an escalation does not disturb the reader
                due_at = hours.opens_at(due_at)
            if due_at <= now:
                due_now.append(reminder)
            else:
                waiting.append((reminder, due_at))
        if waiting:
            await self.database.run(reminders.wait_until, waiting)
        return due_now

    async def _resolve_doubt(
        self, batch: Sequence[Reminder], changes: dict[int, JobChange], workspace: Workspace
    ) -> None:
        """Send a reminder again if it did not arrive. It counts as sent if that cannot be found out."""
        first, post_id = batch[0], batch[0].post_id
        try:
            has_arrived = post_id is None or await self.slack.find_post(
                workspace.id, first.channel, post_id, first.begun_at or 0, first.thread_ts
            )
        except PermanentError:  # the conversation cannot be read
            has_arrived, post_id = True, None
        if post_id and not has_arrived:
            await self._remind(batch, post_id, changes, workspace)
        else:
            detail = _sent_to(batch) if post_id else "it is not known whether it arrived"
            await self._record_sent(batch, workspace, detail)

    async def _remind(
        self, batch: Sequence[Reminder], post_id: str, changes: dict[int, JobChange], workspace: Workspace
    ) -> None:
        places = {Posted(reminder.channel, reminder.ts) for reminder in batch if reminder.channel and reminder.ts}
        urls = await self._permalinks(workspace.id, places) if len(places) > 1 else {}
        begun_at, thread = self.now(), next(iter(places)) if len(places) == 1 else None
        thread_ts = thread.ts if thread else None
        begun = await self.database.run(reminders.begin, batch, begun_at, LEASE_MS, post_id, thread_ts)
        await self.database.run(reminders.finish, [reminder for reminder in batch if reminder not in begun])
        if not begun:
            return
        text = reminder_text(
            [_open_job_change(reminder, changes[reminder.delivery_id], urls) for reminder in begun],
            max(reminder.hours for reminder in begun),
            workspace.reminder_escalation,
        )
        detail, lease_until = _sent_to(begun), begun_at + LEASE_MS
        try:
            if thread:
                await self.slack.reply(workspace.id, thread, text, post_id=post_id, lease_until=lease_until)
            else:  # they are about several messages
                to = begun[0].reader
                await self.slack.post(workspace.id, to, text=text, post_id=post_id, lease_until=lease_until)
        except PermanentError as error:
            detail = f"{begun[0].reader} could not be reminded: {error}"
        except TransientError as error:
            if begun[0].attempts < MOST_ATTEMPTS:
                await self._postpone(begun, error, unsent=not error.in_doubt and begun[0].begun_at is None)
                return
            result = "it is not known whether it arrived" if error.in_doubt else f"it did not arrive: {error}"
            detail = f"{detail}; {result}"
        await self._record_sent(begun, workspace, detail)

    async def _permalinks(self, workspace_id: str, places: Iterable[Posted]) -> dict[Posted, str | None]:
        try:
            return {place: await self.slack.permalink(workspace_id, place) for place in places}
        except PermanentError:  # the reminder is sent without links
            return {}

    async def _record_sent(self, batch: Sequence[Reminder], workspace: Workspace, detail: str) -> None:
        escalates = workspace.reminder_escalation in {ESCALATE_TO_MANAGER, ESCALATE_TO_CHANNEL}
        await self.database.run_until_available(
            reminders.record_reminded, batch, self.now(), detail, escalates=escalates
        )

    async def _escalate(
        self, reminder: Reminder, change: JobChange, workspace: Workspace, reader: SlackUser | None
    ) -> None:
        escalation = workspace.reminder_escalation
        if escalation not in {ESCALATE_TO_MANAGER, ESCALATE_TO_CHANNEL}:  # an admin turned it off in the meantime
            await self.database.run(reminders.finish, [reminder])
            return
        manager = None
        if escalation == ESCALATE_TO_MANAGER:
            manager = await self.managers.find(workspace.id, reminder.reader, reader.email if reader else None)
        if manager and manager.user_id == reminder.reader:
            manager = None
        name = (reader and reader.name) or "The DRI"
        reasons = [ReasonCode.NOT_ACTED_ON.of(person=name)]
        if manager:
            reasons.append(ReasonCode.REPORTS_TO.of())
        elif escalation == ESCALATE_TO_MANAGER:
            reasons.append(ReasonCode.MANAGER_NOT_NOTIFIED.of())
        to, role = (manager.user_id, Role.DRI) if manager else (workspace.channel_of(change.signal), Role.CHANNEL)
        new = NewDelivery(reminder.job_change_id, to, role, tuple(reasons), reminder.side)
        if not await self.database.run(reminders.escalate, reminder, new, self.now()):
            await self.database.run(reminders.finish, [reminder])

    async def _postpone(self, batch: Sequence[Reminder], error: TransientError, *, unsent: bool = False) -> None:
        attempts = max(reminder.attempts for reminder in batch) + 1
        due_at = self.now() + wait_ms(error, attempts, random())  # noqa: S311
        await self.database.run(reminders.postpone, batch, due_at, failed=True, unsent=unsent)


def _sent_to(batch: Sequence[Reminder]) -> str:
    return f"{batch[0].reader}, after {batch[0].hours} working hours"


def _is_muted(reminder: Reminder, change: JobChange, muted: Collection[str], required: Collection[str]) -> bool:
    """Whether the reader has muted it since it was sent. If both sides were notified, both must be muted."""
    kinds = {change.signal.value, change.change_type.value}
    sides = Decision.from_stored(reminder.decision).sides
    own_sides = [side for side in sides if reminder.side in {Side.BOTH, side.side}]
    segments = [{f"{SEGMENT}{segment}" for segment in side.segments} for side in own_sides]
    if kinds.union(*segments) & frozenset(required):
        return False
    in_muted_segments = bool(segments) and all(names & frozenset(muted) for names in segments)
    return in_muted_segments or bool({*kinds, EVERYTHING} & frozenset(muted))


def _open_job_change(reminder: Reminder, change: JobChange, urls: dict[Posted, str | None]) -> OpenJobChange:
    place = Posted(reminder.channel, reminder.ts) if reminder.channel and reminder.ts else None
    return OpenJobChange(change, Side.of(reminder.side), urls.get(place) if place else None)


def reminder_text(job_changes: Sequence[OpenJobChange], hours: int, escalation: str) -> str:
    """Return the text in mrkdwn. `hours` are the working hours until the escalation, one of REMINDER_ESCALATION."""
    lines = [
        " ".join(filter(None, [sentence(headline(item.job_change, bold, item.side)), link(item.url, "Open message")]))
        for item in job_changes
    ]
    time = counted(hours, "more working hour")
    if len(lines) == 1:
        after = f" After {time}, {_NEXT[escalation]}." if escalation in _NEXT else ""
        return f"⏰ *Still open*: {lines[0]}\nTake it, reassign it or snooze it with the buttons on its message.{after}"
    after = f" After {time}, {_NEXT_OF_SEVERAL[escalation]}." if escalation in _NEXT_OF_SEVERAL else ""
    title, items = f"⏰ *{len(lines)} job changes are still open*:", (f"• {line}" for line in lines)
    return "\n".join([title, *items, f"Take, reassign or snooze them in their messages.{after}"])
