"""Calls to Slack's Web API on behalf of a workspace, with typed results and errors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from domain.errors import PermanentError, TransientError, UnknownCodeError, WorkspaceGoneError
from domain.states import is_person
from services.slack.call import (
    authorized,
    body,
    call_renewed,
    error_code,
    failure,
    look_again,
    never_renewed,
    paused,
    subject,
    token_of,
)
from services.slack.errors import is_absent
from services.slack.shapes import (
    ChannelInfo,
    Identity,
    Json,
    Posted,
    SlackUser,
    are_after,
    items_of,
    next_cursor,
    object_of,
    page_of,
    post_id_of,
    text_of,
)
from store.database import Database
from store.delivery import pauses
from store.slack import workspaces

__all__ = ["ChannelInfo", "Identity", "Posted", "Slack", "SlackUser", "error_code"]

PAGE = 200
"""Users or channels per page, as Slack recommends. https://docs.slack.dev/apis/web-api/pagination"""

CALL_MS = 12_000
"""The longest time that a call may take. The timeout of services/operations/vendor_calls.py is shorter."""

HISTORY_PAGE = 15
"""The most messages that Slack shows to commercial apps outside its Marketplace, and enough to find the last post.
https://docs.slack.dev/changelog/2025/05/29/tos-updates"""

SKEW_MS = 24 * 60 * 60 * 1000
"""How far Slack's clock may be behind ours when a message is looked for by its time."""

RECENT_MS = 5 * 60 * 1000
METADATA_TYPE = "job_change_post"
NO_CHANNEL = "C0000000000"
"""The id of a channel that does not exist."""

NEED_TEAM = frozenset({"conversations.list", "usergroups.list", "usergroups.users.list", "users.list"})
"""Methods to which the token of an organization must pass `team_id`, as their pages say of that argument."""


