"""The Web API: tokens, scopes, rate limits, injected faults and recorded calls."""

import asyncio
import json

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError

from sandbox.slack.state import Json


async def call(acme, method: str, token: str | None = None, **fields: str) -> Json:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with acme.http.post(f"{acme.slack.url}/api/{method}", data=fields, headers=headers) as response:
        return await response.json()


async def refusal(awaitable) -> Json:
    with pytest.raises(SlackApiError) as error:
        await awaitable
    return error.value.response.data


@pytest.mark.parametrize(
    ("token", "error"), [(None, "not_authed"), ("xoxb-made-up", "invalid_auth")], ids=["no token", "unknown token"]
)
async def test_a_call_without_a_good_token_is_refused(acme, token: str | None, error: str) -> None:
    """A missing token and an unknown one have different errors, both with HTTP 200 and `ok` false."""
    assert (await call(acme, "auth.test", token)) == {"ok": False, "error": error}


async def test_a_token_is_accepted_in_a_form_but_not_in_json(acme) -> None:
    """https://docs.slack.dev/apis/web-api/: with JSON, the token must be in the header."""
    url, token = f"{acme.slack.url}/api/auth.test", {"token": acme.token}
    async with acme.http.post(url, data=token) as response:
        assert (await response.json())["ok"]
    async with acme.http.post(url, json=token) as response:
        assert (await response.json())["error"] == "not_authed"


async def test_arguments_can_be_sent_in_a_query(acme) -> None:
    """Slack accepts GET with a query as well as POST with a body."""
    url = f"{acme.slack.url}/api/users.info"
    headers = {"Authorization": f"Bearer {acme.token}"}
    async with acme.http.get(url, params={"user": acme.dana.id}, headers=headers) as response:
        assert (await response.json())["user"]["id"] == acme.dana.id


async def test_an_unknown_method_is_an_error(acme) -> None:
    """A misspelt method gets `unknown_method`, not a 404."""
    assert (await call(acme, "chat.postMassage", acme.token))["error"] == "unknown_method"


@pytest.mark.parametrize(("body", "error"), [(b"{", "invalid_json"), (b"[]", "json_not_object")])
async def test_an_unreadable_body_has_its_own_error(acme, body: bytes, error: str) -> None:
    """Slack distinguishes invalid JSON from JSON that is not an object."""
    headers = {"Authorization": f"Bearer {acme.token}", "Content-Type": "application/json"}
    async with acme.http.post(f"{acme.slack.url}/api/auth.test", data=body, headers=headers) as response:
        assert (await response.json())["error"] == error


async def test_a_missing_scope_error_names_needed_and_granted_scopes(acme) -> None:
    """`missing_scope` has the needed and the provided scopes; every response has the granted ones in a header."""
    team = acme.slack.add_team("Globex")
    ada = acme.slack.add_user(team, "Ada Smith")
    client = acme.as_bot(acme.slack.install(team.id, ada.id, ["users:read", "chat:write"]))

    error = await refusal(client.users_lookupByEmail(email="ada@globex.example"))

    assert error["error"] == "missing_scope"
    assert (error["needed"], error["provided"]) == ("users:read.email", "chat:write,users:read")
    assert (await client.auth_test()).headers["x-oauth-scopes"] == "chat:write,users:read"


async def test_auth_test_names_the_workspace_and_the_bot(acme) -> None:
    """`auth.test` returns the workspace and the bot user of the token."""
    answer = (await acme.client.auth_test()).data
    assert (answer["team_id"], answer["team"]) == (acme.team.id, "Acme")
    assert answer["user_id"] == acme.slack.world.bots[acme.team.id]
    assert not answer["is_enterprise_install"]


async def test_a_revoked_token_and_an_uninstalled_app_have_different_errors(acme) -> None:
    """A revoked token gets `token_revoked`, that of an uninstalled app `account_inactive`; `test` revokes nothing."""
    app = acme.slack.app
    assert (await acme.client.auth_revoke(test=True))["revoked"] is False
    assert (await acme.client.auth_revoke())["revoked"] is True
    assert (await refusal(acme.client.auth_test()))["error"] == "token_revoked"

    again = acme.as_bot(acme.slack.install(acme.team.id, acme.dana.id))
    wrong = again.apps_uninstall(client_id=app.client_id, client_secret="wrong")
    assert (await refusal(wrong))["error"] == "bad_client_secret"
    await again.apps_uninstall(client_id=app.client_id, client_secret=app.client_secret)
    assert (await refusal(again.auth_test()))["error"] == "account_inactive"


async def test_a_reinstall_keeps_the_token_and_adds_to_its_scopes(acme) -> None:
    """Scopes are additive: https://docs.slack.dev/authentication/installing-with-oauth"""
    team = acme.slack.add_team("Globex")
    ada = acme.slack.add_user(team, "Ada Smith")
    first = acme.slack.install(team.id, ada.id, ["chat:write"])
    assert acme.slack.install(team.id, ada.id, ["users:read"]) == first
    assert acme.slack.world.tokens[first].scopes == {"chat:write", "users:read"}


async def test_a_rate_limit_applies_per_method_and_workspace(acme, clock) -> None:
    """Tier 2 allows 20 calls a minute; then that method alone gets a 429 with the seconds to wait."""
    acme.slack.limits.enabled = True
    for _ in range(20):
        await acme.client.users_list(limit=1)
        clock.advance(seconds=1)

    with pytest.raises(SlackApiError) as error:
        await acme.client.users_list(limit=1)

    assert error.value.response.status_code == 429
    assert error.value.response["error"] == "ratelimited"
    assert error.value.response.headers["Retry-After"] == "40"
    await acme.client.users_info(user=acme.dana.id)
    clock.advance(seconds=40)
    await acme.client.users_list(limit=1)


