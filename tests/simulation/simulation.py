"""One run: replicas, senders, members and an admin between the vendors' stand-ins, with faults drawn from the seed."""

from __future__ import annotations

import asyncio
import logging
import os
import random
from bisect import bisect_right
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

import uuid6
from sqlalchemy import Connection

from domain.states import DeliveryState
from services.messages.actions import ActionRequest
from services.messages.snooze import SnoozeOption
from store.database import DatabaseUnavailableError
from store.delivery import lanes, routing
from store.slack import workspaces
from tests.conftest import SOMEDAY
from tests.simulation.invariants import check_end
from tests.simulation.leases import LeaseWatch
from tests.simulation.loop import Process, SimulatedLoop
from tests.simulation.process import Replica
from tests.simulation.profile import Profile, Window
from tests.simulation.salesforce import CONTACT, SimulatedSalesforce
from tests.simulation.slack import ADMIN, CHANNEL, WORKSPACE, Call, SimulatedSlack
from tests.simulation.storage import OTHER, POST, ROUTE, Storage
from tests.world import sample_job_change

SCOPES = "chat:write,chat:write.public,commands,users:read,users:read.email,channels:read,groups:read"
LONGEST_RUN = 30 * 24 * 3_600.0
"""After so long on the virtual clock, whatever still waits is said to wait forever."""

MOST_STEPS = 200_000
LONGEST_POLL_PAUSE = 120.0


class BrokenRuleError(Exception):
    """A rule that did not hold in a run."""

    def __init__(self, seed: int, broken: str) -> None:
        super().__init__(f"{broken}\nTo replay it: python -m tests.simulation --seed {seed}")
        self.seed, self.broken = seed, broken


@dataclass
class Accepted:
    """A job change that was answered with 202. Times are in seconds on the loop's clock."""

    id: str
    sent_at: float
    answered_at: float
    owner: int | None


