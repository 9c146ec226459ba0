"""The person who installed the app hears once of what only people can mend."""

from __future__ import annotations

import pytest

from services.notices import Notices
from services.preferences import Preferences
from tests.services.slack_world import acme_in


@pytest.fixture
async def acme(database, clock):
    async with acme_in(database, clock) as acme:
        yield acme


@pytest.fixture
def notices(acme, database, clock):
    return Notices(database, acme.api, clock)


def told(acme) -> list[str]:
    return [asked["text"] for asked in acme.calls_of("chat.postMessage") if asked["channel"] == acme.dana.id]


async def test_a_missing_default_channel_is_told_once(acme, notices):
    """However many job changes wait for it."""
    for _ in range(3):
        await notices.default_channel_missing(acme.id)

    [text] = told(acme)
    assert "choose a default channel" in text


async def test_what_could_not_be_told_is_told_the_next_time(acme, notices):
    """Slack was busy; the trouble is still there."""
    acme.sandbox.faults.add("chat.postMessage", error="something_new")
    await notices.default_channel_missing(acme.id)
    await notices.default_channel_missing(acme.id)

    assert len(told(acme)) == 2  # one was refused


async def test_an_installer_who_cannot_be_told_stops_nothing(acme, notices):
    """The courier calls this amid its work."""
    acme.sandbox.faults.add("chat.postMessage", error="user_not_found", times=None)
    for _ in range(2):
        await notices.default_channel_missing(acme.id)

    assert len(told(acme)) == 1


async def test_a_default_channel_that_breaks_again_is_told_again(acme, notices, database, clock):
    """Choosing a channel ends the first trouble. The reason is shown as text: nothing in it is live."""
    await notices.default_channel_broken(acme.id, "it was archived <!channel>")
    preferences = Preferences(acme.api, database, clock)
    assert (await preferences.choose_default_channel(acme.id, acme.dana.id, acme.wins.id, None)).stored

    await notices.default_channel_broken(acme.id, "it was archived")

    first, second = told(acme)
    assert "&lt;!channel&gt;" in first
    assert "it was archived" in second


async def test_a_workspace_that_is_unknown_has_nobody_to_tell(acme, notices):
    """It was erased meanwhile."""
    await notices.default_channel_missing("T0ELSE")

    assert told(acme) == []
