"""What goes wrong on purpose: which calls fail, how, and how often."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from sandbox.slack.state import Json


@dataclass(eq=False)
class Fault:
    """One thing that goes wrong. `times` None means until removed.

    With `perform` the call does its work first, so what the app sees is a lie: a message posted and an HTTP 500.
    `drop` cuts the connection before the work is done, or after it. `body` is sent as it is; as a page when it is HTML.
    """

    method: str
    error: str | None = None
    status: int = 200
    retry_after: int | None = None
    delay: float = 0.0
    drop: Literal["before", "after"] | None = None
    perform: bool = False
    body: bytes | None = None
    times: int | None = 1
    when: Callable[[Json], bool] | None = None
    hits: int = 0

    @property
    def replaces_answer(self) -> bool:
        return self.error is not None or self.status != 200 or self.retry_after is not None or self.body is not None


@dataclass
class Faults:
    """The faults in force, the oldest first. `"*"` as method means any."""

    active: list[Fault] = field(default_factory=list)

    def add(
        self,
        method: str,
        error: str | None = None,
        *,
        status: int = 200,
        retry_after: int | None = None,
        delay: float = 0.0,
        drop: Literal["before", "after"] | None = None,
        perform: bool = False,
        body: bytes | None = None,
        times: int | None = 1,
        when: Callable[[Json], bool] | None = None,
    ) -> Fault:
        """Make calls of `method` fail.

        `retry_after` (seconds) alone is a 429 as Slack words it; `delay` (seconds) alone is a slow but good answer;
        `when` looks at the call's arguments and says whether this one is hit.
        """
        if retry_after is not None and status == 200:
            status, error = 429, error or "ratelimited"
        fault = Fault(method, error, status, retry_after, delay, drop, perform, body, times, when)
        self.active.append(fault)
        return fault

    def remove(self, fault: Fault) -> None:
        if fault in self.active:
            self.active.remove(fault)

    def clear(self) -> None:
        self.active.clear()

    def take(self, method: str, arguments: Json) -> Fault | None:
        """The fault that hits this call, used up by one."""
        for fault in self.active:
            if fault.method in (method, "*") and (fault.when is None or fault.when(arguments)):
                fault.hits += 1
                if fault.times is not None and fault.hits >= fault.times:
                    self.active.remove(fault)
                return fault
        return None
