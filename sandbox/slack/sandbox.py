"""SlackSandbox: the parts of the sandbox, the web application that serves them, and installation."""

import json
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

from aiohttp import web

from sandbox.slack.changes import Changes
from sandbox.slack.faults import Faults
from sandbox.slack.oauth import installs
from sandbox.slack.oauth.app_settings import AppSettings
from sandbox.slack.oauth.oauth import ConsentPage, is_valid_redirect
from sandbox.slack.outgoing.app_client import AppClient
from sandbox.slack.outgoing.socket import PATH, Sockets
from sandbox.slack.state import App, Json, Token
from sandbox.slack.user_actions import UserActions
from sandbox.slack.web_api.api import WebApi
from sandbox.slack.web_api.calls import CallRecord
from sandbox.slack.web_api.facts import FACTS
from sandbox.slack.web_api.limits import Limits
from sandbox.slack.web_api.methods import Method
from sandbox.slack.web_api.response_urls import ResponseUrls
from sandbox.slack.world import World

DEFAULT_SCOPES = frozenset(
    {
        *("chat:write", "chat:write.public", "commands", "users:read", "users:read.email"),
        *("channels:read", "groups:read", "im:history", "usergroups:read"),
    }
)
"""Granted when an installation names no scopes: those that the app's manifest asks for, and no others."""


