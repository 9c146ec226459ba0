"""Keys for senders are made in Home, shown once, and only to admins."""

from __future__ import annotations

import json

import pytest

from services.intake.keys import Credentials, KeyCheck
from tests.listeners.slack.install_world import break_database


def modal_of(office, user) -> str:
    return json.dumps(office.slack.modal(user.id).definition, ensure_ascii=False)


async def test_a_key_is_shown_once_and_works(office, keys):
    """What the dialog shows is what a sender needs."""
    await office.open_home(office.dana)
    home = await office.pick(office.dana, "home_make_key_bearer")

    shown = modal_of(office, office.dana)
    key = shown.split("```")[1]

    assert key.startswith("ugk_")
    assert "https://usergems.example.com/v1/workspaces/" in shown
    assert await keys.check(office.team.id, Credentials(None, (key.encode(),)), b"") is KeyCheck.VALID
    assert key not in home
    assert "Rotate API key" in home


async def test_the_signing_secret_is_one_of_standard_webhooks(office):
    """Its prefix is the standard's."""
    await office.open_home(office.dana)
    await office.pick(office.dana, "home_make_key_signing")

    assert "whsec_" in modal_of(office, office.dana)


async def test_who_lost_the_admin_role_gets_no_key(office, keys):
    """Rights are checked when the button is pressed."""
    await office.open_home(office.dana)
    office.dana.is_admin = False

    await office.pick(office.dana, "home_make_key_bearer")

    assert "Only workspace admins and owners" in modal_of(office, office.dana)
    assert await keys.list(office.team.id) == []


async def test_a_database_that_goes_away_meanwhile_is_said_in_the_dialog(office):
    """It does not ask for a moment for ever."""
    await office.open_home(office.dana)
    office.slack.faults.add("views.open", delay=0.01, when=lambda _: break_database(office.database) is None)

    await office.slack.act_in_home(office.dana.id, "home_make_key_bearer")
    await office.settled()

    assert "The database is not responding" in modal_of(office, office.dana)


async def test_no_key_is_made_for_a_dialog_that_slack_does_not_open(office, keys):
    """Its trigger had expired: the person reads so, and nothing was made that nobody saw."""
    await office.open_home(office.dana)
    office.slack.faults.add("views.open", error="expired_trigger_id")

    await office.pick(office.dana, "home_make_key_bearer")

    assert await keys.list(office.team.id) == []
    assert office.slack.calls[-1].method == "chat.postMessage"
    assert "took too long" in office.slack.calls[-1].arguments["text"]


async def test_how_to_send_is_an_example_to_paste(office):
    """With this workspace's own address in it."""
    await office.open_home(office.dana)
    await office.pick(office.dana, "home_how_to_send")

    shown = modal_of(office, office.dana)
    assert f"curl https://usergems.example.com/v1/workspaces/{office.team.id}/job-changes" in shown


@pytest.fixture
def keys(office):
    """The same service that the listeners use."""
    return office.intake_keys
