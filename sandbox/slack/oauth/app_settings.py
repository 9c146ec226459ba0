"""AppSettings: the developer's pages of the app, as at api.slack.com/apps: manifest, tokens, Install to Workspace."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import jinja2
from aiohttp import web

from sandbox.slack.oauth.installs import install
from sandbox.slack.outgoing.socket import Sockets
from sandbox.slack.state import Json
from sandbox.slack.world import World

_PAGE = jinja2.Environment(loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True).get_template(
    "app_settings.html"
)


@dataclass
class AppSettings:
    """GET shows the page; POST is a click on one of its buttons. `configure` takes a manifest."""

    world: World
    sockets: Sockets
    configure: Callable[[Json], None]

    async def show(self, _request: web.Request) -> web.Response:
        return self._page()

    async def act(self, request: web.Request) -> web.Response:
        form = await request.post()
        try:
            if form.get("action") == "manifest":
                self.configure(json.loads(str(form["manifest"])))
            elif form.get("action") == "app-token":
                self.sockets.issue_token()
            else:  # https://docs.slack.dev/app-management/quickstart-app-settings#installing
                install(self.world, self.world.users[str(form["user"])], self.world.app.scopes)
        except (ValueError, LookupError) as error:
            return self._page(str(error))
        return self._page()

    def _page(self, problem: str = "") -> web.Response:
        bot_tokens = [token for token in self.world.tokens.values() if token.error is None]
        page = _PAGE.render(
            problem=problem,
            app=self.world.app,
            teams=[(team, [self.world.users[user] for user in team.users]) for team in self.world.teams.values()],
            app_tokens=list(self.sockets.tokens),
            bot_tokens=bot_tokens,
        )
        return web.Response(text=page, content_type="text/html", status=400 if problem else 200)
