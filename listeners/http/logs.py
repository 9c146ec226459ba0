"""What is logged and how it looks: one event a line, for people or for machines, and no secrets in it."""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import UTC, datetime

OURS = ("listeners", "services", "store")
LENT = ("listeners.slack.oauth", "store.slack.installations")
"""Loggers of ours that Slack's SDK writes to: at DEBUG it tells rows and answers, tokens among them."""

IDS = ("workspace", "job_change", "post")
"""What an event may carry besides its message, as `extra`."""

_SECRETS = re.compile(
    r"xox[a-z](?:\.xox[a-z])?-[\w.-]+|xapp-[\w-]+|whsec_[\w+/=-]+|ugk_[\w-]+|00D\w{12,15}![\w.]+|(?<=Bearer )\S+"
    r"|[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def configure(level: str, log_format: str) -> None:
    """
    Log to stderr. *level* is for what we say ourselves; *log_format*: text or json.

    Others are heard from WARNING on: below that, Bolt and slack_sdk tell bodies and tokens, and urllib3 the e-mail
    addresses in Salesforce's queries.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if log_format == "json" else TextLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    # It tells each malformed request at length, which any stranger can send; what fails in ours, web.py tells.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    # It calls an error what is usual: Slack asks on behalf of a workspace that has just removed the app. Its level is
    # set anew with each app of Bolt's, a filter stays; listeners/slack/oauth.py tells of it.
    logging.getLogger("slack_bolt.AsyncMultiTeamsAuthorization").addFilter(_is_silenced)
    for name in OURS:
        logging.getLogger(name).setLevel(level)
    for name in LENT:
        logging.getLogger(name).setLevel(max(logging.INFO, logging.getLevelNamesMapping()[level]))


def _is_silenced(_record: logging.LogRecord) -> bool:
    return False


class TextLines(logging.Formatter):
    """`2026-11-22T16:05:00.123Z INFO services.delivery.worker: …`, whatever stands in the message."""

    def format(self, record: logging.LogRecord) -> str:
        told = f"{_time(record)} {record.levelname} {record.name}: {_message(record)}"
        told += "".join(f" {name}={value}" for name, value in _ids(record).items())
        if exception := _exception(self, record):
            told += f"\n{exception}"
        return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), told)


class JsonLines(logging.Formatter):
    """The same as a JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        told = {
            "at": _time(record),
            "level": record.levelname,
            "logger": record.name,
            "message": _message(record),
            **_ids(record),
        }
        if exception := _exception(self, record):
            told["exception"] = exception
        return json.dumps(told)


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _message(record: logging.LogRecord) -> str:
    return without_secrets(record.getMessage())


def _ids(record: logging.LogRecord) -> dict[str, str]:
    told = {name: getattr(record, name, None) for name in IDS}
    return {name: str(value) for name, value in told.items() if value is not None}


def _exception(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    return without_secrets(formatter.formatException(record.exc_info)) if record.exc_info else ""


def without_secrets(text: str) -> str:
    """Nobody means to log a token or an address; an error of a library may carry one all the same."""
    return _SECRETS.sub("[hidden]", text)
