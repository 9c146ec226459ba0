"""Every error code that Slack documents for a method that the app calls has a meaning."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from domain.errors import (
    DestinationDeadError,
    MessageRefusedError,
    PermanentError,
    UnknownCodeError,
    WorkspaceGoneError,
)
from sandbox.slack.web_api.facts import COMMON_ERRORS, FACTS
from services.slack.error_codes import BY_METHOD, COMMON, Meaning, known_error
from services.slack.errors import error_for

ROOT = Path(__file__).parents[3]


def errors_of(method):
    return {code: error_for(method, 200, {"ok": False, "error": code}, None) for code in FACTS[method].every_error}


@pytest.mark.parametrize("method", sorted(BY_METHOD))
def test_every_documented_code_has_a_meaning(method):
    """Slack's reference lists the codes of each method, and those of every method."""
    unknown = {code for code in FACTS[method].every_error if known_error(method, code) is None}

    assert unknown == set()


def test_every_common_code_has_a_meaning():
    """They count for methods that are added later, too."""
    assert set(COMMON) >= COMMON_ERRORS


@pytest.mark.parametrize("method", sorted(BY_METHOD))
def test_only_a_rejected_token_can_mean_that_the_workspace_is_gone(method):
    """Everything else fails a call, a message or a destination."""
    gone = {code for code, error in errors_of(method).items() if isinstance(error, WorkspaceGoneError)}

    assert gone == {"account_inactive", "token_revoked", "invalid_auth", "not_authed"}


@pytest.mark.parametrize("method", sorted(BY_METHOD))
def test_a_code_that_slack_adds_is_unknown(method):
    """It is retried, and stops nothing else."""
    error = error_for(method, 200, {"ok": False, "error": "a_code_of_next_year"}, None)

    assert isinstance(error, UnknownCodeError)
    assert error.code == "a_code_of_next_year"


@pytest.mark.parametrize(
    ("method", "code", "kind"),
    [
        ("chat.update", "is_inactive", PermanentError),
        ("chat.update", "block_mismatch", PermanentError),
        ("chat.postMessage", "cannot_reply_to_message", DestinationDeadError),
        ("chat.postMessage", "team_not_found", DestinationDeadError),
        ("chat.postMessage", "draft_not_found", MessageRefusedError),
        ("conversations.info", "channel_is_limited_access", DestinationDeadError),
        ("usergroups.list", "plan_upgrade_required", PermanentError),
        ("users.list", "missing_argument", PermanentError),
        ("users.list", "team_access_not_granted", DestinationDeadError),
    ],
)
def test_what_can_never_work_is_not_retried(method, code, kind):
    """Otherwise a message would wait three days before it fails."""
    assert type(error_for(method, 200, {"ok": False, "error": code}, None)) is kind


def test_texts_are_for_people_and_codes_for_programs():
    """An error keeps its code, so that nothing has to be decided by reading its text."""
    error = error_for("chat.postMessage", 200, {"ok": False, "error": "messages_tab_disabled"}, None)

    assert error.code == "messages_tab_disabled"
    assert "Messages tab" in str(error)
    assert all(known.text for known in COMMON.values() if known.meaning in {Meaning.CALL, Meaning.DESTINATION})


def test_the_table_lists_every_method_that_the_app_calls():
    """A method that is added needs its codes."""
    sources = [path.read_text() for folder in ("services", "listeners") for path in (ROOT / folder).rglob("*.py")]
    literal = {name for text in sources for name in re.findall(r'"((?:[a-z0-9]+\.)+[a-zA-Z0-9]+)"', text)}
    of_the_sdk = {name.replace("_", ".") for text in sources for name in re.findall(r"\.(views_\w+)\b", text)}

    called = (literal | of_the_sdk) & set(FACTS)
    assert "chat.postMessage" in called
    assert "views.publish" in called
    assert called <= set(BY_METHOD)
