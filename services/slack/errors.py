"""The error that each response of Slack stands for. Pure.

What each error code means is in error_codes.py. See also https://docs.slack.dev/apis/web-api/rate-limits
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from domain.errors import (
    DestinationDeadError,
    MessageRefusedError,
    PermanentError,
    TransientError,
    UnknownCodeError,
    WorkspaceGoneError,
)
from services.slack.error_codes import ErrorCode, Meaning, known_error

DEFAULT_WAIT = 30.0
"""Seconds to wait after a 429 without a Retry-After header."""

LONGEST_WAIT = 24 * 60 * 60.0
MIGRATION_WAIT = 15 * 60.0
EXPIRED_WAIT = 5 * 60.0

_PERMANENT: dict[Meaning, type[PermanentError]] = {
    Meaning.ABSENT: PermanentError,
    Meaning.DESTINATION: DestinationDeadError,
    Meaning.MESSAGE: MessageRefusedError,
    Meaning.CALL: PermanentError,
    Meaning.GONE: WorkspaceGoneError,
    Meaning.BUG: PermanentError,
}


class RenewalRefusedError(PermanentError):
    """Slack does not renew the app's token any more."""

    def __init__(self) -> None:
        super().__init__("Slack no longer renews the app's token. An admin has to add the app to Slack again")


def error_for(
    method: str, status: int, answer: Mapping[str, object], retry_after: str | None
) -> PermanentError | TransientError:
    """
    Return the error for a response of a method other than `"ok": true`.

    `answer` is its body, empty if that was not a JSON object. `retry_after` is the header.
    """
    code = answer.get("error")
    code = code if isinstance(code, str) else ""
    documented = known_error(method, code)
    if status == 429 or (documented and documented.meaning is Meaning.WAIT):
        return TransientError("Slack rate limit reached", retry_after=retry_after_seconds(retry_after))
    if status >= 500 or status == 408:
        return TransientError(f"Slack responded with HTTP {status}", in_doubt=True)
    if not code:
        return TransientError(f"Slack sent an invalid response (HTTP {status})", in_doubt=status == 200)
    if documented is None:
        return UnknownCodeError(f"Slack responded with {_printable(code)}", _printable(code))
    return _by_meaning(method, code, documented, answer)


def _by_meaning(
    method: str, code: str, documented: ErrorCode, answer: Mapping[str, object]
) -> PermanentError | TransientError:
    if documented.meaning is Meaning.MOVING:
        return TransientError("Slack is moving the workspace into an organization", retry_after=MIGRATION_WAIT)
    if documented.meaning is Meaning.EXPIRED:
        return TransientError(documented.text, retry_after=EXPIRED_WAIT)
    if documented.meaning in {Meaning.RETRY, Meaning.IN_DOUBT}:
        return TransientError(f"Slack responded with {code}", in_doubt=documented.meaning is Meaning.IN_DOUBT)
    needed = answer.get("needed")
    if code == "missing_scope" and isinstance(needed, str) and needed:
        text = f"The app is missing the permission {_printable(needed)}. Install the app again."
    else:
        rejected = "message" if method.startswith("chat.") else "call"
        text = documented.text or f"Slack rejected the {rejected} ({code}{_details(answer)})"
    is_message_bug = documented.meaning is Meaning.BUG and method.startswith("chat.")  # a plainer message may do
    return (MessageRefusedError if is_message_bug else _PERMANENT[documented.meaning])(text, code=code)


def is_absent(method: str, code: str | None) -> bool:
    """Whether this code says that what the call named does not exist."""
    documented = known_error(method, code or "")
    return documented is not None and documented.meaning is Meaning.ABSENT


def retry_after_seconds(header: str | None) -> float:
    """Return the wait that a Retry-After header asks for, or DEFAULT_WAIT if it is missing or invalid."""
    try:
        wait = float(header or "nan")
    except ValueError:
        return DEFAULT_WAIT
    if not math.isfinite(wait) or wait < 0:
        return DEFAULT_WAIT
    return min(max(wait, 1.0), LONGEST_WAIT)


def _details(answer: Mapping[str, object]) -> str:
    """Where in the message the error is, from `response_metadata.messages`."""
    metadata = answer.get("response_metadata")
    messages = metadata.get("messages") if isinstance(metadata, Mapping) else None
    if not isinstance(messages, list):
        return ""
    return "".join(f"; {_printable(message)}" for message in messages[:3] if isinstance(message, str))


def _printable(text: str) -> str:
    return "".join(char for char in text[:200] if char.isprintable())
