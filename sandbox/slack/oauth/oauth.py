"""Slack's consent page: who is asked, for what, and where they are sent with the answer."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import jinja2
from aiohttp import web

from sandbox.slack.oauth.installs import issue_code
from sandbox.slack.state import User
from sandbox.slack.world import World

_PAGE = jinja2.Environment(loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True).get_template(
    "authorize.html"
)
_SHOWN = 300  # people; more do not fit into a list that one chooses from


@dataclass(frozen=True)
class Asked:
    """What the app's link asks for. https://docs.slack.dev/authentication/installing-with-oauth"""

    client_id: str
    scopes: tuple[str, ...]
    redirect_uri: str
    state: str
    team: str


@dataclass
class ConsentPage:
    """GET shows the page, POST is one of its two buttons."""

    world: World

    async def show(self, request: web.Request) -> web.Response:
        asked = _asked(dict(request.query))
        problem = self._problem(asked)
        optional = [scope for scope in asked.scopes if scope in self.world.app.optional_scopes]
        page = _PAGE.render(
            problem=problem,
            app=self.world.app,
            asked=asked,
            required=[scope for scope in asked.scopes if scope not in optional],
            optional=optional,
            teams=[(team, self._people(team.id)) for team in self.world.teams.values()],
            org_wide=self.world.app.org_deploy_enabled and any(t.enterprise_id for t in self.world.teams.values()),
        )
        return web.Response(text=page, content_type="text/html", status=400 if problem else 200)

    async def decide(self, request: web.Request) -> web.Response:
        form = await request.post()
        asked = _asked({name: str(value) for name, value in form.items()})
        problem = self._problem(asked)
        if problem:
            raise web.HTTPBadRequest(text=problem)
        if form.get("decision") != "allow":
            # https://docs.slack.dev/authentication/installing-with-oauth#errors
            raise _redirect(self._back(asked), {"error": "access_denied", "state": asked.state})
        user = self.world.users[str(form["user"])]
        optional = self.world.app.optional_scopes
        wanted = {str(scope) for scope in form.getall("optional", [])}
        scopes = {scope for scope in asked.scopes if scope not in optional or scope in wanted}
        try:
            code = issue_code(self.world, user, scopes, asked.redirect_uri, org_wide="org_wide" in form)
        except LookupError as refusal:
            raise web.HTTPBadRequest(text=str(refusal)) from refusal
        raise _redirect(self._back(asked), {"code": code, "state": asked.state})

    def _problem(self, asked: Asked) -> str:
        """Why Slack shows no consent page, in its own word; empty when it does."""
        urls = self.world.app.redirect_urls
        if asked.client_id != self.world.app.client_id:
            return "invalid_client_id"
        if not asked.scopes:
            return "no_scopes"
        back = self._back(asked)
        if not back or (urls and not back.startswith(tuple(urls))):
            return "bad_redirect_uri"
        if asked.team and asked.team not in self.world.teams:
            return "invalid_team_for_non_distributed_app"
        return ""

    def _back(self, asked: Asked) -> str:
        """Where to go with the answer: the first configured URL when the link names none."""
        return asked.redirect_uri or next(iter(self.world.app.redirect_urls), "")

    def _people(self, team_id: str) -> list[User]:
        """Members who may install an app; those who run the workspace first."""
        people = [self.world.users[user_id] for user_id in self.world.teams[team_id].users]
        members = [user for user in people if not (user.deleted or user.bot_id or user.is_stranger)]
        return sorted(members, key=lambda user: not (user.is_admin or user.is_owner))[:_SHOWN]


def _asked(fields: dict[str, str]) -> Asked:
    scopes = tuple(scope for scope in fields.get("scope", "").replace(" ", ",").split(",") if scope)
    return Asked(
        fields.get("client_id", ""),
        scopes,
        fields.get("redirect_uri", ""),
        fields.get("state", ""),
        fields.get("team", ""),
    )


def _redirect(url: str, fields: dict[str, str]) -> web.HTTPFound:
    return web.HTTPFound(f"{url}{'&' if '?' in url else '?'}{urlencode(fields)}")
