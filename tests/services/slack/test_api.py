"""Slack's Web API over HTTP: requests, responses and errors."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest
from aiohttp.test_utils import unused_port
from slack_sdk.web.async_client import AsyncWebClient

from domain.errors import (
    DestinationDeadError,
    MessageRefusedError,
    PermanentError,
    TokenRefusedError,
    TransientError,
    WorkspaceGoneError,
)
from services.slack.api import Slack
from services.slack.call import LOOK_AGAIN_SECONDS
from store.delivery import pauses
from tests.services.slack.slack_world import SlackWorkspace, open_slack_workspace


@pytest.fixture
async def acme(database, clock):
    async with open_slack_workspace(database, clock) as acme:
        yield acme


async def post_something(acme: SlackWorkspace) -> None:
    await acme.api.post(acme.id, acme.wins.id, text="Ada Smith joined Globex", post_id=str(uuid4()))


async def test_a_post_has_its_id_and_no_link_previews(acme):
    """The id is for finding it again. Previews would hide the message."""
    post_id = str(uuid4())
    posted = await acme.api.post(acme.id, acme.wins.id, text="Ada Smith joined Globex", post_id=post_id)

    assert posted.channel == acme.wins.id
    [arguments] = acme.calls_of("chat.postMessage")
    assert arguments == {
        "channel": acme.wins.id,
        "text": "Ada Smith joined Globex",
        "client_msg_id": post_id,
        "metadata": {"event_type": "job_change_post", "event_payload": {"post_id": post_id}},
        "unfurl_links": False,
        "unfurl_media": False,
    }


async def test_nothing_is_posted_if_the_lease_could_end_during_the_call(acme, clock):
    """The process may have been suspended, or waited for the database, after it last looked at its lease."""
    tokens, lease_until = acme.api.tokens, clock() + 30_000

    async def slow_tokens(workspace_id: str) -> str | None:
        clock.advance(seconds=20)
        return await tokens(workspace_id)

    with pytest.raises(TransientError) as raised:
        await replace(acme.api, tokens=slow_tokens).post(
            acme.id, acme.wins.id, text="late", post_id=str(uuid4()), lease_until=lease_until
        )

    assert (raised.value.retry_after, raised.value.in_doubt) == (0, False)
    assert acme.calls_of("chat.postMessage") == []


async def test_a_post_to_a_user_returns_the_id_of_the_conversation(acme):
    """Finding and updating a message need that id, not the user's."""
    posted = await acme.api.post(acme.id, acme.dana.id, text="Ada Smith joined Globex", post_id=str(uuid4()))

    assert posted.channel.startswith("D")


async def test_a_post_is_found_by_its_id(acme, clock):
    """After a crash, nothing is sent twice, and one call is enough."""
    post_id, began = str(uuid4()), clock()
    posted = await acme.api.post(acme.id, acme.dana.id, text="Ada Smith joined Globex", post_id=post_id)
    acme.sandbox.limits.enabled = False
    for number in range(14):
        await acme.api.post_notice(acme.id, acme.dana.id, f"number {number}")

    assert await acme.api.find_post(acme.id, posted.channel, post_id, began) == posted
    assert len(acme.calls_of("conversations.history")) == 1


async def test_a_page_of_earlier_messages_shows_that_there_is_no_post(acme, clock):
    """The newest messages come first, and these are older than the post would be."""
    acme.sandbox.limits.enabled = False
    for number in range(40):
        posted = await acme.api.post_notice(acme.id, acme.dana.id, f"number {number}")
    clock.advance(seconds=600)

    assert await acme.api.find_post(acme.id, posted.channel, str(uuid4()), clock()) is None
    assert len(acme.calls_of("conversations.history")) == 1


async def test_a_post_that_many_messages_have_followed_cannot_be_looked_up(acme, clock):
    """Slack shows some apps 15 messages a minute only, so no further page is read."""
    acme.sandbox.app.has_short_history = True
    post_id, began = str(uuid4()), clock()
    posted = await acme.api.post(acme.id, acme.dana.id, text="Ada Smith joined Globex", post_id=post_id)
    acme.sandbox.limits.enabled = False
    for number in range(20):
        await acme.api.post_notice(acme.id, acme.dana.id, f"number {number}")

    with pytest.raises(PermanentError):
        await acme.api.find_post(acme.id, posted.channel, post_id, began)
    assert len(acme.calls_of("conversations.history")) == 1


async def test_a_first_direct_message_cannot_be_looked_up(acme, clock):
    """Its channel is not known yet, and finding it needs a permission that the app does not ask for."""
    with pytest.raises(PermanentError):
        await acme.api.find_post(acme.id, acme.dana.id, str(uuid4()), clock())

    assert acme.sandbox.calls == []


