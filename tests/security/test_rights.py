"""Permissions: every request the app listens to, sent by people who may not do it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from listeners.dialogs.blocks import ADMINS_ONLY
from sandbox.slack.state import User
from tests.listeners.ownership.ownership_world import accept_and_route
from tests.security.forged_requests import ForgedRequest, forged_requests, registered_ids
from tests.security.two_workspaces import SECRET, TwoWorkspaces, open_two_workspaces

FOR_ANYBODY = {("command", f"^{re.escape('/usergems-status')}$")}
"""Members may use the command; a test below checks what it answers to whom."""


def own_rows_of(forged: ForgedRequest, user: User) -> str:
    """The user whose rows may change; members may change their own preferences."""
    return user.id if forged.name.startswith("my_") else ""


NO_VISIBLE_EFFECT = {
    "my_not_me_saved",
    "my_me_after_all",
    "buried_again",
    "notice_check_channel",
    "salesforce_connect_link",
    "link_1",
    "mapping_preview",
    "home_how_to_send",
}
"""These change no row and show no dialog here, even when an admin sends them."""


@pytest.fixture
async def server(sqlite_url: str) -> AsyncIterator[TwoWorkspaces]:
    async with open_two_workspaces(sqlite_url) as made:
        yield made


async def test_every_listener_is_covered(server: TwoWorkspaces) -> None:
    """Every listener has its forged request, so the tests below cover it."""
    sent = [(forged.kind, forged.name) for forged in forged_requests(await server.known_ids())]

    untried = {
        (kind, id_)
        for kind, id_ in registered_ids()
        if not any(kind == sent_kind and re.search(id_, name) for sent_kind, name in sent)
    }
    assert untried == FOR_ANYBODY


async def test_members_cannot_use_admin_actions(server: TwoWorkspaces) -> None:
    """No request of a member changes a row or shows private data, whatever their client sends."""
    for forged in forged_requests(await server.known_ids()):
        own = own_rows_of(forged, server.acme.noor)
        before = await server.rows(without=own)
        shown = await server.send(server.acme.noor, forged)

        assert await server.rows(without=own) == before, forged
        assert SECRET not in shown, forged


async def test_a_former_admin_cannot_use_an_open_home(server: TwoWorkspaces) -> None:
    """Permissions are checked on every action. A former admin keeps only what they may do as a DRI."""
    server.acme.dana.is_admin = False
    before = await server.rows()
    for forged in forged_requests(await server.known_ids()):
        if "delivery" not in forged.name and not forged.name.startswith("my_"):
            shown = await server.send(server.acme.dana, forged)

            assert await server.rows() == before, forged
            assert SECRET not in shown, forged


async def test_an_admin_of_another_company_cannot_use_admin_actions(server: TwoWorkspaces) -> None:
    """Slack Connect: an admin of another company has no admin rights in this workspace."""
    visitor = server.acme.slack.add_user(server.acme.team, "Vic Visitor", "vic@rival.example", is_admin=True)
    visitor.is_stranger = True
    for forged in forged_requests(await server.known_ids()):
        own = own_rows_of(forged, visitor)
        before = await server.rows(without=own)
        shown = await server.send(visitor, forged)

        assert await server.rows(without=own) == before, forged
        assert SECRET not in shown, forged


async def test_another_workspaces_admin_cannot_read_or_change_anything(server: TwoWorkspaces) -> None:
    """Another workspace's admin sends Acme's ids in values, metadata and fields; no row changes and none is shown."""
    before = await server.rows(without=server.rival.id)
    for forged in forged_requests(await server.known_ids()):
        shown = await server.send(server.rex, forged)

        assert await server.rows(without=server.rival.id) == before, forged
        assert SECRET not in shown, forged
        assert server.acme.dana.id not in shown, forged


@pytest.mark.parametrize("asked", ["explain {id}", "explain ada@initech.example", "explain `{id}`", "buried", ""])
async def test_the_slash_command_hides_other_peoples_job_changes(server: TwoWorkspaces, asked: str) -> None:
    """Neither a member nor another workspace's admin can look up somebody else's job change."""
    ids, before = await server.known_ids(), await server.rows(without=server.rival.id)
    for user in (server.acme.noor, server.rex):
        reply = await server.acme.slack.command(user.id, "/usergems-status", asked.format(id=ids.job_change))
        await server.wait_for_listeners()

        shown = str([(message.text, message.blocks) for message in reply.messages])
        assert reply.messages
        assert "Ada Smith" not in shown
        assert SECRET not in shown
        assert server.acme.dana.id not in shown
    assert await server.rows(without=server.rival.id) == before


async def test_guessed_delivery_ids_change_nothing(server: TwoWorkspaces) -> None:
    """Delivery ids are small numbers, so another workspace's admin can guess them; nothing changes."""
    ids = await server.known_ids()
    before = await server.rows(without=server.rival.id)
    for number in [*range(8), -1, 2**63, 10**30]:
        for forged in forged_requests(replace(ids, delivery=number)):
            if "deliver" in forged.name and forged.name != "delivery_menu":
                await server.send(server.rex, forged)

    assert await server.rows(without=server.rival.id) == before