@dataclass
class Simulation:
    """Everything of one run. `note` adds to the log, which is what a replay prints."""

    seed: int
    chance: Random = field(init=False)
    violation: str | None = None
    log: list[tuple[float, tuple[object, ...]]] = field(default_factory=list)
    accepted: dict[int, Accepted] = field(default_factory=dict)
    replicas: list[Replica] = field(default_factory=list)
    everybody: list[Replica] = field(default_factory=list)
    """Also the replicas that have died."""
    troubles_are_over: bool = False
    retried: bool = False
    is_retrying: bool = False
    steps: int = 0

    def __post_init__(self) -> None:
        self.chance = Random(self.seed)
        profile = self.profile = Profile.draw(self.chance)
        self.epoch = SOMEDAY / 1_000 + self.chance.uniform(0, 7 * 24 * 3_600)
        self.storage = Storage()
        self.loop = SimulatedLoop(Random(self.chance.random()), profile.disorder)
        self.loop.on_idle, self.loop.after_step = self._look_at_what_is_due, self._after_step
        self.slack, self.salesforce = SimulatedSlack(self), SimulatedSalesforce(self)
        self.leases = LeaseWatch(self)
        self.kills_left, self.freezes_left = profile.kills, profile.freezes
        self.finished: asyncio.Future[None] = self.loop.create_future()

    def true_time(self) -> float:
        return self.epoch + self.loop.now

    def note(self, *event: object) -> None:
        self.log.append((self.loop.now, event))

    def violate(self, broken: str) -> None:
        if self.violation is None:
            self.violation = broken
            self.note("VIOLATION", broken)
            self.finished.cancel()

    def fate(self, fates: dict[str, float], down: Window) -> str:
        """How a call goes."""
        if self.troubles_are_over:
            return "fine"
        if down.covers(self.loop.now):
            return "down"
        left = self.chance.random() if fates else 1.0
        for name, probability in fates.items():
            left -= probability
            if left < 0:
                return name
        return "fine"

    # What replicas do

    def transact(
        self, replica: Replica, function: Callable[..., Any], args: Any, kwargs: Any
    ) -> tuple[Any, Exception | None]:
        """Run a transaction. It may fail before it begins or after its commit."""
        failure = None
        if not self.troubles_are_over and self.chance.random() < self.profile.database_failures:
            failure = DatabaseUnavailableError("the connection broke")
            replica.had_database_failure = True
            if self.chance.random() < 0.5:
                return None, failure
        try:
            with self.storage.begin() as connection:
                result = function(connection, *args, **kwargs)
        except Exception as error:  # noqa: BLE001 - it goes to whoever waits for the transaction
            return None, error
        if self.storage.has_changed():
            self.note(replica.name, "commit", function.__name__)
            self.leases.compare(replica)
            self.may_disturb(replica)
        return result, failure

    def watch_call(self, call: Call) -> None:
        self.leases.check_call(call)

    def notify_others(self, replica: Replica) -> None:
        """PostgreSQL's NOTIFY, which may get lost."""
        for other in self.replicas:
            if other is not replica and self.chance.random() < 0.5:
                self.loop.outside(0.01, other.events.to_route.set)

    def stopped(self, replica: Replica) -> None:
        """It has ended by itself, after SIGTERM."""
        self.note(replica.name, "stopped")
        self._end(replica)

    # Troubles

    def may_disturb(self, replica: Replica) -> None:
        """Kill or suspend it, perhaps. Called at the moments that matter most: around commits and calls of Slack."""
        if self.troubles_are_over or not replica.is_alive or not (self.kills_left or self.freezes_left):
            return
        if self.chance.random() >= self.profile.kill_chance:
            return
        if self.kills_left and (not self.freezes_left or self.chance.random() < 0.5):
            self.kills_left -= 1
            self.note(replica.name, "killed")
            self._end(replica)
        elif not replica.is_frozen and self.freezes_left:
            self.freezes_left -= 1
            self.note(replica.name, "suspended for", self.profile.freeze_seconds)
            self.loop.freeze(replica, self.profile.freeze_seconds)

    def _after_step(self, process: Process | None) -> None:
        self.steps += 1
        if self.steps > MOST_STEPS:
            self.violate("it runs without end")
        may_happen = process is not None and (self.kills_left or self.freezes_left)
        if may_happen and self.chance.random() < self.profile.kill_chance / 20:
            self.may_disturb(process)

    def _end(self, replica: Replica) -> None:
        self.loop.kill(replica)
        self.replicas.remove(replica)
        slow = 1 if self.troubles_are_over else 20
        self.loop.outside(self.chance.uniform(0.2, 2.0) * self.chance.choice((1, slow)), self._start, replica.name)

    def _start(self, name: str) -> None:
        jump = self.profile.clock_jump
        error = self.chance.choice((-jump, 0, 0, jump)) if jump and not self.troubles_are_over else 0.0
        base, _, number = name.partition(".")
        replica = Replica(self, f"{base}.{int(number or 0) + 1}", error)
        self.replicas.append(replica)
        self.everybody.append(replica)
        self.note(replica.name, "starts", f"clock {error:+.0f} s")
        if self.profile.replicas == 1:
            self._run_now(routing.release_all)
            self._run_now(lanes.release_all, replica.now())
            self.leases.forget_all()
        replica.start()

    def _run_now(self, function: Callable[..., Any], *args: object) -> Any:
        with self.storage.begin() as connection:
            return function(connection, *args)

    # The script

    def run(self) -> None:
        """Raises BrokenRuleError."""
        with determined(self):
            try:
                self._run_now(self._install)
                script = self.loop.start(None, self._script())
                script.add_done_callback(self._script_ended)
                self.loop.run_until_complete(self._until_finished())
                if self.violation is None:
                    check_end(self)
            finally:
                asyncio.set_event_loop(None)
                self.loop.abandon()
        if self.violation is not None:
            raise BrokenRuleError(self.seed, self.violation)

    def _script_ended(self, script: asyncio.Task[None]) -> None:
        if error := script.exception():
            self.finished.set_exception(error)

    async def _until_finished(self) -> None:
        try:
            await self.finished
        except asyncio.CancelledError:
            assert self.violation

    def _install(self, connection: Connection) -> None:
        profile = self.profile
        workspaces.install(
            connection,
            workspaces.Installed(
                id=WORKSPACE,
                enterprise_id=None,
                is_enterprise_install=False,
                name="Acme",
                installer_user_id=ADMIN,
                bot_user_id="U0BOT",
                scopes=f"{SCOPES},im:history" if profile.reads_history else SCOPES,
                installed_at=round(self.epoch * 1_000),
            ),
        )
        preferences = {"reminder_hours": profile.reminder_hours, "reminder_escalation": profile.escalation}
        workspaces.change(connection, WORKSPACE, None, salesforce_patience_minutes=5, **preferences)
        if profile.channel_chosen_at is None:
            self._choose_channel(connection)

    def _choose_channel(self, connection: Connection) -> None:
        workspaces.change(connection, WORKSPACE, None, default_channel_id=CHANNEL, default_channel_problem=None)
        workspaces.open_default_lane(connection, WORKSPACE, round(self.true_time() * 1_000))

    async def _script(self) -> None:
        profile, chance = self.profile, self.chance
        for number in range(profile.replicas):
            self._start(f"replica{number}")
        times = [chance.uniform(0, profile.seconds) for _ in range(profile.job_changes)]
        if chance.random() < 0.4:  # a burst, which becomes a bundle
            times = [min(times) + chance.random() for _ in times]
        outside = [self._send(serial, at) for serial, at in enumerate(sorted(times))]
        outside += [self._act(chance.uniform(0, profile.seconds + 30)) for _ in range(profile.actions)]
        outside += [self._stop(chance.uniform(0, profile.seconds)) for _ in range(profile.stops)]
        outside.append(self._look_after_channel())
        await asyncio.gather(*(self.loop.start(None, coroutine) for coroutine in outside))
        ends = max(profile.seconds, profile.slack_down.end, profile.salesforce_down.end)
        await asyncio.sleep(max(0.0, ends + chance.uniform(1, 60) - self.loop.now))
        if profile.days_of_trouble:
            self.kills_left += 2
            await asyncio.sleep(profile.days_of_trouble * 24 * 3_600)
        self.troubles_are_over = True
        self.note("the troubles are over")

    async def _ask(self, call: Callable[[Replica], Callable[[], Coroutine[Any, Any, Any]]]) -> Any:
        """Send a request to a replica until one answers it."""
        while True:
            if self.replicas:
                replica = self.chance.choice(self.replicas)
                try:
                    async with asyncio.timeout(30):
                        return await replica.call(call(replica))
                except (TimeoutError, DatabaseUnavailableError):
                    pass
            await asyncio.sleep(self.chance.uniform(0.1, 3))

    async def _send(self, serial: int, at: float) -> None:
        await asyncio.sleep(at)
        profile, chance = self.profile, self.chance
        owner = None if chance.random() < profile.unowned else chance.randrange(profile.owners)
        email = CONTACT.format(owner="X" if owner is None else owner)
        person = {"full_name": f"Serial {serial:04}", "emails": [email]}
        raw = sample_job_change(source_event_id=str(serial), person=person)
        times = 2 if chance.random() < profile.duplicates else 1
        for _ in range(times):
            sent_at = self.loop.now
            added = await self._ask(lambda replica: lambda: replica.intake.accept(WORKSPACE, raw))
            self.note("sender", "accepted", serial, added.id)
            known = self.accepted.setdefault(serial, Accepted(added.id, sent_at, self.loop.now, owner))
            if known.id != added.id:
                self.violate(f"job change {serial} was accepted as {known.id} and as {added.id}")

    async def _act(self, at: float) -> None:
        """A member does something with a message."""
        await asyncio.sleep(at)
        rows = self.storage.rows(
            "SELECT deliveries.id, destination FROM deliveries JOIN lanes ON lanes.id = lane_id WHERE state = ?"
            " ORDER BY deliveries.id",
            DeliveryState.DELIVERED,
        )
        if not rows:
            return
        delivery_id, destination = self.chance.choice(rows)
        owners = [f"U0OWNER{number}" for number in range(self.profile.owners)]
        actor = destination if destination.startswith("U") else self.chance.choice(owners)
        kind = self.chance.choice(("take", "take", "reassign", "return", "snooze", "report"))
        other = self.chance.choice(owners)
        self.note(actor, kind, delivery_id)

        async def act(replica: Replica) -> None:
            actions, request = replica.actions, ActionRequest(WORKSPACE, delivery_id, actor)
            match kind:
                case "take":
                    result = await actions.take(request)
                case "reassign":
                    result = await actions.reassign(request, other, "please")
                case "return":
                    result = await actions.reassign(request, None, "")
                case "snooze":
                    result = await actions.snooze(request, SnoozeOption.TOMORROW)
                case _:
                    result = await actions.report(request, "other", "")
            await actions.update_messages(result)

        await self._ask(lambda replica: lambda: act(replica))

    async def _stop(self, at: float) -> None:
        await asyncio.sleep(at)
        if self.replicas:
            replica = self.chance.choice(self.replicas)
            self.note(replica.name, "asked to stop")
            replica.stopping.set()

    async def _look_after_channel(self) -> None:
        profile = self.profile
        if profile.channel_chosen_at is not None:
            await asyncio.sleep(profile.channel_chosen_at)
            self.note("admin", "chooses the default channel")
            self._run_now(self._choose_channel)
        if profile.channel_archived.end:
            await asyncio.sleep(max(0.0, profile.channel_archived.end - self.loop.now))
            await asyncio.sleep(self.chance.uniform(0, 20))
            self._repair_channel()

    def admin_is_notified(self) -> None:
        """The admin repairs the channel again if a process reports late that it was broken."""
        if 0 < self.profile.channel_archived.end <= self.loop.now:
            self.loop.call_later(10, self._repair_channel)

    def _repair_channel(self) -> None:
        self.note("admin", "repairs the default channel")
        self._run_now(workspaces.mark_default_channel_working, WORKSPACE, CHANNEL, round(self.true_time() * 1_000))

    # Time

    def _look_at_what_is_due(self, next_timer: float | None) -> None:
        """
        Wake the loops of the replica that notices next that something is due, in place of polling every second.

        When nothing is due and nothing is timed, the run is finished, or something waits forever.
        """
        first = min(
            (
                (at, replica.name, replica, loops)
                for replica in self.replicas
                if not replica.is_frozen and (due := self._next_poll(replica))
                for at, loops in [due]
            ),
            default=None,
            key=lambda poll: poll[:2],
        )
        if first is not None and (next_timer is None or first[0] <= next_timer):
            at, _, replica, loops = first
            self.loop.now = max(self.loop.now, at)
            self._wake(replica, loops)
        is_stuck = first is None and next_timer is None
        if is_stuck and not self.troubles_are_over:
            self.violate("nothing runs any longer")
        if self.troubles_are_over and not self.finished.done():
            self._finish_if_done(is_stuck=is_stuck)

    def _next_poll(self, replica: Replica) -> tuple[float, set[str]] | None:
        """When this replica notices next that something is due, and which of its loops do."""
        here, now = self.loop.now, replica.now()
        polls = list[tuple[float, str]]()
        for loop, times in self.storage.due().items():
            earliest = self._earliest(replica, loop) if times else None
            if earliest is None:
                continue
            later = bisect_right(times, now)
            if later < len(times):
                polls.append((max(here + (times[later] - now) / 1_000, earliest), loop))
            if later:
                pause = min(2.0**replica.idle_polls, LONGEST_POLL_PAUSE) if replica.idle_polls else 0.0
                polls.append((max(here, earliest, replica.polled_at + pause), loop))
                ended = bisect_right(self.storage.pauses, now)
                if ended < len(self.storage.pauses):
                    polls.append((max(here + (self.storage.pauses[ended] - now) / 1_000, earliest), loop))
        if not polls:
            return None
        at = min(polls)[0]
        return at, {loop for moment, loop in polls if moment <= at}

    def _earliest(self, replica: Replica, loop: str) -> float | None:
        return min((at for event, at in replica.polls.items() if _loop_of(replica, event) == loop), default=None)

    def _wake(self, replica: Replica, loops: set[str]) -> None:
        replica.idle_polls = replica.idle_polls + 1 if replica.seen_version == self.storage.version else 0
        replica.polled_at, replica.seen_version = self.loop.now, self.storage.version
        for event, earliest in list(replica.polls.items()):
            if _loop_of(replica, event) in loops and earliest <= self.loop.now:
                event.set()

    def _finish_if_done(self, *, is_stuck: bool) -> None:
        waiting = self.storage.waiting()
        if self.is_retrying or (not waiting and self._retry_failed()):
            return
        if not waiting:
            self.finished.set_result(None)
        elif is_stuck or self.loop.now > LONGEST_RUN:
            self.violate(f"waits forever: {', '.join(f'{count} {what}' for what, count in waiting.items())}")

    def _retry_failed(self) -> bool:
        """Retry what has failed, once, as an admin would. Return whether that has begun."""
        if self.retried or not self.profile.retries_failed or not self.replicas:
            return False
        self.retried = self.is_retrying = True
        self.loop.start(None, self._retry())
        return True

    async def _retry(self) -> None:
        await asyncio.sleep(1)
        await self._ask(lambda replica: lambda: replica.failed.retry_all(WORKSPACE, ADMIN))
        self.is_retrying = False


