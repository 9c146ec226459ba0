"""An app that is installed in a whole organization: each workspace that added it works by itself."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from aiohttp import web
from cryptography.fernet import Fernet
from slack_sdk.oauth.installation_store import Installation

import app
from domain.people import DEACTIVATED, Member
from domain.workspace import BEARER, Workspace
from listeners.cli.terminal import MANIFEST
from listeners.http.server import create_runner
from sandbox.slack import SlackSandbox
from sandbox.slack.state import Channel, Message, Team, User
from services.settings import Settings
from services.slack.manifest import Manifest
from store.encryption import Cipher
from store.slack import members, workspaces
from store.slack.installations import AsyncInstallationStore
from tests.servers import GENEROUS_TIMEOUT, free_port

ORG = "E0GLOBEX"


@dataclass
class Org:
    """
    Globex with the workspaces East, West and South, each with a channel and a salesperson. Its owner is Kim.

    Bo, whose own workspace is East, is also a member of West. The app is at `url`; `keys` are those for intake.
    """

    slack: SlackSandbox
    url: str
    http: aiohttp.ClientSession
    east: Team
    west: Team
    south: Team
    kim: User
    bo: User
    sellers: dict[str, User]
    channels: dict[str, Channel]
    cipher: Cipher
    keys: dict[str, str] = field(default_factory=dict)
    clock_offset: float = 0.0
    app: app.App = field(init=False)

    def now(self) -> int:
        """The real time plus `clock_offset` seconds; sealed links contain the real time."""
        return round((time.time() + self.clock_offset) * 1000)

    async def install(self, add_to: list[Team]) -> dict[str, str]:
        """Kim installs the app in a browser. Returns the addresses of the channel pages, by workspace name."""
        async with self.http.get(f"{self.url}/slack/install", allow_redirects=False) as answer:
            consent = {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["Location"]).query).items()}
        scopes, back = consent["scope"].split(","), consent["redirect_uri"]
        team_ids = [team.id for team in add_to]
        code = self.slack.issue_code(self.kim.id, scopes, back, org_wide=True, add_to=team_ids)
        async with self.http.get(back, params={"code": code, "state": consent["state"]}) as answer:
            page = await answer.text()
            assert answer.status == 200, page
        links = re.findall(r'<li><a href="([^"]+)">([^<]+)</a>', page)
        return {name: self.url + unescape(address) for address, name in links}

    async def choose_default_channel(self, address: str, team: Team) -> None:
        form = {"link": parse_qs(urlsplit(address).query)["link"][0], "channel": self.channels[team.id].id}
        async with self.http.post(address.partition("?")[0], data=form) as answer:
            assert answer.status == 200, await answer.text()

    async def send(self, team: Team, dri_email: str | None = None) -> int:
        """A sender reports a job change. Returns the status of the answer."""
        if team.id not in self.keys:
            self.keys[team.id] = await self.app.intake_keys.make(team.id, BEARER, "operator")
        job_change = {
            "source": "tests",
            "signal": "contact_tracking",
            "change_type": "new_company",
            "person": {"full_name": "Ada Smith", "emails": [f"ada{time.monotonic_ns()}@initech.example"]},
            "previous": {"title": "VP Sales", "company": {"name": "Initech"}},
            "current": {"title": "CRO", "company": {"name": "Globex"}},
            **({"dri_email": dri_email} if dri_email else {}),
        }
        headers = {"Authorization": f"Bearer {self.keys[team.id]}"}
        url = f"{self.url}/v1/workspaces/{team.id}/job-changes"
        async with self.http.post(url, json=job_change, headers=headers) as answer:
            status = answer.status
        self.clock_offset += 2  # a channel gets one message a second
        await self.app.worker.drain()
        return status

    async def settled(self) -> None:
        while running := [task for task in asyncio.all_tasks() if "run_ack_function" in task.get_coro().__qualname__]:
            await asyncio.wait(running)

    async def workspace(self, team: Team) -> Workspace | None:
        return await self.app.database.run(workspaces.find_team, team.id)

    async def home(self, user: User) -> str:
        assert await self.slack.open_home(user.id) == 200
        await self.settled()
        return str(self.slack.world.homes[user.id].definition["blocks"])

    def job_changes_in(self, team: Team) -> list[Message]:
        return [message for message in self.channels[team.id].messages.values() if "Ada Smith" in message.text]

    def job_changes_for(self, user: User) -> list[Message]:
        direct = (channel for channel in self.slack.world.channels.values() if channel.im_user == user.id)
        return [message for channel in direct for message in channel.messages.values() if "Ada Smith" in message.text]


@pytest.fixture
async def org(sqlite_url: str) -> AsyncIterator[Org]:
    slack = SlackSandbox(rate_limits=False)
    slack.app_client.timeout = GENEROUS_TIMEOUT
    east, west, south = (
        slack.add_team(f"Globex {name}", enterprise_id=ORG, enterprise_name="Globex")
        for name in ("East", "West", "South")
    )
    kim = slack.add_user(east, "Kim Park", "kim@globex.example", more_teams=[west, south], is_org_owner=True)
    bo = slack.add_user(east, "Bo Berg", "bo@globex.example", more_teams=[west], is_admin=True)
    sellers = {team.id: slack.add_user(team, f"Sam {team.name}", f"{team.id}@globex.example") for team in (east, west)}
    sellers[south.id] = slack.add_user(south, "Sam South", "south@globex.example")
    channels = {team.id: slack.add_channel(team, f"wins-{team.name[7:].lower()}") for team in (east, west, south)}
    cipher, port = Cipher.of([Fernet.generate_key().decode()]), free_port()
    url = f"http://localhost:{port}"
    async with slack.serving() as slack_url, aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        settings = Settings.from_environ(
            {
                "SLACK_CLIENT_ID": slack.app.client_id,
                "SLACK_CLIENT_SECRET": slack.app.client_secret,
                "SLACK_SIGNING_SECRET": slack.app.signing_secret,
                "SLACK_API_URL": f"{slack_url}/api/",
                "SLACK_AUTHORIZE_URL": f"{slack_url}/oauth/v2/authorize",
                "PUBLIC_URL": url,
                "DATABASE_URL": sqlite_url,
                "ENCRYPTION_KEYS": Fernet.generate_key().decode(),
            }
        )
        manifest = Manifest.parse(MANIFEST.read_text()).at(url)
        slack.configure(manifest.values)
        made = Org(slack, url, http, east, west, south, kim, bo, sellers, channels, cipher)
        slack.world.now = lambda: made.now() / 1_000
        async with app.build(settings, cipher, made.now) as made.app:
            slack.app_url = url
            runner = create_runner(made.app.web)
            await runner.setup()
            try:
                await web.TCPSite(runner, "localhost", port).start()
                yield made
            finally:
                await runner.cleanup()


async def _install_alone(org: Org, team: Team) -> None:
    """Install the app in one workspace of the organization."""
    token = org.slack.world.tokens[org.slack.install(team.id, org.bo.id)]
    store = AsyncInstallationStore(org.app.database, org.slack.app.client_id, org.cipher)
    await store.async_save(
        Installation(
            app_id=org.slack.app.id,
            enterprise_id=ORG,
            team_id=team.id,
            team_name=team.name,
            bot_token=token.value,
            bot_id=token.bot_id,
            bot_user_id=token.bot_user,
            bot_scopes=sorted(token.scopes),
            user_id=org.bo.id,
        )
    )


async def _store_as_before(org: Org) -> str:
    """Store the organization as one workspace, with a channel of West, as version 0.2 did. Returns its key."""
    installed = workspaces.Installed(
        id=ORG,
        enterprise_id=ORG,
        is_enterprise_install=True,
        name="Globex",
        installer_user_id=org.kim.id,
        bot_user_id=None,
        scopes="chat:write",
        installed_at=1,
    )
    channel = org.channels[org.west.id]
    chosen = {"default_channel_id": channel.id, "default_channel_name": channel.name}
    await org.app.database.run(workspaces.install, installed)
    await org.app.database.run(workspaces.change, ORG, None, **chosen)
    return await org.app.intake_keys.make(ORG, BEARER, "operator")


async def test_each_workspace_that_added_the_app_works_by_itself(org: Org) -> None:
    """From the installation over workspaces that add and remove the app to the end of the installation."""
    pages = await org.install([org.east, org.west])
    assert pages.keys() == {"Globex East", "Globex West"}
    for team in (org.east, org.west):
        await org.choose_default_channel(pages[team.name], team)

    for team, other in ((org.east, org.west), (org.west, org.east)):
        seller = org.sellers[team.id]
        assert await org.send(team, seller.email) == 202
        assert await org.send(team) == 202
        assert len(org.job_changes_for(seller)) == 1
        assert len(org.job_changes_in(team)) == 1
        assert await org.send(team, org.sellers[other.id].email) == 202  # no member of this workspace
        assert len(org.job_changes_for(org.sellers[other.id])) <= 1
        assert len(org.job_changes_in(team)) == 2

    org.keys[org.south.id] = org.keys[org.east.id]  # nobody can create a key for a workspace without the app
    assert await org.send(org.south) == 401

    await org.slack.add_to_workspaces(ORG, [org.south.id])
    await org.settled()
    south = await org.workspace(org.south)
    assert south is not None
    assert (south.name, south.is_active) == ("Globex South", True)
    del org.keys[org.south.id]
    assert await org.send(org.south, org.sellers[org.south.id].email) == 202
    assert len(org.job_changes_for(org.sellers[org.south.id])) == 1

    await org.slack.remove_from_workspaces(ORG, [org.east.id])
    await org.settled()
    assert await org.send(org.east, org.sellers[org.east.id].email) == 404
    assert await org.send(org.west, org.sellers[org.west.id].email) == 202
    assert len(org.job_changes_for(org.sellers[org.west.id])) == 2

    await org.slack.uninstall(org.west.id)
    await org.settled()
    for team in (org.east, org.west, org.south):
        assert await org.send(team) == 404
        assert not (await org.workspace(team)).is_active


async def test_admins_of_one_workspace_administer_only_that_one(org: Org) -> None:
    """Kim owns the organization and sees the settings everywhere. Bo is an admin of East only."""
    await org.install([org.east, org.west])

    assert "home_channel_gets" in await org.home(org.bo)
    org.slack.switch_workspace(org.bo.id, org.west.id)
    assert "home_channel_gets" not in await org.home(org.bo)
    for team in (org.east, org.west):
        org.slack.switch_workspace(org.kim.id, team.id)
        assert "home_channel_gets" in await org.home(org.kim)


async def test_home_and_its_dialogs_stay_in_the_workspace_in_which_they_were_opened(org: Org) -> None:
    """Slack does not say in which workspace a button is pressed, and names Kim's own one, which is East."""
    await org.install([org.east, org.west])
    org.slack.switch_workspace(org.kim.id, org.west.id)
    await org.home(org.kim)

    await org.slack.act_in_home(org.kim.id, "home_channel_gets", "everything")
    await org.settled()
    await org.slack.act_in_home(org.kim.id, "home_pace")
    await org.settled()
    assert (await org.slack.submit_view(org.kim.id, {"posts_per_minute": "30"})).ok
    await org.settled()

    east, west = await org.workspace(org.east), await org.workspace(org.west)
    assert (west.channel_gets, west.posts_per_minute) == ("everything", 30)
    assert (east.channel_gets, east.posts_per_minute) == ("unmatched", 300)


