"""Admins create keys for senders in Home, and each is shown once."""

from __future__ import annotations

import json

import pytest

from services.intake.keys import KeyCheck, valid_keys
from services.intake.senders.proofs import Credentials
from tests.listeners.slack.install_world import break_database


def modal_of(office, user) -> str:
    return json.dumps(office.slack.modal(user.id).definition, ensure_ascii=False)


async def test_a_key_is_shown_once_and_works(office, keys):
    """The dialog shows the key and the address to post to."""
    await office.open_home(office.dana)
    home = await office.pick(office.dana, "home_make_key_bearer")

    shown = modal_of(office, office.dana)
    key = shown.split("```")[1]

    assert key.startswith("ugk_")
    assert "The previous one" not in shown
    assert "https://usergems.example.com/v1/workspaces/" in shown
    assert (await keys.check_head(office.team.id, Credentials(None, (key.encode(),)))).result is KeyCheck.VALID
    assert key not in home
    assert "Rotate API key" in home
    await office.pick(office.dana, "home_make_key_bearer")
    assert "The previous one works for another 24 hours." in modal_of(office, office.dana)


async def test_the_signing_secret_has_the_format_of_standard_webhooks(office):
    """It starts with the prefix of the standard."""
    await office.open_home(office.dana)
    await office.pick(office.dana, "home_make_key_signing")

    assert "whsec_" in modal_of(office, office.dana)


async def test_a_former_admin_gets_no_key(office, keys):
    """Rights are checked when the button is clicked."""
    await office.open_home(office.dana)
    office.dana.is_admin = False

    await office.pick(office.dana, "home_make_key_bearer")

    assert "Only workspace admins and owners" in modal_of(office, office.dana)
    assert await office.database.run(valid_keys, office.team.id, keys.now()) == []


async def test_a_database_outage_is_shown_in_the_dialog(office):
    """The dialog does not stay at its loading view."""
    await office.open_home(office.dana)
    office.slack.faults.add("views.open", delay=0.01, when=lambda _: break_database(office.database) is None)

    await office.slack.act_in_home(office.dana.id, "home_make_key_bearer")
    await office.settled()

    assert "The database is not responding" in modal_of(office, office.dana)


async def test_no_key_is_created_if_the_dialog_cannot_be_opened(office, keys):
    """The trigger has expired, so the user gets a message instead."""
    await office.open_home(office.dana)
    office.slack.faults.add("views.open", error="expired_trigger_id")

    await office.pick(office.dana, "home_make_key_bearer")

    assert await office.database.run(valid_keys, office.team.id, keys.now()) == []
    assert office.slack.calls[-1].method == "chat.postMessage"
    assert "took too long" in office.slack.calls[-1].arguments["text"]


async def test_the_instructions_have_an_example_to_paste(office):
    """It has the address of this workspace."""
    await office.open_home(office.dana)
    await office.pick(office.dana, "home_how_to_send")

    shown = modal_of(office, office.dana)
    assert f"curl https://usergems.example.com/v1/workspaces/{office.team.id}/job-changes" in shown


@pytest.fixture
def keys(office):
    """The same service that the listeners use."""
    return office.intake_keys
