"""Renewing bot tokens that expire after 12 hours, with the sandbox's clock and ours advanced by hours and days."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from uuid import uuid4

import aiohttp
import pytest
from cryptography.fernet import Fernet
from slack_bolt.context.async_context import AsyncBoltContext
from slack_sdk.web.async_client import AsyncWebClient
from sqlalchemy import select

from domain.errors import TransientError, WorkspaceGoneError
from domain.workspace import Workspace
from listeners.cli.status import status_lines_of
from listeners.home.health_view import health_blocks
from listeners.slack.oauth import Authorize
from listeners.status.status_view import status_lines
from sandbox.slack import SlackSandbox
from sandbox.slack.oauth import installs
from sandbox.slack.state import Channel, User
from sandbox.slack.state import Team as SandboxTeam
from services.home.status import Status
from services.messages.notices import Notices
from services.messages.wording import slack_time
from services.slack.api import Slack
from services.slack.install import SlackInstall
from services.slack.tokens.renewal import BotTokens
from store.database import Database
from store.encryption import Cipher
from store.slack import organizations, tokens, workspaces
from store.slack.installations import AsyncInstallationStore
from store.slack.organizations import Team
from store.slack.sdk_stores import bots, installations
from store.slack.tokens import RotatingToken
from tests.conftest import Clock
from tests.listeners.home.home_states import ADMIN

HOUR, MINUTE = 3_600, 60
REDIRECT_URI = "https://gems.example.com/slack/oauth_redirect"


@dataclass
class Acme:
    """A workspace that has installed an app with token rotation by OAuth."""

    slack: SlackSandbox
    team: SandboxTeam
    admin: User
    wins: Channel
    client: AsyncWebClient
    database: Database
    cipher: Cipher
    clock: Clock
    api: Slack
    tokens: BotTokens

    def replica(self) -> BotTokens:
        app = self.slack.app
        store = AsyncInstallationStore(self.database, app.client_id, self.cipher)
        return BotTokens(self.client, store, self.database, self.cipher, app.client_id, app.client_secret, self.clock)

    async def stored(self) -> RotatingToken:
        token = await self.database.run(tokens.find, self.cipher, self.slack.app.client_id, self.team.id)
        assert token
        return token

    async def add_app(self) -> None:
        """Install the app as the OAuth callback does."""
        code = self.slack.issue_code(self.admin.id, ["chat:write", "chat:write.public"], REDIRECT_URI)
        install = SlackInstall(self.client, self.tokens.current, now=lambda: self.clock() / 1_000)
        app = self.slack.app
        installation = await install.exchange(code, app.client_id, app.client_secret, REDIRECT_URI)
        await self.tokens.installations.async_save(installation)

    async def post(self) -> None:
        await self.api.post(self.team.id, self.wins.id, text="Ada Smith joined Globex", post_id=str(uuid4()))

    async def pass_time(self, hours: float) -> None:
        """Let time pass while a worker runs, in steps of ten minutes."""
        for _ in range(round(hours * 6)):
            self.clock.advance(seconds=10 * MINUTE)
            await self.tokens.renew_due()

    @property
    def renewals(self) -> list[str | None]:
        """The error of each renewal, None for those that succeeded."""
        is_renewal = "refresh_token"
        return [
            call.error
            for call in self.slack.calls
            if call.method == "oauth.v2.access" and call.arguments.get("grant_type") == is_renewal
        ]

    def notices(self) -> list[str]:
        """The texts of the direct messages to the admin, who has installed the app."""
        channels = [channel for channel in self.slack.world.channels.values() if channel.im_user == self.admin.id]
        return [message.text for channel in channels for message in channel.messages.values()]

    async def workspace(self) -> Workspace:
        workspace = await self.database.run(workspaces.find, self.team.id)
        assert workspace
        return workspace

    def errors_of(self, method: str) -> list[str | None]:
        return [call.error for call in self.slack.calls if call.method == method]


@pytest.fixture
async def acme(database: Database, clock: Clock) -> AsyncIterator[Acme]:
    slack = SlackSandbox(now=lambda: clock() / 1_000, rate_limits=False)
    slack.app.token_rotation_enabled = True
    team = slack.add_team("Acme")
    admin = slack.add_user(team, "Alma Young", "alma@acme.example", is_admin=True)
    wins = slack.add_channel(team, "wins")
    cipher, app = Cipher.of([Fernet.generate_key().decode()]), slack.app
    async with slack.serving() as url, aiohttp.ClientSession() as http:
        client = AsyncWebClient(base_url=f"{url}/api/", session=http, retry_handlers=[])
        store = AsyncInstallationStore(database, app.client_id, cipher)
        bot_tokens = BotTokens(client, store, database, cipher, app.client_id, app.client_secret, clock)
        api = Slack(client, bot_tokens.current, database, clock, bot_tokens.renew)
        acme = Acme(slack, team, admin, wins, client, database, cipher, clock, api, bot_tokens)
        await acme.add_app()
        yield acme


async def test_the_token_is_renewed_for_three_days(acme: Acme) -> None:
    """No call ever meets an expired token, and each renewal uses the refresh token of the one before."""
    for _ in range(72):
        await acme.pass_time(hours=1)
        await acme.post()

    assert acme.errors_of("chat.postMessage") == [None] * 72
    assert acme.renewals == [None] * 7  # every ten hours


@pytest.mark.both_databases
async def test_a_token_that_has_expired_is_renewed_before_the_next_call(acme: Acme) -> None:
    """For example, after the app was stopped for a day."""
    acme.clock.advance(seconds=24 * HOUR)

    await acme.post()

    assert acme.errors_of("chat.postMessage") == [None]
    assert acme.renewals == [None]


async def test_an_expired_token_means_renew_and_not_gone(acme: Acme) -> None:
    """Slack's clock decides: the message is sent with a renewed token, once."""
    for token in acme.slack.world.tokens.values():
        token.expires_at = 0

    await acme.post()

    assert acme.errors_of("chat.postMessage") == ["token_expired", None]
    assert len(acme.wins.messages) == 1