async def test_a_command_is_answered_for_the_workspace_in_which_it_was_typed(org: Org) -> None:
    """The same person gets the status of either workspace."""
    await org.install([org.east, org.west])

    for team in (org.west, org.east):
        org.slack.switch_workspace(org.kim.id, team.id)
        reply = await org.slack.command(org.kim.id, "/usergems-status")
        assert f"Job changes in {team.name}" in reply.message.text


async def test_buttons_of_a_message_belong_to_the_workspace_that_sent_it(org: Org) -> None:
    """Bo receives job changes of West, although East is Bo's own workspace."""
    pages = await org.install([org.east, org.west])
    for team in (org.east, org.west):
        await org.choose_default_channel(pages[team.name], team)
    await org.send(org.west, org.bo.email)
    (message,) = org.job_changes_for(org.bo)

    await org.slack.press(org.bo.id, message.channel_id, message.ts, "delivery_take")
    await org.settled()

    assert "on it" in str(message.blocks)
    await org.send(org.west)
    (unowned,) = org.job_changes_in(org.west)
    await org.slack.press(org.bo.id, unowned.channel_id, unowned.ts, "delivery_take")
    await org.settled()
    assert org.bo.id in str(unowned.blocks)


async def test_an_outsider_in_a_shared_channel_cannot_claim(org: Org) -> None:
    """Slack shows people of another company almost like members. What tells them apart is the workspace."""
    pages = await org.install([org.east, org.west])
    await org.choose_default_channel(pages["Globex East"], org.east)
    other = org.slack.add_team("Initech")
    rex = org.slack.add_user(other, "Rex Rival", "rex@initech.example", is_admin=True)
    org.channels[org.east.id].is_ext_shared = True
    org.channels[org.east.id].members[rex.id] = None
    await org.send(org.east)
    (unowned,) = org.job_changes_in(org.east)

    await org.slack.press(rex.id, unowned.channel_id, unowned.ts, "delivery_take")
    await org.settled()

    assert rex.id not in str(unowned.blocks)
    assert [message.text for message in org.slack.world.ephemerals] == ["Only members of this workspace can do that."]


