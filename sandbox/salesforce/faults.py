"""What goes wrong on purpose: outages, delays, answers that are no answers."""

from dataclasses import dataclass, field

_STATUS = {"REQUEST_LIMIT_EXCEEDED": 403, "INVALID_SESSION_ID": 401, "SERVER_UNAVAILABLE": 503}


@dataclass
class Fault:
    """One thing to go wrong for the next `times` requests (None: until cleared) to `where`.

    `where` is a kind of call (`token`, `query`, `composite`, `sobjects`, `limits`), a path, or `*` for all.
    """

    where: str
    status: int | None = None
    error: str | None = None
    delay: float = 0.0
    drop: bool = False
    after: bool = False
    garbage: bool = False
    times: int | None = 1


@dataclass
class Faults:
    _waiting: list[Fault] = field(default_factory=list)

    def add(
        self,
        where: str,
        *,
        status: int | None = None,
        error: str | None = None,
        delay: float = 0.0,
        drop: bool = False,
        after: bool = False,
        garbage: bool = False,
        times: int | None = 1,
    ) -> None:
        """Let requests fail with a `status`, with Salesforce's `error` (which brings its usual status), or with both.

        `delay` is in seconds, and alone it only slows the answer. `drop` closes the connection without an answer,
        with `after` only once the request has been performed. `garbage` answers what is not JSON, with 200 or the
        status.
        """
        if error is not None and status is None:
            status = _STATUS.get(error, 400)
        self._waiting.append(Fault(where, status, error, delay, drop, after, garbage, times))

    def clear(self) -> None:
        self._waiting.clear()

    def take(self, kind: str, path: str) -> Fault | None:
        """The fault that this request meets, if any."""
        fault = next((one for one in self._waiting if one.where in {kind, path, "*"}), None)
        if fault is not None and fault.times is not None:
            fault.times -= 1
            if fault.times <= 0:
                self._waiting.remove(fault)
        return fault