async def test_a_channel_accepts_one_message_a_second_after_a_short_burst(acme, clock) -> None:
    """The 429 applies to the method in the workspace, so other channels have to wait too."""
    acme.slack.limits.enabled = True
    acme.slack.limits.post_burst = 2
    busy = acme.slack.add_channel(acme.team, "busy", is_member=True)
    calm = acme.slack.add_channel(acme.team, "calm", is_member=True)
    for _ in range(2):
        await acme.client.chat_postMessage(channel=busy.id, text="now")
    assert (await refusal(acme.client.chat_postMessage(channel=busy.id, text="now")))["error"] == "ratelimited"
    assert (await refusal(acme.client.chat_postMessage(channel=calm.id, text="now")))["error"] == "ratelimited"

    clock.advance(seconds=1)
    await acme.client.chat_postMessage(channel=busy.id, text="now")
    await acme.client.chat_postMessage(channel=calm.id, text="now")

    assert len(busy.messages) == 3
    assert len(calm.messages) == 1


async def test_a_workspace_accepts_a_limited_number_of_messages_a_minute(acme) -> None:
    """This limit is separate from that of a message a second per channel."""
    acme.slack.limits.enabled = True
    acme.slack.limits.posts_a_minute = 2
    channels = [acme.slack.add_channel(acme.team, f"c{number}", is_member=True) for number in range(3)]
    for channel in channels[:2]:
        await acme.client.chat_postMessage(channel=channel.id, text="now")
    assert (await refusal(acme.client.chat_postMessage(channel=channels[2].id, text="now")))["error"] == "ratelimited"


async def test_a_fault_applies_to_the_given_number_of_calls(acme) -> None:
    """After `times` calls the method succeeds again."""
    acme.slack.faults.add("users.info", "internal_error", times=2)
    for _ in range(2):
        assert (await refusal(acme.client.users_info(user=acme.dana.id)))["error"] == "internal_error"
    assert (await acme.client.users_info(user=acme.dana.id))["ok"]


async def test_a_fault_can_depend_on_the_arguments_and_last_until_removed(acme) -> None:
    """`when` selects calls, `times` None means until removed, and the fault counts its hits."""
    ada = acme.slack.add_user(acme.team, "Ada Smith")
    fault = acme.slack.faults.add(
        "*", "fatal_error", times=None, when=lambda arguments: arguments.get("user") == ada.id
    )
    for _ in range(3):
        assert (await refusal(acme.client.users_info(user=ada.id)))["error"] == "fatal_error"
    await acme.client.users_info(user=acme.dana.id)
    acme.slack.faults.remove(fault)
    assert (await acme.client.users_info(user=ada.id))["ok"]
    assert fault.hits == 3


async def test_a_fault_can_be_a_rate_limit(acme) -> None:
    """`retry_after` is a 429 with that number of seconds."""
    acme.slack.faults.add("chat.postMessage", retry_after=7)
    with pytest.raises(SlackApiError) as error:
        await acme.client.chat_postMessage(channel=acme.dana.id, text="hello")
    assert error.value.response.status_code == 429
    assert error.value.response.headers["Retry-After"] == "7"


async def test_a_fault_can_perform_the_call_and_answer_500(acme) -> None:
    """This is an ambiguous failure: the message is posted, and the caller does not know."""
    channel = acme.slack.add_channel(acme.team, "general", is_member=True)
    acme.slack.faults.add("chat.postMessage", status=500, perform=True, body=b"<html>oops")
    with pytest.raises(SlackApiError) as error:
        await acme.client.chat_postMessage(channel=channel.id, text="hello")
    assert error.value.response.status_code == 500
    assert len(channel.messages) == 1


@pytest.mark.parametrize(("drop", "posted"), [("before", 0), ("after", 1)])
async def test_a_connection_can_be_dropped_before_or_after_the_call_takes_effect(acme, drop, posted: int) -> None:
    """A lost response does not show whether the message was posted, so the sandbox can do both."""
    channel = acme.slack.add_channel(acme.team, "general", is_member=True)
    acme.slack.faults.add("chat.postMessage", drop=drop)
    with pytest.raises(aiohttp.ClientError):
        await acme.client.chat_postMessage(channel=channel.id, text="hello")
    assert len(channel.messages) == posted
    assert [(call.method, call.status) for call in acme.slack.calls] == [("chat.postMessage", 0)]


async def test_a_response_can_be_delayed(acme) -> None:
    """A slow call does not block others."""
    acme.slack.faults.add("users.info", delay=0.01)
    slow = asyncio.create_task(acme.client.users_info(user=acme.dana.id))
    quick = await acme.client.auth_test()
    assert quick["ok"]
    assert not slow.done()
    assert (await slow)["ok"]


async def test_every_call_is_recorded_without_secrets(acme, clock) -> None:
    """A record has method, acme, arguments, time and result, but no tokens or client secrets."""
    await acme.client.chat_postMessage(channel=acme.dana.id, text="hello")
    await call(acme, "oauth.v2.access", client_id="nobody", client_secret="s3cret")

    post, exchange = acme.slack.calls
    assert (post.method, post.team_id, post.status, post.error) == ("chat.postMessage", acme.team.id, 200, None)
    assert post.arguments["text"] == "hello"
    assert post.at == clock() / 1000
    assert exchange.error == "invalid_client_id"
    assert "s3cret" not in json.dumps(exchange.arguments)
