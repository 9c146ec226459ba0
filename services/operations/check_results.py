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


class State(StrEnum):
    """UNKNOWN: it cannot be told from here, and the text says how to find out."""

    OK = "ok"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Finding:
    """*text*: how it is; of what is not as it should be, also what to do."""

    name: str
    state: State
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


async def found(name: str, check: Awaitable[str], seconds: float) -> Finding:
    """What became of a check, which answers what is to be said when all is well."""
    try:
        async with asyncio.timeout(seconds):
            return Finding(name, State.OK, await check)
    except _EXPECTED as error:
        return Finding(name, *_told(error, seconds))


def _told(error: Exception, seconds: float) -> tuple[State, str]:
    match error:
        case UnknownError():
            told = State.UNKNOWN, str(error)
        case TransientError(retry_after=float()):
            told = State.UNKNOWN, f"{error}: ask again later"
        case WorkspaceGoneError():
            told = State.FAILED, f"{error}: install it again, from this server's own page"
        case PermanentError() | WrongKeyError():
            told = State.FAILED, str(error).rstrip(".")
        case DatabaseUnavailableError():
            told = State.FAILED, f"{error}: check DATABASE_URL and that the database is up"
        case DBAPIError():
            told = State.FAILED, f"it cannot be used ({type(error.orig).__name__}): check DATABASE_URL"
        case TransientError():
            told = State.FAILED, f"{error}: check that it is up"
        case TimeoutError():
            told = State.FAILED, f"no answer in {seconds:.0f} seconds: check that it is up"
        case _:
            told = State.FAILED, f"it cannot be reached ({type(error).__name__}): check that it is up"
    return told
