"""An Enterprise Grid organization: one token, the workspaces to which the app was added, and their members."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from sandbox.slack.state import Team, Token, User
from sandbox.slack.web_api.facts import FACTS

OUTSIDERS_FLAGS = ("is_stranger", "enterprise_user")


@dataclass
class Org:
    """Globex with three workspaces; the app was added to the first two. Ada is in the first two, too."""

    token: Token
    client: AsyncWebClient
    west: Team
    east: Team
    south: Team
    ada: User


@pytest.fixture
async def org(acme) -> Org:
    slack = acme.slack
    west, east, south = (
        slack.add_team(f"Globex {name}", enterprise_id="E1", enterprise_name="Globex")
        for name in ("West", "East", "South")
    )
    ada = slack.add_user(west, "Ada Smith", "ada@globex.example", more_teams=[east], is_org_owner=True)
    token = slack.install(west.id, ada.id, org_wide=True, add_to=[west.id, east.id])
    return Org(slack.world.tokens[token], acme.as_bot(token), west, east, south, ada)


async def error_of(call: Any) -> str:
    with pytest.raises(SlackApiError) as caught:
        await call
    return str(caught.value.response["error"])


@pytest.mark.parametrize("method", [name for name, facts in FACTS.items() if facts.required_of_org_tokens])
async def test_an_org_token_must_name_a_workspace_that_added_the_app(org, method):
    """https://docs.slack.dev/reference/methods/users.list: team_id is "required if org token is used"."""
    more = {"usergroup": "S1", "limit": 10}

    assert await error_of(org.client.api_call(method, params=more)) == "missing_argument"
    for team_id in (org.south.id, "T0OTHER"):
        not_granted = org.client.api_call(method, params={**more, "team_id": team_id})
        assert await error_of(not_granted) == "team_access_not_granted"


async def test_an_org_token_lists_the_workspaces_that_added_the_app(org):
    """Page by page: https://docs.slack.dev/reference/methods/auth.teams.list"""
    first = await org.client.auth_teams_list(limit=1)
    rest = await org.client.auth_teams_list(limit=1, cursor=first["response_metadata"]["next_cursor"])

    assert [team["name"] for team in [*first["teams"], *rest["teams"]]] == ["Globex West", "Globex East"]
    assert rest["response_metadata"]["next_cursor"] == ""


async def test_an_org_token_reaches_channels_and_members_of_its_workspaces_only(org, acme):
    """A channel of another workspace is refused, and its members are not known."""
    ben, uma = acme.slack.add_user(org.east, "Ben Jones"), acme.slack.add_user(org.south, "Uma Field")
    south = acme.slack.add_channel(org.south, "deals")

    assert (await org.client.auth_test())["is_enterprise_install"] is True
    assert (await org.client.chat_postMessage(channel=ben.id, text="hello"))["message"]["team"] == org.east.id
    assert await error_of(org.client.chat_postMessage(channel=south.id, text="hello")) == "team_access_not_granted"
    assert await error_of(org.client.users_info(user=uma.id)) == "user_not_found"


async def test_a_member_of_an_organization_has_its_roles_and_workspaces(org):
    """`team_id` and the roles beside it are those of one workspace, whichever one asks."""
    ada = (await org.client.users_info(user=org.ada.id))["user"]

    assert (ada["team_id"], ada["is_admin"], ada["is_owner"]) == (org.west.id, False, False)
    assert ada["enterprise_user"] == {
        "id": org.ada.id,
        "enterprise_id": "E1",
        "enterprise_name": "Globex",
        "is_admin": True,
        "is_owner": True,
        "is_primary_owner": False,
        "teams": [org.west.id, org.east.id],
    }


