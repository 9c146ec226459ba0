"""What Bolt would only say when it is too late: names that do not exist, events that nobody hears."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

from slack_bolt.kwargs_injection.async_args import AsyncArgs

SUBSCRIBED = json.loads(Path("manifest.json").read_text(encoding="utf-8"))["settings"]["event_subscriptions"][
    "bot_events"
]


def test_listeners_ask_only_for_what_they_are_given(office):
    """Bolt passes None for a name it does not know, and fills no keyword-only ones; both show after the answer."""
    given = {*AsyncArgs.__annotations__, *office.parts, "workspace_id", "dialog"}

    for listener in office.bolt._async_listeners:
        spec = inspect.getfullargspec(listener.ack_function)
        assert set(spec.args) <= given, listener.ack_function
        assert not spec.kwonlyargs, listener.ack_function


async def test_every_event_of_the_manifest_has_a_listener_of_its_own(office, caplog):
    """What is subscribed to is heard; the listener for everything else says in the log that nobody was there."""
    for event in SUBSCRIBED:
        caplog.clear()
        with caplog.at_level("INFO", "listeners.dialogs.failures"):
            await office.slack.send_event(office.team.id, {"type": event, "channel": "C0X", "tab": "messages"})
            await office.settled()

        assert "nobody listens" not in caplog.text, event


def test_every_event_that_is_listened_to_is_in_the_manifest(office):
    """A listener for an event that nobody subscribed to is dead."""
    heard = {name for name in office.handled_events if isinstance(name, str)}

    assert heard == set(SUBSCRIBED)
