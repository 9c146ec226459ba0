"""Admins set the outgoing webhook in Home, test it, and remove it."""

from __future__ import annotations

import json

from aiohttp import web
from aiohttp.test_utils import TestServer

from store.delivery import webhooks


def modal_of(office) -> str:
    return json.dumps(office.slack.modal(office.dana.id).definition, ensure_ascii=False)


async def opened(office) -> str:
    await office.open_home(office.dana)
    await office.pick(office.dana, "home_webhook")
    return modal_of(office)


async def saved(office, **entered) -> str:
    """Open the dialog and submit it. Returns the errors, or the next view."""
    await opened(office)
    reply = await office.slack.submit_view(office.dana.id, entered)
    await office.settled()
    return str(reply.errors) if reply.errors else modal_of(office)


async def pressed(office, action_id: str) -> str:
    assert (await office.slack.act_in_modal(office.dana.id, action_id)).status == 200
    await office.settled()
    return modal_of(office)


async def test_a_webhook_is_set_tested_and_removed(office):
    """The secret is shown once, and stored encrypted like the URL."""
    received = []

    async def handle(request: web.Request) -> web.Response:
        received.append(await request.json())
        return web.Response(status=202)

    app = web.Application()
    app.router.add_post("/path-of-a-secret", handle)
    async with TestServer(app) as server:
        url = str(server.make_url("/path-of-a-secret"))
        secret = (await saved(office, url=url, events=["1", "2"])).split("```")[1]
        assert secret.startswith("whsec_")
        assert secret not in await opened(office)
        assert "It answered with status 202." in await pressed(office, "webhook_test")

    assert [event["type"] for event in received] == ["webhook.test"]
    stored = await office.database.run(webhooks.find, office.team.id)
    assert not any(text in stored.url + stored.secret for text in (secret, "path-of-a-secret"))
    assert "The test failed: it could not be reached" in await pressed(office, "webhook_test")
    assert "Delivered, Taken → `127.0.0.1`" in await office.open_home(office.dana)
    rotated = await saved(office, secret="rotate")
    assert rotated.split("```")[1] != secret
    assert "a signature with each of the two secrets until" in rotated
    await opened(office)
    await pressed(office, "webhook_remove")
    assert await office.database.run(webhooks.find, office.team.id) is None


async def test_an_invalid_value_is_refused_at_its_field(office):
    """Nothing is stored."""
    assert "must start with https://" in await saved(office, url="http://hooks.example.com/", events=["1"])
    assert "private network" in await saved(office, url="https://10.0.0.8/", events=["1"])
    assert await office.database.run(webhooks.find, office.team.id) is None