async def test_lost_events_are_made_up_for_within_the_hour(org: Org) -> None:
    """The app asks Slack where it is added. Without an answer, nothing changes."""
    await org.install([org.east, org.west])
    token = org.slack.world.org_token(ORG)
    token.added_to = [org.west.id, org.south.id]

    org.slack.faults.add("auth.teams.list", status=500)
    (sync,) = [work for work in org.app.worker.other_work if work.__name__ == "sync_all"]
    await sync()
    assert (await org.workspace(org.east)).is_active
    org.clock_offset += 5 * 60  # sooner than after an answer
    await sync()

    assert not (await org.workspace(org.east)).is_active
    assert (await org.workspace(org.south)).name == "Globex South"


async def test_a_workspace_with_its_own_installation_keeps_it(org: Org) -> None:
    """Also when the organization uninstalls the app."""
    await _install_alone(org, org.east)
    await org.install([org.east, org.west])
    east = await org.workspace(org.east)
    assert not east.is_enterprise_install

    await org.slack.uninstall(org.west.id)
    await org.settled()

    assert (await org.workspace(org.east)).is_active
    assert not (await org.workspace(org.west)).is_active


async def test_what_an_earlier_version_stored_for_the_organization_stays_with_its_default_channel(org: Org) -> None:
    """It belongs to the workspace of that channel from then on; the others start with nothing."""
    await org.install([])
    key = await _store_as_before(org)
    token = org.slack.world.org_token(ORG)
    token.added_to = [org.east.id, org.west.id]
    assert "home_channel_gets" in await org.home(org.kim)  # before Slack was asked, for admins of the organization
    assert "home_channel_gets" not in await org.home(org.bo)

    (sync,) = [work for work in org.app.worker.other_work if work.__name__ == "sync_all"]
    await sync()

    west = await org.workspace(org.west)
    assert (west.id, west.name, west.default_channel_id) == (ORG, "Globex West", org.channels[org.west.id].id)
    assert (await org.workspace(org.east)).id == org.east.id
    org.keys[ORG] = key
    assert await org.send(Team(ORG, "old", "old")) == 202
    assert len(org.job_changes_in(org.west)) == 1
    org.slack.switch_workspace(org.kim.id, org.west.id)
    await org.home(org.kim)
    await org.slack.act_in_home(org.kim.id, "home_channel_gets", "everything")
    await org.settled()
    assert (await org.workspace(org.west)).channel_gets == "everything"
    await org.slack.remove_from_workspaces(ORG, [org.west.id])
    await org.settled()
    assert not (await org.workspace(org.west)).is_active
    assert await org.send(org.east) == 202


async def test_a_changed_member_is_updated_in_each_workspace(org: Org) -> None:
    """Slack sends one event to the organization. Bo has received a job change in both."""
    await org.install([org.east, org.west])
    for team in (org.east, org.west):
        await org.send(team, org.bo.email)

    await org.slack.deactivate_user(org.bo.id)
    await org.settled()

    for team in (org.east, org.west):
        cached = await org.app.database.run(members.cached, team.id, {org.bo.email}, org.now())
        assert cached == {org.bo.email: Member(org.bo.id, DEACTIVATED)}


async def test_requests_of_a_workspace_without_the_app_are_ignored(org: Org, caplog: Any) -> None:
    """For example of one that has just removed it."""
    await org.install([org.east, org.west])
    caplog.set_level("INFO")

    status = await org.slack.send_event(org.south.id, {"type": "app_home_opened", "user": org.kim.id, "tab": "home"})
    await org.settled()

    assert status == 200
    assert org.kim.id not in org.slack.world.homes
