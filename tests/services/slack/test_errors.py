"""Our errors for the error codes of Slack."""

from __future__ import annotations

import pytest

from domain.errors import (
    DestinationDeadError,
    MessageRefusedError,
    PermanentError,
    TransientError,
    WorkspaceGoneError,
)
from services.slack.errors import DEFAULT_WAIT, LONGEST_WAIT, error_for, retry_after_seconds

POST = "chat.postMessage"


def failure(status=200, retry_after=None, method=POST, **answer):
    return error_for(method, status, {"ok": False, **answer}, retry_after)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        *((code, DestinationDeadError) for code in ("channel_not_found", "not_in_channel", "is_archived")),
        *((code, DestinationDeadError) for code in ("restricted_action", "restricted_action_read_only_channel")),
        *((code, DestinationDeadError) for code in ("restricted_action_thread_only_channel", "user_disabled")),
        *((code, DestinationDeadError) for code in ("user_not_found", "user_not_visible")),
        *((code, WorkspaceGoneError) for code in ("account_inactive", "invalid_auth", "not_authed", "token_revoked")),
        *((code, TransientError) for code in ("token_expired",)),
        *((code, DestinationDeadError) for code in ("team_access_not_granted", "cannot_reply_to_message")),
        *((code, MessageRefusedError) for code in ("invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long")),
        *((code, MessageRefusedError) for code in ("msg_too_long", "no_text", "too_many_attachments")),
        *((code, MessageRefusedError) for code in ("invalid_arguments", "metadata_too_large")),
        *((code, MessageRefusedError) for code in ("markdown_text_conflict",)),
        *((code, PermanentError) for code in ("missing_scope", "not_allowed_token_type", "accesslimited")),
        *((code, PermanentError) for code in ("access_denied", "ekm_access_denied", "messages_tab_disabled")),
        *((code, PermanentError) for code in ("no_permission", "enterprise_is_restricted")),
    ],
)
def test_permanent_errors_are_explained_in_words(code, kind):
    """Admins need not know Slack's codes. Only a rejected message names its code."""
    error = failure(error=code)

    assert type(error) is kind
    assert (code in str(error)) == (kind is MessageRefusedError)


@pytest.mark.parametrize(
    ("code", "in_doubt"),
    [
        *((code, True) for code in ("internal_error", "fatal_error", "service_unavailable", "request_timeout")),
        *((code, True) for code in ("duplicate_message_not_found", "duplicate_channel_not_found")),
        *((code, False) for code in ("team_added_to_org", "org_login_required", "a_code_of_next_year")),
    ],
)
def test_other_errors_are_transient(code, in_doubt):
    """A call is in doubt if Slack may have done it despite the error. An unknown code may pass."""
    error = failure(error=code)

    assert isinstance(error, TransientError)
    assert error.in_doubt is in_doubt


@pytest.mark.parametrize("code", ["ratelimited", "rate_limited", "message_limit_exceeded"])
def test_a_rate_limited_call_is_never_in_doubt(code):
    """Slack did not perform it."""
    error = failure(error=code, retry_after="7")

    assert (error.retry_after, error.in_doubt) == (7.0, False)


def test_a_429_without_a_body_is_a_rate_limit():
    """Proxies and load balancers sometimes respond in Slack's place."""
    assert error_for(POST, 429, {}, None).retry_after == DEFAULT_WAIT


@pytest.mark.parametrize(
    ("status", "answer", "in_doubt"),
    [
        (500, {"error": "internal_error"}, True),
        (502, {}, True),
        (503, {"error": "channel_not_found"}, True),
        (408, {}, True),
        (404, {}, False),
        (403, {}, False),
        (200, {}, True),
        (200, {"error": 17}, True),
    ],
)
def test_invalid_responses_are_in_doubt_if_the_call_may_have_arrived(status, answer, in_doubt):
    """An invalid 200 may mean that a message was posted. A 404 never reached the method."""
    error = error_for(POST, status, answer, None)

    assert isinstance(error, TransientError)
    assert error.in_doubt is in_doubt


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("30", 30.0),
        ("0", 1.0),
        ("1.5", 1.5),
        *((header, DEFAULT_WAIT) for header in (None, "", "soon", "nan", "inf", "-3", "Wed, 21 Oct 2026 07:28:00 GMT")),
        ("999999999", LONGEST_WAIT),
    ],
)
def test_the_wait_is_taken_from_the_retry_after_header(header, expected):
    """A missing or invalid header means half a minute."""
    assert retry_after_seconds(header) == expected


def test_a_missing_scope_is_named():
    """The admin reads what to grant and how."""
    assert "users:read.email" in str(failure(error="missing_scope", needed="users:read.email"))


def test_a_rejected_message_says_where_the_mistake_is():
    """Slack names the block. Line breaks are left out of the log."""
    messages = ["[ERROR] must be less\nthan 3001 characters [json-pointer:/blocks/0/text]"]
    text = str(failure(error="invalid_blocks", response_metadata={"messages": messages}))

    assert "json-pointer:/blocks/0/text" in text
    assert "\n" not in text