@dataclass(frozen=True)
class Slack:
    """
    Slack's Web API for every workspace.

    `client` has the base URL and the shared session with its timeouts, but no token and no retry handlers. `tokens`
    returns a workspace's bot token or None. Every method raises WorkspaceGoneError, PermanentError or TransientError;
    what is not found is None. `renew` returns a new token for one that Slack no longer accepts, or None.
    """

    client: AsyncWebClient = field(repr=False)
    tokens: Callable[[str], Awaitable[str | None]]
    database: Database
    now: Callable[[], int]
    renew: Callable[[str, str], Awaitable[str | None]] = never_renewed

    async def post(
        self,
        workspace_id: str,
        destination: str,
        *,
        text: str,
        blocks: list[Json] | None = None,
        post_id: str,
        lease_until: int | None = None,
    ) -> Posted:
        """
        Post a job change to a user or channel. Also raises DestinationDeadError and MessageRefusedError.

        `post_id` is a UUID: the `client_msg_id`, about which Slack promises nothing, and in the message's metadata.
        Raises TransientError, with `retry_after` 0, if the call could last beyond `lease_until` (milliseconds).
        https://docs.slack.dev/reference/methods/chat.postMessage
        """
        return await self._post(workspace_id, destination, lease_until, post_id, text=text, blocks=blocks)

    async def post_notice(
        self, workspace_id: str, destination: str, text: str, blocks: list[Json] | None = None
    ) -> Posted:
        """Post something other than a job change. Raises the same errors as `post`."""
        return await self._post(workspace_id, destination, None, None, text=text, blocks=blocks)

    async def reply(self, workspace_id: str, posted: Posted, text: str, *, post_id: str, lease_until: int) -> Posted:
        """
        Reply in a message's thread and also show the reply in the channel. Raises the same errors as `post`.

        https://docs.slack.dev/reference/methods/chat.postMessage#threads
        """
        thread = {"thread_ts": posted.ts, "reply_broadcast": True}
        return await self._post(workspace_id, posted.channel, lease_until, post_id, text=text, **thread)

    async def _post(
        self, workspace_id: str, destination: str, lease_until: int | None, post_id: str | None, **message: object
    ) -> Posted:
        arguments = {"channel": destination, "unfurl_links": False, "unfurl_media": False, **message}
        if post_id is not None:
            metadata = {"event_type": METADATA_TYPE, "event_payload": {"post_id": post_id}}
            arguments |= {"metadata": metadata, "client_msg_id": post_id}
        return Posted.of(await self._write(workspace_id, "chat.postMessage", lease_until, **arguments))

    async def check_posting(self, workspace_id: str) -> None:
        """Raise TransientError while chat.postMessage fails. Nothing is posted: the channel does not exist."""
        try:
            await self._post(workspace_id, NO_CHANNEL, None, None, text="")
        except (PermanentError, UnknownCodeError) as error:
            if isinstance(error, WorkspaceGoneError):
                raise

    async def update(
        self, workspace_id: str, posted: Posted, *, text: str, blocks: list[Json] | None, lease_until: int
    ) -> Posted:
        """Raises TransientError as `post` does. https://docs.slack.dev/reference/methods/chat.update"""
        where = {"channel": posted.channel, "ts": posted.ts}
        return Posted.of(await self._write(workspace_id, "chat.update", lease_until, text=text, blocks=blocks, **where))

    async def find_post(
        self, workspace_id: str, channel: str | None, post_id: str, begun_at: int, thread_ts: str | None = None
    ) -> Posted | None:
        """
        Return the message that an earlier attempt sent with this `post_id`, or None if it did not arrive.

        `begun_at` (milliseconds) is when it was first tried. With `thread_ts`, the replies to it are searched.
        Reads one page, because Slack allows some apps one call a minute with 15 messages. Raises PermanentError if that
        does not answer it, if the channel is not known (None, or a user id), or without its history scope.
        https://docs.slack.dev/reference/methods/conversations.history
        https://docs.slack.dev/reference/methods/conversations.replies
        """
        if channel is None or is_person(channel):
            raise PermanentError("it may have arrived already, and the app cannot check")
        arguments = {
            "channel": channel,
            "oldest": f"{(begun_at - SKEW_MS) / 1000:.6f}",
            "inclusive": "true",
            "include_all_metadata": "true",
            "limit": HISTORY_PAGE,
            **({"ts": thread_ts} if thread_ts else {}),
        }
        method = "conversations.replies" if thread_ts else "conversations.history"
        answer = await self._read(workspace_id, method, **arguments) or {}
        messages: list[Json] = items_of(answer, "messages", dict)
        for message in messages:
            if post_id_of(message) == post_id:
                return Posted(channel, text_of(message, "ts"))
        # The history begins with the latest message, a thread with the earliest.
        if answer.get("has_more") is True and (thread_ts or are_after(messages, begun_at - RECENT_MS)):
            raise PermanentError("more messages have followed than Slack shows at once")
        return None

    async def user_by_email(self, workspace_id: str, email: str) -> SlackUser | None:
        """Slack does not find deactivated users. https://docs.slack.dev/reference/methods/users.lookupByEmail"""
        return await self._user(workspace_id, "users.lookupByEmail", "email", email)

    async def user(self, workspace_id: str, user_id: str) -> SlackUser | None:
        """https://docs.slack.dev/reference/methods/users.info"""
        return await self._user(workspace_id, "users.info", "user", user_id)

    async def user_group_members(self, workspace_id: str, group_id: str) -> list[str] | None:
        """
        Return the ids of the members of a user group, None if there is no such group. Needs usergroups:read.

        https://docs.slack.dev/reference/methods/usergroups.users.list
        """
        answer = await self._read(workspace_id, "usergroups.users.list", usergroup=group_id)
        return None if answer is None else items_of(answer, "users", str)

    async def user_groups(self, workspace_id: str) -> dict[str, str]:
        """
        Return the handles of all active user groups, by id. Needs usergroups:read.

        https://docs.slack.dev/reference/methods/usergroups.list
        """
        groups: list[Json] = items_of(await self._read(workspace_id, "usergroups.list") or {}, "usergroups", dict)
        return {text_of(group, "id"): str(group.get("handle") or group.get("name") or "") for group in groups}

    async def users(self, workspace_id: str, cursor: str = "") -> AsyncIterator[tuple[list[SlackUser], str]]:
        """Yield pages of users, including bots and deactivated users, as `_pages` does. https://docs.slack.dev/reference/methods/users.list"""
        team = await self.database.gather(workspaces.slack_teams, workspace_id, reads=True)
        async for page, following in self._pages(workspace_id, "users.list", "members", cursor=cursor):
            yield [SlackUser.of(raw, team) for raw in page], following

    async def channel(self, workspace_id: str, channel_id: str) -> ChannelInfo | None:
        """None may also mean that the channel is private and the app is not in it. https://docs.slack.dev/reference/methods/conversations.info"""
        answer = await self._read(workspace_id, "conversations.info", channel=channel_id)
        return None if answer is None else ChannelInfo.of(object_of(answer, "channel"))

    async def is_in_channel(self, workspace_id: str, channel_id: str, user_id: str) -> bool:
        """Private channels need groups:read. https://docs.slack.dev/reference/methods/conversations.members"""
        pages = self._pages(workspace_id, "conversations.members", "members", str, channel=channel_id)
        return any([user_id in page async for page, _ in pages])

    async def channels(self, workspace_id: str, *, private: bool = True) -> AsyncIterator[list[ChannelInfo]]:
        """
        Pages of channels that are not archived. A page may be empty. `private` needs groups:read.

        https://docs.slack.dev/reference/methods/conversations.list
        """
        types = "public_channel,private_channel" if private else "public_channel"
        arguments: Json = {"types": types, "exclude_archived": "true"}
        async for page, _ in self._pages(workspace_id, "conversations.list", "channels", **arguments):
            yield [ChannelInfo.of(raw) for raw in page]

    async def permalink(self, workspace_id: str, posted: Posted) -> str | None:
        """https://docs.slack.dev/reference/methods/chat.getPermalink"""
        arguments = {"channel": posted.channel, "message_ts": posted.ts}
        answer = await self._read(workspace_id, "chat.getPermalink", **arguments)
        return None if answer is None else text_of(answer, "permalink")

    async def auth_test(self, workspace_id: str) -> Identity:
        """https://docs.slack.dev/reference/methods/auth.test"""
        response = await self._call(workspace_id, "auth.test")
        return Identity.of(body(response), str(response.headers.get("x-oauth-scopes") or ""))

    async def _user(self, workspace_id: str, method: str, name: str, value: str) -> SlackUser | None:
        """One transaction reads whether Slack may be called, and the workspace that the user is judged by."""
        now = self.now()
        item = (workspace_id, subject(method), now)
        until, team = await self.database.gather(workspaces.pauses_and_teams, item, reads=True)
        if until:
            raise paused(method, until - now)
        answer = await self._read(workspace_id, method, True, **{name: value})
        return None if answer is None else SlackUser.of(object_of(answer, "user"), team)

    async def _write(self, workspace_id: str, method: str, lease_until: int | None, **arguments: object) -> Json:
        present = {name: value for name, value in arguments.items() if value is not None}
        return body(await self._call(workspace_id, method, json=present, lease_until=lease_until))

    async def _read(self, workspace_id: str, method: str, checked: bool = False, /, **arguments: object) -> Json | None:
        """Return the response, or None if what the call names does not exist. Every method accepts a form by POST."""
        try:
            return body(await self._call(workspace_id, method, data=arguments, checked=checked))
        except PermanentError as error:
            if is_absent(method, error.code):
                return None
            raise

    async def _pages(
        self, workspace_id: str, method: str, key: str, of: type = dict, /, cursor: str = "", **arguments: object
    ) -> AsyncIterator[tuple[list[Any], str]]:
        """Pages, each with the cursor of the next or "". Any may be empty. https://docs.slack.dev/apis/web-api/pagination"""
        seen = set[str]()
        while cursor not in seen:
            seen.add(cursor)
            data = {**arguments, "limit": PAGE, "cursor": cursor or None}
            answer = body(await self._call(workspace_id, method, data=data))
            yield page_of(answer, method, key, of), (cursor := next_cursor(answer))
            if not cursor:
                return
        raise TransientError(f"Slack repeats a page of {method}")

    async def _call(
        self,
        workspace_id: str,
        method: str,
        *,
        data: Json | None = None,
        json: Json | None = None,
        lease_until: int | None = None,
        checked: bool = False,
    ) -> AsyncSlackResponse:
        pause = asyncio.sleep(0) if checked else self._check_pause(workspace_id, method)
        token, _ = await asyncio.gather(token_of(self.tokens, workspace_id), pause)
        # Right before the call: a process that was suspended, or waited long for the database, may have lost its lease.
        if lease_until is not None and self.now() > lease_until - CALL_MS:
            raise TransientError("the lease was about to end", retry_after=0)
        if method in NEED_TEAM:
            data = {**(data or {}), **await self._team_argument(workspace_id)}
        try:
            return await call_renewed(
                self.client, method, token, partial(self.renew, workspace_id), data=data, json=json
            )
        except SlackApiError as error:
            our_error = failure(method, error)
            authorized.set(None)  # another process may have renewed the token of this request
            if isinstance(our_error, WorkspaceGoneError) and method != "auth.test":
                our_error = await look_again(self.client, method, await token_of(self.tokens, workspace_id), our_error)
            if isinstance(our_error, TransientError) and our_error.retry_after is not None:
                until = (now := self.now()) + round(our_error.retry_after * 1000)
                await self.database.run(pauses.pause, workspace_id, subject(method), until, now, str(our_error))
            raise our_error from error

    async def _team_argument(self, workspace_id: str) -> Json:
        team = await self.database.gather(workspaces.slack_teams, workspace_id, reads=True)
        if team.is_org_wide and team.id is None:
            raise TransientError("the workspaces of the organization are not known yet")
        return {"team_id": team.id} if team.is_org_wide else {}

    async def _check_pause(self, workspace_id: str, method: str) -> None:
        item = (workspace_id, subject(method), now := self.now())
        if until := await self.database.gather(pauses.paused_until_each, item, reads=True):
            raise paused(method, until - now)
