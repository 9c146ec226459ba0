"""What people do with the app: open Home, use buttons and menus, fill in modals, type commands."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from sandbox.slack.block_kit.inputs import Value, elements_in, find_element, holds_state, state_of
from sandbox.slack.modals import Submission, apply_response, missing_fields
from sandbox.slack.outgoing import payloads
from sandbox.slack.outgoing.app_client import AppClient, Reply
from sandbox.slack.outgoing.payloads import Actor
from sandbox.slack.shapes import view_json
from sandbox.slack.state import Json, Message, View
from sandbox.slack.web_api.response_urls import ResponseUrls
from sandbox.slack.world import World


@dataclass
class CommandReply:
    """The result of a slash command: `messages` are the app's responses, shown to the person or the channel.

    `problem` says why Slack could not show a response.
    """

    reply: Reply
    messages: list[Message] = field(default_factory=list)
    problem: str = ""

    @property
    def message(self) -> Message | None:
        return self.messages[0] if self.messages else None


class UserActions:
    """People can only use what Slack shows them. Otherwise these raise LookupError and name what is shown."""

    world: World
    app_client: AppClient
    response_urls: ResponseUrls

    def base_url(self) -> str:
        raise NotImplementedError

    async def open_home(self, user_id: str, tab: str = "home") -> int | None:
        """https://docs.slack.dev/reference/events/app_home_opened, which the messages tab sends too."""
        actor = self._actor(user_id)
        channel = self.world.open_dm(actor.token, actor.user)
        event: Json = {"type": "app_home_opened", "user": user_id, "channel": channel.id, "tab": tab}
        home = self.world.homes.get(user_id)
        if home is not None and tab == "home":
            event["view"] = view_json(home, actor.app)
        if not self.app_client.subscribed(actor.token, "app_home_opened"):
            return None
        return await self.app_client.deliver(actor.token, actor.team.id, event)

    async def press(
        self, user_id: str, channel: str, ts: str, action_id: str, value: Value = None, block_id: str | None = None
    ) -> Reply:
        """Use an element of a message. `value` is the choice, or the value of the button if several share an id."""
        conversation, message = self.world.channels[channel], self.world.message(channel, ts)
        can_read = user_id in conversation.members or not (conversation.is_private or conversation.is_im)
        if message is None or message.ephemeral_to not in (None, user_id) or not can_read:
            raise LookupError(f"{user_id} cannot see a message {ts} in {channel}")
        block, element = find_element(message.blocks or [], action_id, value, block_id)
        if element["type"] == "workflow_button":
            # "interactions with workflow button elements will not send block_actions events": see slack_sdk's model
            self.world.teams[conversation.team_id].workflow_runs.append(element["workflow"]["trigger"])
            return Reply(200)
        action = _use_element(message.input_states, block, element, value, self.world.new_ts())
        actor = self._actor(user_id, team_id=None if conversation.is_im else conversation.team_id)
        url = self.base_url() + self.response_urls.add(actor.token, conversation, actor.user, message)
        return await self.app_client.interact(payloads.message_action(actor, conversation, message, action, url))

    async def act_in_home(
        self, user_id: str, action_id: str, value: Value = None, block_id: str | None = None
    ) -> Reply:
        """Use an element of the Home last published for this person."""
        home = self.world.homes.get(user_id)
        if home is None:
            raise LookupError(f"{user_id} has no Home yet")
        return await self._act(user_id, home, action_id, value, block_id)

    async def act_in_modal(
        self, user_id: str, action_id: str, value: Value = None, block_id: str | None = None
    ) -> Reply:
        """Use an element of the topmost modal."""
        return await self._act(user_id, self.modal(user_id), action_id, value, block_id)

    async def submit_view(self, user_id: str, values: Mapping[str, Value] | None = None) -> Submission:
        """Fill in the topmost modal, with values by action_id or block_id, and submit it.

        https://docs.slack.dev/surfaces/modals#response_actions
        """
        view = self.modal(user_id)
        for name, value in (values or {}).items():
            block, element = _find_field(view, name)
            view.input_states[block["block_id"], element["action_id"]] = state_of(element, value)
        missing = missing_fields(view)
        if missing:
            return Submission(None, missing)
        actor = self._actor(user_id, view.root_view_id)
        reply = await self.app_client.interact(payloads.view_submission(actor, view))
        return apply_response(self.world, actor, view, reply)

    async def close_view(self, user_id: str, *, clear: bool = False) -> Reply | None:
        """Close the topmost modal, or all with `clear`. None if the view has no `notify_on_close`."""
        view = self.modal(user_id)
        actor = self._actor(user_id)
        cleared = clear or bool(view.definition.get("clear_on_close"))
        stack = self.world.modals[user_id]
        del stack[0 if cleared else -1 :]
        self.world.touch()
        if not view.definition.get("notify_on_close"):
            return None
        return await self.app_client.interact(payloads.view_closed(actor, view, is_cleared=cleared))

    async def command(
        self, user_id: str, command: str, text: str = "", channel: str | None = None, *, wait: bool = True
    ) -> CommandReply:
        """Type a slash command in `channel`, or in the app's direct message.

        If the body of the reply is empty, this waits for the first message to the response_url, unless `wait` is
        False. Raises TimeoutError if none arrives.
        """
        actor = self._actor(user_id)
        if actor.app.commands is not None and command not in actor.app.commands:
            commands = " and ".join(sorted(actor.app.commands)) or "none"
            raise LookupError(f"{command} is not a valid command. Available: {commands}.")
        conversation = self.world.channels[channel] if channel else self.world.open_dm(actor.token, actor.user)
        path = self.response_urls.add(actor.token, conversation, actor.user)
        fields = payloads.slash_command(actor, conversation, command, text, self.base_url() + path)
        reply = await self.app_client.form(fields)
        response_url = self.response_urls.at(path)
        problem = reply.problem
        if reply.status == 200 and reply.body.strip():
            problem = self.response_urls.post(response_url, reply.json or {"text": reply.body.decode()}) or ""
        elif reply.status == 200 and wait:
            await asyncio.wait_for(response_url.answered.wait(), self.app_client.timeout)
        return CommandReply(reply, response_url.posts, problem)

    def modal(self, user_id: str) -> View:
        """The topmost modal this person has open. Raises LookupError."""
        stack = self.world.modals.get(user_id)
        if not stack:
            raise LookupError(f"{user_id} has no modal open")
        return stack[-1]

    async def _act(self, user_id: str, view: View, action_id: str, value: Value, block_id: str | None) -> Reply:
        block, element = find_element(view.blocks, action_id, value, block_id)
        action = _use_element(view.input_states, block, element, value, self.world.new_ts())
        root = view.root_view_id if view.definition["type"] == "modal" else None
        return await self.app_client.interact(payloads.view_action(self._actor(user_id, root), view, action))

    def switch_workspace(self, user_id: str, team_id: str) -> None:
        """A member of several workspaces opens another one, in which they act from now on."""
        if team_id not in self.world.users[user_id].teams:
            raise LookupError(f"{user_id} is not a member of {team_id}")
        self.world.open_teams[user_id] = team_id

    def _actor(self, user_id: str, root_view_id: str | None = None, team_id: str | None = None) -> Actor:
        """`team_id` is the workspace that the person acts in; None means the one that they have open."""
        user = self.world.users[user_id]
        team_id = team_id or self.world.open_teams.get(user_id, user.team_id)
        token = self.world.active_token(team_id)
        if token is None:
            raise LookupError(f"the app is not installed in {team_id}")
        if user.deleted:
            raise LookupError(f"{user_id} is deactivated")
        trigger_id = self.world.new_trigger(user, root_view_id, team_id)
        return Actor(self.world.app, token, self.world.teams[team_id], user, trigger_id)


def _use_element(input_states: dict[tuple[str, str], Json], block: Json, element: Json, value: Value, ts: str) -> Json:
    """Store what the element holds now, and return it as an action."""
    if holds_state(element):
        input_states[block["block_id"], element["action_id"]] = state_of(element, value)
    return payloads.action_json(block, element, value, ts)


def _find_field(view: View, name: str) -> tuple[Json, Json]:
    for block, element in elements_in(view.blocks):
        if name in (element.get("action_id"), block.get("block_id")):
            return block, element
    raise LookupError(f"the modal has no field {name!r}")