@pytest.mark.both_databases
async def test_replicas_renew_a_token_once(acme: Acme) -> None:
    """The others get the new token, or wait for it."""
    stale = await acme.tokens.current(acme.team.id)
    assert stale
    acme.slack.faults.add("oauth.v2.access", delay=0.2)
    replicas = [acme.tokens, acme.replica(), acme.replica()]

    results = await asyncio.gather(*(r.renew(acme.team.id, stale) for r in replicas), return_exceptions=True)

    new = await acme.tokens.current(acme.team.id)
    assert acme.renewals == [None]
    assert new != stale
    assert all(result == new or isinstance(result, TransientError) for result in results), results
    assert new in results


async def test_tokens_are_encrypted_in_the_database(acme: Acme) -> None:
    """Both after the installation and after a renewal."""
    await acme.pass_time(hours=11)

    def secrets(connection) -> list[str]:
        columns = [(table.c.bot_token, table.c.bot_refresh_token) for table in (bots, installations)]
        return [value for pair in columns for row in connection.execute(select(*pair)) for value in row]

    stored = await acme.database.run(secrets)
    assert len(stored) == 4
    assert not any("xoxe" in value for value in stored)
    assert acme.renewals == [None]


async def test_a_slack_outage_delays_a_renewal(acme: Acme) -> None:
    """The token is still good for two hours, and the next attempt uses the same refresh token."""
    acme.slack.faults.add("oauth.v2.access", status=503, times=3)

    await acme.pass_time(hours=11.5)
    await acme.post()

    assert acme.renewals == ["internal_error"] * 3 + [None]


async def test_after_a_crash_before_storing_the_app_works_until_the_token_ends(acme: Acme, caplog) -> None:
    """
    Slack has revoked the refresh token, so only an admin can help. They have two hours.

    The workspace is not gone: its deliveries wait, and continue when the app was added again.
    """
    stored = await acme.stored()
    await acme.pass_time(hours=9.5)
    installs.refresh(acme.slack.world, stored.refresh_token or "")  # by a process that died before it stored the answer
    await acme.pass_time(hours=2)
    await acme.post()
    assert acme.renewals == ["invalid_refresh_token"]  # and it is not asked again
    assert "An admin has to add the app to Slack again" in caplog.text

    await acme.pass_time(hours=1)
    with pytest.raises(TransientError, match="no longer renews") as raised:
        await acme.post()
    assert raised.value.retry_after
    assert acme.renewals == ["invalid_refresh_token"]

    await acme.add_app()
    await acme.post()
    await acme.pass_time(hours=24)
    await acme.post()
    assert acme.errors_of("chat.postMessage") == [None] * 3


