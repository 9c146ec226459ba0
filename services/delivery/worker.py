"""The loop that keeps our promises: claims what is due, hands it to the router and the courier, and never dies."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from random import random

from domain.errors import WorkspaceGoneError
from services.delivery import courier, router
from services.delivery.courier import Courier
from services.delivery.router import Router
from services.delivery.wakeups import Wakeups, wait_for
from services.operations import housekeeping
from services.operations.housekeeping import Housekeeping
from services.retry import MOST_ROUTING_ATTEMPTS, backoff_ms
from store.database import Database, DatabaseUnavailableError
from store.delivery import lanes, routing
from store.delivery.lanes import Claim
from store.delivery.posts import LANE_GAP_MS
from store.delivery.routing import Batch
from store.notify import Bell
from store.slack import workspaces

logger = logging.getLogger(__name__)

MOST_POSTS_AT_ONCE = 64
MOST_BATCHES_AT_ONCE = 4
POLL_SECONDS = 1.0
"""How long what another process has accepted, or paced, may go unseen."""

LONGEST_PAUSE_SECONDS = 10.0
"""After so long the database is asked again, however often it failed: who goes round less often counts as dead."""

CLAIMED_FIRST_SECONDS = 0.02
"""What was just claimed goes ahead of the next look for more, which finds nothing when a job change comes alone."""

NEXT_LOOK_SECONDS = 0.002
"""The same when the look before has found something, too: there is more."""

GRACE_SECONDS = 8.0
"""For what is in flight when we are asked to stop; what takes longer is taken up by the next process."""


@dataclass(frozen=True)
class Worker:
    """Runs both halves until it is told to stop."""

    database: Database
    router: Router
    courier: Courier
    wakeups: Wakeups
    bell: Bell
    housekeeping: Housekeeping
    now: Callable[[], int]
    others: tuple[Callable[[], Awaitable[bool]], ...] = ()
    """Work beside the two halves, bit by bit: each answers whether there was any. Stopped wherever it stands."""
    beat: Callable[[str], None] = lambda _half: None
    """Called with the name of a half each time it goes round."""
    _routing: set[asyncio.Task[None]] = field(default_factory=set, repr=False)
    _posting: set[asyncio.Task[None]] = field(default_factory=set, repr=False)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until *stop* is set, then finish what is in flight. A claim that has begun is always taken up."""
        halves = [
            asyncio.create_task(self._repeat(self.route_due, self.wakeups.to_route, stop)),
            asyncio.create_task(self._repeat(self.post_due, self.wakeups.to_post, stop)),
        ]
        beside = [
            asyncio.create_task(self.bell.listen(self.wakeups.to_route.set)),
            asyncio.create_task(self._keep_house()),
            *(asyncio.create_task(self._repeat(other, asyncio.Event(), stop)) for other in self.others),
        ]
        await stop.wait()
        for task in beside:
            task.cancel()
        self.wakeups.to_route.set()
        self.wakeups.to_post.set()
        await asyncio.gather(*halves)
        if in_flight := self._routing | self._posting:
            await asyncio.wait(in_flight, timeout=GRACE_SECONDS)

    async def work_off(self) -> None:
        """Route and post all that is due at this moment, and wait until that is done."""
        while await self.route_due() or await self.post_due() or self._routing or self._posting:
            if in_flight := self._routing | self._posting:
                await asyncio.wait(in_flight)

    async def route_due(self) -> bool:
        """Claim a batch and route it in the background; False if none is due, or enough are being routed."""
        self.beat("route")
        if len(self._routing) >= MOST_BATCHES_AT_ONCE:
            return False
        batch = await self.database.run(routing.claim, self.now(), router.LEASE_MS)
        if batch is None:
            return False
        _start(self._routing, self._route(batch))
        return True

    async def post_due(self) -> bool:
        """Claim lanes and post in the background; False if none is due, or enough are being posted."""
        self.beat("post")
        free = MOST_POSTS_AT_ONCE - len(self._posting)
        if not free:
            return False
        claims = await self.database.run(lanes.claim, self.now(), courier.LEASE_MS, free)
        for claim in claims:
            _start(self._posting, self._post(claim))
        return bool(claims)

    async def _repeat(self, work: Callable[[], Awaitable[bool]], bell: asyncio.Event, stop: asyncio.Event) -> None:
        failures, pause = 0, POLL_SECONDS
        while not stop.is_set():
            try:
                worked = await work()
                failures = 0
            except Exception as error:  # noqa: BLE001 - an edge: whatever is wrong now, the promises stand
                failures += 1
                _log("nothing could be claimed", error)
                worked = False
            if worked:
                pause = NEXT_LOOK_SECONDS if pause <= CLAIMED_FIRST_SECONDS else CLAIMED_FIRST_SECONDS
            else:
                pause = backoff_ms(failures, random()) / 1_000 if failures else POLL_SECONDS  # noqa: S311
            await wait_for(bell, min(pause, LONGEST_PAUSE_SECONDS))

    async def _keep_house(self) -> None:
        while True:
            try:
                await self.housekeeping.tidy()
            except Exception as error:  # noqa: BLE001 - an edge: untidiness stops no delivery
                _log("the house could not be kept", error)
            await asyncio.sleep(housekeeping.EVERY_SECONDS)

    async def _route(self, batch: Batch) -> None:
        keep_alive = asyncio.create_task(self._keep_lease(batch))
        try:
            await self.router.route(batch)
        except WorkspaceGoneError as error:
            await self.database.insist(workspaces.mark_gone, batch.workspace_id, self.now())
            await self._give_up(batch, str(error), failed=False)
        except DatabaseUnavailableError as error:
            await self._give_up(batch, str(error), failed=False)
        except Exception as error:  # noqa: BLE001 - an edge: a bug must not lose a job change
            _log("a batch could not be routed", error)
            await self._give_up(batch, f"{type(error).__name__} while routing", failed=True)
        finally:
            keep_alive.cancel()
        self.wakeups.to_post.set()
        self.wakeups.to_route.set()

    async def _keep_lease(self, batch: Batch) -> None:
        """A short lease that is renewed while we live is taken over soon after we die."""
        while True:
            await asyncio.sleep(router.LEASE_MS / 3_000)
            await self.database.insist(routing.prolong, batch, self.now() + router.LEASE_MS)

    async def _give_up(self, batch: Batch, reason: str, *, failed: bool) -> None:
        now = self.now()
        most = max(each.attempts for each in batch.job_changes) + 1 if batch.job_changes else 1
        due_at = now + backoff_ms(most, random())  # noqa: S311
        limit = MOST_ROUTING_ATTEMPTS if failed else None
        await self.database.insist(routing.give_up, batch, reason, now, due_at, limit)

    async def _post(self, claim: Claim) -> None:
        was_full = len(self._posting) >= MOST_POSTS_AT_ONCE
        try:
            due_at = await self.courier.deliver(claim)
        except DatabaseUnavailableError as error:
            due_at = await self.courier.settle(self.courier.interrupted(claim, str(error)))
        except Exception as error:  # noqa: BLE001 - an edge: a bug must not lose a delivery, nor hold up its lane
            _log("a post could not be delivered", error)
            due_at = await self.courier.settle(self.courier.stumbled(claim, f"{type(error).__name__} while posting"))
        # Also for a lane that is empty now: what is routed into it before its pace is over falls due then.
        wait = LANE_GAP_MS if due_at is None else max(0, due_at - self.now())
        asyncio.get_running_loop().call_later(wait / 1_000, self.wakeups.to_post.set)
        if was_full:
            self.wakeups.to_post.set()


def _start(tasks: set[asyncio.Task[None]], work: Coroutine[None, None, None]) -> None:
    task = asyncio.create_task(work)
    tasks.add(task)
    task.add_done_callback(tasks.discard)


def _log(what: str, error: Exception) -> None:
    # The message of a database error holds rows, and so people's data: only the kind and the place are logged.
    place = error.__traceback__
    while place and place.tb_next:
        place = place.tb_next
    where = f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place else "?"
    logger.error("%s: %s at %s", what, type(error).__name__, where)
