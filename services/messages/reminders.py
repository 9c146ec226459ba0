"""Reminds people who have not acted on a job change, and then notifies their manager or the channel, once each."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from random import random
from typing import cast

from domain.delivery import NewDelivery
from domain.errors import PermanentError, TransientError
from domain.job_change.model import JobChange
from domain.preferences import ESCALATE_TO_CHANNEL, ESCALATE_TO_MANAGER, EVERYTHING, SEGMENT
from domain.states import Role
from domain.workspace import Workspace
from services.messages.managers import Managers
from services.messages.reminder_text import OpenJobChange, escalation_reason, reminder_text
from services.messages.wording import Side
from services.messages.working_hours import after_working_hours
from services.retry import backoff_ms
from services.slack.api import Posted, Slack
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


@dataclass(frozen=True)
class ReminderSender:
    """
    Works through what is due, one reader at a time.

    That we set out to remind is a row before Slack is called. Whoever finds such a row without knowing how that ended
    takes it for done: nobody is reminded twice.
    """

    database: Database
    slack: Slack
    managers: Managers
    now: Callable[[], int]

    async def catch_up(self) -> bool:
        """A bit of what is due; False if nothing is."""
        due = await self.database.run(reminders.claim, self.now(), LEASE_MS, MOST_AT_ONCE)
        if due:
            try:
                await self._look_at(due)
            except TransientError as error:
                log.info("reminding in %s has to wait: %s", due[0].workspace_id, error)
                await self._postpone(due, error)
        return bool(due)

    async def _look_at(self, due: Sequence[Reminder]) -> None:
        workspace = await self.database.run(workspaces.find, due[0].workspace_id)
        changes = await self._open(due)
        over = [each for each in due if each.delivery_id not in changes]
        if over:
            await self.database.run(reminders.finish, over)
        if workspace is None or not changes:
            return
        left = [each for each in due if each.delivery_id in changes]
        reader = await self._reader(left[0])
        ripe = await self._ripe(left, reader.tz if reader else None)
        if doubtful := [each for each in ripe if each.reminded_at is None and each.begun_at is not None]:
            await self._reminded(doubtful, workspace, "it is not known whether that arrived")
        if fresh := [each for each in ripe if each.reminded_at is None and each.begun_at is None]:
            await self._remind(fresh, changes, workspace)
        for each in ripe:
            if each.reminded_at is not None:
                await self._pass_on(each, changes[each.delivery_id], workspace, reader)

    async def _open(self, due: Sequence[Reminder]) -> dict[int, JobChange]:
        """What there is still to act on, by delivery."""
        first, found = due[0], dict[int, JobChange]()
        muted = await self.database.run(muting.muted, first.workspace_id, first.reader, self.now())
        unmutable = await self.database.run(muting.required, first.workspace_id) if muted else frozenset[str]()
        for each in due:
            change = JobChange.if_readable(each.payload)
            if change is None:
                continue
            if not each.is_over and not _is_muted(each, change, muted, unmutable):
                found[each.delivery_id] = change
        return found

    async def _reader(self, one: Reminder) -> SlackUser | None:
        """None: Slack does not tell (us) who they are. Raises TransientError."""
        try:
            return await self.slack.user(one.workspace_id, one.reader)
        except PermanentError:
            return None

    async def _ripe(self, some: Sequence[Reminder], tz: str | None) -> list[Reminder]:
        """Those whose time has come, by the reader's own clock; the others come back when it has."""
        ripe, later, now = [], [], self.now()
        quiet = await self.database.run(member_preferences.find, some[0].workspace_id, some[0].reader)
        for each in some:
            due_at = max(now, after_working_hours(each.hours, each.reminded_at or each.delivered_at, tz))
            if each.reminded_at is None:  # what is passed on does not disturb them
                due_at = quiet.opens_at(due_at)
            if due_at <= now:
                ripe.append(each)
            else:
                later.append((each, due_at))
        if later:
            await self.database.run(reminders.wait_until, later)
        return ripe

    async def _remind(self, some: Sequence[Reminder], changes: dict[int, JobChange], workspace: Workspace) -> None:
        places = {Posted(each.channel, each.ts) for each in some if each.channel and each.ts}
        addresses = await self._addresses(workspace.id, places) if len(places) > 1 else {}
        begun = await self.database.run(reminders.begin, some, self.now())
        await self.database.run(reminders.finish, [each for each in some if each not in begun])
        if not begun:
            return
        text = reminder_text(
            [_shown(each, changes[each.delivery_id], addresses) for each in begun],
            max(each.hours for each in begun),
            workspace.reminder_escalation,
        )
        detail = f"{begun[0].reader}, after {begun[0].hours} working hours"
        try:
            await self._say(begun, text)
        except PermanentError as error:
            detail = f"{begun[0].reader} could not be reminded: {error}"
        except TransientError as error:
            if not error.in_doubt and begun[0].attempts < MOST_ATTEMPTS:
                await self._postpone(begun, error, unsent=True)
                return
            known = "it is not known whether that arrived" if error.in_doubt else f"that did not arrive: {error}"
            detail = f"{detail}; {known}"
        await self._reminded(begun, workspace, detail)

    async def _say(self, some: Sequence[Reminder], text: str) -> None:
        """In the thread of their message, or by itself where there are several messages."""
        places = {Posted(each.channel, each.ts) for each in some if each.channel and each.ts}
        if len(places) == 1:
            await self.slack.reply(some[0].workspace_id, places.pop(), text)
        else:
            await self.slack.post_notice(some[0].workspace_id, some[0].reader, text)

    async def _addresses(self, workspace_id: str, places: Iterable[Posted]) -> dict[Posted, str | None]:
        try:
            return {place: await self.slack.permalink(workspace_id, place) for place in places}
        except PermanentError:  # without links it is a reminder, too
            return {}

    async def _reminded(self, some: Sequence[Reminder], workspace: Workspace, detail: str) -> None:
        escalates = workspace.reminder_escalation in {ESCALATE_TO_MANAGER, ESCALATE_TO_CHANNEL}
        await self.database.run_until_available(
            reminders.record_reminded, some, self.now(), detail, escalates=escalates
        )

    async def _pass_on(self, one: Reminder, change: JobChange, workspace: Workspace, reader: SlackUser | None) -> None:
        escalation = workspace.reminder_escalation
        if escalation not in {ESCALATE_TO_MANAGER, ESCALATE_TO_CHANNEL}:  # chosen since
            await self.database.run(reminders.finish, [one])
            return
        found = None
        if escalation == ESCALATE_TO_MANAGER:
            found = await self.managers.find(workspace.id, one.reader, reader.email if reader else None)
        manager = found if found and found.user_id != one.reader else None
        name = (reader and reader.name) or "The DRI"
        reason = escalation_reason(name, manager.name if manager else None, escalation)
        to, role = (manager.user_id, Role.DRI) if manager else (workspace.channel_of(change.signal), Role.CHANNEL)
        new = NewDelivery(one.job_change_id, to, role, reason, one.side)
        if not await self.database.run(reminders.escalate, one, new, self.now()):
            await self.database.run(reminders.finish, [one])

    async def _postpone(self, some: Sequence[Reminder], error: TransientError, *, unsent: bool = False) -> None:
        wait = backoff_ms(max(each.attempts for each in some) + 1, random())  # noqa: S311
        due_at = self.now() + (round(error.retry_after * 1_000) if error.retry_after else wait)
        await self.database.run(reminders.postpone, some, due_at, failed=True, unsent=unsent)


def _is_muted(each: Reminder, change: JobChange, muted: Collection[str], unmutable: Collection[str]) -> bool:
    """By its reader since they were told; of both sides only what is muted on each."""
    what = {change.signal.value, change.change_type.value}
    sides = json.loads(each.decision or "{}").get("sides", [])
    told = [side for side in sides if each.side in {"both", side["side"]}]
    segments = [{f"{SEGMENT}{segment}" for segment in side.get("segments", ())} for side in told]
    if what.union(*segments) & frozenset(unmutable):
        return False
    in_segments = bool(segments) and all(each & frozenset(muted) for each in segments)
    return in_segments or bool({*what, EVERYTHING} & frozenset(muted))


def _shown(each: Reminder, change: JobChange, addresses: dict[Posted, str | None]) -> OpenJobChange:
    place = Posted(each.channel, each.ts) if each.channel and each.ts else None
    side = cast("Side", each.side) if each.side in {"past", "current", "both"} else None
    return OpenJobChange(change, side, addresses.get(place) if place else None)
