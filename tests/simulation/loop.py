"""An event loop on a virtual clock for several simulated processes; chance decides which callback runs next."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import ContextVar, copy_context
from random import Random
from typing import Any

RUNNING: ContextVar[Process | None] = ContextVar("the process whose code runs", default=None)


class Process:
    """
    A process of the app. All its tasks, timers and callbacks carry it in their context.

    A killed process never runs again, not even its `finally` blocks. A frozen one runs nothing until it is thawed, as
    after SIGSTOP or on a suspended virtual machine.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.died_at: float | None = None
        self.is_frozen = False
        self.thawed_at: float | None = None
        """When it went on last, in seconds on the loop's clock."""
        self.held = list[asyncio.Handle]()

    @property
    def is_alive(self) -> bool:
        return self.died_at is None

    def __repr__(self) -> str:
        return self.name


class SimulatedLoop(asyncio.BaseEventLoop):
    """
    Time stands still while something is ready to run, then jumps to the next timer.

    `disorder` is the probability that not the oldest ready callback runs next, but any of them. `on_idle` is called
    before each jump, with the time of the next timer or None, and may make something ready or advance the time.
    `after_step` is called after each callback.
    """

    def __init__(self, chance: Random, disorder: float) -> None:
        super().__init__()
        self.chance = chance
        self.disorder = disorder
        self.now = 0.0
        self.on_idle: Callable[[float | None], None] = lambda _next_timer: None
        self.after_step: Callable[[Process | None], None] = lambda _process: None
        self.tasks = list[asyncio.Task[Any]]()
        """Every task, so that none of a killed process is collected, and its `finally` blocks run, during the run."""
        self.set_exception_handler(lambda _loop, _context: None)

    def time(self) -> float:
        return self.now

    def create_task(self, coro: Any, **kwargs: Any) -> asyncio.Task[Any]:
        task = super().create_task(coro, **kwargs)
        self.tasks.append(task)
        return task

    def start(self, process: Process | None, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run a coroutine as a task of this process. None stands for the world outside."""
        context = copy_context()
        context.run(RUNNING.set, process)
        return self.create_task(coroutine, context=context)

    def outside(self, delay: float, callback: Callable[..., None], *args: object) -> None:
        """Call something of the world outside after a delay, whatever becomes of the process that runs now."""
        context = copy_context()
        context.run(RUNNING.set, None)
        self.call_at(self.now + delay, callback, *args, context=context)

    def kill(self, process: Process) -> None:
        process.died_at = self.now
        process.held.clear()

    def freeze(self, process: Process, seconds: float) -> None:
        process.is_frozen = True
        self.outside(seconds, self.thaw, process)

    def thaw(self, process: Process) -> None:
        process.is_frozen, process.thawed_at = False, self.now
        self._ready.extend(process.held)
        process.held.clear()

    def run_in_executor(self, executor: object, func: object, *args: object) -> Any:
        raise NotImplementedError("A simulated run has no threads.")

    def _run_once(self) -> None:
        ready, scheduled = self._ready, self._scheduled
        while scheduled and scheduled[0]._cancelled:
            heapq.heappop(scheduled)._scheduled = False
        if not ready:
            self.on_idle(scheduled[0]._when if scheduled else None)
            if not ready and scheduled and scheduled[0]._when > self.now:
                self.now = scheduled[0]._when
        while scheduled and scheduled[0]._when <= self.now:
            timer = heapq.heappop(scheduled)
            timer._scheduled = False
            if not timer._cancelled:
                ready.append(timer)
        if ready:
            self._run_any(ready)

    def _run_any(self, ready: Any) -> None:
        count = len(ready)
        if count > 1 and self.disorder and self.chance.random() < self.disorder:
            ready.rotate(-int(self.chance.random() * count))
        handle = ready.popleft()
        if handle._cancelled:
            return
        process = handle._context.get(RUNNING)
        if process is not None:
            if process.died_at is not None:
                return
            if process.is_frozen:
                process.held.append(handle)
                return
        handle._run()
        self.after_step(process)

    def _write_to_self(self) -> None:
        """Nothing waits in a selector."""

    def abandon(self) -> None:
        """Close the loop. What has not finished never does, without a warning."""
        for task in self.tasks:
            if not task.done():
                task._log_destroy_pending = False
                with suppress(RuntimeError):  # an `await` in a `finally` block
                    task.get_coro().close()
            elif not task.cancelled():
                task.exception()
        self._ready.clear()
        self._scheduled.clear()
        self.close()
