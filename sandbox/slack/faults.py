"""Injected faults: which Web API calls fail, how, and how often."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from sandbox.slack.state import Json
from sandbox.slack.web_api.facts import COMMON_ERRORS, FACTS


@dataclass(eq=False)
class Fault:
    """A fault for calls of `method`. `times` None means until it is removed.

    With `perform` the call takes effect although the response says otherwise: the message is posted, and the app gets
    an HTTP 500. `drop` cuts the connection before or after the call takes effect. `body` replaces the response body.
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
    def replaces_response(self) -> bool:
        return self.error is not None or self.status != 200 or self.retry_after is not None or self.body is not None


@dataclass
class Faults:
    """The active faults, oldest first. The method `"*"` matches every call."""

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
        undocumented: bool = False,
    ) -> Fault:
        """Make calls of `method` fail.

        Raises LookupError for an error code that Slack's reference does not list for the method, unless the test says
        that it is `undocumented`.

        `retry_after` (seconds) by itself is Slack's 429. `delay` (seconds) by itself is a slow but correct response.
        `when` gets the arguments of a call and returns whether the fault applies to it.
        """
        if error is not None and not undocumented:
            facts = FACTS.get(method)
            if error not in (facts.every_error if facts else COMMON_ERRORS):
                raise LookupError(f"Slack does not document the error {error} for {method}")
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
        """The fault for this call, with one use counted; None if there is none."""
        for fault in self.active:
            if fault.method in (method, "*") and (fault.when is None or fault.when(arguments)):
                fault.hits += 1
                if fault.times is not None and fault.hits >= fault.times:
                    self.active.remove(fault)
                return fault
        return None
