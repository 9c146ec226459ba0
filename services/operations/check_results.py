"""What a check found; and any check, made one that neither raises nor hangs."""

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
    """UNKNOWN: it cannot be told from here, and the text says how to find out."""

    OK = "ok"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class CheckResult:
    """*text*: how it is; of what is not as it should be, also what to do."""

    name: str
    state: CheckState
    text: str


class UnknownError(Exception):
    """It cannot be told, and why."""


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
    """What became of a check, which answers what is to be said when all is well."""
    try:
        async with asyncio.timeout(seconds):
            return CheckResult(name, CheckState.OK, await check)
    except _EXPECTED as error:
        return CheckResult(name, *_told(error, seconds))


def _told(error: Exception, seconds: float) -> tuple[CheckState, str]:
    match error:
        case UnknownError():
            told = CheckState.UNKNOWN, str(error)
        case TransientError(retry_after=float()):
            told = CheckState.UNKNOWN, f"{error}: ask again later"
        case WorkspaceGoneError():
            told = CheckState.FAILED, f"{error}: install it again, from this server's own page"
        case PermanentError() | WrongKeyError():
            told = CheckState.FAILED, str(error).rstrip(".")
        case DatabaseUnavailableError():
            told = CheckState.FAILED, f"{error}: check DATABASE_URL and that the database is up"
        case DBAPIError():
            told = CheckState.FAILED, f"it cannot be used ({type(error.orig).__name__}): check DATABASE_URL"
        case TransientError():
            told = CheckState.FAILED, f"{error}: check that it is up"
        case TimeoutError():
            told = CheckState.FAILED, f"no answer in {seconds:.0f} seconds: check that it is up"
        case _:
            told = CheckState.FAILED, f"it cannot be reached ({type(error).__name__}): check that it is up"
    return told
