"""The forms of what Slack sends: what may be missing, and what must be right."""

from __future__ import annotations

import pytest

from listeners.slack.payloads import is_well_formed

USER, VIEW, ACTION = {"id": "U1"}, {"id": "V1", "type": "modal", "callback_id": "a"}, {"action_id": "x"}


@pytest.mark.parametrize(
    "payload",
    [
        {"command": "/usergems-status", "user_id": "U1"},
        {"ssl_check": "1", "token": "t"},
        {"type": "url_verification", "challenge": "c"},
        {"type": "event_callback", "event": {"type": "x", "view": None}, "event_time": 1.5},
        {"type": "block_actions", "user": USER, "team": None, "actions": [ACTION | {"selected_option": None}]},
        {"type": "interactive_message", "actions": [{"name": "x", "value": "y"}]},
        {"type": "view_submission", "user": USER, "view": VIEW},
        {"type": "view_submission", "user": USER, "view": VIEW | {"title": None, "state": {}}},
        {"type": "view_closed", "user": USER, "view": VIEW | {"new": [1]}, "new": {"a": None}},
    ],
)
def test_what_no_listener_needs_may_be_missing_or_new(payload: object) -> None:
    """Slack may change what it sends; a person must not see an error for that."""
    assert is_well_formed(payload)


@pytest.mark.parametrize(
    "payload",
    [
        *([], None, 1, {}, {"type": "x"}, {"type": []}),
        {"type": "block_actions", "user": USER, "actions": []},
        {"type": "block_actions", "user": USER, "actions": [{}]},
        {"type": "block_actions", "actions": [ACTION]},
        {"type": "view_submission", "user": USER, "view": {"id": "V1", "type": "modal"}},
        {"type": "view_submission", "user": USER, "view": VIEW | {"state": {"values": {"b": {"c": "text"}}}}},
        {"command": "/usergems-status", "user_id": "U1", "text": "\ud83d"},
        {"command": "/usergems-status", "user_id": "U1", "text": "\x00"},
    ],
)
def test_other_payloads_are_refused(payload: object) -> None:
    """They would fail in Bolt, in a listener or in the database."""
    assert not is_well_formed(payload)
