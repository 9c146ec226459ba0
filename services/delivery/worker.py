"""The worker: claims what is due, routes and posts it, and keeps running whatever fails."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from functools import partial
from random import random

from domain.errors import WorkspaceGoneError
from services.delivery import courier, router
from services.delivery.courier import Courier
from services.delivery.router import Router
from services.operations import housekeeping
from services.operations.housekeeping import Housekeeping
from services.retry import MOST_ROUTING_ATTEMPTS, backoff_ms
from store.database import Database, DatabaseUnavailableError
from store.delivery import lanes, routing
from store.delivery.lanes import Claim
from store.delivery.posts import LANE_GAP_MS
from store.delivery.routing import Batch
from store.operations.due_work import Queue, due_queues
from store.operations.notify import WorkNotifier
from store.slack import workspaces

logger = logging.getLogger(__name__)

MOST_POSTS_AT_ONCE = 64
"""A crash repeats at most this many messages that the app may not read. 128 would hardly be faster."""

MOST_BATCHES_AT_ONCE = 4
POLL_SECONDS = 1.0
"""The longest time until work from another process, or of a paced lane, is noticed without a notification."""

LOOK_SECONDS = 10.0
"""How often each loop looks at its queue although nothing seems to be due, and reports its heartbeat."""

LONGEST_PAUSE_SECONDS = 10.0
"""The longest wait after failures. A loop that waits longer would count as stuck."""

CLAIMED_FIRST_SECONDS = 0.02
"""The wait after a claim, so that its work runs before the next query, which usually finds nothing."""

NEXT_CLAIM_SECONDS = 0.002
"""The wait after two claims in a row found work, because there is a backlog."""

YIELD_SECONDS = 0.02
LONGEST_YIELD_TO_ROUTE, LONGEST_YIELD_TO_POST = 1.0, 0.1
LONGEST_YIELD_OF_FIRST_BATCH = 0.1
LANES_WHILE_SENDERS_WAIT = 8
"""
While many requests of senders wait to be stored, the worker gives way to them, so that they are not sent again.

A claim then waits in steps of YIELD_SECONDS, at most this long, and takes fewer lanes. However many requests there are,
a batch of up to 200 job changes is routed each second, and eight messages are sent each tenth of a second. The first
batch of a rush waits for less, since its deliveries open the lanes in which the others then follow together.
"""

GRACE_SECONDS = 8.0
"""The time that work in flight gets when the process stops. The next process takes over what is left."""


@dataclass(frozen=True)
class WorkEvents:
    """Set to wake the worker at once, instead of after POLL_SECONDS. `to_poll` looks at all queues."""

    to_route: asyncio.Event = field(default_factory=asyncio.Event)
    to_post: asyncio.Event = field(default_factory=asyncio.Event)
    to_poll: asyncio.Event = field(default_factory=asyncio.Event)


async def wait_for(event: asyncio.Event, seconds: float) -> None:
    """Wait until the event is set or the time is over, and clear the event."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
    event.clear()


