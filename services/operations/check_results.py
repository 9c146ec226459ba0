"""The result of one check of the doctor, and running a check so that it neither raises nor hangs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from enum import StrEnum

import aiohttp
from sqlalchemy.exc import DBAPIError

from domain.errors import PermanentError, TransientError, WorkspaceGoneError
from store.database import DatabaseUnavailableError
from store.encryption import WrongKeyError


class CheckState(StrEnum):
    """UNKNOWN means that the doctor cannot find out. The text then says how the operator can."""

    OK = "ok"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class CheckResult:
    """`text` has no full stop at the end. If something is wrong, it also says what to do."""

    name: str
    state: CheckState
    text: str


class UnknownError(Exception):
    """The check cannot find out. The message says why."""


_CHECK_IT = "Fix: check that it is running and can be reached from this machine"
_EXPECTED = (
    UnknownError,
    PermanentError,
    TransientError,
    WrongKeyError,
    DatabaseUnavailableError,
    DBAPIError,
    TimeoutError,
    aiohttp.ClientError,
    OSError,
    ValueError,
)


async def run_check(name: str, check: Awaitable[str], seconds: float) -> CheckResult:
    """Run a check, which returns the text of a good result and raises otherwise, for at most this many seconds."""
    try:
        async with asyncio.timeout(seconds):
            return CheckResult(name, CheckState.OK, await check)
    except _EXPECTED as error:
        return CheckResult(name, *_state_and_text(error, seconds))


def _state_and_text(error: Exception, seconds: float) -> tuple[CheckState, str]:
    state = CheckState.FAILED
    match error:
        case UnknownError():
            state, text = CheckState.UNKNOWN, str(error)
        case TransientError(retry_after=float()):
            state, text = CheckState.UNKNOWN, f"{error}. Run the doctor again later"
        case WorkspaceGoneError():
            text = f"{error}. Fix: install it again from this server's landing page"
        case PermanentError() | WrongKeyError():
            text = str(error).rstrip(".")
        case DatabaseUnavailableError():
            text = f"{error}. Fix: check DATABASE_URL and that the database is running"
        case DBAPIError():
            text = f"not usable ({type(error.orig).__name__}). Fix: check DATABASE_URL"
        case TransientError():
            text = f"{error}. {_CHECK_IT}"
        case TimeoutError():
            text = f"no response within {seconds:.0f} seconds. {_CHECK_IT}"
        case _:
            text = f"no connection ({type(error).__name__}). {_CHECK_IT}"
    return state, text
