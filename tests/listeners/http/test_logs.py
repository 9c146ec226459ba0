"""How log lines look, and what never stands in them."""

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
    """Puts logging back as it was."""
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


def test_a_line_tells_when_how_grave_and_who():
    """Times are UTC and to the millisecond, as everywhere."""
    assert (
        TextLines().format(record("%d lanes", 3)) == "2026-11-18T11:06:40.123Z INFO services.delivery.worker: 3 lanes"
    )


@pytest.mark.parametrize("formatter", [TextLines(), JsonLines()])
@pytest.mark.parametrize("evil", ["a\r\n2026 INFO fake: line", "a\x1b[2J", "a\u2028b\x85c"])
def test_an_event_is_one_line_whatever_it_says(formatter, evil):
    """Nobody writes a line of their own into the log, or moves the reader's cursor."""
    line = formatter.format(record("name %s", evil, exc_info=failure(evil)))

    assert len(line.splitlines()) == 1
    assert line.isprintable()


def test_json_carries_the_same_in_fields():
    """For machines."""
    told = json.loads(JsonLines().format(record("%d lanes", 3, exc_info=failure("broken"))))

    assert (told["level"], told["logger"], told["message"]) == ("INFO", "services.delivery.worker", "3 lanes")
    assert "ValueError: broken" in told["exception"]


def test_the_ids_of_an_event_stand_beside_it():
    """From acceptance to the message a job change can be followed; what is not known is left out."""
    made = record("delivered")
    made.workspace, made.job_change, made.post = "T1", "jc-1", None

    assert TextLines().format(made).endswith(": delivered workspace=T1 job_change=jc-1")
    told = json.loads(JsonLines().format(made))
    assert (told["workspace"], told["job_change"], "post" in told) == ("T1", "jc-1", False)


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
    """Nobody means to log them; an error of a library may carry one all the same."""
    for formatter in (TextLines(), JsonLines()):
        assert secret not in formatter.format(record("got %s there", secret, exc_info=failure(f"no {secret} here")))


def test_vendors_libraries_are_never_heard_below_warning(configured):
    """At DEBUG they tell request bodies, tokens and the addresses in queries."""
    configured("DEBUG", "text")

    assert logging.getLogger("services.delivery.worker").isEnabledFor(logging.DEBUG)
    for name in ("slack_bolt.AsyncApp", "slack_sdk.web.async_base_client", "urllib3.connectionpool", "app.py:hear"):
        assert not logging.getLogger(name).isEnabledFor(logging.INFO), name
    for name in logs.SHARED_WITH_SDK:
        assert not logging.getLogger(name).isEnabledFor(logging.DEBUG), name


def test_a_workspace_that_has_removed_the_app_is_no_error(configured, capsys):
    """Slack's last events of it come after that; Bolt sets the level of its loggers anew with each app."""
    configured("INFO", "text")

    get_bolt_logger(AsyncMultiTeamsAuthorization).error("Although the app should be installed into this workspace …")
    get_bolt_logger(AsyncApp).error("something that is one")

    assert get_bolt_logger(AsyncMultiTeamsAuthorization) is BOLTS
    assert "something that is one" in (said := capsys.readouterr().err)
    assert "Although" not in said


def test_the_level_is_for_what_we_say_ourselves(configured):
    """INFO by default, less on demand."""
    configured("ERROR", "json")

    assert not logging.getLogger("listeners.http.server").isEnabledFor(logging.WARNING)