@dataclass(frozen=True)
class Worker:
    """Routes and posts until it is stopped."""

    database: Database
    router: Router
    courier: Courier
    work_events: WorkEvents
    notifier: WorkNotifier
    housekeeping: Housekeeping
    now: Callable[[], int]
    queues: Mapping[Queue, Callable[[], Awaitable[bool]]] = field(default_factory=dict)
    """How to work through the other queues. Each call returns whether it had work. Canceled when the worker stops."""
    other_work: tuple[Callable[[], Awaitable[bool]], ...] = ()
    """Other jobs, which know themselves when they are due. They are called every POLL_SECONDS."""
    heartbeat: Callable[[str], None] = lambda _loop: None
    """Called with the name of a loop, route or post, each time it runs."""
    may_work: Callable[[], bool] = lambda: True
    """While it returns False, nothing is claimed."""
    senders_wait: Callable[[], bool] = lambda: False
    """Whether many requests of senders wait in this process."""
    wait: Callable[[asyncio.Event, float], Awaitable[None]] = wait_for
    _routing: set[asyncio.Task[None]] = field(default_factory=set, repr=False)
    _posting: set[asyncio.Task[None]] = field(default_factory=set, repr=False)
    _batch_claimed_at: list[int] = field(default_factory=lambda: [0], repr=False)
    """When the latest batch was claimed, in milliseconds; in a list, because the worker is frozen."""

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then finish what is in flight. A claim that has begun is always handled."""
        events = {queue: asyncio.Event() for queue in self.queues}
        events |= {Queue.JOB_CHANGES: self.work_events.to_route, Queue.LANES: self.work_events.to_post}
        loops = [
            asyncio.create_task(self._repeat(self.route_due, self.work_events.to_route, stop, LOOK_SECONDS)),
            asyncio.create_task(self._repeat(self.post_due, self.work_events.to_post, stop, LOOK_SECONDS)),
        ]
        others = [
            asyncio.create_task(self.notifier.listen(self.work_events.to_route.set)),
            asyncio.create_task(self._tidy_regularly()),
            asyncio.create_task(self._repeat(partial(self._poll, events), self.work_events.to_poll, stop)),
            *(
                asyncio.create_task(self._repeat(self._if_allowed(work), events[queue], stop, LOOK_SECONDS))
                for queue, work in self.queues.items()
            ),
            *(
                asyncio.create_task(self._repeat(self._if_allowed(work), asyncio.Event(), stop))
                for work in self.other_work
            ),
        ]
        await stop.wait()
        for task in others:
            task.cancel()
        self.work_events.to_route.set()
        self.work_events.to_post.set()
        await asyncio.gather(*loops)
        if in_flight := self._routing | self._posting:
            await asyncio.wait(in_flight, timeout=GRACE_SECONDS)

    async def drain(self) -> None:
        """Route and post everything that is due now, and wait until it is done."""
        while await self.route_due() or await self.post_due() or self._routing or self._posting:
            if in_flight := self._routing | self._posting:
                await asyncio.wait(in_flight)

    async def route_due(self) -> bool:
        """Claim a batch and route it in the background. Return False if none is due or enough are in flight."""
        self.heartbeat("route")
        if len(self._routing) >= MOST_BATCHES_AT_ONCE or not self.may_work():
            return False
        is_first = self.now() - self._batch_claimed_at[0] > LONGEST_YIELD_TO_ROUTE * 1_000
        await self._yield_to_senders(LONGEST_YIELD_OF_FIRST_BATCH if is_first else LONGEST_YIELD_TO_ROUTE)
        batch = await self.database.run(routing.claim, self.now(), router.LEASE_MS)
        if batch is None:
            return False
        self._batch_claimed_at[0] = self.now()
        _start(self._routing, self._route(batch))
        return True

    async def post_due(self) -> bool:
        """Claim lanes and post in the background. Return False if none is due or enough are in flight."""
        self.heartbeat("post")
        free = MOST_POSTS_AT_ONCE - len(self._posting)
        if not free or not self.may_work():
            return False
        if await self._yield_to_senders(LONGEST_YIELD_TO_POST):
            free = min(free, LANES_WHILE_SENDERS_WAIT)
        claims = await self.database.run(lanes.claim, self.now(), courier.LEASE_MS, free)
        for claim in claims:
            _start(self._posting, self._post(claim))
        return bool(claims)

    async def _yield_to_senders(self, longest_seconds: float) -> bool:
        """Wait while many requests of senders wait, and return whether they still do."""
        steps = round(longest_seconds / YIELD_SECONDS)
        while self.senders_wait() and steps:
            await self.wait(asyncio.Event(), YIELD_SECONDS)
            steps -= 1
        return self.senders_wait()

    def _if_allowed(self, work: Callable[[], Awaitable[bool]]) -> Callable[[], Awaitable[bool]]:
        async def work_if_allowed() -> bool:
            return self.may_work() and await work()

        return work_if_allowed

    async def _poll(self, events: Mapping[Queue, asyncio.Event]) -> bool:
        """Wake the loops whose queues have due work. Always return False: the loops do the work."""
        for queue in await self.database.run(due_queues, self.now()):
            if queue in events:
                events[queue].set()
        return False

    async def _repeat(
        self,
        work: Callable[[], Awaitable[bool]],
        event: asyncio.Event,
        stop: asyncio.Event,
        look_seconds: float = POLL_SECONDS,
    ) -> None:
        failures, pause = 0, look_seconds
        while not stop.is_set():
            try:
                worked = await work()
                failures = 0
            except Exception as error:  # noqa: BLE001 - an edge: the loop must survive, the work is in the database
                failures += 1
                _log("could not claim work", error)
                worked = False
            if worked:
                pause = NEXT_CLAIM_SECONDS if pause <= CLAIMED_FIRST_SECONDS else CLAIMED_FIRST_SECONDS
            else:
                pause = backoff_ms(failures, random()) / 1_000 if failures else look_seconds  # noqa: S311
            await self.wait(event, min(pause, LONGEST_PAUSE_SECONDS))

    async def _tidy_regularly(self) -> None:
        while True:
            try:
                await self.housekeeping.tidy()
            except Exception as error:  # noqa: BLE001 - an edge: a failed clean-up must not stop deliveries
                _log("housekeeping failed", error)
            await self.wait(asyncio.Event(), housekeeping.EVERY_SECONDS)

    async def _route(self, batch: Batch) -> None:
        lease = asyncio.create_task(self._prolong_lease(batch))
        try:
            await self.router.route(batch)
        except WorkspaceGoneError as error:
            await self.database.run_until_available(workspaces.mark_gone, batch.workspace_id, self.now(), error.code)
            await self._give_up(batch, str(error), is_bug=False)
        except DatabaseUnavailableError as error:
            await self._give_up(batch, str(error), is_bug=False)
        except Exception as error:  # noqa: BLE001 - an edge: a bug must not lose a job change
            _log("could not route a batch", error)
            await self._give_up(batch, f"{type(error).__name__} while routing", is_bug=True)
        finally:
            lease.cancel()
        self.work_events.to_post.set()
        self.work_events.to_route.set()

    async def _prolong_lease(self, batch: Batch) -> None:
        """Renew a short lease, so that another process takes over soon after this one dies."""
        while True:
            await asyncio.sleep(router.LEASE_MS / 3_000)
            await self.database.run_until_available(routing.prolong, batch, self.now() + router.LEASE_MS)

    async def _give_up(self, batch: Batch, reason: str, *, is_bug: bool) -> None:
        now = self.now()
        attempts = max(job_change.attempts for job_change in batch.job_changes) + 1 if batch.job_changes else 1
        due_at = now + backoff_ms(attempts, random())  # noqa: S311
        most_attempts = MOST_ROUTING_ATTEMPTS if is_bug else None
        await self.database.run_until_available(routing.give_up, batch, reason, now, due_at, most_attempts)

    async def _post(self, claim: Claim) -> None:
        was_full = len(self._posting) >= MOST_POSTS_AT_ONCE
        try:
            due_at = await self.courier.deliver(claim)
        except DatabaseUnavailableError as error:
            due_at = await self.courier.settle(self.courier.after_outage(claim, str(error)))
        except Exception as error:  # noqa: BLE001 - an edge: a bug must not lose a delivery or block its lane
            _log("could not post a message", error)
            due_at = await self.courier.settle(self.courier.after_bug(claim, f"{type(error).__name__} while posting"))
        # Also for a lane that is empty now: what is added to it before its pace allows it is due at that time.
        wait = LANE_GAP_MS if due_at is None else max(0, due_at - self.now())
        asyncio.get_running_loop().call_later(wait / 1_000, self.work_events.to_post.set)
        if was_full:
            self.work_events.to_post.set()


def _start(tasks: set[asyncio.Task[None]], work: Coroutine[None, None, None]) -> None:
    task = asyncio.create_task(work)
    tasks.add(task)
    task.add_done_callback(tasks.discard)


def _log(message: str, error: Exception) -> None:
    if isinstance(error, DatabaseUnavailableError):
        return  # logged once, when it begins
    # The text of a database error holds rows, and so personal data. Only its type and its place are logged.
    place = error.__traceback__
    while place and place.tb_next:
        place = place.tb_next
    where = f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place else "?"
    logger.error("%s: %s at %s", message, type(error).__name__, where)