async def test_a_private_channels_job_change_is_only_for_its_members(server: TwoWorkspaces) -> None:
    """Noor is outside: guessing the delivery does not help her. Slack shows her no message in there. Dana is inside."""
    board = server.acme.slack.add_channel(server.acme.team, "board", is_private=True, is_member=True)
    board.members[server.acme.dana.id] = None
    await server.use_default_channel(board.id)
    await accept_and_route(server.acme, relationship=SECRET, person={"full_name": "Zoe", "emails": ["zoe@x.example"]})
    (message,) = board.messages.values()
    delivery, before = await server.newest_delivery(), await server.rows()
    guessed = forged_requests(replace(await server.known_ids(), delivery=delivery))
    actions = [forged for forged in guessed if "deliver" in forged.name]
    with pytest.raises(LookupError):
        await server.acme.slack.press(server.acme.noor.id, board.id, message.ts, "delivery_take")
    for forged in actions:
        refused = await server.send(server.acme.noor, forged)

        assert await server.rows() == before, forged
        assert SECRET not in refused, forged
    shown = [await replace(server, message=message).send(server.acme.dana, forged) for forged in actions]
    assert SECRET in str(shown)
    assert await server.rows() != before


async def test_guessed_ids_in_ones_own_message_change_nothing(server: TwoWorkspaces) -> None:
    """A button works in the message it was put into: Noor's client sends another delivery's id from a channel."""
    await accept_and_route(server.acme, relationship=SECRET, person={"full_name": "Zoe", "emails": ["zoe@x.example"]})
    delivery, before = await server.newest_delivery(), await server.rows()
    for forged in forged_requests(replace(await server.known_ids(), delivery=delivery)):
        if forged.surface == "message" and forged.name.startswith("delivery_"):
            shown = await server.send(server.acme.noor, forged)

            assert await server.rows() == before, forged
            assert SECRET not in shown, forged


async def test_admins_can_use_every_action(server: TwoWorkspaces) -> None:
    """The same requests work when an admin sends them, so the tests above send valid requests."""
    ids = await server.known_ids()
    for kind, name in [(forged.kind, forged.name) for forged in forged_requests(ids)]:
        before = await server.rows()
        (forged,) = [
            request
            for request in forged_requests(await server.known_ids())
            if (request.kind, request.name) == (kind, name)
        ]
        shown = await server.send(server.acme.dana, forged)

        assert ADMINS_ONLY not in shown, forged
        assert "Something went wrong" not in shown, forged
        assert '"errors"' not in shown, (forged, shown)
        if name not in NO_VISIBLE_EFFECT:
            assert await server.rows() != before or '"view"' in shown, (forged, shown)
