"""Admins' choices when several choose at once and when Slack has problems. The tests of Home cover the rest."""

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
async def test_only_one_of_two_simultaneous_choices_succeeds(acme, preferences):
    """The other one learns that nothing was saved. Either of them may be the first."""
    losses = acme.sandbox.add_channel(acme.team, "losses")
    seen = (await acme.workspace()).version

    results = await asyncio.gather(
        preferences.choose_default_channel(acme.id, "U1", acme.wins.id, seen),
        preferences.choose_default_channel(acme.id, "U2", losses.id, seen),
    )

    chosen = (await acme.workspace()).default_channel_id
    assert [result.stored for result in results] == [chosen == acme.wins.id, chosen == losses.id]
    assert sorted(result.stored for result in results) == [False, True]
    assert len(await acme.database.run(audit.recent, acme.id)) == 1


async def test_a_choice_without_a_seen_version_is_stored(acme, preferences):
    """The page after the installation shows no settings, so it has no version."""
    result = await preferences.choose_default_channel(acme.id, acme.dana.id, acme.wins.id, None)

    assert result.stored


@pytest.mark.parametrize(
    ("fault", "text"),
    [({"status": 503}, "try again in a minute"), ({"error": "missing_scope"}, "is missing a permission")],
)
async def test_a_channel_that_cannot_be_checked_is_not_stored(acme, preferences, fault, text):
    """Nothing is posted in it either."""
    acme.sandbox.faults.add("conversations.info", **fault)

    result = await preferences.choose_default_channel(acme.id, acme.dana.id, acme.wins.id, None)

    assert not result.stored
    assert text in result.text
    assert acme.wins.messages == {}


async def test_channel_names_are_escaped(acme, preferences):
    """A name that looks like markup is shown as text."""
    odd = acme.sandbox.add_channel(acme.team, "<!here>", is_archived=True)

    result = await preferences.choose_default_channel(acme.id, acme.dana.id, odd.id, None)

    assert "#&lt;!here&gt; is archived" in result.text


async def test_a_workspace_that_uninstalled_has_nothing_to_choose(acme, preferences):
    """Its Home may still be open on someone's screen."""
    assert not (await preferences.choose_default_channel("T0ELSE", "U1", acme.wins.id, None)).stored
    change = preferences.change("T0ELSE", "U1", {"tell_dris": False}, None)
    assert not (await acme.database.run(change)).stored


async def test_there_is_nothing_to_check_without_a_default_channel(acme, preferences):
    """The button may be older than the settings."""
    result = await preferences.check_default_channel(acme.id, acme.dana.id, 0)

    assert "No default channel" in result.text


async def test_the_first_message_in_the_channel_says_what_it_gets(acme, preferences, database):
    """Without direct messages to DRIs, the channel gets everything."""
    await database.run(workspaces.change, acme.id, None, tell_dris=False)
    await preferences.choose_default_channel(acme.id, acme.dana.id, acme.wins.id, None)

    [message] = acme.wins.messages.values()
    assert "Every job change is posted here." in message.text


async def test_without_the_optional_permission_the_app_has_to_be_invited(acme, preferences):
    """Slack would not post in a public channel that the app is not in. The answer says what to do."""
    public = acme.sandbox.add_channel(acme.team, "deals")
    token = next(iter(acme.sandbox.world.tokens.values()))
    token.scopes -= {"chat:write.public"}
    await acme.database.run(workspaces.change, acme.id, None, scopes=",".join(token.scopes))

    refused = await preferences.choose_default_channel(acme.id, acme.dana.id, public.id, None)
    await acme.sandbox.invite_bot(public.id)
    stored = await preferences.choose_default_channel(acme.id, acme.dana.id, public.id, None)

    assert "The app is not in #deals. Type `/invite`" in refused.text
    assert (refused.stored, stored.stored) == (False, True)
