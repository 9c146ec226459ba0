"""The doctor: checks of the whole installation, each with advice if it fails. It writes only what /readyz writes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import aiohttp
from sqlalchemy import Connection

from domain.errors import PermanentError
from domain.notification_hours import utc_text
from domain.workspace import Workspace
from services.operations.check_results import CheckResult, CheckState, UnknownError, run_check
from services.operations.doctor_slack import APPS, SlackCheck, clock_result, events_result, signing_secret_result
from services.operations.housekeeping import GONE_DAYS
from services.ownership.decider import Decider
from services.salesforce.health import lines
from services.salesforce.queries.lookup import Salesforce
from services.settings import Settings, is_loopback
from services.slack.api import Slack
from services.slack.manifest import Manifest
from store import migrations
from store.database import Database, DatabaseUnavailableError
from store.delivery import pauses
from store.encryption import Cipher
from store.operations import deployment, secrets
from store.salesforce import connections
from store.schema.postgresql import is_pooled
from store.slack import inbound_health, tokens, workspaces
from store.slack.installations import OtherAppError

NOT_LISTED = "SALESFORCE_WORKSPACES does not list this workspace"
DEADLINE_SECONDS = 15.0
INSTALLED = "installed with this SLACK_CLIENT_ID"
AT_ONCE = 8
"""Workspaces that are checked at the same time."""


@dataclass(frozen=True)
class Doctor:
    """Runs the checks. Each has a deadline, and none raises."""

    settings: Settings
    database: Database
    cipher: Cipher = field(repr=False)
    http: aiohttp.ClientSession = field(repr=False)
    slack: Slack
    salesforce: Salesforce
    decider: Decider
    manifest: Manifest
    now: Callable[[], int]
    deadline_seconds: float = DEADLINE_SECONDS

    async def run(self) -> AsyncIterator[CheckResult]:
        """Check this installation, then Slack and how Slack reaches the app, then each workspace."""
        is_ready = True
        async for result in self._local_checks():
            is_ready = result.state is CheckState.OK
            yield result
        slack = SlackCheck(self.settings, self.http, self.now)
        for results in await asyncio.gather(self._slack(slack), self._address(slack, has_database=is_ready)):
            for result in results:
                yield result
        if not is_ready:
            yield CheckResult("workspaces", CheckState.UNKNOWN, "not checked. Fix the failed checks above first")
            return
        async for result in self._workspaces():
            yield result

    async def _local_checks(self) -> AsyncIterator[CheckResult]:
        """Stop at the first failure, because the later checks would fail for the same reason."""
        for name, check in (
            ("database", self._database_responds),
            ("migrations", self._schema_is_newest),
            ("database writes", self._writes_are_accepted),
            ("encryption keys", self._secrets_are_readable),
        ):
            result = await self._run_check(name, check())
            yield result
            if result.state is not CheckState.OK:
                return

    async def _database_responds(self) -> str:
        if not await self.database.run(_is_pooled):
            return "responding"
        direct = self.settings.database_direct_url
        listens = "the worker listens at DATABASE_DIRECT_URL" if direct else "set DATABASE_DIRECT_URL to save polling"
        return f"responding, through a pooler; {listens}"

    async def _schema_is_newest(self) -> str:
        if not await self.database.run(migrations.may_run):
            raise PermanentError("the database schema is out of date. Fix: run python app.py migrate")
        return "up to date"

    async def _writes_are_accepted(self) -> str:
        try:
            await self.database.run(deployment.check_writable, self.now())
        except DatabaseUnavailableError as error:
            raise PermanentError(error.advice) from error
        return "accepted"

    async def _secrets_are_readable(self) -> str:
        await self.database.run(secrets.check_readable, self.cipher)
        return "the stored secrets can be decrypted"

    async def _slack(self, slack: SlackCheck) -> list[CheckResult]:
        if not (self.settings.slack_client_id and self.settings.slack_client_secret):
            return []  # the check of the settings reports it
        credentials = await self._run_check("Slack credentials", slack.check_credentials())
        return [credentials, clock_result(slack.skew_seconds)]

    async def _address(self, slack: SlackCheck, *, has_database: bool) -> list[CheckResult]:
        """Check how Slack reaches the app. In Socket Mode, only senders and browsers use the public address."""
        url, is_socket = self.settings.public_url, bool(self.settings.slack_app_token)
        if url.startswith("http:") and not (is_socket or is_loopback(urlsplit(self.settings.slack_api_url).hostname)):
            problem = (
                f"Slack cannot reach {url}, and redirects to https addresses only after an installation. Fix: set"
                " PUBLIC_URL to the https:// address of this app, or use Socket Mode (docs/operating.md)"
            )
            return [CheckResult("public address", CheckState.FAILED, problem)]
        socket_mode = [self._run_check("Socket Mode", slack.check_app_token())] if is_socket else []
        public_address = self._run_check("public address", slack.check_public_address())
        results = await asyncio.gather(*socket_mode, public_address)
        if is_socket or not self.settings.slack_signing_secret:
            return results
        health = await self.database.run(inbound_health.read) if has_database else inbound_health.InboundHealth()
        results.append(signing_secret_result(self.settings, health, self.now()))
        if results[0].state is CheckState.OK:
            challenge = await self._run_check("event subscriptions", slack.check_challenge())
            results.append(events_result(health, self.now()) if challenge.state is CheckState.OK else challenge)
        return results

    async def _workspaces(self) -> AsyncIterator[CheckResult]:
        installed = await self.database.run(workspaces.all_active)
        if self.salesforce.sessions.has_operator_org:
            yield await self._run_check("Salesforce credentials", self._operator_org(installed))
        if not installed:
            advice = f"none has installed the app yet. To install it, {self._install}"
            yield CheckResult("workspaces", CheckState.UNKNOWN, advice)
        for workspace in await self.database.run(workspaces.all_gone):
            yield _gone_result(workspace, self.settings.public_url)
        for start in range(0, len(installed), AT_ONCE):
            for results in await asyncio.gather(*map(self._workspace, installed[start : start + AT_ONCE])):
                for result in results:
                    yield result

    @property
    def _install(self) -> str:
        if self.settings.can_redirect:
            return f"open {self.settings.public_url}"
        return "reinstall it in the Slack app's settings, then run python app.py install with the bot token"

    async def _operator_org(self, installed: Sequence[Workspace]) -> str:
        """Say which workspaces may read the operator's org."""
        sessions = self.salesforce.sessions
        served = [workspace for workspace in installed if await sessions.uses_operator_org(workspace.id)]
        listed = ", ".join(f"{workspace.id} ({workspace.name})" for workspace in served) or "no installed workspace"
        others = len(installed) - len(served)
        text = f"used by {listed}"
        if unknown := sorted(sessions.operator_workspaces - {workspace.id for workspace in installed}):
            text += f". SALESFORCE_WORKSPACES also lists {', '.join(unknown)}, where the app is not installed"
        if installed and not served:
            raise UnknownError(f"{text}. Fix: set SALESFORCE_WORKSPACES to the workspaces that may read this org")
        if not sessions.operator_workspaces and others:
            text += ", which was installed first. Set SALESFORCE_WORKSPACES to change that"
        return f"{text}. {'Each other workspace connects its own org' if others else ''}".removesuffix(". ")

    async def _workspace(self, workspace: Workspace) -> list[CheckResult]:
        installation = await self._run_check(f"{workspace.id} installation", self._installation(workspace))
        if installation.state is not CheckState.OK:
            return [installation]
        checks: Mapping[str, Callable[[Workspace], Awaitable[str]]] = {
            "scopes": self._scopes,
            "default channel": self._default_channel,
            "Messages tab": self._messages_tab,
            "Salesforce": self._salesforce,
        }
        shown = [] if installation.text == INSTALLED else [installation]
        results = await asyncio.gather(
            *(self._run_check(f"{workspace.id} {name}", check(workspace)) for name, check in checks.items())
        )
        # The app's own calls may have failed although the doctor's succeed.
        outages = [
            CheckResult(f"{workspace.id} calls to {outage.vendor}", CheckState.FAILED, outage.text(utc_text))
            for outage in await self.database.run(pauses.outages, workspace.id)
        ]
        return [*shown, *results, *outages]

    async def _installation(self, workspace: Workspace) -> str:
        rotating = await self.database.run(tokens.find, self.cipher, self.settings.slack_client_id, workspace.id)
        if rotating is None:
            try:
                await self.slack.tokens(workspace.id)
            except OtherAppError as error:
                raise PermanentError(
                    f"{workspace.name} installed a different Slack app than the one in SLACK_CLIENT_ID. Fix: restore"
                    f" the client ID {error} and its secrets, or install the app again: {self._install}"
                ) from error
            return INSTALLED
        end_text = utc_text(rotating.expires_at)
        if rotating.refresh_token is None:
            raise PermanentError(f"Slack no longer renews its token, which expires at {end_text}. Fix: {self._install}")
        if rotating.expires_at < self.now():
            raise UnknownError(f"its token expired at {end_text}. It is renewed as soon as a worker runs")
        return f"{INSTALLED}. Its token expires at {end_text} and is renewed two hours before"

    async def _scopes(self, workspace: Workspace) -> str:
        identity = await self.slack.auth_test(workspace.id)
        missing = [scope for scope in self.manifest.scopes if scope not in (identity.scopes or workspace.scopes)]
        required = [scope for scope in missing if scope not in self.manifest.optional_scopes]
        if required:
            raise PermanentError(
                f"{workspace.name} has not granted {', '.join(required)}. Fix: install the app again: {self._install}"
            )
        optional = f", except the optional {', '.join(missing)}" if missing else ""
        return f"{workspace.name} has granted all scopes{optional}"

    async def _default_channel(self, workspace: Workspace) -> str:
        if workspace.default_channel_id is None:
            raise PermanentError(
                "not set, so job changes without a DRI wait. Fix: an admin chooses one in the Home tab of the app"
            )
        name = f"#{workspace.default_channel_name or workspace.default_channel_id}"
        channel = await self.slack.channel(workspace.id, workspace.default_channel_id)
        choose = "Fix: choose another channel in the Home tab of the app, or"
        if channel is None:
            raise PermanentError(f"{name} was deleted, or is private without the app. {choose} invite the app to it")
        if channel.is_archived:
            raise PermanentError(f"{name} is archived. {choose} unarchive it")
        if problem := workspace.default_channel_problem:
            raise PermanentError(f"cannot post in {name}: {problem}. {choose} remove the cause")
        return f"#{channel.name} is available"

    async def _messages_tab(self, workspace: Workspace) -> str:
        if await self.database.run(inbound_health.has_failed_with, workspace.id, "messages_tab_disabled"):
            raise PermanentError(
                f"turned off, so the app cannot send direct messages. Fix: turn it on under App Home at {APPS}"
            )
        return "no message has failed because of it"

    async def _salesforce(self, workspace: Workspace) -> str:
        self.salesforce.moved_orgs.expect_move(workspace.id)  # finds an org at once that moved to another host
        required = (await self.decider.rules_in_force(workspace.id)).required
        gaps = await self.salesforce.find_gaps(workspace.id, required)
        if gaps is None:
            sessions = self.salesforce.sessions
            is_listed = not sessions.has_operator_org or await sessions.uses_operator_org(workspace.id)
            other = "" if is_listed else f". {NOT_LISTED}: to use the operator's org here, add {workspace.id} to it"
            raise UnknownError(f"not connected. An admin can connect it in the Home tab of the app{other}")
        status = await self.database.run(connections.status_of, workspace.id)
        if gaps:  # routing continues without these
            raise PermanentError(f"responding, but not complete. {'. '.join(sorted(gaps.values()))}")
        details = [line.text for line in lines(status, workspace.salesforce_daily_calls, self.now()) if line.at is None]
        return f"responding. {'; '.join(details)}"

    async def _run_check(self, name: str, check: Awaitable[str]) -> CheckResult:
        return await run_check(name, check, self.deadline_seconds)


def _gone_result(workspace: Workspace, public_url: str) -> CheckResult:
    name, date = f"{workspace.id} installation", utc_text(workspace.gone_at or 0)
    if not workspace.may_come_back:
        text = f"{workspace.name} removed the app on {date}. Its data is erased {GONE_DAYS} days later"
        return CheckResult(name, CheckState.UNKNOWN, text)
    because = f" ({workspace.gone_because})" if workspace.gone_because else ""
    text = (
        f"Slack has rejected the token of {workspace.name} since {date}{because}, so nothing is posted. Fix: if the app"
        f" has allowed IP addresses in Slack, add this server's, or install the app again at {public_url}"
    )
    return CheckResult(name, CheckState.FAILED, text)


def _is_pooled(connection: Connection) -> bool:
    return connection.dialect.name == "postgresql" and is_pooled(connection.connection.dbapi_connection)
