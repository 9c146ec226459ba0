"""Installing and uninstalling the app: codes, tokens, bot users, and the events on uninstall."""

import secrets
from collections.abc import Iterable
from dataclasses import replace

from sandbox.slack.state import Code, Team, Token, User
from sandbox.slack.web_api.calls import ApiError, AppEvent
from sandbox.slack.world import World

CODE_LIFETIME = 600  # seconds; https://docs.slack.dev/authentication/installing-with-oauth: "valid for 10 minutes"
TOKEN_LIFETIME = 43_200  # seconds; https://docs.slack.dev/authentication/using-token-rotation: "expires every 12 hours"


def issue_code(
    world: World,
    user: User,
    scopes: Iterable[str],
    redirect_uri: str,
    *,
    org_wide: bool = False,
    add_to: Iterable[str] | None = None,
) -> str:
    """The code that Slack gives the app when `user` allows the installation, see `install`. Raises LookupError."""
    team = world.teams[user.team_id]
    if org_wide and not team.enterprise_id:
        raise LookupError(f"{team.id} belongs to no organization, so the app cannot be installed org-wide")
    code = f"{world.new_id('')}.{secrets.token_hex(32)}"
    add_to = None if add_to is None else list(add_to)
    world.codes[code] = Code(user.id, set(scopes), redirect_uri, world.now(), org_wide, add_to)
    return code


def exchange(world: World, value: str, redirect_uri: str) -> Token:
    """Exchange a code for a token. Raises ApiError if the code is unknown, expired or already used."""
    code = world.codes.get(value)
    if code is None or world.now() - code.created_at > CODE_LIFETIME:
        raise ApiError("invalid_code")
    # oauth.v2.access on redirect_uri: "This must match the originally submitted URI (if one was sent)."
    if code.redirect_uri and redirect_uri != code.redirect_uri:
        raise ApiError("bad_redirect_uri")
    del world.codes[value]
    return install(world, world.users[code.user_id], code.scopes, org_wide=code.org_wide, add_to=code.add_to)


def install(
    world: World,
    user: User,
    scopes: Iterable[str],
    *,
    org_wide: bool = False,
    add_to: Iterable[str] | None = None,
) -> Token:
    """Install the app. If it is already installed, the token stays and gets the new scopes too.

    "Scopes are additive": https://docs.slack.dev/authentication/installing-with-oauth

    `add_to` are the workspaces to which the app is added at once with an org-wide installation; None means that of
    the installing user.
    """
    team = world.teams[user.team_id]
    installation = (None, team.enterprise_id) if org_wide else (team.id, team.enterprise_id)
    for token in world.tokens.values():
        if token.error is None and (token.team_id, token.enterprise_id) == installation:
            token.scopes.update(scopes)
            token.installed_by = user.id
            return _rotated(world, token) if token.refresh_token else token
    bot = _bot_user(world, team)
    value = f"xoxb-{world.new_id('')}-{secrets.token_urlsafe(18)}"
    token = Token(value, installation[0], installation[1], bot.id, bot.bot_id or "", set(scopes), user.id)
    if org_wide:
        token.added_to = [team.id] if add_to is None else list(add_to)
    if world.app.token_rotation_enabled:
        return _rotated(world, token)
    world.tokens[value] = token
    world.touch()
    return token


def refresh(world: World, refresh_token: str) -> Token:
    """Exchange a refresh token, which works once, for a new token. The previous one works until it expires.

    "The refresh token is then revoked": https://docs.slack.dev/authentication/using-token-rotation
    Raises ApiError if the refresh token is unknown or already used.
    """
    token = world.refresh_tokens.pop(refresh_token, None)
    if token is None or token.error is not None:
        raise ApiError("invalid_refresh_token")
    return _rotated(world, token)


def _rotated(world: World, token: Token) -> Token:
    """A token of the same installation that expires, with its refresh token."""
    rotated = replace(
        token,
        value=f"xoxe.xoxb-1-{secrets.token_urlsafe(24)}",
        expires_at=world.now() + TOKEN_LIFETIME,
        refresh_token=f"xoxe-1-{secrets.token_urlsafe(24)}",
    )
    world.tokens[rotated.value] = rotated
    world.refresh_tokens[rotated.refresh_token] = rotated
    world.touch()
    return rotated


def _bot_user(world: World, team: Team) -> User:
    """The app's bot user in this workspace; a reinstall reuses it."""
    bot_id = world.bots.get(team.id)
    if bot_id:
        world.users[bot_id].deleted = False
        return world.users[bot_id]
    bot = User(world.new_id("U"), team.id, world.app.bot_name, world.app.name, None, bot_id=world.new_id("B"))
    world.save_user(bot)
    world.bots[team.id] = bot.id
    return bot


def revoke(world: World, token: Token, error: str) -> list[AppEvent]:
    """Invalidate the token, so that calls get `error`, and return the events to send.

    https://docs.slack.dev/reference/events/tokens_revoked contains user ids, not tokens.
    """
    for other in world.tokens.values():  # with token rotation, an installation has several
        if (other.bot_user, other.installed_in) == (token.bot_user, token.installed_in):
            other.error = error
    token.error = error
    world.touch()
    event = {"type": "tokens_revoked", "tokens": {"oauth": [], "bot": [token.bot_user]}}
    return [AppEvent(token, team_id, dict(event)) for team_id in _teams_to_notify(world, token)]


def uninstall(world: World, token: Token) -> list[AppEvent]:
    """Uninstall the app and return the events to send, in no guaranteed order.

    https://docs.slack.dev/reference/events/app_uninstalled. Calls with the token then get account_inactive, "for a
    deleted user or workspace when using a bot token": https://docs.slack.dev/reference/methods/auth.test
    """
    revoked = revoke(world, token, "account_inactive")
    world.users[token.bot_user].deleted = True
    for view in [view for view in world.homes.values() if view.bot_id == token.bot_id]:
        del world.homes[view.user_id]
    return revoked + [
        AppEvent(token, team_id, {"type": "app_uninstalled"}) for team_id in _teams_to_notify(world, token)
    ]


def _teams_to_notify(world: World, token: Token) -> list[str]:
    if token.team_id:
        return [token.team_id]
    # For an org-wide installation Slack sends the event once, for one of the workspaces.
    others = [team.id for team in world.teams.values() if team.enterprise_id == token.enterprise_id]
    return [*token.added_to, *others][:1]
