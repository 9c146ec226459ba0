"""Who is let in, what is refused, how often, and what breaks on purpose."""

import asyncio
import json

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError

from sandbox.slack.state import Json


async def ask(office, method: str, token: str | None = None, **fields: str) -> Json:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with office.http.post(f"{office.slack.url}/api/{method}", data=fields, headers=headers) as response:
        return await response.json()


async def refusal(awaitable) -> Json:
    with pytest.raises(SlackApiError) as refused:
        await awaitable
    return refused.value.response.data


@pytest.mark.parametrize(
    ("token", "error"), [(None, "not_authed"), ("xoxb-made-up", "invalid_auth")], ids=["no token", "unknown token"]
)
async def test_a_call_without_a_good_token_is_refused(office, token: str | None, error: str) -> None:
    """Slack tells a missing token from one that it never gave out; both answers are 200 with `ok` false."""
    assert (await ask(office, "auth.test", token)) == {"ok": False, "error": error}


async def test_a_token_is_taken_from_a_form_but_not_from_json(office) -> None:
    """https://docs.slack.dev/apis/web-api/: with JSON the token belongs into the header."""
    url, token = f"{office.slack.url}/api/auth.test", {"token": office.token}
    async with office.http.post(url, data=token) as response:
        assert (await response.json())["ok"]
    async with office.http.post(url, json=token) as response:
        assert (await response.json())["error"] == "not_authed"


async def test_a_get_is_as_good_as_a_post(office) -> None:
    """Slack takes the arguments of a reading method from the query as well as from a body."""
    url = f"{office.slack.url}/api/users.info"
    headers = {"Authorization": f"Bearer {office.token}"}
    async with office.http.get(url, params={"user": office.dana.id}, headers=headers) as response:
        assert (await response.json())["user"]["id"] == office.dana.id


async def test_a_method_slack_does_not_have_is_unknown(office) -> None:
    """A misspelt method is answered by its error, not by a 404."""
    assert (await ask(office, "chat.postMassage", office.token))["error"] == "unknown_method"


@pytest.mark.parametrize(("body", "error"), [(b"{", "invalid_json"), (b"[]", "json_not_object")])
async def test_a_body_that_cannot_be_read_is_named(office, body: bytes, error: str) -> None:
    """Slack tells broken JSON from JSON that is no object."""
    headers = {"Authorization": f"Bearer {office.token}", "Content-Type": "application/json"}
    async with office.http.post(f"{office.slack.url}/api/auth.test", data=body, headers=headers) as response:
        assert (await response.json())["error"] == error


async def test_a_missing_scope_is_named_beside_those_granted(office) -> None:
    """`missing_scope` names the needed and the provided scopes, and every answer lists the granted ones in a header."""
    team = office.slack.add_team("Globex")
    ada = office.slack.add_user(team, "Ada Smith")
    client = office.as_bot(office.slack.install(team.id, ada.id, ["users:read", "chat:write"]))

    error = await refusal(client.users_lookupByEmail(email="ada@globex.example"))

    assert error["error"] == "missing_scope"
    assert (error["needed"], error["provided"]) == ("users:read.email", "chat:write,users:read")
    assert (await client.auth_test()).headers["x-oauth-scopes"] == "chat:write,users:read"


async def test_auth_test_names_the_workspace_and_the_bot(office) -> None:
    """`auth.test` says whose token it is: the workspace, and the bot as a user."""
    answer = (await office.client.auth_test()).data
    assert (answer["team_id"], answer["team"]) == (office.team.id, "Acme")
    assert answer["user_id"] == office.slack.world.bots[office.team.id]
    assert not answer["is_enterprise_install"]


async def test_a_revoked_token_and_an_uninstalled_app_are_told_apart(office) -> None:
    """A revoked token is `token_revoked`, that of a removed app `account_inactive`; `test` revokes nothing."""
    app = office.slack.app
    assert (await office.client.auth_revoke(test=True))["revoked"] is False
    assert (await office.client.auth_revoke())["revoked"] is True
    assert (await refusal(office.client.auth_test()))["error"] == "token_revoked"

    again = office.as_bot(office.slack.install(office.team.id, office.dana.id))
    wrong = again.apps_uninstall(client_id=app.client_id, client_secret="wrong")
    assert (await refusal(wrong))["error"] == "bad_client_secret"
    await again.apps_uninstall(client_id=app.client_id, client_secret=app.client_secret)
    assert (await refusal(again.auth_test()))["error"] == "account_inactive"


async def test_a_reinstall_keeps_the_token_and_adds_to_its_scopes(office) -> None:
    """Scopes are additive: https://docs.slack.dev/authentication/installing-with-oauth"""
    team = office.slack.add_team("Globex")
    ada = office.slack.add_user(team, "Ada Smith")
    first = office.slack.install(team.id, ada.id, ["chat:write"])
    assert office.slack.install(team.id, ada.id, ["users:read"]) == first
    assert office.slack.world.tokens[first].scopes == {"chat:write", "users:read"}


async def test_a_tier_is_so_many_calls_a_minute_for_one_method_of_one_workspace(office, clock) -> None:
    """Tier 2 is 20 a minute; the answer is 429 with the seconds to wait, and it holds for that method alone."""
    office.slack.limits.enabled = True
    for _ in range(20):
        await office.client.users_list(limit=1)
        clock.advance(seconds=1)

    with pytest.raises(SlackApiError) as refused:
        await office.client.users_list(limit=1)

    assert refused.value.response.status_code == 429
    assert refused.value.response["error"] == "ratelimited"
    assert refused.value.response.headers["Retry-After"] == "40"
    await office.client.users_info(user=office.dana.id)
    clock.advance(seconds=40)
    await office.client.users_list(limit=1)


