"""One process of the app, wired as in services/assembly.py, with simulated vendors and a database that may fail."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from services.clock import SteadyClock
from services.delivery.courier import Courier
from services.delivery.failed import FailedJobChanges
from services.delivery.router import Router
from services.delivery.worker import POLL_SECONDS, Worker, WorkEvents
from services.intake.intake import Intake
from services.messages.actions import DeliveryActions
from services.messages.button_values import ButtonSigner
from services.messages.layouts import Layouts
from services.messages.notices import Notices
from services.messages.redraws import Redrawer
from services.messages.reminders import ReminderSender
from services.ownership.decider import Decider
from services.ownership.managers import Managers
from services.ownership.org_schema import OrgSchemas
from services.ownership.user_groups import UserGroups
from services.slack.api import Slack
from services.slack.directory import Directory
from store.database import Database
from store.encryption import Cipher
from store.operations.due_work import Queue
from store.operations.notify import WorkNotifier
from tests.simulation.loop import Process

if TYPE_CHECKING:
    from tests.simulation.simulation import Simulation

SIGNER = ButtonSigner(Cipher.of(["c2ltdWxhdGlvbi1zaW11bGF0aW9uLXNpbXVsYXRpb24="]))


class SimulatedDatabase(Database):
    """A replica's own door to the database that all replicas share. A transaction is one step."""

    def __init__(self, simulation: Simulation, replica: Replica) -> None:
        self.simulation, self.replica = simulation, replica
        self.is_sqlite = True
        self._waiting: dict[Callable[..., Any], list[tuple[Any, asyncio.Future[Any]]]] = {}
        self._draining: dict[Callable[..., Any], asyncio.Task[None]] = {}

    async def run(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        loop = self.simulation.loop
        future: asyncio.Future[Any] = loop.create_future()

        def execute() -> None:
            result, error = self.simulation.transact(self.replica, function, args, kwargs)
            loop.call_later(self._latency(), resolve, result, error)

        def resolve(result: object, error: Exception | None) -> None:
            if not future.done():
                future.set_result(result) if error is None else future.set_exception(error)

        loop.call_later(self._latency(), execute)
        return await future

    def _latency(self) -> float:
        longest = self.simulation.profile.database_latency
        return self.simulation.chance.random() * longest if longest else 0.0


class NoHousekeeping:
    """Housekeeping wakes lanes that lost their turn. Here such a lane must show."""

    async def tidy(self) -> None:
        await asyncio.Event().wait()


class Replica(Process):
    """One process, from its start to its end. A restart is another one."""

    def __init__(self, simulation: Simulation, name: str, clock_error: float) -> None:
        super().__init__(name)
        self.simulation = simulation
        self.clock_error = clock_error
        """By how many seconds its clock is ahead."""
        self.had_database_failure = False
        self.polled_at = 0.0
        self.idle_polls = 0
        self.seen_version = -1
        self.polls = dict[asyncio.Event, float]()
        """Loops that wait, by their event: from when on they look again by themselves."""
        loop = simulation.loop
        now = self.now = SteadyClock(lambda: simulation.true_time() + clock_error, loop.time)
        database = self.database = SimulatedDatabase(simulation, self)
        slack = Slack(simulation.slack, _token, database, now)
        directory, groups = Directory(slack, database, now), UserGroups(slack, database, now)
        salesforce = simulation.salesforce
        notices = Notices(database, slack, now)
        decider = Decider(database, salesforce, OrgSchemas(salesforce, now), directory, groups, now)
        self.events, layouts = WorkEvents(), Layouts(database)
        self.intake = Intake(database, now, self._accepted)
        self.actions = DeliveryActions(database, slack, Redrawer(database, slack, SIGNER, now, layouts), SIGNER, now)
        self.failed = FailedJobChanges(database, self._accepted, now)
        reminders = ReminderSender(database, slack, Managers(database, salesforce, directory), now)
        self.worker = Worker(
            database,
            Router(database, decider, notices, now),
            Courier(database, slack, notices, SIGNER, now, layouts),
            self.events,
            WorkNotifier(database),
            NoHousekeeping(),
            now,
            {
                Queue.MESSAGES: self.actions.catch_up,
                Queue.NOTICES: notices.catch_up,
                Queue.REMINDERS: reminders.catch_up,
            },
            wait=self._wait,
        )
        self.stopping = asyncio.Event()

    def is_healthy_since(self, moment: float) -> bool:
        """Whether it has neither died nor been frozen since then, and its database has never failed."""
        was_frozen = self.is_frozen or (self.thawed_at is not None and self.thawed_at >= moment)
        return self.is_alive and not was_frozen and not self.had_database_failure

    def start(self) -> None:
        self.simulation.loop.start(self, self._run())

    async def _run(self) -> None:
        await self.worker.run(self.stopping)
        self.simulation.stopped(self)

    def call(self, function: Callable[[], Coroutine[Any, Any, Any]]) -> asyncio.Future[Any]:
        """Call something from outside, as a request does. If the process dies, the future is never done."""
        outside: asyncio.Future[Any] = self.simulation.loop.create_future()

        async def answer() -> None:
            try:
                result, error = await function(), None
            except Exception as caught:  # noqa: BLE001 - it goes to whoever waits for the answer
                result, error = None, caught
            self.simulation.loop.outside(0.01, finish, result, error)

        def finish(result: object, error: Exception | None) -> None:
            if not outside.done():
                outside.set_result(result) if error is None else outside.set_exception(error)

        self.simulation.loop.start(self, answer())
        return outside

    def _accepted(self) -> None:
        self.events.to_route.set()
        self.events.to_post.set()
        self.simulation.notify_others(self)

    async def _wait(self, event: asyncio.Event, seconds: float) -> None:
        """In place of polling every second: the simulation sets the event when something is due."""
        self.polls[event] = self.simulation.loop.now + min(seconds, POLL_SECONDS)
        try:
            await event.wait()
        finally:
            with suppress(KeyError):
                del self.polls[event]
        event.clear()


async def _token(workspace_id: str) -> str:
    return "xoxb-simulated"
