"""The layout with card and table blocks: where it is sent, and what happens where Slack does not accept it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from domain.notification_hours import DAILY, NotificationHours
from services.messages.layouts import Layouts
from store.home import member_preferences
from tests.world import World

POST = "chat.postMessage"


@pytest.fixture
async def acme(world: World) -> World:
    """A workspace in which messages have the newer blocks. Dana owns the contact Ada Smith."""
    world.worker = replace(world.worker, courier=replace(world.worker.courier, layouts=Layouts(newer_blocks=True)))
    await world.default_channel()
    owner = world.add_owner("Dana Reyes")
    ada = {"FirstName": "Ada", "LastName": "Smith", "Email": "ada@initech.example", "OwnerId": owner}
    world.salesforce.add("Contact", **ada)
    return world


def posts(world: World) -> list[str | None]:
    """The result of each call that posted: an error code, or None."""
    return [call.error for call in world.slack.calls if call.method == POST]


def types(world: World) -> list[str]:
    """The types of the blocks of Dana's newest message."""
    return [block["type"] for block in world.direct_messages("Dana Reyes")[-1].blocks or []]


async def test_one_job_change_is_a_card_block(acme: World) -> None:
    """Its text is the same as in the usual blocks."""
    await acme.deliver()

    assert types(acme) == ["card", "section", "context"]
    assert "Ada Smith joined Globex as CRO. Was VP Sales" in acme.direct_messages("Dana Reyes")[-1].text


async def test_a_digest_is_a_table_block(acme: World) -> None:
    """With one row for each job change below the header, and a menu with their actions."""
    dana = next(user.id for user in acme.slack.world.users.values() if user.real_name == "Dana Reyes")
    due = acme.clock() // 60_000 + 60
    hours = NotificationHours(DAILY, digest_at=due % (24 * 60))
    await acme.database.run(member_preferences.save, acme.workspace_id, dana, hours, acme.clock())
    for number in range(3):
        await acme.deliver(source_event_id=f"e{number}")

    acme.clock.advance(seconds=due * 60 - acme.clock() / 1_000)
    await acme.worker.drain()

    (message,) = acme.direct_messages("Dana Reyes")
    assert types(acme) == ["header", "actions", "table"]
    assert len(message.blocks[2]["rows"]) == 4
    assert len(message.blocks[1]["elements"][0]["option_groups"]) == 3


async def test_where_slack_refuses_them_the_usual_blocks_are_sent_at_once(acme: World) -> None:
    """It is no failure, and later messages do not try again."""
    acme.team.blocks_not_released.add("card")

    first = await acme.deliver(source_event_id="first")
    assert posts(acme) == ["invalid_blocks", None]
    acme.clock.advance(seconds=2)
    second = await acme.deliver(source_event_id="second")

    assert posts(acme) == ["invalid_blocks", None, None]
    assert [await acme.outcome(job_change) for job_change in (first, second)] == [
        ("delivered", "dri", "You own Ada Smith in Salesforce.")
    ] * 2
    assert types(acme)[0] == "section"


async def test_a_message_that_is_refused_in_any_blocks_says_nothing_about_the_workspace(acme: World) -> None:
    """Something in this message is wrong, so the next one is a card again."""

    def is_poisoned(arguments: dict[str, object]) -> bool:
        return "Poison" in str(arguments.get("blocks"))

    acme.slack.faults.add(POST, "invalid_blocks", times=None, when=is_poisoned)

    await acme.deliver(source_event_id="poison", current={"company": {"name": "Poison"}})
    acme.clock.advance(seconds=20)
    await acme.worker.drain()
    acme.slack.faults.clear()
    await acme.deliver(source_event_id="good")

    assert types(acme)[0] == "card"
