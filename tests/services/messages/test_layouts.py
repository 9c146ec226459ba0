"""Layouts: card and table blocks and the admins' buttons, and what happens where Slack does not accept them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from domain.messages.card_buttons import card_buttons
from domain.notification_hours import DAILY, NotificationHours
from services.home.preferences import card_buttons_change
from services.messages.layouts import Layouts
from store.home import member_preferences
from store.slack import workspaces
from tests.world import World

POST = "chat.postMessage"


@pytest.fixture
async def acme(world: World) -> World:
    """A workspace in which messages have the newer blocks. Dana owns the contact Ada Smith."""
    layouts = Layouts(world.database, newer_blocks=True)
    world.worker = replace(world.worker, courier=replace(world.worker.courier, layouts=layouts))
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


TRIGGER = "https://slack.com/shortcuts/Ft0123ABC456/321"
BUTTONS = card_buttons(
    [
        {"label": "Open in CRM", "url": "https://crm.example/{contact_id}?mail={email}"},
        {"kind": "workflow", "label": "Outreach", "url": TRIGGER, "inputs": {"contact": "{contact_id}"}},
    ]
)


async def save_buttons(world: World) -> None:
    change = card_buttons_change(world.workspace_id, world.admin.id, BUTTONS, None, world.clock())
    assert (await world.database.run(change)).stored


def added(world: World) -> list[str]:
    """The admins' buttons in Dana's newest message."""
    rows = [block for block in world.direct_messages("Dana Reyes")[-1].blocks or [] if block["type"] == "actions"]
    buttons = [element for row in rows for element in row["elements"] if element["action_id"].startswith("link_")]
    return [button["text"]["text"] for button in buttons]


@pytest.mark.parametrize("newer_blocks", [False, True])
async def test_cards_have_the_buttons_of_the_admins(acme: World, newer_blocks: bool) -> None:
    """With the ids of the records of this job change. Using one starts the workflow."""
    acme.worker.courier.layouts.refused_by.update([] if newer_blocks else [acme.workspace_id])
    acme.team.workflows[TRIGGER] = {"contact"}
    await save_buttons(acme)

    await acme.deliver()

    assert added(acme) == ["Open in CRM", "Outreach"]
    (message,) = acme.direct_messages("Dana Reyes")
    dana = acme.slack.world.channels[message.channel_id].im_user
    await acme.slack.press(dana, message.channel_id, message.ts, "link_1")
    (run,) = acme.team.workflow_runs
    assert run["customizable_input_parameters"][0]["value"].startswith("003")
    assert f"https://crm.example/{run['customizable_input_parameters'][0]['value']}?mail=ada%40" in str(message.blocks)


@pytest.mark.parametrize("newer_blocks", [False, True])
async def test_without_its_workflow_a_message_is_sent_without_the_button(acme: World, newer_blocks: bool) -> None:
    """It is sent in the same attempt. Later messages leave it out until an admin saves. Admins are notified once."""
    acme.worker.courier.layouts.refused_by.update([] if newer_blocks else [acme.workspace_id])
    await save_buttons(acme)

    first = await acme.deliver(source_event_id="first")
    acme.clock.advance(seconds=2)
    await acme.deliver(source_event_id="second")

    assert posts(acme)[: 4 if newer_blocks else 3] == ["invalid_blocks"] * (2 if newer_blocks else 1) + [None, None]
    assert types(acme)[0] == ("card" if newer_blocks else "section")
    assert added(acme) == ["Open in CRM"]
    assert (await acme.outcome(first))[0] == "delivered"
    for _ in range(3):
        await acme.worker.courier.notices.catch_up()
    (notice,) = acme.direct_messages(acme.admin.real_name)
    assert "Slack does not accept a workflow button on cards* (“Outreach”)" in notice.text

    acme.team.workflows[TRIGGER] = {"contact"}
    await save_buttons(acme)
    acme.clock.advance(seconds=2)
    await acme.deliver(source_event_id="third")
    assert added(acme) == ["Open in CRM", "Outreach"]


async def test_a_button_that_was_replaced_meanwhile_is_not_left_out(acme: World) -> None:
    """A message with a button that an admin has just replaced is refused: the new one is still shown."""
    await save_buttons(acme)
    refused = (acme.workspace_id, {"https://slack.com/shortcuts/Ft0OLD/1"}, "refused")

    await acme.database.run(workspaces.workflows_refused, *refused)

    workspace = await acme.database.run(workspaces.find, acme.workspace_id)
    assert workspace is not None
    assert workspace.card_buttons_problem is None
