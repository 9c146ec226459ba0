"""Choices of admins, when several choose at once and when Slack is in trouble. The rest is seen through Home."""

from __future__ import annotations

import asyncio

import pytest

from services.home.preferences import Preferences
from store import audit
from store.slack import workspaces
from tests.services.slack.slack_world import open_slack_workspace


@pytest.fixture
async def acme(database, clock):
    async with open_slack_workspace(database, clock) as acme:
        yield acme


@pytest.fixture
def preferences(acme, database, clock):
    return Preferences(acme.api, database, clock)


@pytest.mark.both_databases
async def test_of_two_who_choose_at_the_same_moment_one_is_stored(acme, preferences):
    """The other is told; which one it is does not matter."""
    losses = acme.sandbox.add_channel(acme.team, "losses")
    seen = (await acme.workspace()).version

    answers = await asyncio.gather(
        preferences.choose_default_channel(acme.id, "U1", acme.wins.id, seen),
        preferences.choose_default_channel(acme.id, "U2", losses.id, seen),
    )

    chosen = (await acme.workspace()).default_channel_id
    assert [answer.stored for answer in answers] == [chosen == acme.wins.id, chosen == losses.id]
    assert sorted(answer.stored for answer in answers) == [False, True]
    assert len(await acme.database.run(audit.recent, acme.id)) == 1


async def test_who_saw_no_settings_may_choose(acme, preferences):
    """The page after the installation shows none."""
    answer = await preferences.choose_default_channel(acme.id, acme.dana.id, acme.wins.id, None)

    assert answer.stored


@pytest.mark.parametrize(
    ("fault", "said"),
    [({"status": 503}, "try again in a minute"), ({"error": "missing_scope"}, "lacks a permission it needs")],
)
async def test_a_channel_that_cannot_be_checked_is_not_stored(acme, preferences, fault, said):
    """Nothing is said in it either."""
    acme.sandbox.faults.add("conversations.info", **fault)

    answer = await preferences.choose_default_channel(acme.id, acme.dana.id, acme.wins.id, None)

    assert not answer.stored
    assert said in answer.text
    assert acme.wins.messages == {}


async def test_names_of_channels_are_shown_as_text(acme, preferences):
    """Slack's own names are tame; another server's may not be."""
    odd = acme.sandbox.add_channel(acme.team, "<!here>", is_archived=True)

    answer = await preferences.choose_default_channel(acme.id, acme.dana.id, odd.id, None)

    assert "#&lt;!here&gt; is archived" in answer.text


async def test_a_workspace_that_uninstalled_has_nothing_to_choose(acme, preferences):
    """Its Home may still be on somebody's screen."""
    assert not (await preferences.choose_default_channel("T0ELSE", "U1", acme.wins.id, None)).stored
    assert not (await preferences.set_tell_dris("T0ELSE", "U1", False, None)).stored


async def test_a_value_that_home_does_not_offer_is_refused(acme, preferences):
    """It would reach the router, which knows two."""
    with pytest.raises(ValueError, match="'nothing'"):
        await preferences.set_channel_gets(acme.id, acme.dana.id, "nothing", None)


async def test_checking_without_a_channel_says_so(acme, preferences):
    """The button may be older than the settings."""
    answer = await preferences.check_default_channel(acme.id, acme.dana.id, 0)

    assert answer.text == "No default channel is chosen yet."


async def test_what_the_channel_reads_first_says_what_it_gets(acme, preferences, database):
    """Where nobody is told directly, it gets everything."""
    await database.run(workspaces.change, acme.id, None, tell_dris=False)
    await preferences.choose_default_channel(acme.id, acme.dana.id, acme.wins.id, None)

    [message] = acme.wins.messages.values()
    assert "it gets every job change" in message.text
