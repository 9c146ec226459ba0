"""The whole app on loopback between a sandbox Slack and a sandbox org, for connecting Salesforce in a browser."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.fernet import Fernet
from slack_sdk.oauth.installation_store import Installation

from domain.salesforce import SalesforceConnection
from listeners import assembly
from listeners.cli.terminal import App
from listeners.dialogs.dialog import Patience
from listeners.http.server import create_runner
from listeners.slack.links import ConnectLink
from sandbox.salesforce import SalesforceSandbox
from sandbox.slack import SlackSandbox
from sandbox.slack.state import Team, User
from services.settings import Settings
from store.encryption import Cipher
from store.salesforce import connections
from store.slack.installations import AsyncInstallationStore
from tests.listeners.dialogs.patience import AMPLE
from tests.servers import GENEROUS_TIMEOUT, free_port


@dataclass
class SalesforceWorld:
    """Acme's workspace with Dana, an admin, and Noor, a member; Acme's org; the app at `url`; a browser's `http`."""

    slack: SlackSandbox
    team: Team
    dana: User
    noor: User
    org: SalesforceSandbox
    integration: str
    url: str
    cipher: Cipher
    http: aiohttp.ClientSession
    clock_offset: float = 0.0
    app: App = field(init=False)

    def now(self) -> int:
        """The real time plus `clock_offset` seconds; sealed links contain the real time."""
        return round((time.time() + self.clock_offset) * 1000)

    def connect_link(self, user: User | None = None) -> str:
        """The link that App Home gives to an admin."""
        return self.url + ConnectLink(self.team.id, (user or self.dana).id, self.now() + 900_000).address(self.cipher)

    async def get(self, url: str, *, status: int = 200) -> str:
        async with self.http.get(url, allow_redirects=False) as answer:
            text = await answer.text()
            assert answer.status == status, text
            return text

    async def submit_connect_form(self, link: str | None = None, *, status: int = 200, **form: str) -> str:
        """Submit the form. Returns the page that redirects to Salesforce."""
        link = link or self.connect_link()
        address, _, query = link.partition("?")
        fields = {"link": parse_qs(query)["link"][0], "choice": "production", **form}
        async with self.http.post(address, data=fields, allow_redirects=False) as answer:
            text = await answer.text()
            assert answer.status == status, text
            return text

    async def answer_consent(self, page: str, answer: str = "allow") -> str:
        """Answer Salesforce's consent page. Returns the URL that the browser is sent back to."""
        redirect = re.search(r'content="0; url=([^"]+)"', page)
        assert redirect is not None
        url = redirect[1].replace("&amp;", "&")
        form = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        form |= {"user_id": self.integration, "answer": answer}
        async with self.http.post(url, data=form, allow_redirects=False) as response:
            assert response.status == 302, await response.text()
            return response.headers["Location"]

    async def connect(self) -> str:
        """Connect Salesforce and return the last page."""
        return await self.get(await self.answer_consent(await self.submit_connect_form()))

    async def connection(self) -> SalesforceConnection | None:
        return await self.app.database.run(connections.find, self.cipher, self.team.id)


@asynccontextmanager
async def open_salesforce_world(
    database_url: str, *, has_app: bool = True, login_url: str | None = None, patience: Patience = AMPLE
) -> AsyncIterator[SalesforceWorld]:
    """`has_app` is whether the operator has an External Client App. `login_url` replaces the sandbox org's."""
    slack = SlackSandbox()
    slack.app_client.timeout = GENEROUS_TIMEOUT
    team = slack.add_team("Acme")
    dana = slack.add_user(team, "Dana Reyes", "dana@acme.example", is_admin=True)
    noor = slack.add_user(team, "Noor Haddad", "noor@acme.example")
    org = SalesforceSandbox(client_id="3MVG9sample", client_secret="sample-secret")
    org.oauth.run_as = None
    org.add("Organization", Name="Acme Corp", OrganizationType="Enterprise Edition", IsSandbox=True)
    integration = org.add("User", FirstName="Ines", LastName="Integration", Email="ines@acme.example")
    cipher = Cipher.of([Fernet.generate_key().decode()])
    jar = aiohttp.CookieJar(unsafe=True)
    port = free_port()  # the app needs to know its address before it is built
    async with (
        slack.serving() as slack_url,
        TestServer(org.web_app()) as server,
        aiohttp.ClientSession(cookie_jar=jar) as http,
    ):
        org.url = str(server.make_url("")).rstrip("/")
        org.oauth.redirect_uris = frozenset({f"http://localhost:{port}/salesforce/callback"})
        environ = {
            "SLACK_CLIENT_ID": slack.app.client_id,
            "SLACK_CLIENT_SECRET": slack.app.client_secret,
            "SLACK_SIGNING_SECRET": slack.app.signing_secret,
            "SLACK_API_URL": f"{slack_url}/api/",
            "SALESFORCE_LOGIN_URL": login_url or org.url,
            "PUBLIC_URL": f"http://localhost:{port}",
            "DATABASE_URL": database_url,
            "ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        }
        if has_app:
            environ |= {"SALESFORCE_CLIENT_ID": "3MVG9sample", "SALESFORCE_CLIENT_SECRET": "sample-secret"}
        settings = Settings.from_environ(environ)
        made = SalesforceWorld(slack, team, dana, noor, org, integration, settings.public_url, cipher, http)
        async with assembly.build(settings, cipher, made.now, patience) as made.app:
            await _install(made, settings.slack_client_id)
            slack.app_url = settings.public_url
            runner = create_runner(made.app.web)
            await runner.setup()
            try:
                await web.TCPSite(runner, "127.0.0.1", port).start()
                yield made
            finally:
                await runner.cleanup()


async def _install(made: SalesforceWorld, client_id: str) -> None:
    token = made.slack.world.tokens[made.slack.install(made.team.id, made.dana.id)]
    await AsyncInstallationStore(made.app.database, client_id, made.cipher).async_save(
        Installation(
            app_id=made.slack.app.id,
            team_id=made.team.id,
            team_name="Acme",
            bot_token=token.value,
            bot_id=token.bot_id,
            bot_user_id=token.bot_user,
            bot_scopes=sorted(token.scopes),
            user_id=made.dana.id,
            installed_at=made.now() / 1000,
        )
    )