async def test_without_the_history_scope_a_search_fails(acme, clock):
    """None would mean that nothing was posted."""
    next(iter(acme.sandbox.world.tokens.values())).scopes -= {"channels:history"}

    with pytest.raises(PermanentError, match="channels:history"):
        await acme.api.find_post(acme.id, acme.wins.id, str(uuid4()), clock())


async def test_a_message_can_be_updated_and_linked_to(acme, clock):
    """Both use the channel and timestamp that the post returned."""
    posted = await acme.api.post(acme.id, acme.wins.id, text="before", post_id=str(uuid4()))

    changed = await acme.api.update(acme.id, posted, text="after", blocks=None, lease_until=clock() + 30_000)

    assert changed == posted
    assert acme.wins.messages[posted.ts].text == "after"
    assert "/archives/" in await acme.api.permalink(acme.id, posted)


@pytest.mark.parametrize(
    ("fault", "in_doubt"),
    [
        ({"status": 500}, True),
        ({"status": 503, "body": b"<html>upstream</html>"}, True),
        ({"error": "internal_error"}, True),
        ({"error": "fatal_error", "perform": True}, True),
        ({"drop": "before"}, True),
        ({"drop": "after"}, True),
        ({"body": b"OK"}, True),
        ({"body": b"[1, 2]"}, True),
        ({"body": b'"text"'}, True),
        ({"body": b"\xff\xfe\x00"}, True),
        ({"body": b""}, True),
        ({"body": b"null"}, True),
        ({"body": b'{"ok": true}'}, True),
        ({"body": b'{"ok": true, "channel": 3, "ts": null}'}, True),
        ({"status": 404, "body": b"not here"}, False),
        ({"error": "something_new", "undocumented": True}, False),
    ],
)
async def test_a_failed_post_says_whether_it_may_have_arrived(acme, fault, in_doubt):
    """If so, the message is looked for before it is sent again."""
    acme.sandbox.faults.add("chat.postMessage", **fault)

    with pytest.raises(TransientError) as failure:
        await post_something(acme)

    assert failure.value.in_doubt is in_doubt
    assert failure.value.retry_after is None


async def test_a_post_that_was_not_answered_in_time_may_have_arrived(database, clock):
    """Slack may be slow and post it nevertheless."""
    async with open_slack_workspace(database, clock, timeout_seconds=0.1) as hasty:
        hasty.sandbox.faults.add("chat.postMessage", delay=0.5)

        with pytest.raises(TransientError) as failure:
            await post_something(hasty)

    assert failure.value.in_doubt


async def test_a_request_that_was_never_sent_is_not_in_doubt(acme, database, clock):
    """Nothing listens at that address."""
    client = AsyncWebClient(base_url=f"http://127.0.0.1:{unused_port()}/api/", session=acme.http, retry_handlers=[])
    nowhere = Slack(client, acme.api.tokens, database, clock)

    with pytest.raises(TransientError) as failure:
        await nowhere.post_notice(acme.id, acme.wins.id, "hello")

    assert failure.value.in_doubt is False


async def test_the_client_does_not_retry_a_post(acme):
    """By default, the SDK repeats a request when the connection fails."""
    acme.sandbox.faults.add("chat.postMessage", drop="after", times=None)

    with pytest.raises(TransientError):
        await post_something(acme)

    assert len(acme.calls_of("chat.postMessage")) == 1


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("is_archived", DestinationDeadError),
        ("invalid_blocks", MessageRefusedError),
        ("missing_scope", PermanentError),
    ],
)
async def test_a_permanent_error_of_a_post_has_its_class(acme, error, kind):
    """The table of codes is tested in test_errors.py."""
    acme.sandbox.faults.add("chat.postMessage", error=error)

    with pytest.raises(kind):
        await post_something(acme)


@pytest.mark.parametrize("code", ["invalid_auth", "token_revoked", "account_inactive"])
async def test_a_workspace_is_gone_when_auth_test_agrees(acme, code):
    """One method may reject a token that the others accept."""
    acme.sandbox.faults.add("chat.postMessage", error=code)
    acme.sandbox.faults.add("auth.test", error="account_inactive")

    with pytest.raises(WorkspaceGoneError) as failure:
        await post_something(acme)

    assert failure.value.code == "account_inactive"


async def test_a_token_that_auth_test_accepts_is_tried_again_later(acme):
    """Slack's code for a wrong address is that of an invalid token. Only the method that failed waits."""
    acme.sandbox.faults.add("users.info", error="invalid_auth")

    for _ in range(2):
        with pytest.raises(TransientError) as failure:
            await acme.api.user(acme.id, acme.dana.id)

    assert failure.value.retry_after is not None
    assert failure.value.retry_after <= LOOK_AGAIN_SECONDS
    assert len(acme.calls_of("users.info")) == 1
    assert await acme.api.channel(acme.id, acme.wins.id) is not None


