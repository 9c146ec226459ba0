"""The app comes into a workspace and leaves it: codes, tokens, bot users, and the events of leaving."""

import secrets
from collections.abc import Iterable

from sandbox.slack.state import Code, Team, Token, User
from sandbox.slack.web_api.calls import ApiError, AppEvent
from sandbox.slack.world import World

CODE_LIVES = 600  # seconds; https://docs.slack.dev/authentication/installing-with-oauth: "valid for 10 minutes"


def issue_code(world: World, user: User, scopes: Iterable[str], redirect_uri: str, *, org_wide: bool = False) -> str:
    """The temporary code that Slack hands the app when `user` allows it."""
    team = world.teams[user.team_id]
    if org_wide and not team.enterprise_id:
        raise LookupError(f"{team.id} belongs to no organisation, so nothing can be installed for all of it")
    code = f"{world.new_id('')}.{secrets.token_hex(32)}"
    world.codes[code] = Code(user.id, set(scopes), redirect_uri, world.now(), org_wide)
    return code


def exchange(world: World, value: str, redirect_uri: str) -> Token:
    """The token for a code. Refuses one that is unknown, stale or was exchanged before."""
    code = world.codes.get(value)
    if code is None or world.now() - code.at > CODE_LIVES:
        raise ApiError("invalid_code")
    # The page of oauth.v2.access: "This must match the originally submitted URI (if one was sent)."
    if code.redirect_uri and redirect_uri != code.redirect_uri:
        raise ApiError("bad_redirect_uri")
    del world.codes[value]
    return install(world, world.users[code.user_id], code.scopes, org_wide=code.org_wide)


def install(world: World, user: User, scopes: Iterable[str], *, org_wide: bool = False) -> Token:
    """Install the app; where it already is, its token stays and its scopes grow.

    "Scopes are additive": https://docs.slack.dev/authentication/installing-with-oauth
    """
    team = world.teams[user.team_id]
    place = (None, team.enterprise_id) if org_wide else (team.id, team.enterprise_id)
    for token in world.tokens.values():
        if token.error is None and (token.team_id, token.enterprise_id) == place:
            token.scopes.update(scopes)
            token.installed_by = user.id
            return token
    bot = _bot_user(world, team)
    value = f"xoxb-{world.new_id('')}-{secrets.token_urlsafe(18)}"
    token = Token(value, place[0], place[1], bot.id, bot.bot_id or "", set(scopes), user.id)
    world.tokens[value] = token
    world.touch()
    return token


def _bot_user(world: World, team: Team) -> User:
    """The app's bot user in this workspace, the same one again after a reinstall."""
    known = world.bots.get(team.id)
    if known:
        world.users[known].deleted = False
        return world.users[known]
    bot = User(world.new_id("U"), team.id, world.app.bot_name, world.app.name, None, bot_id=world.new_id("B"))
    world.save_user(bot)
    world.bots[team.id] = bot.id
    return bot


def revoke(world: World, token: Token, refused: str) -> list[AppEvent]:
    """The token is worth nothing from now on; `refused` is the error it gets.

    https://docs.slack.dev/reference/events/tokens_revoked carries the ids of users, not tokens.
    """
    token.error = refused
    world.touch()
    event = {"type": "tokens_revoked", "tokens": {"oauth": [], "bot": [token.bot_user]}}
    return [AppEvent(token, team_id, dict(event)) for team_id in _reached(world, token)]


def uninstall(world: World, token: Token) -> list[AppEvent]:
    """Both events, tokens_revoked and app_uninstalled, are told; their order is not promised.

    https://docs.slack.dev/reference/events/app_uninstalled. A bot token then answers account_inactive:
    "for a deleted user or workspace when using a bot token", https://docs.slack.dev/reference/methods/auth.test
    """
    events = revoke(world, token, "account_inactive")
    world.users[token.bot_user].deleted = True
    for view in [view for view in world.homes.values() if view.bot_id == token.bot_id]:
        del world.homes[view.user_id]
    return events + [AppEvent(token, team_id, {"type": "app_uninstalled"}) for team_id in _reached(world, token)]


def _reached(world: World, token: Token) -> list[str]:
    if token.team_id:
        return [token.team_id]
    # An organisation's installation is told once, in the name of one of its workspaces.
    return [team.id for team in world.teams.values() if team.enterprise_id == token.enterprise_id][:1]
