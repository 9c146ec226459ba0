"""users.*, usergroups.*, team.info and bots.info."""

from sandbox.slack.shapes import team_json, user_json, usergroup_json
from sandbox.slack.state import Json, User
from sandbox.slack.web_api.calls import ApiError, Call
from sandbox.slack.web_api.paging import page

LARGE = 2_000  # members; Slack documents that large teams need a `limit`, without a number; this is the sandbox's own


def info(call: Call) -> Json:
    """https://docs.slack.dev/reference/methods/users.info"""
    return {"ok": True, "user": _user_json(call, call.user())}


def list_all(call: Call) -> Json:
    """https://docs.slack.dev/reference/methods/users.list, which includes deactivated members and bots."""
    team = call.team()
    if not call.text("limit") and len(team.users) > LARGE:
        raise ApiError("limit_required")
    shown, cursor = page(call, team.users, default=LARGE, maximum=999 if call.text("limit") else LARGE)
    return {
        "ok": True,
        "members": [_user_json(call, call.world.users[user_id]) for user_id in shown],
        "cache_ts": int(call.world.now()),
        "response_metadata": {"next_cursor": cursor},
    }


def lookup_by_email(call: Call) -> Json:
    """https://docs.slack.dev/reference/methods/users.lookupByEmail, which does not find deactivated members."""
    email = call.required("email")
    teams = [call.bot.team_id] if call.bot.team_id else call.bot.added_to
    for team_id in teams:
        user = call.world.user_by_email(team_id, email)
        if user and not user.deleted and not user.bot_id:
            return {"ok": True, "user": _user_json(call, user)}
    raise ApiError("users_not_found")


def usergroups(call: Call) -> Json:
    """https://docs.slack.dev/reference/methods/usergroups.list"""
    groups = call.team().usergroups.values()
    shown = [group for group in groups if call.flag("include_disabled") or not group.disabled]
    return {
        "ok": True,
        "usergroups": [usergroup_json(group, with_users=call.flag("include_users")) for group in shown],
    }


def usergroup_users(call: Call) -> Json:
    """https://docs.slack.dev/reference/methods/usergroups.users.list"""
    group = call.team().usergroups.get(call.required("usergroup"))
    if group is None or (group.disabled and not call.flag("include_disabled")):
        raise ApiError("no_such_subteam")
    return {"ok": True, "users": list(group.users)}


def team_info(call: Call) -> Json:
    """https://docs.slack.dev/reference/methods/team.info"""
    team_id = call.text("team")
    team = call.world.teams.get(team_id) if team_id else call.team()
    if team is None or not call.can_access_team(team.id):
        raise ApiError("team_not_found")
    return {"ok": True, "team": team_json(team)}


def bot_info(call: Call) -> Json:
    """https://docs.slack.dev/reference/methods/bots.info"""
    app = call.world.app
    bot_id = call.text("bot") or call.bot.bot_id
    if call.bot.is_enterprise_install and call.text("team_id") != call.bot.enterprise_id:
        call.team()  # "encoded team id or enterprise id where the bot exists"
    if bot_id != call.bot.bot_id:
        raise ApiError("bot_not_found")
    bot = {"id": bot_id, "deleted": False, "name": app.bot_name, "app_id": app.id, "user_id": call.bot.bot_user}
    return {"ok": True, "bot": bot}


def _user_json(call: Call, user: User) -> Json:
    team = call.world.teams[user.team_id]
    org = team if team.enterprise_id == call.bot.enterprise_id else None
    return user_json(user, org, with_email="users:read.email" in call.bot.scopes)
