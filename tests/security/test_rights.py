"""Whoever may not, cannot: every id that Slack can be told to send us, from people without the right to it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from listeners.dialogs.blocks import NO_RIGHT
from sandbox.slack.state import User
from tests.security.forged_requests import Deed, deeds, heard
from tests.security.two_workspaces import SECRET, Fort, fort

FOR_ANYBODY = {("command", f"^{re.escape('/usergems-status')}$")}
"""What it answers to whom is tried by itself below."""


def without_own(deed: Deed, user: User) -> str:
    """Whose rows may change: how somebody is told themselves is for them to say."""
    return user.id if deed.name.startswith("my_") else ""


WITHOUT_A_TRACE = {
    "my_not_me_saved",
    "my_me_after_all",
    "buried_again",
    "notice_check_channel",
    "salesforce_connect_link",
    "link_1",
    "mapping_preview",
    "home_how_to_send",
}
"""These are acknowledged, show what is no secret, or find nothing to do as things stand here."""


@pytest.fixture
async def castle(sqlite_url: str) -> AsyncIterator[Fort]:
    async with fort(sqlite_url) as made:
        yield made


async def test_no_id_is_forgotten(castle: Fort) -> None:
    """Whatever gets a listener gets a deed here, so that the tests below try it too."""
    sent = [(deed.kind, deed.name) for deed in deeds(await castle.facts())]

    untried = {
        (kind, id_) for kind, id_ in heard() if not any(kind == one and re.search(id_, name) for one, name in sent)
    }
    assert untried == FOR_ANYBODY


async def test_members_change_nothing_and_learn_nothing(castle: Fort) -> None:
    """Whatever a client that is not Slack's own could send for them: no row, no dialog, no name of what is secret."""
    for deed in deeds(await castle.facts()):
        own = without_own(deed, castle.acme.noor)
        before = await castle.rows(without=own)
        shown = await castle.send(castle.acme.noor, deed)

        assert await castle.rows(without=own) == before, deed
        assert SECRET not in shown, deed


async def test_who_lost_the_right_since_home_was_drawn_changes_nothing(castle: Fort) -> None:
    """Rights are asked for at each deed. What is Dana's own as a DRI stays hers."""
    castle.acme.dana.is_admin = False
    before = await castle.rows()
    for deed in deeds(await castle.facts()):
        if "delivery" not in deed.name and not deed.name.startswith("my_"):
            shown = await castle.send(castle.acme.dana, deed)

            assert await castle.rows() == before, deed
            assert SECRET not in shown, deed


async def test_a_guest_who_is_called_admin_changes_nothing(castle: Fort) -> None:
    """Slack Connect: an admin of another company is a visitor here, whatever they are at home."""
    visitor = castle.acme.slack.add_user(castle.acme.team, "Vic Visitor", "vic@rival.example", is_admin=True)
    visitor.is_stranger = True
    for deed in deeds(await castle.facts()):
        own = without_own(deed, visitor)
        before = await castle.rows(without=own)
        shown = await castle.send(visitor, deed)

        assert await castle.rows(without=own) == before, deed
        assert SECRET not in shown, deed


async def test_another_workspaces_admin_reaches_nothing_of_ours(castle: Fort) -> None:
    """With every id of ours in values, metadata and fields: our rows stay, and nothing of them is shown."""
    before = await castle.rows(without=castle.rival.id)
    for deed in deeds(await castle.facts()):
        shown = await castle.send(castle.rex, deed)

        assert await castle.rows(without=castle.rival.id) == before, deed
        assert SECRET not in shown, deed
        assert castle.acme.dana.id not in shown, deed


@pytest.mark.parametrize("asked", ["explain {id}", "explain ada@initech.example", "explain `{id}`", "buried", ""])
async def test_the_slash_command_tells_nobody_of_what_is_not_theirs(castle: Fort, asked: str) -> None:
    """By the id or the address of a person: to members as little as to the admin of another workspace."""
    facts, before = await castle.facts(), await castle.rows(without=castle.rival.id)
    for user in (castle.acme.noor, castle.rex):
        reply = await castle.acme.slack.command(user.id, "/usergems-status", asked.format(id=facts.job_change))
        await castle.settled()

        told = str([(message.text, message.blocks) for message in reply.messages])
        assert reply.messages
        assert "Ada Smith" not in told
        assert SECRET not in told
        assert castle.acme.dana.id not in told
    assert await castle.rows(without=castle.rival.id) == before


async def test_numbers_that_are_guessed_lead_nowhere(castle: Fort) -> None:
    """Ids of deliveries are small numbers: the first few, from next door, and what is no number at all."""
    facts = await castle.facts()
    before = await castle.rows(without=castle.rival.id)
    for number in [*range(8), -1, 2**63, 10**30]:
        for deed in deeds(replace(facts, delivery=number)):
            if "deliver" in deed.name and deed.name != "delivery_menu":
                await castle.send(castle.rex, deed)

    assert await castle.rows(without=castle.rival.id) == before


async def test_who_may_can(castle: Fort) -> None:
    """The same deeds of the right person all have an effect: what the tests above send is no mere garbage."""
    facts = await castle.facts()
    for kind, name in [(deed.kind, deed.name) for deed in deeds(facts)]:
        before = await castle.rows()
        (deed,) = [each for each in deeds(await castle.facts()) if (each.kind, each.name) == (kind, name)]
        shown = await castle.send(castle.acme.dana, deed)

        assert NO_RIGHT not in shown, deed
        assert "did not work" not in shown, deed
        assert '"errors"' not in shown, (deed, shown)
        if name not in WITHOUT_A_TRACE:
            assert await castle.rows() != before or '"view"' in shown, (deed, shown)
