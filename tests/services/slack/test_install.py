"""Calls to Slack during an installation, over HTTP."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from slack_sdk.web.async_client import AsyncWebClient

from domain.errors import TransientError, WorkspaceGoneError
from sandbox.slack import SlackSandbox
from services.slack.install import START, SlackInstall
from store.slack.organizations import Team


class Waits(list[float]):
    """How long was waited, instead of waiting."""

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
async def slack() -> AsyncIterator[SlackSandbox]:
    sandbox = SlackSandbox(rate_limits=False)
    async with sandbox.serving():
        yield sandbox


@pytest.fixture
async def install(slack: SlackSandbox, waits: Waits) -> AsyncIterator[SlackInstall]:
    team = slack.add_team("Acme", team_id="T1")
    slack.add_user(team, "Dana Reyes", "dana@acme.example", user_id="U1", is_admin=True)
    token = slack.install("T1", "U1")

    async def tokens(workspace_id: str) -> str | None:
        return token if workspace_id == "T1" else None

    async with aiohttp.ClientSession() as session:
        client = AsyncWebClient(base_url=f"{slack.base_url()}/api/", session=session, retry_handlers=[])
        yield SlackInstall(client, tokens, waits)


def named(answer: dict[str, Any]) -> bytes:
    return json.dumps({"ok": True, **answer}).encode()


async def test_a_code_is_exchanged_for_an_installation(slack: SlackSandbox, install: SlackInstall) -> None:
    """It has the granted scopes, and the bot's own id from auth.test."""
    code = slack.issue_code("U1", ["chat:write", "users:read"], "https://gems.example.com/back")

    installation = await install.exchange(
        code, slack.app.client_id, slack.app.client_secret, "https://gems.example.com/back"
    )

    assert installation.team_id == "T1"
    assert installation.user_id == "U1"
    assert installation.bot_token
    assert installation.bot_id
    assert installation.bot_user_id
    assert {"chat:write", "users:read"} <= set(installation.bot_scopes or ())
    assert installation.is_enterprise_install is False


async def test_without_an_installation_slack_is_not_called(slack: SlackSandbox, install: SlackInstall) -> None:
    """There is no token to call it with."""
    with pytest.raises(WorkspaceGoneError):
        await install.channels("T2")

    assert slack.calls == []


@pytest.mark.parametrize(
    "body", [b"[]", b"{}", b'"x"', b"", b"<html>", named({"channels": 5}), named({"channels": [5]}), named({})]
)
async def test_an_invalid_response_is_a_transient_error(
    slack: SlackSandbox, install: SlackInstall, body: bytes
) -> None:
    """A proxy may have sent it, and may be gone in a minute."""
    slack.faults.add("conversations.list", body=body)

    with pytest.raises(TransientError):
        await install.channels("T1")


async def test_a_repeated_page_ends_a_list(slack: SlackSandbox, install: SlackInstall) -> None:
    """A cursor that comes back would be requested forever."""
    page = {"channels": [{"id": "C1", "name": "general"}], "response_metadata": {"next_cursor": "again"}}
    slack.faults.add("conversations.list", body=named(page), times=5)

    listing = await install.channels("T1")

    assert [channel.name for channel in listing.channels] == ["general"]


async def test_a_rate_limit_ends_a_list_with_the_position_to_go_on_from(
    slack: SlackSandbox, install: SlackInstall, waits: Waits
) -> None:
    """The browser waits, not the server."""
    for number in range(1_500):
        slack.add_channel("T1", f"team-{number:04}")
    slack.faults.add("conversations.list", retry_after=15, when=lambda asked: "cursor" in asked)

    first = await install.channels("T1", seconds=60)
    assert first.position is not None
    rest = await install.channels("T1", position=first.position, seconds=60)

    assert (len(first.channels), first.wait, waits) == (999, 15, [])
    assert (len(rest.channels), rest.position) == (501, None)


async def test_a_list_that_takes_long_is_returned_as_far_as_it_is(slack: SlackSandbox, install: SlackInstall) -> None:
    """A page in the browser is not blank while Slack is slow."""
    slack.faults.add("conversations.list", delay=1.0)

    listing = await install.channels("T1", seconds=0.05)

    assert (listing.channels, listing.position) == ([], START)


async def test_a_channel_is_found_by_its_name(slack: SlackSandbox, install: SlackInstall) -> None:
    """Page by page, until Slack has listed it."""
    for number in range(1_100):
        slack.add_channel("T1", f"team-{number:04}")

    channel = await install.find_channel("T1", None, "team-1050")

    assert channel is not None
    assert channel.name == "team-1050"
    assert await install.find_channel("T1", None, "no-such-channel") is None


async def test_the_token_of_an_organization_names_the_workspace(slack: SlackSandbox, install: SlackInstall) -> None:
    """Without `team_id`, Slack would not list any channels."""
    page = named({"channels": [{"id": "C2", "name": "b"}, {"id": "C1", "name": "a"}]})
    slack.faults.add("conversations.list", body=page, when=lambda asked: asked.get("team_id") == "T9")

    listing = await install.channels("T1", "T9")

    assert [channel.id for channel in listing.channels] == ["C1", "C2"]


async def test_workspaces_of_an_organization_are_listed_completely_or_not_at_all(
    slack: SlackSandbox, install: SlackInstall
) -> None:
    """Otherwise a rate limit would look like workspaces that removed the app."""
    first = {"teams": [{"id": "T1", "name": "West"}], "response_metadata": {"next_cursor": "more"}}
    slack.faults.add("auth.teams.list", body=named(first), times=None, when=lambda asked: "cursor" not in asked)
    rest = slack.faults.add("auth.teams.list", body=named({"teams": [{"id": "T2"}]}))

    assert await install.teams("T1") == [Team("T1", "West"), Team("T2")]

    assert rest.hits == 1
    slack.faults.add("auth.teams.list", retry_after=600, times=None)
    with pytest.raises(TransientError, match="rate limit"):
        await install.teams("T1")
