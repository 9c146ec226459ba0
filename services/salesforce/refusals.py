"""Salesforce's error codes and what they mean for us. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

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
TOO_SLOW = {"QUERY_TIMEOUT", "REQUEST_RUNNING_TOO_LONG"}
NO_SUCH_TYPE = "INVALID_TYPE"
MALFORMED_ID = "INVALID_QUERY_FILTER_OPERATOR"

GRANT = "Grant the connected user read access to it, for example with the permission set UserGems Slack"
"""What an admin has to do about a field or an object that cannot be read."""

# Before this there is a part of the query, which quotes values of people.
_SENTENCE = re.compile(r"ERROR at Row:\d+:Column:\d+\n([^\n]+)")
_LONGEST_SENTENCE = 200


class UnreadableFieldError(PermanentError):
    """A query has a field that does not exist or that field-level security hides from us."""

    def __init__(self, sobject: str, field: str) -> None:
        super().__init__(f"The field {sobject}.{field} cannot be read in Salesforce. {GRANT}")
        self.sobject = sobject
        self.field = field


class UnreadableRelationshipError(PermanentError):
    """A query follows a lookup field that does not exist or that field-level security hides from us."""

    def __init__(self, relationship: str) -> None:
        super().__init__(f"The relationship {relationship} cannot be read in Salesforce. {GRANT}")
        self.relationship = relationship


class UnfilterableFieldError(PermanentError):
    """A query has a condition on a field that cannot have one, such as an encrypted field."""

    def __init__(self, field: str) -> None:
        super().__init__(f"The field {field} cannot be searched in Salesforce, for example because it is encrypted")
        self.field = field.rpartition(".")[2]


_NAMED: tuple[tuple[str, Callable[[re.Match[str]], PermanentError]], ...] = (
    (r"No such column '(\w+)' on entity '(\w+)'", lambda text: UnreadableFieldError(text[2], text[1])),
    (r"Didn't understand relationship '(\w+)' in field path", lambda text: UnreadableRelationshipError(text[1])),
    (r"field '([\w.]+)' can not be filtered in a query call", lambda text: UnfilterableFieldError(text[1])),
    (
        r"sObject type '(\w+)' is not supported",
        lambda text: PermanentError(f"The object {text[1]} cannot be read in Salesforce. {GRANT}"),
    ),
)


def refusal(status: int, content: object) -> PermanentError | TransientError:
    """Return the error for a refused request. Admins read its text, so it contains nothing from records."""
    code, message = code_of(content), _message(content)
    if code == _LIMIT:  # there is one limit for a day, and one for calls at the same time
        if "TotalRequests" in message:
            return TransientError("the org's daily API limit is reached", retry_after=LIMIT_RETRY_SECONDS)
        return TransientError("Salesforce is handling too many API calls of the org at the same time")
    if status >= 500 or status == 429 or code in _TRANSIENT:
        return TransientError(f"Salesforce returned error {code or status}")
    for pattern, make in _NAMED:
        if match := re.search(pattern, message):
            return make(match)
    sentence = _SENTENCE.search(message)
    detail = f": {sentence[1][:_LONGEST_SENTENCE]}" if sentence else ""
    return PermanentError(f"Salesforce refused the query with error {code or status}{detail}")


def malformed_id(content: object) -> str | None:
    """Return the id that Salesforce refused, or None if the error does not name one."""
    named = re.search(r"invalid ID field: (\w+)", _message(content))
    return named[1] if named else None


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
