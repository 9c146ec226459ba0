"""An app on Bolt, Slack's own framework, works with the sandbox."""

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
async def steps(acme) -> AsyncIterator[asyncio.Queue[str]]:
    """A Bolt app whose Home has a button that opens a form; the queue gets each step and the entered text."""
    steps: asyncio.Queue[str] = asyncio.Queue()

    async def authorize() -> AuthorizeResult:
        bot = acme.slack.world.tokens[acme.token]
        return AuthorizeResult(enterprise_id=None, team_id=acme.team.id, bot_token=acme.token, bot_user_id=bot.bot_user)

    bolt = AsyncApp(name="test", signing_secret=acme.slack.app.signing_secret, client=acme.client, authorize=authorize)

    @bolt.event("app_home_opened")
    async def show(event: Json, client: AsyncWebClient) -> None:
        await client.views_publish(user_id=event["user"], view=HOME)
        await steps.put("published")

    @bolt.action("open")
    async def open_form(ack: AsyncAck, body: Json, client: AsyncWebClient) -> None:
        await ack()
        await client.views_open(trigger_id=body["trigger_id"], view=MODAL)
        await steps.put("opened")

    @bolt.view("form")
    async def save(ack: AsyncAck, view: Json) -> None:
        await ack()
        [block] = view["state"]["values"].values()
        await steps.put(block["text"]["value"])

    @bolt.command("/usergems-status")
    async def status(ack: AsyncAck, respond: AsyncRespond, command: Json) -> None:
        await ack()
        await respond(f"No problems {command['text']}.")

    async def receive(request: web.Request) -> web.Response:
        return await to_aiohttp_response(await bolt.async_dispatch(await to_bolt_request(request)))

    app = web.Application()
    app.router.add_post("/slack/events", receive)
    async with TestServer(app) as server:
        acme.slack.app_url = str(server.make_url(""))
        yield steps


async def test_a_bolt_app_publishes_home_and_reads_a_form(acme, steps) -> None:
    """The button in Home opens a modal, and the app gets the entered text."""
    assert await acme.slack.open_home(acme.dana.id) == 200
    assert await steps.get() == "published"
    assert (await acme.slack.act_in_home(acme.dana.id, "open")).status == 200
    assert await steps.get() == "opened"
    assert (await acme.slack.submit_view(acme.dana.id, {"text": "Ada"})).ok
    assert await steps.get() == "Ada"


async def test_a_bolt_app_answers_a_command_at_its_response_url(acme, steps) -> None:
    """Only the person who typed the command sees what the app sends with `respond`."""
    answer = await acme.slack.command(acme.dana.id, "/usergems-status", "now")
    assert answer.message.text == "No problems now."
    assert answer.message.ephemeral_to == acme.dana.id


async def test_a_bolt_app_answers_the_url_challenge(acme, steps) -> None:
    """It passes Slack's verification of a request URL."""
    assert await acme.slack.verify_url()


async def test_a_bolt_app_rejects_another_signing_secret(acme, steps) -> None:
    """Bolt answers 401, which shows that it verifies the sandbox's signatures."""
    acme.slack.app.signing_secret = "another"
    assert await acme.slack.open_home(acme.dana.id) == 401
