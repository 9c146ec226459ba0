"""Injected faults: outages, delays, dropped connections and invalid responses."""

from dataclasses import dataclass, field

from sandbox.salesforce.errors import DAILY_LIMIT

_STATUS = {"REQUEST_LIMIT_EXCEEDED": 403, "INVALID_SESSION_ID": 401, "SERVER_UNAVAILABLE": 503}
_MESSAGES = {"REQUEST_LIMIT_EXCEEDED": DAILY_LIMIT}


@dataclass
class Fault:
    """A fault for the next `times` requests to `where`; None means until it is cleared.

    `where` is a kind of call (`token`, `query`, `composite`, `sobjects`, `limits`), a path, or `*` for all.
    """

    where: str
    status: int | None = None
    error: str | None = None
    message: str = "Injected fault."
    delay: float = 0.0
    drop: bool = False
    after: bool = False
    garbage: bool = False
    times: int | None = 1


@dataclass
class Faults:
    _active: list[Fault] = field(default_factory=list)

    def add(
        self,
        where: str,
        *,
        status: int | None = None,
        error: str | None = None,
        message: str | None = None,
        delay: float = 0.0,
        drop: bool = False,
        after: bool = False,
        garbage: bool = False,
        times: int | None = 1,
    ) -> None:
        """Make requests fail with a `status`, with Salesforce's `error` (which implies its usual status), or with both.

        `message` is the text of the error. `delay` (seconds) by itself only slows the response. `drop` closes the
        connection without a response. With `after` the request takes effect first. `garbage` responds with a body that
        is not JSON, with 200 or `status`.
        """
        if error is not None and status is None:
            status = _STATUS.get(error, 400)
        text = message or _MESSAGES.get(error or "", "Injected fault.")
        self._active.append(Fault(where, status, error, text, delay, drop, after, garbage, times))

    def clear(self) -> None:
        self._active.clear()

    def take(self, kind: str, path: str) -> Fault | None:
        """The fault for this request, with one use counted; None if there is none."""
        fault = next((fault for fault in self._active if fault.where in {kind, path, "*"}), None)
        if fault is not None and fault.times is not None:
            fault.times -= 1
            if fault.times <= 0:
                self._active.remove(fault)
        return fault