async def test_admins_are_notified_before_a_token_ends_that_slack_no_longer_renews(acme: Acme) -> None:
    """In a direct message, in Home and in the status, with its end and what to do, until the app is added again."""
    notices = Notices(acme.database, acme.api, acme.clock, "https://gems.example.com/slack/install")
    stored = await acme.stored()
    installs.refresh(acme.slack.world, stored.refresh_token or "")
    await acme.pass_time(hours=10.5)

    while await notices.catch_up():
        pass

    [warning] = [text for text in acme.notices() if "no longer renews" in text]
    assert f"ends {slack_time(stored.expires_at)}" in warning
    assert "<https://gems.example.com/slack/install|Add the app to Slack again>" in warning
    workspace = await acme.workspace()
    assert workspace.token_ends_at == stored.expires_at
    home = replace(ADMIN, workspace=workspace, install_url="https://gems.example.com/slack/install")
    assert "no longer renews" in str(health_blocks(home))
    status = await Status(acme.database, acme.clock).of(acme.team.id)
    assert status
    for lines in (status_lines(status, is_admin=False), status_lines_of(status)):
        assert "dd the app to Slack again" in "\n".join(lines)

    await acme.add_app()
    acme.clock.advance(seconds=HOUR)
    while await notices.catch_up():
        pass

    assert "✅ *Fixed.* Slack renews the app's token again." in acme.notices()
    assert (await acme.workspace()).token_ends_at is None


async def test_a_removed_app_is_gone(acme: Acme) -> None:
    """Its tokens cannot be renewed either."""
    (token,) = acme.slack.world.tokens.values()
    installs.revoke(acme.slack.world, token, "token_revoked")

    with pytest.raises(WorkspaceGoneError):
        await acme.post()
    assert acme.renewals == ["invalid_refresh_token"]


async def test_a_renewal_does_not_replace_a_new_installation(acme: Acme) -> None:
    """An admin may add the app again while an old token is being renewed."""
    stale = await acme.tokens.current(acme.team.id)
    stored = await acme.stored()
    assert stale
    await acme.add_app()
    newest = await acme.tokens.current(acme.team.id)

    await acme.database.run(
        tokens.store, acme.cipher, acme.slack.app.client_id, acme.team.id, stored.refresh_token or "", stored
    )

    assert await acme.tokens.current(acme.team.id) == newest != stale
    assert await acme.tokens.renew(acme.team.id, stale) == newest


async def test_a_request_of_slack_gets_a_token_that_works(acme: Acme) -> None:
    """Bolt answers with the token that it gets from us, for example to publish Home."""
    acme.clock.advance(seconds=24 * HOUR)
    authorize = Authorize(acme.tokens.installations, acme.tokens.current)

    result = await authorize(context=AsyncBoltContext(), enterprise_id=None, team_id=acme.team.id, user_id="U1")

    assert result is not None
    assert result.bot_token == await acme.tokens.current(acme.team.id)
    assert acme.renewals == [None]


async def test_a_token_that_does_not_expire_is_left_alone(acme: Acme) -> None:
    """Most apps have no token rotation."""
    acme.slack.app.token_rotation_enabled = False
    acme.slack.world.tokens.clear()
    await acme.add_app()
    token = await acme.tokens.current(acme.team.id)
    assert token

    await acme.pass_time(hours=36)
    await acme.post()

    assert await acme.tokens.renew(acme.team.id, token) is None
    assert acme.renewals == []


async def test_the_workspaces_of_an_organization_share_a_token(acme: Acme) -> None:
    """It is renewed once for all of them, and each uses the new one."""
    for number in (1, 2):
        team = acme.slack.add_team(f"Region {number}", team_id=f"T0REGION{number}", enterprise_id="E1")
        acme.slack.add_user(team, "Ravi Rao", f"ravi{number}@acme.example", user_id=f"U0RAVI{number}", is_admin=True)
    regions = ["T0REGION1", "T0REGION2"]
    code = acme.slack.issue_code("U0RAVI1", ["chat:write"], REDIRECT_URI, org_wide=True, add_to=regions)
    install = SlackInstall(acme.client, acme.tokens.current, now=lambda: acme.clock() / 1_000)
    app = acme.slack.app
    installation = await install.exchange(code, app.client_id, app.client_secret, REDIRECT_URI)
    await acme.tokens.installations.async_save(installation)
    await acme.database.run(organizations.grant, "E1", map(Team, regions), acme.clock(), acme.clock())

    await acme.pass_time(hours=25)

    tokens = {await acme.tokens.current(region) for region in regions}
    assert acme.renewals == [None] * 4  # twice for Acme, and twice for the organization
    assert len(tokens) == 1
    assert tokens == {await acme.tokens.current("E1")} != {await acme.tokens.current(acme.team.id)}
