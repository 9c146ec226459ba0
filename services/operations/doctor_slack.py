"""What can be learnt from Slack, and as Slack from ourselves, without doing anything: credentials, clock, address."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from slack_sdk.signature import SignatureVerifier

from domain.errors import PermanentError, TransientError
from services.operations.check_results import CheckResult, CheckState
from services.settings import Settings
from store.slack.inbound_health import InboundHealth

APPS = "https://api.slack.com/apps"
MOST_SKEW_SECONDS = 60.0
LATELY_MS = 2 * 24 * 3_600 * 1_000

DOCTOR_USER_AGENT = "usergems-slack doctor"
"""The User-Agent of what we send to ourselves as Slack would, so that it is no sign of Slack."""

_BOGUS_CODE = "0000000000.doctor"
_GOOD_ENOUGH = {"invalid_code", "code_expired", "code_already_used", "invalid_grant"}
_WHERE = f"copy it from Basic Information of your app at {APPS}"
_SIGNING_SECRET = re.compile(r"[0-9a-f]{32}")
_CREDENTIALS = {
    "invalid_client_id": f"Slack does not know SLACK_CLIENT_ID: {_WHERE}",
    "bad_client_secret": f"SLACK_CLIENT_SECRET does not belong to SLACK_CLIENT_ID: {_WHERE}",
}


@dataclass
class SlackCheck:
    """
    Its methods answer what is well. They raise PermanentError for what has to be mended, TransientError,
    aiohttp.ClientError and TimeoutError.

    *skew_seconds*: how much our clock is ahead of Slack's, once Slack has been asked; None: it did not tell.
    """

    settings: Settings
    http: aiohttp.ClientSession = field(repr=False)
    now: Callable[[], int]
    skew_seconds: float | None = field(default=None, init=False)

    async def knows_us(self) -> str:
        """
        Whether Slack accepts the client id and secret.

        A code that is none is refused as such only after the credentials have been looked at:
        https://docs.slack.dev/reference/methods/oauth.v2.access#errors
        """
        credentials = aiohttp.encode_basic_auth(self.settings.slack_client_id, self.settings.slack_client_secret)
        status, said = await self._ask("oauth.v2.access", credentials, code=_BOGUS_CODE)
        error = str(said.get("error", f"HTTP {status}"))[:100]
        if error in _CREDENTIALS:
            raise PermanentError(_CREDENTIALS[error])
        if error not in _GOOD_ENOUGH:
            raise TransientError(f"Slack answered {error} to a code that is none")
        return "Slack accepts the client id and secret"

    async def takes_app_token(self) -> str:
        """Socket Mode. https://docs.slack.dev/reference/methods/apps.connections.open"""
        status, said = await self._ask("apps.connections.open", f"Bearer {self.settings.slack_app_token}")
        if said.get("ok") is not True:
            error = str(said.get("error", f"HTTP {status}"))[:100]
            raise PermanentError(
                f"Slack refuses SLACK_APP_TOKEN ({error}): make one with the scope connections:write under Basic"
                f" Information at {APPS}, and switch Socket Mode on there"
            )
        return "Slack accepts the app token"

    async def is_alive(self) -> str:
        """Whether the public address leads to a running app of ours."""
        url = f"{self.settings.public_url}/healthz"
        async with self.http.get(url, allow_redirects=False) as response:
            said = _object(await response.read())
        if response.status != 200 or said.get("status") != "alive":
            raise PermanentError(
                f"{url} answers HTTP {response.status}, and not as this app does: let PUBLIC_URL lead to it"
            )
        return f"{self.settings.public_url} leads to this app"

    async def answers_challenge(self) -> str:
        """Whether the app answers there as Slack asks it to. https://docs.slack.dev/reference/events/url_verification"""
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
                f"{url} refuses what is signed with SLACK_SIGNING_SECRET: the app there was started with another, or"
                " its clock is wrong"
            )
        if response.status != 200 or challenge not in raw.decode(errors="replace"):
            wrong = f"{url} answers HTTP {response.status} to Slack's challenge"
            raise PermanentError(f"{wrong}: let PUBLIC_URL lead to the app, started with Slack's credentials")
        return "the address answers Slack's challenge"

    async def _ask(self, method: str, authorization: str, **form: str) -> tuple[int, dict[str, Any]]:
        """The HTTP status, and the body, empty if it is no JSON object."""
        url, headers = f"{self.settings.slack_api_url}{method}", {"Authorization": authorization}
        async with self.http.post(url, data=form, headers=headers, allow_redirects=False) as response:
            said = _object(await response.read())
        with suppress(ValueError):
            told = parsedate_to_datetime(response.headers.get("Date", ""))
            self.skew_seconds = self.now() / 1_000 - told.timestamp()
        return response.status, said


def clock(skew_seconds: float | None) -> CheckResult:
    """Slack's requests are genuine for five minutes only, by our clock."""
    if skew_seconds is None:
        return CheckResult(
            "clock", CheckState.UNKNOWN, "Slack did not tell the time: compare this machine's clock by hand"
        )
    if abs(skew_seconds) > MOST_SKEW_SECONDS:
        way = "ahead of" if skew_seconds > 0 else "behind"
        told = f"{abs(skew_seconds):,.0f} seconds {way} Slack's, so that its requests look forged: let NTP set it"
        return CheckResult("clock", CheckState.FAILED, told)
    return CheckResult("clock", CheckState.OK, f"within {MOST_SKEW_SECONDS:.0f} seconds of Slack's")


def signing_secret(settings: Settings, signs: InboundHealth, now: int) -> CheckResult:
    """*signs*: of what came signed; what is older than two days says nothing any more."""
    name, is_slack = "signing secret", urlsplit(settings.slack_api_url).hostname == "slack.com"
    if is_slack and not _SIGNING_SECRET.fullmatch(settings.slack_signing_secret):
        return CheckResult(name, CheckState.FAILED, f"SLACK_SIGNING_SECRET is not 32 of the digits 0-9a-f: {_WHERE}")
    right, wrong = _lately(now, signs.genuine, signs.event), _lately(now, signs.refused)
    if wrong > right:
        told = f"what came as Slack's at {_time(wrong)} is not signed with SLACK_SIGNING_SECRET, nothing since is"
        return CheckResult(name, CheckState.FAILED, f"{told}: {_WHERE}, and start the app again")
    if not right:
        told = "Slack has no way to ask whether it is right: type /usergems-status in Slack; if nothing answers,"
        return CheckResult(name, CheckState.UNKNOWN, f"{told} {_WHERE}")
    return CheckResult(name, CheckState.OK, f"it matches what Slack signs, last at {_time(right)}")


def events(signs: InboundHealth, now: int) -> CheckResult:
    """Of an address that answers Slack's challenge."""
    name, last = "event subscriptions", _lately(now, signs.event)
    if not last:
        told = (
            "the address would pass, but nothing has come in two days: open the app's Home in Slack; if it stays empty,"
        )
        return CheckResult(
            name, CheckState.UNKNOWN, f"{told} verify the Request URL under Event Subscriptions at {APPS}"
        )
    return CheckResult(name, CheckState.OK, f"the last event came at {_time(last)}")


def _lately(now: int, *moments: int | None) -> int:
    """The last of these; 0: there was none in two days."""
    last = max(moment or 0 for moment in moments)
    return last if last > now - LATELY_MS else 0


def _time(milliseconds: int) -> str:
    return f"{datetime.fromtimestamp(milliseconds / 1_000, UTC):%Y-%m-%d %H:%M} UTC"


def _object(raw: bytes) -> dict[str, Any]:
    try:
        said = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}
