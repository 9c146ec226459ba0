"""What Salesforce's refusals mean for us: a table of its error codes. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from domain.errors import PermanentError, TransientError

LIMIT_RETRY_SECONDS = 15 * 60.0
"""The daily limit is a sliding one, and its refusal names no time to wait."""

# https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/errorcodes.htm
_LIMIT = "REQUEST_LIMIT_EXCEEDED"
_PASSING = {
    "QUERY_TIMEOUT",
    "SERVER_UNAVAILABLE",
    "UNABLE_TO_LOCK_ROW",
    "REQUEST_RUNNING_TOO_LONG",
    "UNKNOWN_EXCEPTION",
}
NO_SUCH_TYPE = "INVALID_TYPE"
MALFORMED_ID = "INVALID_QUERY_FILTER_OPERATOR"


class UnreadableFieldError(PermanentError):
    """A query names a field that does not exist to us: field-level security, or it was deleted."""

    def __init__(self, sobject: str, field: str) -> None:
        super().__init__(
            f"No such column '{field}' on entity '{sobject}': let the user we connect as read it, in Salesforce's Setup"
        )
        self.sobject = sobject
        self.field = field


def refusal(status: int, content: object) -> PermanentError | TransientError:
    """What a refusal of Salesforce's means for us; its text is told to admins and so names no record."""
    code = code_of(content)
    if code == _LIMIT:
        return TransientError("the org's daily limit of API calls is reached", retry_after=LIMIT_RETRY_SECONDS)
    if status >= 500 or status == 429 or code in _PASSING:
        return TransientError(f"Salesforce answered {code or status}")
    if column := re.search(r"No such column '(\w+)' on entity '(\w+)'", _message(content)):
        return UnreadableFieldError(column[2], column[1])
    if missing := re.search(r"sObject type '\w+' is not supported", _message(content)):
        return PermanentError(f"{missing[0]}: let the user we connect as read it, in Salesforce's Setup")
    return PermanentError(f"Salesforce refuses our query: {code or status}")


def _error(content: object) -> Mapping[str, object]:
    """The first of the list of errors that Salesforce answers with; empty for anything else."""
    first = content[0] if isinstance(content, list) and content else None
    return first if isinstance(first, dict) else {}


def code_of(content: object) -> str | None:
    """Of the first error in the body of an answer; None: it is no list of errors."""
    code = _error(content).get("errorCode")
    return code if isinstance(code, str) else None


def _message(content: object) -> str:
    """Longer than what is told: it quotes the whole query."""
    return str(_error(content).get("message", ""))