async def test_a_channel_takes_one_message_a_second_after_a_short_burst(office, clock) -> None:
    """The 429 speaks of the method in the workspace, so another channel has to wait as well."""
    office.slack.limits.enabled = True
    office.slack.limits.post_burst = 2
    busy = office.slack.add_channel(office.team, "busy", is_member=True)
    calm = office.slack.add_channel(office.team, "calm", is_member=True)
    for _ in range(2):
        await office.client.chat_postMessage(channel=busy.id, text="now")
    assert (await refusal(office.client.chat_postMessage(channel=busy.id, text="now")))["error"] == "ratelimited"
    assert (await refusal(office.client.chat_postMessage(channel=calm.id, text="now")))["error"] == "ratelimited"

    clock.advance(seconds=1)
    await office.client.chat_postMessage(channel=busy.id, text="now")
    await office.client.chat_postMessage(channel=calm.id, text="now")

    assert len(busy.messages) == 3
    assert len(calm.messages) == 1


async def test_a_workspace_takes_so_many_messages_a_minute(office) -> None:
    """Beside one message a second for each channel, Slack limits what an app posts to a whole workspace."""
    office.slack.limits.enabled = True
    office.slack.limits.posts_a_minute = 2
    channels = [office.slack.add_channel(office.team, f"c{number}", is_member=True) for number in range(3)]
    for channel in channels[:2]:
        await office.client.chat_postMessage(channel=channel.id, text="now")
    assert (await refusal(office.client.chat_postMessage(channel=channels[2].id, text="now")))["error"] == "ratelimited"


async def test_a_fault_fails_as_many_calls_as_it_was_told(office) -> None:
    """A fault that was set for so many calls of a method hits these, and the next one succeeds."""
    office.slack.faults.add("users.info", "internal_error", times=2)
    for _ in range(2):
        assert (await refusal(office.client.users_info(user=office.dana.id)))["error"] == "internal_error"
    assert (await office.client.users_info(user=office.dana.id))["ok"]


async def test_a_fault_hits_only_the_calls_it_was_meant_for_until_removed(office) -> None:
    """A fault can be tied to what a call asks for; it lasts until it is taken away, and counts its hits."""
    ada = office.slack.add_user(office.team, "Ada Smith")
    fault = office.slack.faults.add("*", "fatal_error", times=None, when=lambda asked: asked.get("user") == ada.id)
    for _ in range(3):
        assert (await refusal(office.client.users_info(user=ada.id)))["error"] == "fatal_error"
    await office.client.users_info(user=office.dana.id)
    office.slack.faults.remove(fault)
    assert (await office.client.users_info(user=ada.id))["ok"]
    assert fault.hits == 3


async def test_a_fault_can_ask_to_wait(office) -> None:
    """Being limited is a 429 whose Retry-After says for how many seconds."""
    office.slack.faults.add("chat.postMessage", retry_after=7)
    with pytest.raises(SlackApiError) as refused:
        await office.client.chat_postMessage(channel=office.dana.id, text="hello")
    assert refused.value.response.status_code == 429
    assert refused.value.response.headers["Retry-After"] == "7"


async def test_a_fault_can_do_the_work_and_then_say_500(office) -> None:
    """What an ambiguous failure is: the message stands, and the caller does not know."""
    channel = office.slack.add_channel(office.team, "general", is_member=True)
    office.slack.faults.add("chat.postMessage", status=500, perform=True, body=b"<html>oops")
    with pytest.raises(SlackApiError) as refused:
        await office.client.chat_postMessage(channel=channel.id, text="hello")
    assert refused.value.response.status_code == 500
    assert len(channel.messages) == 1


@pytest.mark.parametrize(("drop", "posted"), [("before", 0), ("after", 1)])
async def test_a_connection_can_be_cut_before_or_after_the_work(office, drop, posted: int) -> None:
    """A lost answer does not tell whether the message was posted, so the sandbox can lose it on either side."""
    channel = office.slack.add_channel(office.team, "general", is_member=True)
    office.slack.faults.add("chat.postMessage", drop=drop)
    with pytest.raises(aiohttp.ClientError):
        await office.client.chat_postMessage(channel=channel.id, text="hello")
    assert len(channel.messages) == posted
    assert [(call.method, call.status) for call in office.slack.calls] == [("chat.postMessage", 0)]


async def test_a_good_answer_can_come_late(office) -> None:
    """A slow call holds up no other."""
    office.slack.faults.add("users.info", delay=0.01)
    slow = asyncio.create_task(office.client.users_info(user=office.dana.id))
    quick = await office.client.auth_test()
    assert quick["ok"]
    assert not slow.done()
    assert (await slow)["ok"]


async def test_every_call_is_on_record_without_its_secrets(office, clock) -> None:
    """A test can ask who called what, when and with which end; tokens and client secrets are not among it."""
    await office.client.chat_postMessage(channel=office.dana.id, text="hello")
    await ask(office, "oauth.v2.access", client_id="nobody", client_secret="s3cret")

    post, exchange = office.slack.calls
    assert (post.method, post.team_id, post.status, post.error) == ("chat.postMessage", office.team.id, 200, None)
    assert post.arguments["text"] == "hello"
    assert post.at == clock() / 1000
    assert exchange.error == "invalid_client_id"
    assert "s3cret" not in json.dumps(exchange.arguments)
