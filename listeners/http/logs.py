"""Logging: one event per line, as text or JSON, without secrets or email addresses."""

from __future__ import annotations

import json
import logging
import re
import sys
from contextvars import ContextVar
from datetime import UTC, datetime

OURS = ("listeners", "services", "store")
SHARED_WITH_SDK = ("listeners.slack.oauth", "store.slack.installations")
"""Our loggers that are passed to Slack's SDK. At DEBUG, the SDK logs rows and responses, including tokens."""

REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The id of the HTTP request that is being answered, which is logged with every event. None outside of requests."""

IDS = ("workspace", "job_change", "post")
"""The keys of `extra` that are logged with an event."""

_SECRETS = re.compile(
    r"xox[a-z](?:\.xox[a-z])?-[\w.-]+|xapp-[\w-]+|whsec_[\w+/=-]+|ugk_[\w-]+|00D\w{12,15}![\w.]+|(?<=Bearer )\S+"
    r"|(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
)
_PLAIN_ID = re.compile(r"[0-9a-f-]+|[0-9A-Z]+")
"""An id of ours or of Slack's. No secret looks like it, and a search takes as long as the rest of a line."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def configure(level: str, log_format: str) -> None:
    """
    Log to stderr. `level` applies to our own loggers; `log_format` is "text" or "json".

    Libraries log at WARNING and above: below that, Bolt and slack_sdk log request bodies and tokens, and urllib3 logs
    the email addresses in Salesforce queries.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if log_format == "json" else TextLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    # It logs a traceback for each malformed request, which anyone can send. Our own errors are logged in server.py.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    # It logs an error whenever Slack sends a request for a workspace that has just removed the app, which is normal and
    # logged in listeners/slack/oauth.py. Bolt resets the level of this logger with each app, but keeps filters.
    logging.getLogger("slack_bolt.AsyncMultiTeamsAuthorization").addFilter(lambda _record: False)
    # A logger without a level of its own makes slack_sdk compose a line about each call, with its whole content, which
    # is not logged then.
    logging.getLogger("slack_sdk.web.async_base_client").setLevel(logging.WARNING)
    for name in OURS:
        logging.getLogger(name).setLevel(level)
    for name in SHARED_WITH_SDK:
        logging.getLogger(name).setLevel(max(logging.INFO, logging.getLevelNamesMapping()[level]))


class TextLines(logging.Formatter):
    """`2026-11-22T16:05:00.123Z INFO services.delivery.worker: …`, with control characters escaped."""

    def format(self, record: logging.LogRecord) -> str:
        line = f"{_time(record)} {record.levelname} {record.name}: {_message(record)}"
        line += "".join(f" {name}={value}" for name, value in _ids(record).items())
        if exception := _exception(self, record):
            line += f"\n{exception}"
        return _CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode(), line)


class JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        event = {
            "at": _time(record),
            "level": record.levelname,
            "logger": record.name,
            "message": _message(record),
            **_ids(record),
        }
        if exception := _exception(self, record):
            event["exception"] = exception
        return json.dumps(event)


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _message(record: logging.LogRecord) -> str:
    return without_secrets(record.getMessage())


def _ids(record: logging.LogRecord) -> dict[str, str]:
    values = {name: getattr(record, name, None) for name in IDS} | {"request": REQUEST_ID.get()}
    texts = {name: str(value) for name, value in values.items() if value is not None}
    return {name: text if _PLAIN_ID.fullmatch(text) else without_secrets(text) for name, text in texts.items()}


def _exception(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    return without_secrets(formatter.formatException(record.exc_info)) if record.exc_info else ""


def without_secrets(text: str) -> str:
    """Hide tokens and email addresses, which the error of a library may contain."""
    return _SECRETS.sub("[hidden]", text)
