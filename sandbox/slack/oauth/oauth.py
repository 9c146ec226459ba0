"""ConsentPage: shows what the app requests, and redirects back with a code or an error."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import jinja2
from aiohttp import web

from sandbox.slack.oauth.installs import issue_code
from sandbox.slack.state import User
from sandbox.slack.world import World

_PAGE = jinja2.Environment(loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True).get_template(
    "authorize.html"
)
_MAX_PEOPLE = 300  # in the list of members


@dataclass(frozen=True)
class AuthorizationRequest:
    """The query of the install link. https://docs.slack.dev/authentication/installing-with-oauth"""

    client_id: str
    scopes: tuple[str, ...]
    redirect_uri: str
    state: str
    team: str


@dataclass
class ConsentPage:
    """GET shows the page; POST is a click on Allow or Cancel."""

    world: World

    async def show(self, request: web.Request) -> web.Response:
        authorization = _authorization(dict(request.query))
        problem = self._problem(authorization)
        optional = [scope for scope in authorization.scopes if scope in self.world.app.optional_scopes]
        page = _PAGE.render(
            problem=problem,
            app=self.world.app,
            request=authorization,
            required=[scope for scope in authorization.scopes if scope not in optional],
            optional=optional,
            teams=[(team, self._people(team.id)) for team in self.world.teams.values()],
            org_wide=self.world.app.org_deploy_enabled and any(t.enterprise_id for t in self.world.teams.values()),
        )
        return web.Response(text=page, content_type="text/html", status=400 if problem else 200)

    async def decide(self, request: web.Request) -> web.Response:
        form = await request.post()
        authorization = _authorization({name: str(value) for name, value in form.items()})
        problem = self._problem(authorization)
        if problem:
            raise web.HTTPBadRequest(text=problem)
        if form.get("decision") != "allow":
            # https://docs.slack.dev/authentication/installing-with-oauth#errors
            raise _redirect(self._return_url(authorization), {"error": "access_denied", "state": authorization.state})
        user = self.world.users[str(form["user"])]
        optional = self.world.app.optional_scopes
        selected = {str(scope) for scope in form.getall("optional", [])}
        scopes = {scope for scope in authorization.scopes if scope not in optional or scope in selected}
        try:
            code = issue_code(self.world, user, scopes, authorization.redirect_uri, org_wide="org_wide" in form)
        except LookupError as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        raise _redirect(self._return_url(authorization), {"code": code, "state": authorization.state})

    def _problem(self, authorization: AuthorizationRequest) -> str:
        """Slack's error for an invalid link; empty if it is valid."""
        urls = self.world.app.redirect_urls
        if authorization.client_id != self.world.app.client_id:
            return "invalid_client_id"
        if not authorization.scopes:
            return "no_scopes"
        return_url = self._return_url(authorization)
        if not is_valid_redirect(return_url) or (urls and not return_url.startswith(tuple(urls))):
            return "bad_redirect_uri"
        if authorization.team and authorization.team not in self.world.teams:
            return "invalid_team_for_non_distributed_app"
        return ""

    def _return_url(self, authorization: AuthorizationRequest) -> str:
        """The URL to return to; without one in the link, the first configured URL."""
        return authorization.redirect_uri or next(iter(self.world.app.redirect_urls), "")

    def _people(self, team_id: str) -> list[User]:
        """Members who may install an app, admins and owners first."""
        people = [self.world.users[user_id] for user_id in self.world.teams[team_id].users]
        members = [user for user in people if not (user.deleted or user.bot_id or user.is_stranger)]
        return sorted(members, key=lambda user: not (user.is_admin or user.is_owner))[:_MAX_PEOPLE]


def is_valid_redirect(url: str) -> bool:
    """Whether Slack redirects there: https only. The sandbox, which has no certificate, allows http on loopback.

    https://docs.slack.dev/authentication/installing-with-oauth
    """
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in {"localhost", "127.0.0.1", "::1"})


def _authorization(fields: dict[str, str]) -> AuthorizationRequest:
    scopes = tuple(scope for scope in fields.get("scope", "").replace(" ", ",").split(",") if scope)
    return AuthorizationRequest(
        fields.get("client_id", ""),
        scopes,
        fields.get("redirect_uri", ""),
        fields.get("state", ""),
        fields.get("team", ""),
    )


def _redirect(url: str, fields: dict[str, str]) -> web.HTTPFound:
    return web.HTTPFound(f"{url}{'&' if '?' in url else '?'}{urlencode(fields)}")
