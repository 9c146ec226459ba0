"""The app's HTTP server on loopback beside a sandbox Slack, for installing the app in a browser."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import aiohttp
import psycopg
from aiohttp import web
from cryptography.fernet import Fernet
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient
from sqlalchemy import event
from yarl import URL

from listeners.http.server import create_runner, create_web
from listeners.pages import Pages
from listeners.slack.install import Installing
from listeners.slack.oauth import Authorize, OAuthParts, create_oauth
from listeners.slack.requests import InboundRecorder, SlackRequests
from sandbox.slack import SlackSandbox
from sandbox.slack.state import Team, User
from services.home.preferences import Preferences
from services.salesforce.sessions import SalesforceSessions
from services.settings import Settings
from services.slack.api import Slack
from services.slack.install import SlackInstall
from services.slack.manifest import Manifest
from services.slack.organizations import Organizations
from store.database import Database
from store.encryption import Cipher
from store.slack.installations import AsyncInstallationStore
from store.slack.oauth_states import AsyncOAuthStateStore
from tests.servers import GENEROUS_TIMEOUT, free_port

MANIFEST = Manifest.parse((Path(__file__).parents[3] / "manifest.json").read_text())


@dataclass
class InstallWorld:
    """Acme's workspace with Dana, an admin, and Noor, a member; the app at `url`; a browser's `http`."""

    slack: SlackSandbox
    team: Team
    dana: User
    noor: User
    url: str
    http: aiohttp.ClientSession
    database: Database
    installations: AsyncInstallationStore
    cipher: Cipher
    bolt: AsyncApp | None
    waits: list[float] = field(default_factory=list)
    clock_offset: float = 0.0

    def now(self) -> int:
        """The real time plus `clock_offset` seconds; sealed links contain the real time."""
        return round((time.time() + self.clock_offset) * 1000)

    async def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.slack.limits.enabled = False

    async def start_install(self, path: str = "/slack/install") -> dict[str, str]:
        """Start an installation. Returns the query parameters of Slack's consent page."""
        async with self.http.get(self.url + path, allow_redirects=False) as answer:
            assert answer.status == 302, await answer.text()
            return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["Location"]).query).items()}

    async def approve_install(
        self,
        user: User,
        *,
        org_wide: bool = False,
        add_to: Sequence[str] | None = None,
        without: Collection[str] = (),
    ) -> aiohttp.ClientResponse:
        """Start an installation, allow it and return to the app, without following the redirect to the channel page."""
        consent = await self.start_install()
        back = consent["redirect_uri"]
        scopes = set(MANIFEST.scopes) - set(without)
        code = self.slack.issue_code(user.id, scopes, back, org_wide=org_wide, add_to=add_to)
        query = {"code": code, "state": consent["state"]}
        return await self.http.get(consent["redirect_uri"], params=query, allow_redirects=False)

    async def install(self, user: User, without: Collection[str] = ()) -> str:
        """Install the app, without some scopes. Returns the link to the page where the default channel is chosen."""
        answer = await self.approve_install(user, without=without)
        assert answer.status == 303, await answer.text()
        return self.url + answer.headers["Location"]

    async def get_page(self, url: str, *, status: int = 200) -> str:
        async with self.http.get(url) as answer:
            text = await answer.text()
            assert answer.status == status, text
            return text

    async def choose_channel(self, link: str, channel_id: str, *, typed: str = "", status: int = 200) -> str:
        """Submit the form of the channel page, with a chosen channel or with what was typed."""
        address, _, query = link.partition("?")
        form = {"link": parse_qs(query)["link"][0], "channel": channel_id, "typed": typed}
        async with self.http.post(address, data=form) as answer:
            text = await answer.text()
            assert answer.status == status, text
            return text


