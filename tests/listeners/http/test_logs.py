"""The format of log lines, and what they never contain."""

from __future__ import annotations

import json
import logging

import pytest
from slack_bolt.async_app import AsyncApp
from slack_bolt.logger import get_bolt_logger
from slack_bolt.middleware.authorization.async_multi_teams_authorization import AsyncMultiTeamsAuthorization

from listeners.http import logs
from listeners.http.logs import JsonLines, TextLines

BOLTS = logging.getLogger("slack_bolt.AsyncMultiTeamsAuthorization")


@pytest.fixture
def configured():
    """Restore the logging configuration afterwards."""
    root, names = logging.getLogger(), (*logs.OURS, *logs.SHARED_WITH_SDK, "py.warnings")
    filters = BOLTS.filters[:]
    before = root.level, root.handlers[:], {name: logging.getLogger(name).level for name in names}
    yield logs.configure
    logging.captureWarnings(capture=False)
    root.setLevel(before[0])
    root.handlers[:] = before[1]
    for name, level in before[2].items():
        logging.getLogger(name).setLevel(level)
    BOLTS.filters[:] = filters


def record(message: str, *args: object, exc_info=None) -> logging.LogRecord:
    made = logging.LogRecord("services.delivery.worker", logging.INFO, "", 0, message, args, exc_info)
    made.created = 1_795_000_000.123
    return made


def failure(text: str):
    error = ValueError(text)
    return type(error), error, None


def test_a_line_has_time_level_and_logger():
    """Times are UTC, in milliseconds."""
    assert (
        TextLines().format(record("%d lanes", 3)) == "2026-11-18T11:06:40.123Z INFO services.delivery.worker: 3 lanes"
    )


@pytest.mark.parametrize("formatter", [TextLines(), JsonLines()])
@pytest.mark.parametrize("evil", ["a\r\n2026 INFO fake: line", "a\x1b[2J", "a\u2028b\x85c"])
def test_an_event_is_always_one_line(formatter, evil):
    """Content from outside cannot forge log lines or send control characters to the terminal."""
    line = formatter.format(record("name %s", evil, exc_info=failure(evil)))

    assert len(line.splitlines()) == 1
    assert line.isprintable()


def test_json_lines_have_the_same_fields():
    """Each line is a JSON object."""
    entry = json.loads(JsonLines().format(record("%d lanes", 3, exc_info=failure("broken"))))

    assert (entry["level"], entry["logger"], entry["message"]) == ("INFO", "services.delivery.worker", "3 lanes")
    assert "ValueError: broken" in entry["exception"]


def test_the_ids_of_an_event_are_logged():
    """A job change can be followed from its acceptance to its message. Unknown ids are left out."""
    made = record("delivered")
    made.workspace, made.job_change, made.post = "T1", "jc-1", None

    assert TextLines().format(made).endswith(": delivered workspace=T1 job_change=jc-1")
    entry = json.loads(JsonLines().format(made))
    assert (entry["workspace"], entry["job_change"], "post" in entry) == ("T1", "jc-1", False)


@pytest.mark.parametrize(
    "secret",
    [
        "xoxb-1234567890-abcDEF",
        "xoxe.xoxb-1-My0xLTEy",
        "xapp-1-A01-123-abc",
        "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
        "ugk_Zm9v-YmFy_",
        "00D000000000001!AQEAQ.abc_DEF",
        "ada.smith+crm@globex.example.com",
    ],
)
def test_tokens_keys_and_addresses_are_hidden(secret):
    """The error text of a library may contain them."""
    for formatter in (TextLines(), JsonLines()):
        assert secret not in formatter.format(record("got %s there", secret, exc_info=failure(f"no {secret} here")))


def test_libraries_never_log_below_warning(configured):
    """At DEBUG they log request bodies, tokens and addresses."""
    configured("DEBUG", "text")

    assert logging.getLogger("services.delivery.worker").isEnabledFor(logging.DEBUG)
    for name in ("slack_bolt.AsyncApp", "slack_sdk.web.async_base_client", "urllib3.connectionpool", "app.py:hear"):
        assert not logging.getLogger(name).isEnabledFor(logging.INFO), name
    for name in logs.SHARED_WITH_SDK:
        assert not logging.getLogger(name).isEnabledFor(logging.DEBUG), name


def test_a_request_of_a_removed_workspace_is_not_an_error(configured, capsys):
    """Slack's last events arrive after the removal. Bolt resets the level of its loggers with each app."""
    configured("INFO", "text")

    get_bolt_logger(AsyncMultiTeamsAuthorization).error("Although the app should be installed into this workspace …")
    get_bolt_logger(AsyncApp).error("something that is one")

    assert get_bolt_logger(AsyncMultiTeamsAuthorization) is BOLTS
    assert "something that is one" in (output := capsys.readouterr().err)
    assert "Although" not in output


def test_the_log_level_applies_to_our_own_loggers(configured):
    """The default is INFO."""
    configured("ERROR", "json")

    assert not logging.getLogger("listeners.http.server").isEnabledFor(logging.WARNING)
