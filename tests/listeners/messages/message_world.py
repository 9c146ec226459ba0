"""The tests' world with Slack's listeners: people press buttons in messages over real, signed HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.fernet import Fernet
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from sqlalchemy import update

from listeners.dialogs import dialog, failures
from listeners.dialogs.dialog import Patience
from listeners.dialogs.metadata import ViewSigner
from listeners.messages import actions
from sandbox.slack.block_kit.parts import elements_of
from sandbox.slack.modals import Submission
from sandbox.slack.outgoing.app_client import Reply
from sandbox.slack.state import Json, Message, User
from services.journal import Repetitions
from services.messages.actions import DeliveryActions
from services.messages.redraws import Redrawer
from services.slack.directory import Directory
from store.delivery.trace import steps_of
from store.encryption import Cipher
from store.schema import job_changes
from tests.listeners.dialogs.patience import AMPLE
from tests.world import World


@dataclass
class MessageWorld:
    """A workspace with the members Dana, Kim and Mo. Dana owns the contact Ada Smith in Salesforce."""

    world: World
    delivery_actions: DeliveryActions
    dana: User
    kim: User
    mo: User

    async def press(self, user: User, message: Message, action_id: str, value: str | None = None) -> Reply:
        """Use an element of a message. Returns the app's immediate response."""
        name = f"delivery_{action_id}"
        reply = await self.world.slack.press(user.id, message.channel_id, message.ts, name, value)
        assert reply.status == 200
        await self.wait_for_listeners()
        return reply

    async def choose_in_menu(self, user: User, message: Message, verb: str, delivery: str = "") -> Reply:
        """Choose an entry in the menu of a message, by the delivery's id if it is about several job changes."""
        [option] = [value for value in menu_values(message) if value.startswith(f"{verb}:{delivery}")]
        return await self.press(user, message, "menu", option)

    async def submit(self, user: User, **values: Any) -> Submission:
        submission = await self.world.slack.submit_view(user.id, values)
        await self.wait_for_listeners()
        return submission

    async def wait_for_listeners(self) -> None:
        """Bolt runs listeners in the background, after the response."""
        while running := [task for task in asyncio.all_tasks() if "run_ack_function" in task.get_coro().__qualname__]:
            await asyncio.wait(running)

    async def pass_time(self, seconds: float = 2) -> None:
        """Advance the clock, then do everything a running worker would do."""
        self.world.clock.advance(seconds=seconds)
        await self.catch_up()
        await self.world.worker.drain()
        await self.catch_up()

    async def catch_up(self) -> None:
        while await self.delivery_actions.catch_up():
            pass

    def ephemeral_texts(self, user: User) -> list[str]:
        """The ephemeral messages this person received."""
        return [message.text for message in self.world.slack.world.ephemerals if message.ephemeral_to == user.id]

    def dialog_text(self, user: User) -> str:
        """The whole definition of the dialog this person has open, as text."""
        return str(self.world.slack.modal(user.id).definition)

    def is_closed(self, user: User) -> bool:
        return not self.world.slack.world.modals.get(user.id)

    async def trail(self, job_change_id: str) -> list[str]:
        return [step.step for step in await self.world.database.run(steps_of, job_change_id)]

    async def erase_payload(self, job_change_id: str) -> None:
        """Erase the job change's personal data, as retention does."""
        values = {"payload": None, "decision": None, "reason": None}
        await self.world.database.run(
            lambda connection: connection.execute(
                update(job_changes).where(job_changes.c.id == job_change_id).values(values)
            )
        )


@asynccontextmanager
async def open_message_world(world: World, patience: Patience = AMPLE) -> AsyncIterator[MessageWorld]:
    courier = world.worker.courier
    slack, signer = courier.slack, courier.signer
    redrawer = Redrawer(world.database, slack, signer, world.clock, courier.layouts)
    delivery_actions = DeliveryActions(world.database, slack, redrawer, signer, world.clock)
    directory = Directory(slack, world.database, world.clock)
    owner = world.add_owner("Dana Reyes")
    world.add_owner("Kim Lee")
    world.add_owner("Mo Chen")
    ada = {"FirstName": "Ada", "LastName": "Smith", "Email": "ada@initech.example", "OwnerId": owner}
    world.salesforce.add("Contact", **ada)
    people = {user.real_name: user for user in world.slack.world.users.values()}
    view_signer = ViewSigner(Cipher.of([Fernet.generate_key().decode()]))
    bolt = AsyncApp(
        name="test", signing_secret=world.slack.app.signing_secret, client=slack.client, authorize=_authorize(world)
    )

    repetitions = Repetitions(world.clock)

    async def provide(context, next_):
        context.update(
            delivery_actions=delivery_actions,
            workspace_id=context.team_id,
            directory=directory,
            view_signer=view_signer,
            home_tab=None,
            patience=patience,
            repetitions=repetitions,
        )
        return await next_()

    bolt.middleware(provide)
    dialog.register(bolt)
    actions.register(bolt)
    failures.register(bolt, repetitions)
    async with TestServer(_web(bolt)) as server:
        world.slack.app_url = str(server.make_url("")).rstrip("/")
        acme = MessageWorld(world, delivery_actions, people["Dana Reyes"], people["Kim Lee"], people["Mo Chen"])
        yield acme
        await acme.wait_for_listeners()


def menu_values(message: Message) -> list[str]:
    elements = interactive_elements(message)
    groups = [group for element in elements for group in (element, *element.get("option_groups", []))]
    return [option["value"] for group in groups for option in group.get("options", [])]


def button_labels(message: Message) -> list[str]:
    return [element["text"]["text"] for element in interactive_elements(message) if element["type"].endswith("button")]


def interactive_elements(message: Message) -> list[Json]:
    return [element for block in message.blocks or [] for element in elements_of(block)]


def blocks_text(message: Message) -> str:
    """All blocks of the message, as text."""
    return str(message.blocks)


def _authorize(world: World):
    async def authorize(enterprise_id: str | None, team_id: str) -> AuthorizeResult | None:
        token = world.tokens.get(team_id)
        if token is None:
            return None
        bot = world.slack.world.tokens[token]
        return AuthorizeResult(
            enterprise_id=enterprise_id, team_id=team_id, bot_token=token, bot_user_id=bot.bot_user, bot_id=bot.bot_id
        )

    return authorize


def _web(bolt: AsyncApp) -> web.Application:
    async def hear(request: web.Request) -> web.Response:
        return await to_aiohttp_response(await bolt.async_dispatch(await to_bolt_request(request)))

    app = web.Application()
    app.router.add_post("/slack/events", hear)
    return app
