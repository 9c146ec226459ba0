"""Home and modals: publishing, opening, stacking, and what is refused."""

from typing import Any

import pytest
from slack_sdk.errors import SlackApiError

from sandbox.slack.state import Json

HOME = {"type": "home", "callback_id": "home", "blocks": [{"type": "divider"}]}


def modal(title: str = "Ownership", **fields: Any) -> Json:
    return {"type": "modal", "title": {"type": "plain_text", "text": title}, "blocks": [{"type": "divider"}], **fields}


async def refusal(awaitable) -> Json:
    with pytest.raises(SlackApiError) as refused:
        await awaitable
    return refused.value.response.data


def trigger(office, root_view_id: str | None = None) -> str:
    return office.slack.world.new_trigger(office.dana, root_view_id)


async def test_home_is_published_for_one_person_and_keeps_its_id(office) -> None:
    """Publishing again replaces the view: the same id, another hash."""
    first = (await office.client.views_publish(user_id=office.dana.id, view=HOME))["view"]
    second = (await office.client.views_publish(user_id=office.dana.id, view=HOME))["view"]
    assert second["id"] == first["id"]
    assert second["hash"] != first["hash"]
    assert list(office.slack.world.homes) == [office.dana.id]


async def test_a_stale_hash_is_a_conflict(office) -> None:
    """https://docs.slack.dev/surfaces/modals#handling_race_conditions"""
    old = (await office.client.views_publish(user_id=office.dana.id, view=HOME))["view"]["hash"]
    new = (await office.client.views_publish(user_id=office.dana.id, view=HOME, hash=old))["view"]["hash"]
    error = await refusal(office.client.views_publish(user_id=office.dana.id, view=HOME, hash=old))
    assert error["error"] == "hash_conflict"
    assert (await office.client.views_publish(user_id=office.dana.id, view=HOME, hash=new))["ok"]


@pytest.mark.parametrize(
    ("view", "error"),
    [
        ({"type": "home", "blocks": [{"type": "alert"}]}, "invalid_arguments"),
        ({"type": "home", "blocks": [], "title": {"type": "plain_text", "text": "a"}}, "invalid_arguments"),
        ({"type": "home", "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 2990}}] * 90}, ""),
        (
            {
                "type": "home",
                "blocks": [{"type": "section", "fields": [{"type": "mrkdwn", "text": "x" * 2000}] * 10}] * 13,
            },
            "view_too_large",
        ),
    ],
    ids=["a block that is not for Home", "a title", "269 KB", "260 KB"],
)
async def test_a_home_that_slack_does_not_take(office, view: Json, error: str) -> None:
    """A block or field of another surface is `invalid_arguments`, more than 250 KB is `view_too_large`."""
    refused = await refusal(office.client.views_publish(user_id=office.dana.id, view=view))
    assert refused["error"] == (error or "view_too_large")


async def test_home_can_be_switched_off_and_needs_a_member(office) -> None:
    """There is a Home for members of the workspace, where the app has one."""
    assert (await refusal(office.client.views_publish(user_id="U404", view=HOME)))["error"] == "user_not_found"
    office.slack.app.home_tab_enabled = False
    assert (await refusal(office.client.views_publish(user_id=office.dana.id, view=HOME)))["error"] == "not_enabled"


async def test_a_trigger_opens_one_modal_within_three_seconds(office, clock) -> None:
    """https://docs.slack.dev/reference/methods/views.open"""
    used, stale = trigger(office), trigger(office)
    opened = (await office.client.views_open(trigger_id=used, view=modal()))["view"]
    assert office.slack.modal(office.dana.id).id == opened["id"]
    again = office.client.views_open(trigger_id=used, view=modal())
    assert (await refusal(again))["error"] == "exchanged_trigger_id"

    clock.advance(seconds=3.1)
    late = office.client.views_open(trigger_id=stale, view=modal())
    assert (await refusal(late))["error"] == "expired_trigger_id"
    unknown = office.client.views_open(trigger_id="1.2.abc", view=modal())
    assert (await refusal(unknown))["error"] == "invalid_trigger_id"


async def test_a_view_that_is_refused_does_not_spend_its_trigger(office) -> None:
    """Slack names the fault, and the same trigger opens the corrected view."""
    ticket = trigger(office)
    error = await refusal(office.client.views_open(trigger_id=ticket, view=modal("x" * 25)))
    assert error["response_metadata"]["messages"] == [
        "[ERROR] must be less than 25 characters [json-pointer:/view/title/text]"
    ]
    assert (await office.client.views_open(trigger_id=ticket, view=modal()))["ok"]


async def test_modals_are_stacked_three_high(office) -> None:
    """Slack refuses the fourth, and each keeps the id of the first."""
    root = (await office.client.views_open(trigger_id=trigger(office), view=modal("1")))["view"]["id"]
    for title in ("2", "3"):
        pushed = (await office.client.views_push(trigger_id=trigger(office, root), view=modal(title)))["view"]
        assert pushed["root_view_id"] == root
    error = await refusal(office.client.views_push(trigger_id=trigger(office, root), view=modal("4")))
    assert error["error"] == "push_limit_reached"
    assert [view.definition["title"]["text"] for view in office.slack.world.modals[office.dana.id]] == ["1", "2", "3"]


async def test_a_push_needs_a_modal_below_it(office) -> None:
    """A trigger that comes from no modal can open one but push none."""
    error = await refusal(office.client.views_push(trigger_id=trigger(office), view=modal()))
    assert error["error"] == "not_found"


async def test_a_view_is_updated_by_either_of_its_ids(office) -> None:
    """By Slack's id or by ours; a stale hash loses, and our id stands once."""
    opened = await office.client.views_open(trigger_id=trigger(office), view=modal(external_id="mine"))
    view_id, old_hash = opened["view"]["id"], opened["view"]["hash"]
    await office.client.views_update(view_id=view_id, hash=old_hash, view=modal("New", external_id="mine"))
    await office.client.views_update(external_id="mine", view=modal("Newer", external_id="mine"))
    assert office.slack.modal(office.dana.id).definition["title"]["text"] == "Newer"

    stale = office.client.views_update(view_id=view_id, hash=old_hash, view=modal())
    assert (await refusal(stale))["error"] == "hash_conflict"
    missing = office.client.views_update(view_id="V404", view=modal())
    assert (await refusal(missing))["error"] == "not_found"
    twice = office.client.views_open(trigger_id=trigger(office), view=modal(external_id="mine"))
    assert (await refusal(twice))["error"] == "duplicate_external_id"
