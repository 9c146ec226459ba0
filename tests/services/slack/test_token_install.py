"""Installing the app with the bot token that Slack's own settings show."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
from cryptography.fernet import Fernet
from slack_sdk.web.async_client import AsyncWebClient

from domain.audit import OPERATOR
from domain.errors import PermanentError, TransientError
from sandbox.slack import SlackSandbox
from sandbox.slack.state import Team, User
from services.slack.api import Slack
from services.slack.install import SlackInstall
from services.slack.organizations import Organizations
from services.slack.tokens.install import TokenInstall
from store import audit
from store.database import Database
from store.encryption import Cipher
from store.slack import workspaces
from store.slack.installations import AsyncInstallationStore
from tests.conftest import Clock
from tests.listeners.slack.install_world import MANIFEST


class Acme:
    """A workspace whose admin has pressed "Install to Workspace" in the app's settings."""

    def __init__(self, slack: SlackSandbox, team: Team, admin: User, installer: TokenInstall) -> None:
        self.slack, self.team, self.admin, self.installer = slack, team, admin, installer

    def token(self, *, without: str = "", org_wide: bool = False) -> str:
        scopes = [scope for scope in MANIFEST.scopes if scope != without]
        return self.slack.install(self.team.id, self.admin.id, scopes, org_wide=org_wide)

    async def refusal_of(self, token: str) -> str:
        with pytest.raises(PermanentError) as refused:
            await self.installer.install(token)
        return str(refused.value)


@pytest.fixture
async def acme(database: Database, clock: Clock) -> AsyncIterator[Acme]:
    slack = SlackSandbox(now=lambda: clock() / 1_000, rate_limits=False)
    team = slack.add_team("Acme", enterprise_id="E1", enterprise_name="Acme Group")
    admin = slack.add_user(team, "Alma Young", "alma@acme.example", is_admin=True)
    async with slack.serving() as url, aiohttp.ClientSession() as http:
        client = AsyncWebClient(base_url=f"{url}/api/", session=http, retry_handlers=[])
        store = AsyncInstallationStore(database, slack.app.client_id, Cipher.of([Fernet.generate_key().decode()]))
        app_token = slack.sockets.issue_token()
        install = SlackInstall(client, store.bot_token)
        sync = Organizations(Slack(client, store.bot_token, database, clock), install, store, database, clock).try_sync
        yield Acme(slack, team, admin, TokenInstall(client, store, MANIFEST, app_token, clock, sync))


async def test_a_bot_token_is_stored_as_oauth_stores_it(acme: Acme, database: Database, clock: Clock) -> None:
    """Slack names the workspace and the scopes. Nobody is known to have installed the app, so nobody is welcomed."""
    token = acme.token(without="usergroups:read")

    installation = await acme.installer.install(token)

    workspace = await database.run(workspaces.find, acme.team.id)
    assert workspace is not None
    assert (workspace.name, workspace.enterprise_id, workspace.installed_at) == ("Acme", "E1", clock())
    assert workspace.scopes == set(MANIFEST.scopes) - {"usergroups:read"}
    assert workspace.installer_user_id is None
    assert await acme.installer.installations.bot_token(acme.team.id) == token
    bot = await acme.installer.installations.async_find_bot(enterprise_id="E1", team_id=acme.team.id)
    assert bot is not None
    assert (bot.app_id, bot.bot_id) == (acme.slack.app.id, acme.slack.world.tokens[token].bot_id)
    assert bot.bot_user_id == installation.bot_user_id == acme.slack.world.tokens[token].bot_user
    (entry,) = await database.run(audit.recent, acme.team.id)
    assert (entry.actor, entry.action) == (OPERATOR, "installed")


async def test_the_token_of_an_organization_installs_the_app_org_wide(acme: Acme, database: Database) -> None:
    """It is stored for the organization, and used by the workspaces that have added the app."""
    token = acme.token(org_wide=True)

    installation = await acme.installer.install(token)

    workspace = await database.run(workspaces.find, acme.team.id)
    assert workspace is not None
    assert (workspace.name, workspace.is_enterprise_install, workspace.installer_user_id) == ("Acme", True, None)
    assert (installation.enterprise_id, installation.enterprise_name) == ("E1", "Acme Group")
    assert await acme.installer.installations.bot_token(acme.team.id) == token


async def test_missing_scopes_are_named(acme: Acme, database: Database) -> None:
    """Nothing is stored until the token has every required scope."""
    refusal = await acme.refusal_of(acme.token(without="users:read.email"))

    assert refusal.startswith("The token is missing users:read.email.")
    assert await database.run(workspaces.find, acme.team.id) is None


async def test_a_token_of_another_app_is_refused(acme: Acme) -> None:
    """Events would come for one app, and messages from the other."""
    token = acme.token()
    acme.slack.app.id = "A0ANOTHER1"

    refusal = await acme.refusal_of(token)

    assert "another Slack app (A0ANOTHER1) than SLACK_APP_TOKEN (A0SANDBOX01)" in refusal


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ("xoxe.xoxb-1-abc", "token rotation is on"),
        ("xoxe-1-abc", "token rotation is on"),
        ("xapp-1-A1-2-abc", "Set SLACK_APP_TOKEN to it"),
        ("xoxp-1-abc", "a user's token"),
        ("secret", "not a bot token"),
        ("xoxb-made-up", "invalid_auth"),
    ],
)
async def test_other_tokens_are_refused_with_what_to_enter(acme: Acme, token: str, expected: str) -> None:
    """The refusal does not repeat the token."""
    refusal = await acme.refusal_of(token)

    assert expected in refusal
    assert token not in refusal


async def test_an_outage_is_not_a_refusal(acme: Acme) -> None:
    """The token may be good, so it can be entered again."""
    acme.slack.faults.add("auth.test", status=503)

    with pytest.raises(TransientError):
        await acme.installer.install(acme.token())
