"""What Bolt would not report in time: parameters that do not exist, and events without a listener."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

from slack_bolt.kwargs_injection.async_args import AsyncArgs

SUBSCRIBED = json.loads(Path("manifest.json").read_text(encoding="utf-8"))["settings"]["event_subscriptions"][
    "bot_events"
]


def test_listeners_only_have_parameters_that_exist(office):
    """Bolt passes None for an unknown parameter and does not fill keyword-only ones."""
    given = {*AsyncArgs.__annotations__, *office.parts, "database", "workspace_id", "dialog", "once"}

    for listener in office.bolt._async_listeners:
        spec = inspect.getfullargspec(inspect.unwrap(listener.ack_function))
        assert set(spec.args) <= given, listener.ack_function
        assert not spec.kwonlyargs, listener.ack_function


async def test_every_event_of_the_manifest_has_its_own_listener(office, caplog):
    """The listener for all other events writes to the log."""
    for event in SUBSCRIBED:
        caplog.clear()
        with caplog.at_level("INFO", "listeners.dialogs.failures"):
            await office.slack.send_event(office.team.id, {"type": event, "channel": "C0X", "tab": "messages"})
            await office.settled()

        assert "no listener" not in caplog.text, event


def test_every_event_with_a_listener_is_in_the_manifest(office):
    """Slack never sends other events."""
    listened_to = {name for name in office.handled_events if isinstance(name, str)}

    assert listened_to == set(SUBSCRIBED)
