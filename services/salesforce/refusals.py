"""Salesforce's error codes and what they mean for us. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from domain.errors import PermanentError, TransientError

LIMIT_RETRY_SECONDS = 15 * 60.0
"""The daily limit is a sliding window, and the error does not say how long to wait."""

# https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/errorcodes.htm
_LIMIT = "REQUEST_LIMIT_EXCEEDED"
_TRANSIENT = {
    "QUERY_TIMEOUT",
    "SERVER_UNAVAILABLE",
    "UNABLE_TO_LOCK_ROW",
    "REQUEST_RUNNING_TOO_LONG",
    "UNKNOWN_EXCEPTION",
}
NO_SUCH_TYPE = "INVALID_TYPE"
MALFORMED_ID = "INVALID_QUERY_FILTER_OPERATOR"


class UnreadableFieldError(PermanentError):
    """A query has a field that does not exist or that field-level security hides from us."""

    def __init__(self, sobject: str, field: str) -> None:
        super().__init__(
            f"The connected user cannot read the field {sobject}.{field}. Grant access to it in Salesforce Setup"
        )
        self.sobject = sobject
        self.field = field


def refusal(status: int, content: object) -> PermanentError | TransientError:
    """Return the error for a refused request. Admins read its text, so it contains nothing from records."""
    code = code_of(content)
    if code == _LIMIT:
        return TransientError("the org's daily API limit is reached", retry_after=LIMIT_RETRY_SECONDS)
    if status >= 500 or status == 429 or code in _TRANSIENT:
        return TransientError(f"Salesforce returned error {code or status}")
    if column := re.search(r"No such column '(\w+)' on entity '(\w+)'", _message(content)):
        return UnreadableFieldError(column[2], column[1])
    if missing := re.search(r"sObject type '(\w+)' is not supported", _message(content)):
        return PermanentError(
            f"The connected user cannot read the object {missing[1]}. Grant access to it in Salesforce Setup"
        )
    return PermanentError(f"Salesforce refused the query with error {code or status}")


def _error(content: object) -> Mapping[str, object]:
    """Return the first error of the answer, or an empty mapping if the answer has another shape."""
    first = content[0] if isinstance(content, list) and content else None
    return first if isinstance(first, dict) else {}


def code_of(content: object) -> str | None:
    """Return the code of the first error in an answer's body, or None if it is not a list of errors."""
    code = _error(content).get("errorCode")
    return code if isinstance(code, str) else None


def _message(content: object) -> str:
    """Return the full message. It is not shown to anybody, since it quotes the whole query."""
    return str(_error(content).get("message", ""))
