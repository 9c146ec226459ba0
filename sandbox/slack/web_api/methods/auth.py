"""api.test, auth.*, apps.uninstall and oauth.v2.access."""

from sandbox.slack.oauth import installs
from sandbox.slack.shapes import install_json
from sandbox.slack.state import Json
from sandbox.slack.web_api.calls import ApiError, Call
from sandbox.slack.web_api.paging import page


def api_test(call: Call) -> Json:
    if call.text("error"):
        raise ApiError(call.text("error"), args=dict(call.arguments))
    return {"ok": True, "args": dict(call.arguments)}


def test(call: Call) -> Json:
    """https://docs.slack.dev/reference/methods/auth.test"""
    token, world = call.bot, call.world
    team = next(team for team in world.teams.values() if token.installed_in in (team.id, team.enterprise_id))
    name = team.enterprise_name if token.is_enterprise_install else team.name
    return {
        "ok": True,
        "url": f"https://{team.domain}.slack.com/",
        "team": name,
        "user": world.users[token.bot_user].name,
        "team_id": token.installed_in,
        "user_id": token.bot_user,
        "bot_id": token.bot_id,
        "is_enterprise_install": token.is_enterprise_install,
        **({"enterprise_id": team.enterprise_id} if team.enterprise_id else {}),
    }


def list_teams(call: Call) -> Json:
    """https://docs.slack.dev/reference/methods/auth.teams.list: for an org-wide token, where the app was added."""
    team_ids = call.bot.added_to if call.bot.is_enterprise_install else [call.bot.team_id or ""]
    shown, cursor = page(call, team_ids, default=100, maximum=1_000)
    return {
        "ok": True,
        "teams": [{"id": team_id, "name": call.world.teams[team_id].name} for team_id in shown],
        "response_metadata": {"next_cursor": cursor},
    }


def revoke(call: Call) -> Json:
    """https://docs.slack.dev/reference/methods/auth.revoke"""
    if call.flag("test"):
        return {"ok": True, "revoked": False}
    call.events.extend(installs.revoke(call.world, call.bot, "token_revoked"))
    return {"ok": True, "revoked": True}


def uninstall(call: Call) -> Json:
    """https://docs.slack.dev/reference/methods/apps.uninstall"""
    app = call.world.app
    if call.text("client_id") != app.client_id:
        raise ApiError("invalid_client_id")
    if call.text("client_secret") != app.client_secret:
        raise ApiError("bad_client_secret")
    call.events.extend(installs.uninstall(call.world, call.bot))
    return {"ok": True}


def oauth_access(call: Call) -> Json:
    """https://docs.slack.dev/reference/methods/oauth.v2.access, with HTTP Basic or with form fields."""
    app = call.world.app
    client_id, secret = call.basic or (call.text("client_id"), call.text("client_secret"))
    if client_id != app.client_id:
        raise ApiError("invalid_client_id")
    if secret != app.client_secret:
        raise ApiError("bad_client_secret")
    world, grant_type = call.world, call.text("grant_type")
    if grant_type == "refresh_token":
        token = installs.refresh(world, call.text("refresh_token"))
    elif grant_type in ("", "authorization_code"):
        token = installs.exchange(world, call.text("code"), call.text("redirect_uri"))
    else:
        raise ApiError("invalid_grant_type")
    return install_json(token, app, world.teams, world.now())
