"""Two workspaces on one server: Acme, which has data worth stealing, and Rival, which belongs to someone else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Any

from slack_sdk.oauth.installation_store import Installation
from sqlalchemy import Connection, select

from domain.salesforce import NewSource
from domain.workspace import BEARER
from listeners.dialogs.blocks import plain
from listeners.dialogs.metadata import ViewSigner
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
from tests.security.forged_requests import ForgedRequest, KnownIds
from tests.services.intake.salesforce_org import MOVE

SECRET = "Topsecret"
"""A word in all of Acme's private data. It is in none of the names that an insider knows (`KnownIds`)."""

CACHES = {"members", "slack_events", "slack_signs", "pauses"}
"""Tables that any request may change: caches of Slack's answers and the times of its requests."""

Rows = dict[str, list[tuple[Any, ...]]]


@dataclass
class TwoWorkspaces:
    """Acme with Dana, an admin and the DRI of `message`, and Noor, a member; Rival with its admin Rex."""

    acme: SalesforceWorld
    wins: Channel
    message: Message
    rival: Team
    rex: User
    rival_key: str

    async def known_ids(self) -> KnownIds:
        book = await self.acme.app.rulebook.read(self.acme.team.id)
        workspace = await self.acme.app.database.run(workspaces.find, self.acme.team.id)
        assert workspace is not None
        return KnownIds(
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

    async def use_default_channel(self, channel_id: str) -> None:
        await self.acme.app.database.run(_set_default_channel, self.acme.team.id, channel_id)

    async def newest_delivery(self) -> int:
        return await self.acme.app.database.run(_newest_delivery)

    async def send(self, user: User, forged: ForgedRequest) -> str:
        """Send a request as this person's client. Returns all they were shown and all Slack calls, as text."""
        slack = self.acme.slack
        view = await self.surface(user, forged)
        calls_before = len(slack.calls)
        reply = await slack.app_client.interact(self.payload(user, forged, view))
        await self.wait_for_listeners()
        assert reply.status == 200, (forged.name, reply)
        shown = [json.dumps(call.arguments) for call in slack.calls[calls_before:]]
        ephemerals = [message.text for message in slack.world.ephemerals if message.ephemeral_to == user.id]
        slack.world.ephemerals.clear()
        return "\n".join([*shown, *ephemerals, reply.body.decode()])

    async def surface(self, user: User, forged: ForgedRequest) -> View | None:
        """The Home or dialog the request comes from; the app has shown it to this person."""
        slack = self.acme.slack
        if forged.surface == "message":
            return None
        if forged.surface == "home":
            await slack.open_home(user.id)
            await self.wait_for_listeners()
            return slack.world.homes[user.id]
        token = slack.world.active_token(user.team_id)
        assert token is not None
        opened = slack.world.new_view(token, user, {"type": "modal", "title": plain("Open"), "blocks": []})
        slack.world.modals[user.id] = [opened]
        return opened

    def payload(self, user: User, forged: ForgedRequest, view: View | None) -> dict[str, Any]:
        slack = self.acme.slack
        team = slack.world.teams[user.team_id]
        action = {"type": "button", "action_id": forged.name, "block_id": "b", "action_ts": "1", **forged.action}
        payload: dict[str, Any] = {
            "type": "view_submission" if forged.kind == "view" else "block_actions",
            "user": {"id": user.id, "username": user.name, "name": user.name, "team_id": user.team_id},
            "team": {"id": team.id, "domain": team.domain},
            "enterprise": None,
            "is_enterprise_install": False,
            "api_app_id": slack.app.id,
            "token": slack.app.verification_token,
            "trigger_id": slack.world.new_trigger(user, view.root_view_id if view else None),
        }
        if forged.kind == "action":
            payload["actions"] = [action]
        if view is None:
            return payload | self._message(user)
        values = {block: {block: state} for block, state in forged.values.items()}
        shown = view_json(view, slack.app) | {"state": {"values": values}}
        shown |= {"callback_id": forged.name, "private_metadata": json.dumps(dict(forged.metadata))}
        # As if the attacker could sign: what is refused must be refused for another reason, too.
        shown = ViewSigner(self.acme.cipher).signed(shown, user.team_id, user.id)
        return payload | {"view": shown, "container": {"type": "view", "view_id": view.id}}

    def _message(self, user: User) -> dict[str, Any]:
        """The message that Dana received, as the source of the action."""
        slack = self.acme.slack
        token = slack.world.active_token(user.team_id)
        assert token is not None
        place = slack.world.open_dm(token, user)
        return {
            "container": {"type": "message", "message_ts": self.message.ts, "channel_id": self.message.channel_id},
            "channel": {"id": self.message.channel_id, "name": "directmessage"},
            "message": {"ts": self.message.ts, "text": self.message.text, "blocks": self.message.blocks},
            "response_url": slack.base_url() + slack.response_urls.add(token, place, user),
        }

    async def rows(self, *, without: str = "") -> Rows:
        """All stored rows, except those of caches and those that contain `without`."""
        return await self.acme.app.database.run(_rows, without)

    async def wait_for_listeners(self) -> None:
        while running := [task for task in asyncio.all_tasks() if "run_ack_function" in task.get_coro().__qualname__]:
            await asyncio.wait(running)


@asynccontextmanager
async def open_two_workspaces(database_url: str) -> AsyncIterator[TwoWorkspaces]:
    async with open_salesforce_world(database_url) as acme:
        acme.slack.limits.enabled = False
        acme.org.org.define(MOVE)
        wins = acme.slack.add_channel(acme.team, "wins")
        await acme.app.database.run(_set_default_channel, acme.team.id, wins.id)
        await acme.app.database.run(workspaces.set_url, acme.team.id, "https://acme.slack.com")  # Home would learn it
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
        await acme.app.database.run(_add_rows, acme, job_change)
        await acme.app.intake_keys.make(acme.team.id, BEARER, acme.dana.id)
        rival = acme.slack.add_team("Rival")
        rex = acme.slack.add_user(rival, "Rex Rival", "rex@rival.example", is_admin=True)
        await _install(acme, rex)
        key = await acme.app.intake_keys.make(rival.id, BEARER, rex.id)
        (direct_message,) = [
            message
            for channel in acme.slack.world.channels.values()
            if channel.im_user == acme.dana.id
            for message in channel.messages.values()
        ]
        yield TwoWorkspaces(acme, wins, direct_message, rival, rex, key)


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


def _set_default_channel(connection: Connection, workspace_id: str, channel_id: str) -> None:
    workspaces.change(connection, workspace_id, None, default_channel_id=channel_id, default_channel_name="wins")
    workspaces.open_default_lane(connection, workspace_id, 0)


def _add_rows(connection: Connection, acme: SalesforceWorld, job_change: str) -> None:
    """Add rows that the sandboxes do not produce: a source, a field mapping, a linked and an unmatched owner."""
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


def _newest_delivery(connection: Connection) -> int:
    return connection.execute(select(deliveries.c.id).order_by(deliveries.c.id.desc())).scalars().first() or 0


def _rows(connection: Connection, without: str) -> Rows:
    return {
        table.name: sorted(
            (tuple(row) for row in connection.execute(select(table)) if not without or without not in map(str, row)),
            key=str,
        )
        for table in metadata.sorted_tables
        if table.name not in CACHES
    }
