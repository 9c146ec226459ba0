"""Two workspaces on one server: Acme has everything there is to steal or to break, Rival is somebody else's."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Any

from slack_sdk.oauth.installation_store import Installation
from sqlalchemy import Connection, select

from domain.intake_key import BEARER
from domain.salesforce_source import NewSource
from listeners.dialogs.blocks import plain
from sandbox.slack.shapes import view_json
from sandbox.slack.state import Channel, Message, Team, User, View
from services.ownership.rules.edits import mark_of
from store.intake import mappings
from store.salesforce import sources
from store.schema import deliveries, job_changes, ownership_links, ownership_unmatched
from store.slack import workspaces
from store.slack.installations import AsyncInstallationStore
from store.slack.sdk_stores import metadata
from tests.listeners.ownership.ownership_world import accept_and_route, connect_org, publish, rule
from tests.listeners.salesforce.salesforce_world import SalesforceWorld, open_salesforce_world
from tests.security.forged_requests import Deed, Facts
from tests.services.intake.salesforce_org import MOVE

SECRET = "Topsecret"
"""Stands in what Acme keeps to itself; what an insider can name is in the Facts."""

CACHES = {"members", "slack_events", "slack_signs", "pauses"}
"""What anybody's request may write: what Slack said of people, which events came, when Slack was heard."""

Rows = dict[str, list[tuple[Any, ...]]]


@dataclass
class Fort:
    """Acme with Dana, an admin and the DRI of what was told, and Noor, a member; Rival with Rex, its admin."""

    acme: SalesforceWorld
    wins: Channel
    told: Message
    rival: Team
    rex: User
    rival_key: str

    async def facts(self) -> Facts:
        """What an insider of Acme knows."""
        book = await self.acme.app.rulebook.read(self.acme.team.id)
        workspace = await self.acme.app.database.run(workspaces.find, self.acme.team.id)
        assert workspace is not None
        return Facts(
            seen=asdict(book.seen),
            preferences=workspace.version,
            delivery=await self.acme.app.database.run(_the_delivery),
            channel=self.wins.id,
            source="Moves",
            sobject="Job_Move__c",
            sender="gems",
            owner="gone@acme.example",
            linked="linked@acme.example",
            job_change=await self.acme.app.database.run(_the_job_change),
            pool="SDRs",
            mark=mark_of(book.shown.rules[0]) if book.shown.rules else "",
            colleague=self.acme.noor.id,
        )

    async def send(self, user: User, deed: Deed) -> str:
        """As the client of this person would; all that they were shown, or that was done in Slack, as one text."""
        slack = self.acme.slack
        view = await self._surface(user, deed)
        begun = len(slack.calls)
        reply = await slack.app_client.interact(self._payload(user, deed, view))
        await self.settled()
        assert reply.status == 200, (deed.name, reply)
        shown = [json.dumps(call.arguments) for call in slack.calls[begun:]]
        heard = [message.text for message in slack.world.ephemerals if message.ephemeral_to == user.id]
        slack.world.ephemerals.clear()
        return "\n".join([*shown, *heard, reply.body.decode()])

    async def _surface(self, user: User, deed: Deed) -> View | None:
        """The Home or a dialog that the app itself has shown to this person."""
        slack = self.acme.slack
        if deed.where == "message":
            return None
        if deed.where == "home":
            await slack.open_home(user.id)
            await self.settled()
            return slack.world.homes[user.id]
        token = slack.world.active_token(user.team_id)
        assert token is not None
        opened = slack.world.new_view(token, user, {"type": "modal", "title": plain("Open"), "blocks": []})
        slack.world.modals[user.id] = [opened]
        return opened

    def _payload(self, user: User, deed: Deed, view: View | None) -> dict[str, Any]:
        slack = self.acme.slack
        team = slack.world.teams[user.team_id]
        acted = {"type": "button", "action_id": deed.name, "block_id": "b", "action_ts": "1", **deed.acted}
        payload: dict[str, Any] = {
            "type": "view_submission" if deed.kind == "view" else "block_actions",
            "user": {"id": user.id, "username": user.name, "name": user.name, "team_id": user.team_id},
            "team": {"id": team.id, "domain": team.domain},
            "enterprise": None,
            "is_enterprise_install": False,
            "api_app_id": slack.app.id,
            "token": slack.app.verification_token,
            "trigger_id": slack.world.new_trigger(user, view.root_view_id if view else None),
        }
        if deed.kind == "action":
            payload["actions"] = [acted]
        if view is None:
            return payload | self._message(user)
        entered = {block: {block: state} for block, state in deed.entered.items()}
        shown = view_json(view, slack.app, entered)
        shown |= {"callback_id": deed.name, "private_metadata": json.dumps(dict(deed.kept))}
        return payload | {"view": shown, "container": {"type": "view", "view_id": view.id}}

    def _message(self, user: User) -> dict[str, Any]:
        """Where it is pressed: the very message that Dana was told in."""
        slack = self.acme.slack
        token = slack.world.active_token(user.team_id)
        assert token is not None
        place = slack.world.open_dm(token, user)
        return {
            "container": {"type": "message", "message_ts": self.told.ts, "channel_id": self.told.channel_id},
            "channel": {"id": self.told.channel_id, "name": "directmessage"},
            "message": {"ts": self.told.ts, "text": self.told.text, "blocks": self.told.blocks},
            "response_url": slack.base_url() + slack.response_urls.add(token, place, user),
        }

    async def rows(self, *, without: str = "") -> Rows:
        """All that is stored, but for caches and for the rows that name *without*."""
        return await self.acme.app.database.run(_rows, without)

    async def settled(self) -> None:
        while running := [one for one in asyncio.all_tasks() if "run_ack_function" in one.get_coro().__qualname__]:
            await asyncio.wait(running)


