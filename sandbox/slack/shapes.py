"""Slack's JSON for users, channels, messages, views, teams and installations. Pure."""

from sandbox.slack.block_kit.inputs import values_of
from sandbox.slack.state import App, Channel, Json, Message, Team, Token, User, UserGroup, View


def user_json(user: User, org: Team | None, *, with_email: bool) -> Json:
    """A user object. `with_email` stands for the scope users:read.email; bots never have an email.

    `org` is the user's workspace if it is one of the organization of the token that asks. Nobody else sees which
    organization the user belongs to. https://docs.slack.dev/reference/objects/user-object
    """
    data: Json = {
        "id": user.id,
        "team_id": user.team_id,
        "name": user.name,
        "deleted": user.deleted,
        "profile": _profile(user, with_email=with_email),
        "is_bot": user.bot_id is not None,
        "is_app_user": False,
        "updated": user.updated,
    }
    # For a deactivated member Slack leaves out the fields of the account, such as roles and time zone.
    if not user.deleted:
        data |= {
            "real_name": user.real_name,
            "tz": user.tz,
            "is_admin": user.is_admin or user.is_owner or user.is_primary_owner,
            "is_owner": user.is_owner or user.is_primary_owner,
            "is_primary_owner": user.is_primary_owner,
            "is_restricted": user.is_restricted or user.is_ultra_restricted,
            "is_ultra_restricted": user.is_ultra_restricted,
            "is_email_confirmed": True,
        }
    if user.is_stranger:
        data["is_stranger"] = True
    if org is not None and org.enterprise_id and not user.deleted:
        data["enterprise_user"] = {
            "id": user.id,
            "enterprise_id": org.enterprise_id,
            "enterprise_name": org.enterprise_name,
            "is_admin": user.is_org_admin or user.is_org_owner,
            "is_owner": user.is_org_owner,
            "is_primary_owner": False,
            "teams": user.teams,
        }
    return data


def _profile(user: User, *, with_email: bool) -> Json:
    profile: Json = {
        "real_name": user.real_name,
        "display_name": user.name,
        "real_name_normalized": user.real_name,
        "display_name_normalized": user.name,
        "title": user.title,
        "team": user.team_id,
        "status_text": "",
        "status_emoji": "",
        "avatar_hash": f"g{user.id[-9:].lower()}",
    }
    if user.bot_id:
        profile["bot_id"] = user.bot_id
    elif with_email and user.email:
        profile["email"] = user.email
    return profile


def channel_json(channel: Channel, bot_user: str) -> Json:
    """A conversation object, from the point of view of the app's bot.

    https://docs.slack.dev/reference/objects/conversation-object
    """
    if channel.is_im:
        return {
            "id": channel.id,
            "created": channel.created,
            "is_archived": False,
            "is_im": True,
            "is_org_shared": False,
            "context_team_id": channel.team_id,
            "user": channel.im_user,
            "is_user_deleted": False,
            "priority": 0,
        }
    return {
        "id": channel.id,
        "name": channel.name,
        "name_normalized": channel.name,
        "is_channel": not channel.is_private,
        "is_group": channel.is_private,
        "is_im": False,
        "is_mpim": False,
        "is_private": channel.is_private,
        "created": channel.created,
        "creator": channel.creator,
        "is_archived": channel.is_archived,
        "is_general": channel.name == "general",
        "is_shared": channel.is_ext_shared,
        "is_ext_shared": channel.is_ext_shared,
        "is_org_shared": False,
        "is_pending_ext_shared": False,
        "is_member": bot_user in channel.members,
        "context_team_id": channel.team_id,
        "topic": {"value": "", "creator": "", "last_set": 0},
        "purpose": {"value": "", "creator": "", "last_set": 0},
        "num_members": len(channel.members),
    }


def message_json(message: Message, app: App, *, with_metadata: bool) -> Json:
    """A message of the app. https://docs.slack.dev/reference/events/message"""
    data: Json = {
        "user": message.user,
        "type": "message",
        "ts": message.ts,
        "bot_id": message.bot_id,
        "app_id": app.id,
        "text": message.text,
        "team": message.team_id,
        "bot_profile": {
            "id": message.bot_id,
            "app_id": app.id,
            "user_id": message.user,
            "name": app.bot_name,
            "deleted": False,
            "team_id": message.team_id,
        },
    }
    if message.blocks is not None:
        data["blocks"] = message.blocks
    if message.attachments is not None:
        data["attachments"] = message.attachments
    if message.thread_ts:
        data["thread_ts"] = message.thread_ts
    if message.edited_ts:
        data["edited"] = {"user": message.user, "ts": message.edited_ts}
    if with_metadata and message.metadata:
        data["metadata"] = message.metadata
    return data


def view_json(view: View, app: App) -> Json:
    """A view object. https://docs.slack.dev/reference/views"""
    definition = view.definition
    data: Json = {
        "id": view.id,
        "team_id": view.team_id,
        "type": definition["type"],
        "blocks": definition["blocks"],
        "private_metadata": definition.get("private_metadata", ""),
        "callback_id": definition.get("callback_id", ""),
        "state": {"values": values_of(view.blocks, view.input_states)},
        "hash": view.hash,
        "title": definition.get("title") or {"type": "plain_text", "text": "View Title", "emoji": True},
        "clear_on_close": definition.get("clear_on_close", False),
        "notify_on_close": definition.get("notify_on_close", False),
        "close": definition.get("close"),
        "submit": definition.get("submit"),
        "previous_view_id": view.previous_view_id,
        "root_view_id": view.root_view_id,
        "app_id": app.id,
        "external_id": definition.get("external_id", ""),
        # The organization, for an org-wide installation: https://docs.slack.dev/messaging/work-objects
        "app_installed_team_id": view.installed_in or view.team_id,
        "bot_id": view.bot_id,
    }
    return data


def team_json(team: Team) -> Json:
    return {
        "id": team.id,
        "name": team.name,
        "domain": team.domain,
        "email_domain": "",
        "url": f"https://{team.domain}.slack.com/",
        **(
            {"enterprise_id": team.enterprise_id, "enterprise_name": team.enterprise_name} if team.enterprise_id else {}
        ),
    }


def usergroup_json(group: UserGroup, *, with_users: bool) -> Json:
    data: Json = {
        "id": group.id,
        "team_id": group.team_id,
        "is_usergroup": True,
        "name": group.name,
        "handle": group.handle,
        "date_delete": 1 if group.disabled else 0,
        "user_count": len(group.users),
    }
    return data | {"users": group.users} if with_users else data


def enterprise_json(team: Team) -> Json | None:
    return {"id": team.enterprise_id, "name": team.enterprise_name} if team.enterprise_id else None


def install_json(token: Token, app: App, teams: dict[str, Team], now: float) -> Json:
    """The response of oauth.v2.access. https://docs.slack.dev/reference/methods/oauth.v2.access"""
    member = next(team for team in teams.values() if token.installed_in in (team.id, team.enterprise_id))
    rotation: Json = {}
    if token.expires_at is not None:
        rotation = {"refresh_token": token.refresh_token, "expires_in": round(token.expires_at - now)}
    return {
        "ok": True,
        "access_token": token.value,
        "token_type": "bot",
        "scope": ",".join(sorted(token.scopes)),
        "bot_user_id": token.bot_user,
        "app_id": app.id,
        "team": None if token.is_enterprise_install else {"id": member.id, "name": member.name},
        "enterprise": enterprise_json(member),
        "authed_user": {"id": token.installed_by},
        "is_enterprise_install": token.is_enterprise_install,
        **rotation,
    }
