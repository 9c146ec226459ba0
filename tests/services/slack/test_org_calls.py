"""Every call of the app works with the token of an organization."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator

import pytest

from domain.errors import PermanentError, TransientError
from sandbox.slack.web_api.facts import FACTS
from services.slack.api import NEED_TEAM, Slack
from services.slack.install import SlackInstall
from services.slack.shapes import Posted
from store.slack import workspaces
from store.slack.workspaces import Installed
from tests.services.slack.slack_world import SlackWorkspace, open_slack_workspace

NEVER = 2**60
"""In milliseconds: the lease does not end."""

POST_ID = "11111111-2222-4333-8444-555555555555"


@pytest.fixture
async def acme(database, clock) -> AsyncIterator[SlackWorkspace]:
    async with open_slack_workspace(database, clock) as acme:
        yield acme


@pytest.fixture
async def org(acme) -> SlackWorkspace:
    """Globex West, which uses the token of its organization; Dana is a member of it."""
    sandbox = acme.sandbox
    west = sandbox.add_team("Globex West", enterprise_id="E1", enterprise_name="Globex")
    dana = sandbox.add_user(west, "Dana Reyes", "dana@globex.example")
    token = sandbox.install(west.id, dana.id, org_wide=True)
    wins = sandbox.add_channel(west, "wins", is_member=True)
    installed = Installed(
        id=west.id,
        enterprise_id="E1",
        is_enterprise_install=True,
        name="Globex West",
        installer_user_id=dana.id,
        bot_user_id=None,
        scopes="chat:write",
        installed_at=acme.api.now(),
    )
    await acme.database.run(workspaces.install, installed)

    async def tokens(_workspace_id: str) -> str | None:
        return token

    api = Slack(acme.api.client, tokens, acme.database, acme.api.now)
    return SlackWorkspace(sandbox, west, dana, wins, acme.database, api, acme.http)


def test_the_methods_that_need_a_team_are_those_of_slacks_reference():
    """Slack ignores `team_id` with the token of a workspace. Only `install` calls bots.info, with the organization."""
    need_team = {name for name, facts in FACTS.items() if "team_id" in facts.required_of_org_tokens}

    assert need_team == NEED_TEAM | {"bots.info"}


async def test_every_call_works_with_the_token_of_an_organization(org):
    """The list below has every method of Slack's service."""
    org.wins.members[org.dana.id] = None
    group = org.sandbox.add_usergroup(org.team, "sales", [org.dana.id])
    posted = await org.api.post(org.id, org.dana.id, text="news", post_id=POST_ID)
    results = {
        "post": posted,
        "post_notice": await org.api.post_notice(org.id, org.dana.id, "hello"),
        "reply": await org.api.reply(org.id, posted, "more", post_id=POST_ID, lease_until=NEVER),
        "update": await org.api.update(org.id, posted, text="changed", blocks=None, lease_until=NEVER),
        "find_post": await org.api.find_post(org.id, posted.channel, POST_ID, 0),
        "user_by_email": await org.api.user_by_email(org.id, "dana@globex.example"),
        "user": await org.api.user(org.id, org.dana.id),
        "user_group_members": await org.api.user_group_members(org.id, group.id),
        "user_groups": await org.api.user_groups(org.id),
        "users": [user.id async for page, _ in org.api.users(org.id) for user in page],
        "channel": await org.api.channel(org.id, org.wins.id),
        "is_in_channel": await org.api.is_in_channel(org.id, org.wins.id, org.dana.id),
        "channels": [channel.name async for page in org.api.channels(org.id) for channel in page],
        "permalink": await org.api.permalink(org.id, posted),
        "auth_test": await org.api.auth_test(org.id),
    }
    listing = await SlackInstall(org.api.client, org.api.tokens).channels(org.id, org.id)

    public = {name for name, _ in inspect.getmembers(Slack, inspect.isfunction) if not name.startswith("_")}
    assert results.keys() == public - {"check_posting", "renew"}  # the method of `post`, and a collaborator
    assert all(results.values())
    assert not results["user"].is_outsider
    assert results["find_post"] == posted
    assert (results["user_group_members"], results["channels"]) == ([org.dana.id], ["wins"])
    assert [channel.name for channel in listing.channels] == ["wins"]
    assert [call.error for call in org.sandbox.calls if call.error] == []


async def test_calls_in_a_workspace_that_removed_the_app_fail_for_that_workspace_only(org):
    """The organization's token is still valid."""
    org.sandbox.world.org_token("E1").added_to.clear()

    with pytest.raises(PermanentError):
        await org.api.user_groups(org.id)
    with pytest.raises(PermanentError):
        await org.api.post(org.id, org.wins.id, text="news", post_id=POST_ID)

    assert (await org.api.auth_test(org.id)).bot_user_id


async def test_without_a_known_workspace_nothing_is_listed(org):
    """What an earlier version stored for the organization stands for one of its workspaces soon."""
    installed = {"enterprise_id": "E1", "is_enterprise_install": True, "name": "Globex", "installer_user_id": None}
    whole = Installed(id="E1", bot_user_id=None, scopes="", installed_at=1, **installed)
    await org.database.run(workspaces.install, whole)

    with pytest.raises(TransientError, match="not known yet"):
        await org.api.user_groups("E1")

    posted = await org.api.post("E1", org.wins.id, text="news", post_id=POST_ID)
    assert posted == Posted(org.wins.id, posted.ts)
