"""Errors in Slack listeners, and interactions without a listener."""

from __future__ import annotations

import pytest

from listeners.dialogs.failures import error_text
from store.database import DatabaseUnavailableError

BUTTON = {"type": "button", "action_id": "gone_since_version_2", "text": {"type": "plain_text", "text": "Old"}}


async def post_with_button(office, **button) -> tuple[str, str]:
    blocks = [{"type": "actions", "elements": [BUTTON | button]}]
    posted = await office.api.post_notice(office.team.id, office.wins.id, "An older message", blocks)
    return posted.channel, posted.ts


async def test_a_button_without_a_listener_is_acknowledged(office):
    """The person who presses it sees no warning sign."""
    channel, ts = await post_with_button(office)

    reply = await office.slack.press(office.mo.id, channel, ts, "gone_since_version_2")

    assert reply.status == 200


async def test_a_link_button_is_acknowledged(office):
    """Slack sends an interaction for it although it only opens a page."""
    channel, ts = await post_with_button(office, action_id="link_contact", url="https://example.com/")

    reply = await office.slack.press(office.mo.id, channel, ts, "link_contact")

    assert reply.status == 200


async def test_an_event_without_a_listener_is_answered_with_200(office):
    """Slack stops sending events to an app that answers many with an error."""
    assert await office.slack.send_event(office.team.id, {"type": "reaction_added", "user": office.mo.id}) == 200


async def test_an_error_is_logged_once_without_the_payload(office, caplog):
    """The payload contains personal data and response URLs."""
    await office.open_home(office.dana)
    office.slack.faults.add("views.publish", error="fatal_error")

    await office.pick(office.dana, "home_channel_gets", "everything")

    [record] = [record for record in caplog.records if record.levelname == "ERROR"]
    assert record.getMessage() == f"block_actions home_channel_gets of workspace {office.team.id} failed"
    assert office.dana.name not in caplog.text
    assert "Something went wrong" in office.slack.calls[-1].arguments["text"]


async def test_an_error_that_is_repeated_is_logged_once_a_minute(office, clock, caplog):
    """A client that sends what fails in a loop does not fill the disk with stack traces."""
    channel, ts = await post_with_button(office, action_id="assigned_older", value="not a number")
    for _ in range(5):
        await office.slack.press(office.mo.id, channel, ts, "assigned_older")
    await office.settled()
    clock.advance(seconds=61)
    await office.slack.press(office.mo.id, channel, ts, "assigned_older")
    await office.settled()

    lines = [record.getMessage().partition("failed")[2] for record in caplog.records if record.levelname == "ERROR"]
    assert lines == ["", " (5 times since the last such line)"]


@pytest.mark.parametrize(
    ("error", "text"),
    [(DatabaseUnavailableError("down"), "The database is not responding"), (KeyError("view"), "The error was logged")],
)
def test_people_read_what_happened_and_what_to_do(error, text):
    """Never an error code or a traceback."""
    assert text in error_text(error)


async def test_an_error_of_a_message_is_shown_below_the_message(office):
    """By its response_url. This test forges a button of a dialog into a message."""
    channel, ts = await post_with_button(office, action_id="assigned_older", value="not a number")

    reply = await office.slack.press(office.mo.id, channel, ts, "assigned_older")
    await office.settled()

    assert reply.status == 200
    assert ["Something went wrong" in message.text for message in office.slack.world.ephemerals] == [True]
    assert (await office.workspace()).channel_gets == "unmatched"


async def test_an_error_is_only_logged_if_the_person_cannot_be_notified(office, caplog):
    """Slack is down."""
    await office.open_home(office.dana)
    office.slack.faults.add("*", error="fatal_error", times=None)

    await office.pick(office.dana, "home_how_to_send")

    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]


async def test_a_menu_without_a_listener_has_no_options(office):
    """An old message may still have such a menu."""
    payload = {
        "type": "block_suggestion",
        "action_id": "gone_since_version_2",
        "block_id": "b",
        "value": "a",
        "team": {"id": office.team.id},
        "user": {"id": office.mo.id},
    }

    reply = await office.slack.app_client.interact(payload)

    assert (reply.status, reply.json) == (200, {"options": []})