@asynccontextmanager
async def fort(database_url: str) -> AsyncIterator[Fort]:
    async with open_salesforce_world(database_url) as acme:
        acme.slack.limits.enabled = False
        acme.org.org.define(MOVE)
        wins = acme.slack.add_channel(acme.team, "wins")
        await acme.app.database.run(_choose, acme.team.id, wins.id)
        await connect_org(acme)
        owner = acme.org.add("User", FirstName="Dana", LastName="Reyes", Email=acme.dana.email)
        acme.org.add("Contact", FirstName="Ada", LastName="Smith", Email="ada@initech.example", OwnerId=owner)
        pool = {"SDRs": {"members": [{"user": acme.dana.id}]}}
        contact = [{"source": "owner", "of": "contact"}]
        await publish(acme, rule("First"), pools=pool)
        await publish(acme, rule(f"{SECRET} rule", tell=contact), pools=pool)
        rules = (await acme.app.rulebook.read(acme.team.id)).rules
        await acme.app.rulebook.save_draft(acme.team.id, acme.dana.id, rules, None, SECRET)
        job_change = await accept_and_route(acme, relationship=SECRET)
        await acme.app.database.run(_furnish, acme, job_change)
        await acme.app.intake_keys.make(acme.team.id, BEARER, acme.dana.id)
        rival = acme.slack.add_team("Rival")
        rex = acme.slack.add_user(rival, "Rex Rival", "rex@rival.example", is_admin=True)
        await _install(acme, rex)
        key = await acme.app.intake_keys.make(rival.id, BEARER, rex.id)
        (told,) = [
            message
            for channel in acme.slack.world.channels.values()
            if channel.im_user == acme.dana.id
            for message in channel.messages.values()
        ]
        yield Fort(acme, wins, told, rival, rex, key)


async def _install(acme: SalesforceWorld, user: User) -> None:
    token = acme.slack.world.tokens[acme.slack.install(user.team_id, user.id)]
    store = AsyncInstallationStore(acme.app.database, acme.app.settings.slack_client_id, acme.cipher)
    await store.async_save(
        Installation(
            app_id=acme.slack.app.id,
            team_id=user.team_id,
            team_name="Rival",
            bot_token=token.value,
            bot_id=token.bot_id,
            bot_user_id=token.bot_user,
            bot_scopes=sorted(token.scopes),
            user_id=user.id,
            installed_at=acme.now() / 1000,
        )
    )


def _choose(connection: Connection, workspace_id: str, channel_id: str) -> None:
    workspaces.change(connection, workspace_id, None, default_channel_id=channel_id, default_channel_name="wins")
    workspaces.open_default_lane(connection, workspace_id, 0)


def _furnish(connection: Connection, acme: SalesforceWorld, job_change: str) -> None:
    """What no sandbox leads to by itself: a source, a mapping of a sender, an owner whom Slack does not know."""
    source = NewSource(
        workspace_id=acme.team.id,
        name="Moves",
        sobject="Job_Move__c",
        definition={"map": {"Name": "person.full_name"}},
        org_id=None,
        since=acme.now(),
        made_by=acme.dana.id,
        made_at=acme.now(),
    )
    sources.save(connection, source)
    mappings.save(connection, acme.team.id, "gems", {"set": {}}, acme.dana.id, acme.now())
    link = {"workspace_id": acme.team.id, "owner": "linked@acme.example", "user_id": acme.dana.id}
    connection.execute(ownership_links.insert().values(**link, linked_at=acme.now(), linked_by="operator"))
    connection.execute(
        ownership_unmatched.insert().values(
            workspace_id=acme.team.id,
            owner="gone@acme.example",
            job_change_id=job_change,
            name=f"{SECRET} owner",
            problem="nobody in Slack has this address",
            why="You own it.",
            seen_at=acme.now(),
        )
    )


def _the_job_change(connection: Connection) -> str:
    return connection.execute(select(job_changes.c.id).order_by(job_changes.c.id)).scalars().first() or ""


def _the_delivery(connection: Connection) -> int:
    return connection.execute(select(deliveries.c.id).order_by(deliveries.c.id)).scalars().first() or 0


def _rows(connection: Connection, without: str) -> Rows:
    return {
        table.name: sorted(
            (tuple(row) for row in connection.execute(select(table)) if not without or without not in map(str, row)),
            key=str,
        )
        for table in metadata.sorted_tables
        if table.name not in CACHES
    }