def _loop_of(replica: Replica, event: asyncio.Event) -> str:
    if event is replica.events.to_route:
        return ROUTE
    return POST if event is replica.events.to_post else OTHER


class _Errors(logging.Handler):
    """What the worker logs when it meets an exception that it does not expect."""

    def __init__(self, simulation: Simulation) -> None:
        super().__init__(logging.ERROR)
        self.simulation = simulation

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if "DatabaseUnavailableError" not in message:
            self.simulation.violate(f"an unexpected error was logged: {message}")


@contextmanager
def determined(simulation: Simulation) -> Iterator[None]:
    """Draw everything that the app leaves to chance or reads from a clock from the seed, and silence its logs."""
    chance = Random(simulation.seed)
    state, urandom, times = random.getstate(), os.urandom, uuid6.time
    system, level, handler = random._urandom, logging.root.manager.disable, _Errors(simulation)

    class Times:
        @staticmethod
        def time_ns() -> int:
            return round(simulation.true_time() * 1_000) * 1_000_000

    random.seed(simulation.seed)
    os.urandom = random._urandom = chance.randbytes
    uuid6.time, uuid6._last_v7_timestamp = Times, None
    logging.disable(logging.WARNING)
    logging.root.addHandler(handler)
    try:
        yield
    finally:
        logging.root.removeHandler(handler)
        logging.disable(level)
        random.setstate(state)
        os.urandom, random._urandom = urandom, system
        uuid6.time, uuid6._last_v7_timestamp = times, None
