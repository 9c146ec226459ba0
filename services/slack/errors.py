"""The error that each error code of Slack stands for. Pure.

Slack explains the codes at https://docs.slack.dev/reference/methods/chat.postMessage#errors, the same heading of
/conversations.info, /conversations.history, /users.lookupByEmail and /users.info, and
https://docs.slack.dev/apis/web-api/rate-limits
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from domain.errors import (
    DestinationDeadError,
    MessageRefusedError,
    PermanentError,
    TransientError,
    WorkspaceGoneError,
)

DEFAULT_WAIT = 30.0
"""Seconds to wait after a 429 without a Retry-After header."""

LONGEST_WAIT = 24 * 60 * 60.0
MIGRATION_WAIT = 15 * 60.0

MESSAGES_TAB_OFF = "The app's Messages tab is off."

_REINSTALL = "Install the app again."
_DEAD = {
    "channel_not_found": "Slack cannot find it, or it is private and the app was not invited",
    "not_in_channel": "the app is not in that channel",
    "is_archived": "the channel is archived",
    "restricted_action": "only some people may post there",
    "restricted_action_read_only_channel": "the channel is read-only for apps",
    "restricted_action_thread_only_channel": "the channel allows only replies in threads",
    "restricted_action_non_threadable_channel": "the channel does not allow this kind of message",
    "user_disabled": "the person's account is deactivated",
    "user_not_found": "Slack does not know this person",
    "user_not_visible": "the app cannot see this person",
    "cannot_dm_bot": "Slack does not allow direct messages to bots",
}
_REFUSED = frozenset(
    {
        "invalid_blocks",
        "invalid_blocks_format",
        "msg_blocks_too_long",
        "msg_too_long",
        "no_text",
        "too_many_attachments",
        "invalid_arguments",
        "invalid_attachments",
        "attachment_payload_limit_exceeded",
        "invalid_metadata_format",
        "invalid_metadata_schema",
        "metadata_too_large",
        "metadata_must_be_sent_from_app",
        "markdown_text_conflict",
    }
)
_GONE = {
    "account_inactive": "the app was removed from the workspace",
    "invalid_auth": "Slack does not accept the app's token",
    "not_authed": "Slack does not accept the app's token",
    "token_revoked": "the app's token was revoked",
    "token_expired": "the app's token has expired",
    "team_access_not_granted": "the app no longer has access to this workspace",
}
_ADMIN = {
    "not_allowed_token_type": f"Slack does not accept this kind of token. {_REINSTALL}",
    "accesslimited": "Slack restricts the app's access. Ask a workspace owner to approve the app.",
    "access_denied": "Slack denied the app access. Ask a workspace owner to approve the app.",
    "ekm_access_denied": "Your organization's key management (EKM) blocks posting. Ask its admins to allow the app.",
    "messages_tab_disabled": f"{MESSAGES_TAB_OFF} Turn it on under App Home at https://api.slack.com/apps.",
    "no_permission": f"The app is missing a permission. {_REINSTALL}",
    "enterprise_is_restricted": "Your organization does not allow this app. Ask its admins to approve it.",
    "message_not_found": "the message no longer exists",
    "cant_update_message": "the message cannot be changed",
    "edit_window_closed": "the message is too old to change",
}
_PERMANENT: dict[str, tuple[type[PermanentError], str]] = {
    **{code: (DestinationDeadError, text) for code, text in _DEAD.items()},
    **{code: (WorkspaceGoneError, text) for code, text in _GONE.items()},
    **{code: (PermanentError, text) for code, text in _ADMIN.items()},
}
_RATE_LIMITED = frozenset({"ratelimited", "rate_limited", "message_limit_exceeded"})
# Of most of these, Slack says that "some aspect of the operation" may have succeeded. duplicate_* refer to an earlier
# call.
_IN_DOUBT = frozenset(
    {
        "internal_error",
        "fatal_error",
        "service_unavailable",
        "request_timeout",
        "duplicate_message_not_found",
        "duplicate_channel_not_found",
    }
)
# The workspace is being moved into an organization, which takes hours to days.
_MIGRATING = frozenset({"team_added_to_org", "org_login_required"})


def error_for(status: int, answer: Mapping[str, object], retry_after: str | None) -> PermanentError | TransientError:
    """
    Return the error for a response other than `"ok": true`.

    `answer` is its body, empty if that was not a JSON object. `retry_after` is the header.
    """
    code = answer.get("error")
    code = code if isinstance(code, str) else ""
    if status == 429 or code in _RATE_LIMITED:
        return TransientError("Slack rate limit reached", retry_after=retry_after_seconds(retry_after))
    if status >= 500 or status == 408:
        return TransientError(f"Slack responded with HTTP {status}", in_doubt=True)
    if not code:
        return TransientError(f"Slack sent an invalid response (HTTP {status})", in_doubt=status == 200)
    return _by_code(code, answer)


def _by_code(code: str, answer: Mapping[str, object]) -> PermanentError | TransientError:
    if code in _PERMANENT:
        kind, text = _PERMANENT[code]
        return kind(text)
    if code in _REFUSED:
        return MessageRefusedError(f"Slack rejected the message ({_printable(code)}{_details(answer)})")
    if code == "missing_scope":
        scope = answer.get("needed")
        permission = f"the permission {_printable(scope)}" if isinstance(scope, str) and scope else "a permission"
        return PermanentError(f"The app is missing {permission}. {_REINSTALL}")
    if code in _MIGRATING:
        return TransientError("Slack is moving the workspace into an organization", retry_after=MIGRATION_WAIT)
    return TransientError(f"Slack responded with {_printable(code)}", in_doubt=code in _IN_DOUBT)


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
