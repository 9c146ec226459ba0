"""Home and modals: publishing, opening, pushing and updating views."""

from typing import Any

import pytest
from slack_sdk.errors import SlackApiError

from sandbox.slack.state import Json

HOME = {"type": "home", "callback_id": "home", "blocks": [{"type": "divider"}]}


def modal(title: str = "Ownership", **fields: Any) -> Json:
    return {"type": "modal", "title": {"type": "plain_text", "text": title}, "blocks": [{"type": "divider"}], **fields}


async def refusal(awaitable) -> Json:
    with pytest.raises(SlackApiError) as error:
        await awaitable
    return error.value.response.data


def trigger(acme, root_view_id: str | None = None) -> str:
    return acme.slack.world.new_trigger(acme.dana, root_view_id)


async def test_home_is_published_for_a_person_and_keeps_its_id(acme) -> None:
    """Publishing again keeps the id and changes the hash."""
    first = (await acme.client.views_publish(user_id=acme.dana.id, view=HOME))["view"]
    second = (await acme.client.views_publish(user_id=acme.dana.id, view=HOME))["view"]
    assert second["id"] == first["id"]
    assert second["hash"] != first["hash"]
    assert list(acme.slack.world.homes) == [acme.dana.id]


async def test_a_stale_hash_is_a_conflict(acme) -> None:
    """https://docs.slack.dev/surfaces/modals#handling_race_conditions"""
    old = (await acme.client.views_publish(user_id=acme.dana.id, view=HOME))["view"]["hash"]
    new = (await acme.client.views_publish(user_id=acme.dana.id, view=HOME, hash=old))["view"]["hash"]
    error = await refusal(acme.client.views_publish(user_id=acme.dana.id, view=HOME, hash=old))
    assert error["error"] == "hash_conflict"
    assert (await acme.client.views_publish(user_id=acme.dana.id, view=HOME, hash=new))["ok"]


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
async def test_an_invalid_home_is_rejected(acme, view: Json, error: str) -> None:
    """Blocks or fields of other surfaces are `invalid_arguments`, more than 250 KB is `view_too_large`."""
    rejected = await refusal(acme.client.views_publish(user_id=acme.dana.id, view=view))
    assert rejected["error"] == (error or "view_too_large")


async def test_home_requires_a_member_and_an_enabled_tab(acme) -> None:
    """It can be published only for members of the workspace."""
    assert (await refusal(acme.client.views_publish(user_id="U404", view=HOME)))["error"] == "user_not_found"
    acme.slack.app.home_tab_enabled = False
    assert (await refusal(acme.client.views_publish(user_id=acme.dana.id, view=HOME)))["error"] == "not_enabled"


async def test_a_trigger_opens_one_modal_within_three_seconds(acme, clock) -> None:
    """https://docs.slack.dev/reference/methods/views.open"""
    used, expired = trigger(acme), trigger(acme)
    opened = (await acme.client.views_open(trigger_id=used, view=modal()))["view"]
    assert acme.slack.modal(acme.dana.id).id == opened["id"]
    again = acme.client.views_open(trigger_id=used, view=modal())
    assert (await refusal(again))["error"] == "exchanged_trigger_id"

    clock.advance(seconds=3.1)
    late = acme.client.views_open(trigger_id=expired, view=modal())
    assert (await refusal(late))["error"] == "expired_trigger_id"
    unknown = acme.client.views_open(trigger_id="1.2.abc", view=modal())
    assert (await refusal(unknown))["error"] == "invalid_trigger_id"


async def test_a_rejected_view_does_not_use_the_trigger(acme) -> None:
    """The same trigger opens the corrected view."""
    trigger_id = trigger(acme)
    error = await refusal(acme.client.views_open(trigger_id=trigger_id, view=modal("x" * 25)))
    assert error["response_metadata"]["messages"] == [
        "[ERROR] must be less than 25 characters [json-pointer:/view/title/text]"
    ]
    assert (await acme.client.views_open(trigger_id=trigger_id, view=modal()))["ok"]


async def test_three_modals_can_be_stacked(acme) -> None:
    """A fourth one is rejected; each has the id of the first as its root."""
    root = (await acme.client.views_open(trigger_id=trigger(acme), view=modal("1")))["view"]["id"]
    for title in ("2", "3"):
        pushed = (await acme.client.views_push(trigger_id=trigger(acme, root), view=modal(title)))["view"]
        assert pushed["root_view_id"] == root
    error = await refusal(acme.client.views_push(trigger_id=trigger(acme, root), view=modal("4")))
    assert error["error"] == "push_limit_reached"
    assert [view.definition["title"]["text"] for view in acme.slack.world.modals[acme.dana.id]] == ["1", "2", "3"]


async def test_a_push_requires_an_open_modal(acme) -> None:
    """A trigger from outside a modal can open a modal, but not push one."""
    error = await refusal(acme.client.views_push(trigger_id=trigger(acme), view=modal()))
    assert error["error"] == "not_found"


async def test_a_view_is_updated_by_either_id(acme) -> None:
    """An outdated hash is a conflict, and an external id must be unique."""
    opened = await acme.client.views_open(trigger_id=trigger(acme), view=modal(external_id="mine"))
    view_id, old_hash = opened["view"]["id"], opened["view"]["hash"]
    await acme.client.views_update(view_id=view_id, hash=old_hash, view=modal("New", external_id="mine"))
    await acme.client.views_update(external_id="mine", view=modal("Newer", external_id="mine"))
    assert acme.slack.modal(acme.dana.id).definition["title"]["text"] == "Newer"

    stale = acme.client.views_update(view_id=view_id, hash=old_hash, view=modal())
    assert (await refusal(stale))["error"] == "hash_conflict"
    missing = acme.client.views_update(view_id="V404", view=modal())
    assert (await refusal(missing))["error"] == "not_found"
    twice = acme.client.views_open(trigger_id=trigger(acme), view=modal(external_id="mine"))
    assert (await refusal(twice))["error"] == "duplicate_external_id"
