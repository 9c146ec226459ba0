"""Whether all is as it should be, one finding after another, each with what to do; nothing is changed by asking."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import aiohttp
from sqlalchemy import Connection, text

from domain.errors import PermanentError
from domain.workspace import Workspace
from services.operations.check_results import CheckResult, CheckState, UnknownError, run_check
from services.operations.doctor_slack import APPS, SlackCheck, clock, events, signing_secret
from services.salesforce.health import lines
from services.salesforce.queries.lookup import Salesforce
from services.salesforce.records import PersonLookup
from services.settings import Settings, is_loopback
from services.slack.api import Slack
from services.slack.manifest import Manifest
from store import migrations
from store.database import Database
from store.encryption import Cipher
from store.operations import secrets
from store.salesforce import connections
from store.slack import inbound_health, workspaces
from store.slack.installations import OtherAppError

DEADLINE_SECONDS = 15.0
AT_ONCE = 8
"""Workspaces that are asked about at the same time."""


@dataclass(frozen=True)
class Doctor:
    """Every check has a deadline, and none raises."""

    settings: Settings
    database: Database
    cipher: Cipher = field(repr=False)
    http: aiohttp.ClientSession = field(repr=False)
    slack: Slack
    salesforce: Salesforce
    manifest: Manifest
    now: Callable[[], int]
    deadline_seconds: float = DEADLINE_SECONDS

    async def run(self) -> AsyncIterator[CheckResult]:
        """Ourselves first, then Slack and the way from Slack to us, then each workspace."""
        is_ready = True
        async for finding in self._ourselves():
            is_ready = finding.state is CheckState.OK
            yield finding
        slack = SlackCheck(self.settings, self.http, self.now)
        for several in await asyncio.gather(
            self._slack(slack), self._socket_mode(slack), self._address(slack, has_database=is_ready)
        ):
            for finding in several:
                yield finding
        if not is_ready:
            yield CheckResult(
                "workspaces", CheckState.UNKNOWN, "mend the database first: until then none can be looked at"
            )
            return
        async for finding in self._workspaces():
            yield finding

    async def _ourselves(self) -> AsyncIterator[CheckResult]:
        """Up to the first that fails: what comes after it would fail for the same reason."""
        for name, check in (
            ("database", self._answers),
            ("migrations", self._is_newest),
            ("encryption keys", self._reads_secrets),
        ):
            finding = await self._found(name, check())
            yield finding
            if finding.state is not CheckState.OK:
                return

    async def _answers(self) -> str:
        await self.database.run(_ask)
        return "answers"

    async def _is_newest(self) -> str:
        if not await self.database.run(migrations.is_newest):
            raise PermanentError("the schema is not that of this version: run python app.py migrate")
        return "all have run"

    async def _reads_secrets(self) -> str:
        await self.database.run(secrets.check_readable, self.cipher)
        return "they open what is stored"

    async def _slack(self, slack: SlackCheck) -> list[CheckResult]:
        if not (self.settings.slack_client_id and self.settings.slack_client_secret):
            return []  # the settings have said so
        credentials = await self._found("Slack credentials", slack.knows_us())
        return [credentials, clock(slack.skew_seconds)]

    async def _socket_mode(self, slack: SlackCheck) -> list[CheckResult]:
        if not self.settings.slack_app_token:
            return []
        return [await self._found("Socket Mode", slack.takes_app_token())]

    async def _address(self, slack: SlackCheck, *, has_database: bool) -> list[CheckResult]:
        """How Slack reaches us; in Socket Mode only senders and browsers do."""
        url, is_socket = self.settings.public_url, bool(self.settings.slack_app_token)
        if url.startswith("http:") and not (is_socket or is_loopback(urlsplit(self.settings.slack_api_url).hostname)):
            told = f"Slack cannot reach {url}: set PUBLIC_URL to the https:// address of this app, or use Socket Mode"
            return [CheckResult("public address", CheckState.FAILED, told)]
        findings = [await self._found("public address", slack.is_alive())]
        if is_socket or not self.settings.slack_signing_secret:
            return findings
        signs = await self.database.run(inbound_health.read) if has_database else inbound_health.InboundHealth()
        findings.append(signing_secret(self.settings, signs, self.now()))
        if findings[0].state is CheckState.OK:
            challenged = await self._found("event subscriptions", slack.answers_challenge())
            findings.append(events(signs, self.now()) if challenged.state is CheckState.OK else challenged)
        return findings

    async def _workspaces(self) -> AsyncIterator[CheckResult]:
        installed = await self.database.run(workspaces.all_active)
        if not installed:
            told = f"none has installed the app yet: open {self.settings.public_url} and add it to Slack"
            yield CheckResult("workspaces", CheckState.UNKNOWN, told)
        for start in range(0, len(installed), AT_ONCE):
            for several in await asyncio.gather(*map(self._workspace, installed[start : start + AT_ONCE])):
                for finding in several:
                    yield finding

    async def _workspace(self, workspace: Workspace) -> list[CheckResult]:
        installation = await self._found(f"{workspace.id} installation", self._is_ours(workspace))
        if installation.state is not CheckState.OK:
            return [installation]
        checks_of_one: Mapping[str, Callable[[Workspace], Awaitable[str]]] = {
            "scopes": self._scopes,
            "default channel": self._default_channel,
            "Messages tab": self._messages_tab,
            "Salesforce": self._salesforce,
        }
        return await asyncio.gather(
            *(self._found(f"{workspace.id} {name}", of(workspace)) for name, of in checks_of_one.items())
        )

    async def _is_ours(self, workspace: Workspace) -> str:
        try:
            await self.slack.tokens(workspace.id)
        except OtherAppError as error:
            again = f"or install the app again at {self.settings.public_url}"
            raise PermanentError(
                f"{workspace.name} has installed another Slack app than that of SLACK_CLIENT_ID: put its client id,"
                f" {error}, and its secrets back, {again}"
            ) from error
        return "is that of SLACK_CLIENT_ID"

    async def _scopes(self, workspace: Workspace) -> str:
        identity = await self.slack.auth_test(workspace.id)
        lacking = [scope for scope in self.manifest.scopes if scope not in (identity.scopes or workspace.scopes)]
        needed = [scope for scope in lacking if scope not in self.manifest.optional_scopes]
        if needed:
            again = f"install the app again at {self.settings.public_url}"
            raise PermanentError(f"{workspace.name} has not granted {', '.join(needed)}: {again}")
        but = f" but {', '.join(lacking)}, which may be left out" if lacking else ""
        return f"{workspace.name} has granted all{but}"

    async def _default_channel(self, workspace: Workspace) -> str:
        if workspace.default_channel_id is None:
            raise PermanentError("none is chosen, so what has no DRI waits: an admin chooses one in the app's Home")
        name = f"#{workspace.default_channel_name or workspace.default_channel_id}"
        channel = await self.slack.channel(workspace.id, workspace.default_channel_id)
        mend = "choose another in the app's Home, or"
        if channel is None:
            raise PermanentError(f"{name} is gone, or private without the app: {mend} invite the app there")
        if channel.is_archived:
            raise PermanentError(f"{name} is archived: {mend} unarchive it")
        if problem := workspace.default_channel_problem:
            raise PermanentError(f"{name} could not be posted to ({problem}): {mend} mend that")
        return f"#{channel.name} is there"

    async def _messages_tab(self, workspace: Workspace) -> str:
        if await self.database.run(inbound_health.has_failed_with, workspace.id, "Messages tab is off"):
            raise PermanentError(f"it is off, so nobody can be told in private: switch it on under App Home at {APPS}")
        return "no message has failed because of it"

    async def _salesforce(self, workspace: Workspace) -> str:
        self.salesforce.moved_orgs.doubt(workspace.id)  # an org that has moved to another host is found there at once
        nobody = PersonLookup("doctor", emails=("nobody@doctor.invalid",))
        if await self.salesforce.find_people(workspace.id, [nobody]) is None:
            raise UnknownError("not connected: an admin connects it in the app's Home")
        known = await self.database.run(connections.status_of, workspace.id)
        told = [line.text for line in lines(known, workspace.salesforce_daily_calls, self.now()) if line.at is None]
        return f"answers. {'; '.join(told)}"

    async def _found(self, name: str, check: Awaitable[str]) -> CheckResult:
        return await run_check(name, check, self.deadline_seconds)


def _ask(connection: Connection) -> None:
    connection.execute(text("SELECT 1"))
