"""Checks of the app in Slack: credentials, clock, signing secret, public address and events. They change nothing."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from slack_sdk.signature import SignatureVerifier

from domain.errors import PermanentError, TransientError
from domain.notification_hours import utc_text
from services.operations.check_results import CheckResult, CheckState
from services.operations.clock_watch import MOST_SKEW_MS, skew_text
from services.settings import Settings
from services.slack.errors import error_for
from store.slack.inbound_health import InboundHealth

APPS = "https://api.slack.com/apps"
RECENT_MS = 2 * 24 * 3_600 * 1_000

FORGED_MS = 60 * 60 * 1_000
"""How long after a correct signature a wrong one does not prove a wrong secret: anybody can send one."""

DOCTOR_USER_AGENT = "usergems-slack doctor"
"""The User-Agent of requests that the doctor signs as Slack would, so that they do not count as requests of Slack."""

_INVALID_CODE = "0000000000.doctor"
_CODE_REFUSED = {"invalid_code", "code_expired", "code_already_used", "invalid_grant"}
_COPY_AGAIN = f"Fix: copy it from Basic Information of the app at {APPS}"
_SIGNING_SECRET = re.compile(r"[0-9a-f]{32}")
_CREDENTIALS = {
    "invalid_client_id": f"Slack does not know SLACK_CLIENT_ID. {_COPY_AGAIN}",
    "bad_client_secret": f"SLACK_CLIENT_SECRET does not belong to SLACK_CLIENT_ID. {_COPY_AGAIN}",
}


@dataclass
class SlackCheck:
    """
    Checks that call Slack, or this app's public address.

    Each returns the text of a good result. It raises PermanentError for what the operator must fix, and TransientError,
    aiohttp.ClientError or TimeoutError otherwise. `skew_seconds` is how far this machine's clock is ahead of Slack's,
    None until Slack has given the time.
    """

    settings: Settings
    http: aiohttp.ClientSession = field(repr=False)
    now: Callable[[], int]
    skew_seconds: float | None = field(default=None, init=False)

    async def check_credentials(self) -> str:
        """
        Send an invalid code: Slack refuses the code only after it has accepted the credentials.

        https://docs.slack.dev/reference/methods/oauth.v2.access#errors
        """
        credentials = aiohttp.encode_basic_auth(self.settings.slack_client_id, self.settings.slack_client_secret)
        status, answer = await self._post("oauth.v2.access", credentials, code=_INVALID_CODE)
        error = str(answer.get("error", f"HTTP {status}"))[:100]
        if error in _CREDENTIALS:
            raise PermanentError(_CREDENTIALS[error])
        if error not in _CODE_REFUSED:
            raise TransientError(f"Slack gave an unexpected response ({error})")
        return "Slack accepts the client ID and secret"

    async def check_app_token(self) -> str:
        """https://docs.slack.dev/reference/methods/apps.connections.open"""
        status, answer = await self._post("apps.connections.open", f"Bearer {self.settings.slack_app_token}")
        if answer.get("ok") is not True:
            error = error_for("apps.connections.open", status, answer, None)
            if isinstance(error, TransientError):
                raise error
            raise PermanentError(
                f"Slack does not accept SLACK_APP_TOKEN ({error.code}). Fix: create one with the scope"
                f" connections:write under Basic Information at {APPS}, and turn on Socket Mode there"
            )
        return "Slack accepts the app token"

    async def check_public_address(self) -> str:
        url = f"{self.settings.public_url}/healthz"
        async with self.http.get(url, allow_redirects=False) as response:
            answer = _object(await response.read())
        if response.status != 200 or answer.get("status") != "alive":
            raise PermanentError(
                f"{url} does not lead to this app (HTTP {response.status}). Fix: set PUBLIC_URL to the app's address"
            )
        return f"{self.settings.public_url} leads to this app"

    async def check_challenge(self) -> str:
        """https://docs.slack.dev/reference/events/url_verification"""
        challenge, timestamp = secrets.token_urlsafe(16), str(self.now() // 1_000)
        body = json.dumps({"type": "url_verification", "challenge": challenge})
        verifier = SignatureVerifier(self.settings.slack_signing_secret)
        signature = verifier.generate_signature(timestamp=timestamp, body=body) or ""
        headers = {
            "X-Slack-Request-Timestamp": timestamp,
            "X-Slack-Signature": signature,
            "Content-Type": "application/json",
            "User-Agent": DOCTOR_USER_AGENT,
        }
        url = f"{self.settings.public_url}/slack/events"
        async with self.http.post(url, data=body, headers=headers, allow_redirects=False) as response:
            raw = await response.read()
        if response.status == 401:
            raise PermanentError(
                f"{url} refuses requests signed with SLACK_SIGNING_SECRET. Fix: restart the app, because it runs with"
                " another secret, or set its clock"
            )
        if response.status != 200 or challenge not in raw.decode(errors="replace"):
            raise PermanentError(
                f"{url} does not answer Slack's challenge (HTTP {response.status}). Fix: point PUBLIC_URL to the app,"
                " and start it with Slack's credentials"
            )
        return "the app answers Slack's challenge"

    async def _post(self, method: str, authorization: str, **form: str) -> tuple[int, dict[str, Any]]:
        """Return the HTTP status and the body, which is empty if it is not a JSON object."""
        url, headers = f"{self.settings.slack_api_url}{method}", {"Authorization": authorization}
        async with self.http.post(url, data=form, headers=headers, allow_redirects=False) as response:
            answer = _object(await response.read())
        with suppress(ValueError):
            slack_time = parsedate_to_datetime(response.headers.get("Date", ""))
            self.skew_seconds = self.now() / 1_000 - slack_time.timestamp()
        return response.status, answer


def clock_result(skew_seconds: float | None) -> CheckResult:
    """Compare the clocks: by this machine's clock, a request of Slack is valid for five minutes only."""
    if skew_seconds is None:
        advice = "Slack did not give the time. Fix: check this machine's clock yourself"
        return CheckResult("clock", CheckState.UNKNOWN, advice)
    if abs(skew_seconds) * 1_000 > MOST_SKEW_MS:
        offset = skew_text(skew_seconds)
        return CheckResult("clock", CheckState.FAILED, f"{offset}, so Slack's requests look forged. Fix: use NTP")
    return CheckResult("clock", CheckState.OK, f"within {MOST_SKEW_MS / 1_000:.0f} seconds of Slack's")


def signing_secret_result(settings: Settings, health: InboundHealth, now: int) -> CheckResult:
    """Judge the signing secret by the signed requests of the last two days."""
    name, is_slack = "signing secret", urlsplit(settings.slack_api_url).hostname == "slack.com"
    if is_slack and not _SIGNING_SECRET.fullmatch(settings.slack_signing_secret):
        problem = f"SLACK_SIGNING_SECRET is not 32 hexadecimal digits (0-9, a-f). {_COPY_AGAIN}"
        return CheckResult(name, CheckState.FAILED, problem)
    valid_at, invalid_at = _latest(now, health.genuine, health.event), _latest(now, health.refused)
    if invalid_at > valid_at:
        problem = f"the last signed request, at {utc_text(invalid_at)}, does not match SLACK_SIGNING_SECRET"
        if invalid_at - valid_at < FORGED_MS:
            others = f"but one at {utc_text(valid_at)} does. Anybody can send a request with a wrong signature"
            return CheckResult(name, CheckState.UNKNOWN, f"{problem}, {others}")
        return CheckResult(name, CheckState.FAILED, f"{problem}. {_COPY_AGAIN}, and restart the app")
    if not valid_at:
        advice = "no request from Slack yet to compare with. Type /usergems-status in Slack. If nothing answers,"
        return CheckResult(name, CheckState.UNKNOWN, f"{advice} {_COPY_AGAIN.removeprefix('Fix: ')}")
    return CheckResult(name, CheckState.OK, f"matches Slack's requests, the last at {utc_text(valid_at)}")


def events_result(health: InboundHealth, now: int) -> CheckResult:
    """Judge the event subscriptions of an address that has answered Slack's challenge."""
    name, last = "event subscriptions", _latest(now, health.event)
    if last:
        return CheckResult(name, CheckState.OK, f"the last event arrived at {utc_text(last)}")
    advice = (
        "the address works, but no event has arrived in two days. Open the app's Home tab in Slack. If it stays empty,"
        f" verify the Request URL under Event Subscriptions at {APPS}"
    )
    return CheckResult(name, CheckState.UNKNOWN, advice)


def _latest(now: int, *moments: int | None) -> int:
    """Return the latest of these moments, or 0 if there is none in the last two days."""
    latest = max(moment or 0 for moment in moments)
    return latest if latest > now - RECENT_MS else 0


def _object(raw: bytes) -> dict[str, Any]:
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