async def test_a_message_refused_with_an_accepted_token_holds_no_other_message_back(acme):
    """It may be about the destination, and every message is posted by the same method."""
    acme.sandbox.faults.add("chat.postMessage", error="account_inactive")

    with pytest.raises(TokenRefusedError) as failure:
        await post_something(acme)

    assert (failure.value.code, failure.value.retry_after) == ("account_inactive", None)
    await post_something(acme)
    assert len(acme.calls_of("chat.postMessage")) == 2


async def test_without_a_token_the_workspace_is_gone(acme):
    """Slack is not called then."""
    with pytest.raises(WorkspaceGoneError):
        await acme.api.post_notice("T0ELSE", acme.wins.id, "hello")

    assert acme.calls_of("chat.postMessage") == []


@pytest.mark.both_databases
async def test_a_rate_limit_pauses_one_method_in_every_replica(acme, database, clock):
    """Slack limits each method per workspace. A call during the pause would prolong it."""
    acme.sandbox.faults.add("chat.postMessage", retry_after=30)
    with pytest.raises(TransientError) as limited:
        await post_something(acme)
    replica = Slack(acme.api.client, acme.api.tokens, database, clock)
    clock.advance(seconds=29)

    with pytest.raises(TransientError) as waiting:
        await replica.post_notice(acme.id, acme.wins.id, "hello")

    assert limited.value.retry_after == 30
    assert waiting.value.retry_after == 1
    assert len(acme.calls_of("chat.postMessage")) == 1
    assert (await acme.api.auth_test(acme.id)).team_id == acme.id
    clock.advance(seconds=1)
    await replica.post_notice(acme.id, acme.wins.id, "hello")
    assert await database.run(pauses.paused_until, acme.id, "slack:chat.postMessage", clock()) is None


async def test_what_does_not_exist_is_none(acme):
    """Not found is a result, not an error."""
    assert await acme.api.user_by_email(acme.id, "nobody@acme.example") is None
    assert await acme.api.user(acme.id, "U0NOBODY") is None
    assert await acme.api.channel(acme.id, "C0NOWHERE") is None


async def test_a_user_has_slacks_fields(acme):
    """The address is in lower case, and an owner is an admin."""
    acme.sandbox.add_user(acme.team, "Lee Park", "Lee.Park@acme.example", is_primary_owner=True)

    lee = await acme.api.user_by_email(acme.id, "lee.park@acme.example")

    assert (lee.email, lee.is_admin, lee.is_guest, lee.deleted) == ("lee.park@acme.example", True, False, False)
    assert not lee.is_outsider
    assert "lee" not in repr(lee).lower()


async def test_users_are_listed_page_by_page(acme):
    """A page has 200 users, as Slack recommends."""
    for number in range(450):
        acme.sandbox.add_user(acme.team, f"Person {number}", f"person{number}@acme.example")

    pages = [len(page) async for page, _ in acme.api.users(acme.id)]

    assert sum(pages) == 452  # and Dana, and the bot
    assert [arguments["limit"] for arguments in acme.calls_of("users.list")] == ["200", "200", "200"]


async def test_channels_are_listed_with_the_apps_membership(acme):
    """Archived channels are left out. A page may be empty although more follow."""
    acme.sandbox.add_channel(acme.team, "old", is_archived=True)
    acme.sandbox.add_channel(acme.team, "secret", is_private=True)

    channels = [channel async for page in acme.api.channels(acme.id) for channel in page]

    assert [(channel.name, channel.is_member, channel.is_private) for channel in channels] == [("wins", True, False)]


async def test_a_repeated_page_ends_a_list(acme):
    """Otherwise a cursor that comes back would be requested forever."""
    body = b'{"ok": true, "members": [], "response_metadata": {"next_cursor": "again"}}'
    acme.sandbox.faults.add("users.list", body=body, times=None)

    with pytest.raises(TransientError, match="repeats a page"):
        async for _ in acme.api.users(acme.id):
            pass


async def test_posting_is_checked_without_a_message(acme):
    """The answer that the channel does not exist shows that posting works."""
    acme.sandbox.faults.add("chat.postMessage", status=500)
    with pytest.raises(TransientError):
        await acme.api.check_posting(acme.id)

    await acme.api.check_posting(acme.id)

    assert [call.error for call in acme.sandbox.calls][-1:] == ["channel_not_found"]
    assert [channel for channel in acme.sandbox.world.channels.values() if channel.messages] == []


async def test_a_token_has_its_workspace_and_scopes(acme):
    """The doctor compares the scopes that were granted."""
    identity = await acme.api.auth_test(acme.id)

    assert (identity.team_id, identity.team_name) == (acme.id, "Acme")
    assert "chat:write" in identity.scopes
