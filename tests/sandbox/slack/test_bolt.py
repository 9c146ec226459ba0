"""Bolt, Slack's own framework, takes the sandbox for Slack."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient

from sandbox.slack.state import Json

OPEN = {"type": "button", "action_id": "open", "text": {"type": "plain_text", "text": "Open"}}
HOME = {"type": "home", "blocks": [{"type": "actions", "elements": [OPEN]}]}
FIELD = {"type": "plain_text_input", "action_id": "text"}
MODAL = {
    "type": "modal",
    "callback_id": "form",
    "title": {"type": "plain_text", "text": "Form"},
    "submit": {"type": "plain_text", "text": "Save"},
    "blocks": [{"type": "input", "label": {"type": "plain_text", "text": "Name"}, "element": FIELD}],
}


@pytest.fixture
async def saved(office) -> AsyncIterator[asyncio.Queue[str]]:
    """A Bolt app that shows a Home, whose button opens a form, whose entry ends up here."""
    told: asyncio.Queue[str] = asyncio.Queue()

    async def authorize() -> AuthorizeResult:
        bot = office.slack.world.tokens[office.token]
        return AuthorizeResult(
            enterprise_id=None, team_id=office.team.id, bot_token=office.token, bot_user_id=bot.bot_user
        )

    bolt = AsyncApp(signing_secret=office.slack.app.signing_secret, client=office.client, authorize=authorize)

    @bolt.event("app_home_opened")
    async def show(event: Json, client: AsyncWebClient) -> None:
        await client.views_publish(user_id=event["user"], view=HOME)
        await told.put("published")

    @bolt.action("open")
    async def open_form(ack: AsyncAck, body: Json, client: AsyncWebClient) -> None:
        await ack()
        await client.views_open(trigger_id=body["trigger_id"], view=MODAL)
        await told.put("opened")

    @bolt.view("form")
    async def save(ack: AsyncAck, view: Json) -> None:
        await ack()
        [block] = view["state"]["values"].values()
        await told.put(block["text"]["value"])

    @bolt.command("/usergems-status")
    async def status(ack: AsyncAck, respond: AsyncRespond, command: Json) -> None:
        await ack()
        await respond(f"All is well {command['text']}.")

    async def hear(request: web.Request) -> web.Response:
        return await to_aiohttp_response(await bolt.async_dispatch(await to_bolt_request(request)))

    app = web.Application()
    app.router.add_post("/slack/events", hear)
    async with TestServer(app) as server:
        office.slack.app_url = str(server.make_url(""))
        yield told


async def test_home_leads_to_a_form_and_the_form_to_the_app(office, saved) -> None:
    """An app on stock Bolt publishes Home, opens a modal from it and reads what was entered."""
    assert await office.slack.open_home(office.dana.id) == 200
    assert await saved.get() == "published"
    assert (await office.slack.act_in_home(office.dana.id, "open")).status == 200
    assert await saved.get() == "opened"
    assert (await office.slack.submit_view(office.dana.id, {"text": "Ada"})).ok
    assert await saved.get() == "Ada"


async def test_a_command_is_answered_at_its_response_url(office, saved) -> None:
    """What a Bolt app says through `respond` is seen by the person who typed the command, alone."""
    answer = await office.slack.command(office.dana.id, "/usergems-status", "now")
    assert answer.message.text == "All is well now."
    assert answer.message.ephemeral_to == office.dana.id


async def test_a_challenge_is_answered(office, saved) -> None:
    """Stock Bolt passes the check that Slack makes of a request URL."""
    assert await office.slack.verify_url()


async def test_a_request_signed_with_another_secret_is_not_heard(office, saved) -> None:
    """Stock Bolt answers 401 to a signature made with another secret, so the sandbox's signatures are the real ones."""
    office.slack.app.signing_secret = "another"
    assert await office.slack.open_home(office.dana.id) == 401