class SlackSandbox(Changes, UserActions):
    """A local Slack. `now` returns seconds since the epoch; `latency` (seconds) is added to every Web API call.

    `app_url` is the base URL of the app and may be set later; all requests go to /slack/events below it.
    `signing_clock` gives the time for signatures, the real one by default, since the app compares it with its clock.
    """

    def __init__(
        self,
        now: Callable[[], float] = time.time,
        client_id: str = "1111111111.2222222222",
        client_secret: str = "sandbox-client-secret",
        signing_secret: str = "sandbox-signing-secret",
        app_url: str | None = None,
        rate_limits: bool = True,
        latency: float = 0.0,
        signing_clock: Callable[[], float] = time.time,
    ) -> None:
        self.app = App(client_id, client_secret, signing_secret)
        self.world = World(self.app, now)
        self.limits = Limits(enabled=rate_limits)
        self.faults = Faults()
        self.sockets = Sockets(self.world, self.base_url)
        self.app_client = AppClient(self.world, self.sockets, app_url, signing_clock)
        self.response_urls = ResponseUrls(self.world)
        more_methods = {
            "apps.connections.open": Method(self.sockets.open, FACTS["apps.connections.open"], needs_token=False)
        }
        self.api = WebApi(self.world, self.limits, self.faults, self.app_client.send_events, more_methods, latency)
        self.url: str | None = None

    @property
    def app_url(self) -> str | None:
        return self.app_client.app_url

    @app_url.setter
    def app_url(self, url: str | None) -> None:
        self.app_client.app_url = url

    @property
    def calls(self) -> list[CallRecord]:
        """Every Web API call so far, oldest first."""
        return self.api.records

    def web_app(self, *more: Iterable[web.AbstractRouteDef]) -> web.Application:
        """The Web API, the consent page, the app's settings, the response_urls, and `more` routes.

        The caller serves it and sets `url` to its address; `serving` does both.
        """
        app = web.Application(client_max_size=4 * 1024**2)
        consent, settings = ConsentPage(self.world), AppSettings(self.world, self.sockets, self.configure)
        app.add_routes(
            [
                web.get("/api/{method}", self.api.handle, allow_head=False),
                web.post("/api/{method}", self.api.handle),
                web.get("/oauth/v2/authorize", consent.show),
                web.post("/oauth/v2/authorize", consent.decide),
                web.get("/apps", settings.show),
                web.post("/apps", settings.act),
                web.post("/response/{team}/{secret}", self.response_urls.handle),
                web.get(f"{PATH}/", self.sockets.connect, allow_head=False),
            ]
        )
        for routes in more:
            app.add_routes(routes)

        async def close_sockets(_app: web.Application) -> None:
            await self.sockets.close()

        async def close_client(_app: web.Application) -> None:
            await self.app_client.close()

        app.on_shutdown.append(close_sockets)
        app.on_cleanup.append(close_client)
        return app

    @asynccontextmanager
    async def serving(self, port: int = 0, *more: Iterable[web.AbstractRouteDef]) -> AsyncIterator[str]:
        """Serve on 127.0.0.1 and yield the base URL. Port 0 means any free port."""
        runner = web.AppRunner(self.web_app(*more), access_log=None)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", port)
            await site.start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield self.url
        finally:
            await runner.cleanup()

    def base_url(self) -> str:
        if self.url is None:
            raise RuntimeError("the address of the sandbox is unknown: set url, or use serving()")
        return self.url

    def install(
        self,
        team_id: str,
        user_id: str,
        scopes: Iterable[str] | None = None,
        *,
        org_wide: bool = False,
        add_to: Iterable[str] | None = None,
    ) -> str:
        """Install the app on behalf of `user_id`, without a browser, and return the bot token.

        `add_to` is as in installs.py.
        """
        user = self.world.users[user_id]
        if user.team_id != team_id:
            raise LookupError(f"{user_id} is not in {team_id}")
        granted = DEFAULT_SCOPES if scopes is None else scopes
        return installs.install(self.world, user, granted, org_wide=org_wide, add_to=add_to).value

    def issue_code(
        self,
        user_id: str,
        scopes: Iterable[str],
        redirect_uri: str,
        *,
        org_wide: bool = False,
        add_to: Iterable[str] | None = None,
    ) -> str:
        """The OAuth code that the consent page would send to `redirect_uri` after this person clicks Allow."""
        user = self.world.users[user_id]
        return installs.issue_code(self.world, user, scopes, redirect_uri, org_wide=org_wide, add_to=add_to)

    def configure(self, manifest: Json) -> None:
        """Set up the app from its manifest: name, tabs, commands, events, redirect URLs and scopes.

        https://docs.slack.dev/reference/app-manifest. Raises ValueError for a redirect URL that Slack refuses.
        """
        features, settings = manifest.get("features", {}), manifest.get("settings", {})
        oauth, home = manifest.get("oauth_config", {}), features.get("app_home", {})
        refused = [url for url in oauth.get("redirect_urls", []) if not is_valid_redirect(url)]
        if refused:
            raise ValueError(f"redirect URLs must use https: {', '.join(refused)}")
        self.app.name = manifest["display_information"]["name"]
        self.app.bot_name = features.get("bot_user", {}).get("display_name", self.app.name)
        self.app.home_tab_enabled = home.get("home_tab_enabled", False)
        self.app.messages_tab_enabled = home.get("messages_tab_enabled", False)
        self.app.commands = {command["command"] for command in features.get("slash_commands", [])}
        self.app.redirect_urls = list(oauth.get("redirect_urls", []))
        self.app.scopes = set(oauth.get("scopes", {}).get("bot", []))
        self.app.optional_scopes = set(oauth.get("scopes", {}).get("bot_optional", []))
        self.app.events = set(settings.get("event_subscriptions", {}).get("bot_events", []))
        self.app.org_deploy_enabled = settings.get("org_deploy_enabled", False)
        self.app.socket_mode_enabled = settings.get("socket_mode_enabled", False)
        self.app.token_rotation_enabled = settings.get("token_rotation_enabled", False)

    async def send_event(
        self,
        team_id: str,
        event: Json,
        event_id: str | None = None,
        retry_num: int | None = None,
        retry_reason: str | None = None,
    ) -> int:
        """Send an event whether or not the app subscribed to it. Returns the HTTP status, 0 for no response in time.

        A retry has the `event_id` of the first attempt: https://docs.slack.dev/apis/events-api/#retries
        """
        token = self.world.active_token(team_id) or self._last_token(team_id)
        extra = {}
        if retry_num is not None:
            reason = retry_reason or "http_timeout"
            extra = {"X-Slack-Retry-Num": str(retry_num), "X-Slack-Retry-Reason": reason}
        reply = await self.app_client.event(token, team_id, event, event_id or self.world.new_id("Ev"), extra)
        return reply.status

    async def limit_events(self, team_id: str) -> int:
        """Say that events were dropped for a minute, in a body without an inner event. Returns the HTTP status.

        https://docs.slack.dev/reference/events/app_rate_limited
        """
        body = {
            "token": self.app.verification_token,
            "type": "app_rate_limited",
            "team_id": team_id,
            "minute_rate_limited": int(self.world.now()) // 60 * 60,
            "api_app_id": self.app.id,
        }
        return (await self.app_client.send_event(body, {})).status

    async def verify_url(self) -> bool:
        """Whether the app returns the challenge. https://docs.slack.dev/reference/events/url_verification"""
        challenge = secrets.token_urlsafe(32)
        token = self.app.verification_token
        body = json.dumps({"token": token, "challenge": challenge, "type": "url_verification"})
        reply = await self.app_client.post(body, "application/json")
        return reply.status == 200 and challenge in (reply.body.decode(), reply.json.get("challenge"))

    async def wait_for_events(self) -> None:
        """Wait until the app has answered every pending event."""
        await self.app_client.wait_for_events()

    def _last_token(self, team_id: str) -> Token:
        team = self.world.teams[team_id]
        for token in reversed(list(self.world.tokens.values())):
            if token.installed_in in (team.id, team.enterprise_id):
                return token
        raise LookupError(f"the app was never installed in {team_id}")