async def test_an_outsider_in_a_shared_channel_looks_like_a_member(org, acme):
    """Only the other `team_id` tells: there is neither `is_stranger` nor an `enterprise_user`."""
    rex = acme.slack.add_user(acme.team, "Rex Rival", is_admin=True)
    assert await error_of(org.client.users_info(user=rex.id)) == "user_not_found"
    acme.slack.add_channel(org.west, "with-acme", is_ext_shared=True, members=[rex.id])

    outsider = (await org.client.users_info(user=rex.id))["user"]

    assert (outsider["team_id"], outsider["is_admin"]) == (acme.team.id, True)
    assert not outsider.keys() & set(OUTSIDERS_FLAGS)


async def test_slack_sends_an_event_where_the_app_is_added_or_removed(org, acme, receiver):
    """The events hold ids only. Afterwards the token reaches other workspaces."""
    assert await acme.slack.add_to_workspaces("E1", [org.south.id]) == 200
    granted = json.loads(receiver.bodies[-1])
    assert await acme.slack.remove_from_workspaces("E1", [org.west.id]) == 200
    revoked = json.loads(receiver.bodies[-1])

    assert granted["enterprise_id"] == "E1"
    assert granted["event"].keys() == {"type", "team_ids", "event_ts"}
    assert (granted["event"]["type"], granted["event"]["team_ids"]) == ("team_access_granted", [org.south.id])
    assert (revoked["event"]["type"], revoked["event"]["team_ids"]) == ("team_access_revoked", [org.west.id])
    assert [team["id"] for team in (await org.client.auth_teams_list())["teams"]] == [org.east.id, org.south.id]


async def test_an_interaction_does_not_name_the_workspace_but_a_command_does(org, acme, receiver):
    """
    `team` is null, and the user's `team_id` is the same in each of their workspaces.

    https://github.com/slackapi/bolt-js/issues/1875
    """
    button = {"type": "button", "action_id": "mute", "text": {"type": "plain_text", "text": "Mute"}}
    view = {"type": "home", "blocks": [{"type": "actions", "elements": [button]}]}
    await org.client.views_publish(user_id=org.ada.id, view=view)
    acme.slack.switch_workspace(org.ada.id, org.east.id)

    await acme.slack.open_home(org.ada.id)
    opened = json.loads(receiver.bodies[-1])
    await acme.slack.act_in_home(org.ada.id, "mute")
    pressed = receiver.payload()
    await acme.slack.command(org.ada.id, "/usergems-status", wait=False)
    command = receiver.form()

    assert opened["team_id"] == org.east.id
    assert opened["authorizations"][0] == {
        "enterprise_id": "E1",
        "team_id": None,
        "user_id": org.token.bot_user,
        "is_bot": True,
        "is_enterprise_install": True,
    }
    assert (pressed["team"], pressed["enterprise"]["id"], pressed["is_enterprise_install"]) == (None, "E1", True)
    assert (pressed["user"]["team_id"], pressed["view"]["app_installed_team_id"]) == (org.west.id, "E1")
    assert (command["team_id"], command["enterprise_id"]) == (org.east.id, "E1")
    assert command["is_enterprise_install"] == "true"


@pytest.mark.parametrize("field", ["initial_conversation", "initial_user"])
async def test_a_view_cannot_preselect_what_its_viewer_cannot_see(org, acme, field):
    """https://docs.slack.dev/reference/methods/views.open answers `invalid_arguments`."""
    hidden = acme.slack.add_channel(org.west, "board", is_private=True).id if "conv" in field else "U0UNKNOWN"
    shown = acme.slack.add_channel(org.west, "wins").id if "conv" in field else org.ada.id
    kind = "conversations_select" if "conv" in field else "users_select"

    def view(chosen: str) -> dict[str, Any]:
        element = {"type": kind, "action_id": "choice", field: chosen}
        return {"type": "home", "blocks": [{"type": "actions", "elements": [element]}]}

    assert await error_of(org.client.views_publish(user_id=org.ada.id, view=view(hidden))) == "invalid_arguments"
    assert (await org.client.views_publish(user_id=org.ada.id, view=view(shown)))["ok"]
