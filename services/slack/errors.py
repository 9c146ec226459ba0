"""What Slack's refusals mean for us: a table of its error codes. Pure.

The codes and their words: https://docs.slack.dev/reference/methods/chat.postMessage#errors, the same heading of
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

WAIT_UNSAID = 30.0
"""Seconds to wait after a 429 that does not say how long."""

LONGEST_WAIT = 24 * 60 * 60.0
MIGRATION_WAIT = 15 * 60.0

_REINSTALL = "Install the app again."
_DEAD = {
    "channel_not_found": "Slack cannot find it, or it is private and the app was not invited",
    "not_in_channel": "the app is not in that channel",
    "is_archived": "the channel is archived",
    "restricted_action": "the workspace lets only some people post there",
    "restricted_action_read_only_channel": "the channel is read-only for apps",
    "restricted_action_thread_only_channel": "the channel takes replies in threads only",
    "restricted_action_non_threadable_channel": "the channel takes no such messages",
    "user_disabled": "the person's account is deactivated",
    "user_not_found": "Slack does not know the person",
    "user_not_visible": "the app may not see the person",
    "cannot_dm_bot": "a bot cannot be sent direct messages",
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
    "team_access_not_granted": "the app has no access to this workspace any more",
}
_ADMIN = {
    "not_allowed_token_type": f"Slack does not accept the app's kind of token for this. {_REINSTALL}",
    "accesslimited": "Slack limits the app's access. Ask a workspace owner to approve the app.",
    "access_denied": "Slack denies the app access. Ask a workspace owner to approve the app.",
    "ekm_access_denied": "Your organisation's key management suspends posting. Ask its admins to allow the app.",
    "messages_tab_disabled": "The app's Messages tab is off. Switch it on under App Home at https://api.slack.com/apps.",
    "no_permission": f"The app lacks a permission it needs. {_REINSTALL}",
    "enterprise_is_restricted": "Your organisation does not let this app in. Ask its admins to approve it.",
    "message_not_found": "the message is not there any more",
    "cant_update_message": "the message cannot be changed",
    "edit_window_closed": "the message is too old to be changed",
}
_PERMANENT: dict[str, tuple[type[PermanentError], str]] = {
    **{code: (DestinationDeadError, text) for code, text in _DEAD.items()},
    **{code: (WorkspaceGoneError, text) for code, text in _GONE.items()},
    **{code: (PermanentError, text) for code, text in _ADMIN.items()},
}
_RATE_LIMITED = frozenset({"ratelimited", "rate_limited", "message_limit_exceeded"})
# "Some aspect of the operation may have succeeded" stands beside most of these; duplicate_* speak of an earlier one.
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
# The workspace moves into an organisation, which takes hours to days and ends by itself.
_MIGRATING = frozenset({"team_added_to_org", "org_login_required"})


def refusal(status: int, answer: Mapping[str, object], retry_after: str | None) -> PermanentError | TransientError:
    """
    The error that an answer other than `"ok": true` stands for.

    *answer*: its body, empty when that was no JSON object; *retry_after*: the header.
    """
    code = answer.get("error")
    code = code if isinstance(code, str) else ""
    if status == 429 or code in _RATE_LIMITED:
        return TransientError("Slack asks us to wait", retry_after=seconds(retry_after))
    if status >= 500 or status == 408:
        return TransientError(f"Slack answered with HTTP {status}", in_doubt=True)
    if not code:
        return TransientError(f"Slack's answer makes no sense (HTTP {status})", in_doubt=status == 200)
    return _by_code(code, answer)


def _by_code(code: str, answer: Mapping[str, object]) -> PermanentError | TransientError:
    if code in _PERMANENT:
        kind, text = _PERMANENT[code]
        return kind(text)
    if code in _REFUSED:
        return MessageRefusedError(f"Slack does not take the message ({_printable(code)}{_details(answer)})")
    if code == "missing_scope":
        needed = answer.get("needed")
        what = f"the permission {_printable(needed)}" if isinstance(needed, str) and needed else "a permission it needs"
        return PermanentError(f"The app lacks {what}. {_REINSTALL}")
    if code in _MIGRATING:
        return TransientError("Slack is moving the workspace into an organisation", retry_after=MIGRATION_WAIT)
    return TransientError(f"Slack answered {_printable(code)}", in_doubt=code in _IN_DOUBT)


def seconds(retry_after: str | None) -> float:
    """How long a Retry-After header asks us to wait; WAIT_UNSAID when it is missing or makes no sense."""
    try:
        asked = float(retry_after or "nan")
    except ValueError:
        return WAIT_UNSAID
    if not math.isfinite(asked) or asked < 0:
        return WAIT_UNSAID
    return min(max(asked, 1.0), LONGEST_WAIT)


def _details(answer: Mapping[str, object]) -> str:
    """Where the fault is, as `response_metadata.messages` says it."""
    metadata = answer.get("response_metadata")
    messages = metadata.get("messages") if isinstance(metadata, Mapping) else None
    if not isinstance(messages, list):
        return ""
    return "".join(f"; {_printable(message)}" for message in messages[:3] if isinstance(message, str))


def _printable(text: str) -> str:
    return "".join(char for char in text[:200] if char.isprintable())