@asynccontextmanager
async def open_install_world(
    database: Database,
    *,
    signing_secret: str = "sample-signing-secret",
    has_credentials: bool = True,
    routes: Sequence[web.AbstractRouteDef] = (),
    rate_limits: bool = False,
    patience_seconds: float = 20,
    public_url: str | None = None,
) -> AsyncIterator[InstallWorld]:
    slack = SlackSandbox(signing_secret=signing_secret, rate_limits=rate_limits)
    slack.app_client.timeout = GENEROUS_TIMEOUT
    team = slack.add_team("Acme")
    dana = slack.add_user(team, "Dana Reyes", "dana@acme.example", is_admin=True)
    noor = slack.add_user(team, "Noor Haddad", "noor@acme.example")
    cipher = Cipher.of([Fernet.generate_key().decode()])
    async with slack.serving() as slack_url, aiohttp.ClientSession() as outgoing:
        port = free_port()  # the app needs to know its address before it is built
        url = f"http://localhost:{port}"
        settings = Settings.from_environ(
            {
                "SLACK_CLIENT_ID": slack.app.client_id,
                "SLACK_CLIENT_SECRET": slack.app.client_secret,
                "SLACK_SIGNING_SECRET": signing_secret,
                "SLACK_API_URL": f"{slack_url}/api/",
                "SLACK_AUTHORIZE_URL": f"{slack_url}/oauth/v2/authorize",
                "PUBLIC_URL": url,
            }
        )
        slack.configure(MANIFEST.at(url).values)
        slack.app_url = url
        client = AsyncWebClient(base_url=settings.slack_api_url, session=outgoing, retry_handlers=[])
        installations = AsyncInstallationStore(database, settings.slack_client_id, cipher)
        jar = aiohttp.CookieJar(unsafe=True, treat_as_secure_origin=[URL(url)])
        async with aiohttp.ClientSession(cookie_jar=jar) as http:
            made = InstallWorld(slack, team, dana, noor, url, http, database, installations, cipher, None)
            states = AsyncOAuthStateStore(database, cipher, made.now)
            slack_install = SlackInstall(client, installations.bot_token, made.wait)
            pages = Pages.of(MANIFEST.name)
            calls = Slack(client, installations.bot_token, database, made.now)
            organizations = Organizations(calls, slack_install, installations, database, made.now)
            parts = OAuthParts(installations, states, slack_install, organizations, cipher, pages)
            flow = create_oauth(settings, MANIFEST, parts)
            if has_credentials:
                made.bolt = AsyncApp(
                    name="test",
                    client=client,
                    signing_secret=signing_secret,
                    authorize=Authorize(installations),
                    installation_store=installations,
                    oauth_flow=flow,
                    oauth_settings=flow.settings,
                )
            login_url = settings.salesforce_login_url
            credentials = settings.salesforce_client_id, settings.salesforce_client_secret
            salesforce_sessions = SalesforceSessions(database, cipher, http, login_url, *credentials, made.now)
            installing = Installing(
                manifest=MANIFEST,
                public_url=public_url or url,
                pages=pages,
                flow=flow if has_credentials else None,
                slack=calls,
                slack_install=slack_install,
                preferences=Preferences(calls, database, made.now),
                salesforce_sessions=salesforce_sessions,
                database=database,
                cipher=cipher,
                now=made.now,
            )
            recorder = InboundRecorder(made.database, made.now)
            heard = SlackRequests.of(made.bolt, signing_secret, recorder, made.now) if made.bolt else None
            app = create_web(heard, installing, routes, patience_seconds)
            serving = create_runner(app, idle_seconds=patience_seconds)
            await serving.setup()
            try:
                await web.TCPSite(serving, "127.0.0.1", port).start()
                yield made
            finally:
                await serving.cleanup()


def break_database(database: Database) -> None:
    """Make every new connection fail."""
    database.engine.dispose()
    error = sqlite3.OperationalError if database.is_sqlite else psycopg.OperationalError

    def refuse(*_args: object) -> None:
        raise error("gone")

    event.listen(database.engine, "do_connect", refuse)
