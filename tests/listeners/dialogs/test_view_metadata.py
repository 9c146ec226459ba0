"""What a view carries in private_metadata comes back only from the person, the workspace and the view it was for."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet

from listeners.dialogs.blocks import modal
from listeners.dialogs.metadata import ViewSigner, with_workspace, workspace_in
from store.encryption import Cipher

OLD_KEY, NEW_KEY = Fernet.generate_key().decode(), Fernet.generate_key().decode()
VIEW = modal("Limits and data", [], {"version": 3}) | {"callback_id": "home_pace"}


def signer(*keys):
    return ViewSigner(Cipher.of(keys))


def test_a_signed_view_comes_back_as_it_was():
    """The title may change while it loads; the callback_id says what it is for."""
    shown = signer(OLD_KEY).signed(VIEW, "T1", "U1") | {"title": {"type": "plain_text", "text": "Loading"}}

    checked = signer(NEW_KEY, OLD_KEY).checked(shown, "T1", "U1")

    assert checked is not None
    assert checked["private_metadata"] == VIEW["private_metadata"]


@pytest.mark.parametrize(
    ("workspace", "user", "change"),
    [
        ("T2", "U1", {}),
        ("T1", "U2", {}),
        ("T1", "U1", {"callback_id": "home_mute_limits_saved"}),
        ("T1", "U1", {"private_metadata": '{"version": 4}'}),
        ("T1", "U1", {"private_metadata": f"{'é' * 64}{{}}"}),
        ("T1", "U1", {"type": "home"}),
    ],
)
def test_nobody_else_and_no_other_view_can_use_it(workspace, user, change):
    """The signature covers the workspace, the person, the kind of view and the data."""
    shown = signer(OLD_KEY).signed(VIEW, "T1", "U1") | change

    assert signer(OLD_KEY).checked(shown, workspace, user) is None
    assert signer(NEW_KEY).checked(signer(OLD_KEY).signed(VIEW, "T1", "U1"), "T1", "U1") is None


@pytest.mark.parametrize("view", [VIEW, modal("Loading", [])], ids=["with data", "without"])
def test_a_view_of_an_organization_names_its_workspace(view):
    """It is known before the signature can be checked, and is part of what is signed."""
    shown = signer(OLD_KEY).signed(with_workspace(view, "T1"), "T1", "U1")

    assert workspace_in(shown) == "T1"
    assert (signer(OLD_KEY).checked(shown, "T1", "U1") or {})["private_metadata"] == view.get("private_metadata", "")
    moved = shown | {"private_metadata": shown["private_metadata"].replace("T1", "T2")}
    assert workspace_in(moved) == "T2"
    assert signer(OLD_KEY).checked(moved, "T2", "U1") is None
    assert [workspace_in({"private_metadata": text}) for text in ("", None, "{}", "é" * 70)] == [None] * 4


async def test_a_dialog_with_forged_data_changes_nothing(office):
    """It is replaced by a request to open it again; a forged Home counts as an outdated one."""
    await office.open_home(office.dana)
    await office.pick(office.dana, "home_pace")
    dialog = office.slack.modal(office.dana.id)
    dialog.definition["private_metadata"] = '{"version": 1}'

    await office.slack.submit_view(office.dana.id, {"posts_per_minute": "30"})
    await office.settled()

    assert "can no longer be used" in str(office.slack.modal(office.dana.id).definition)
    office.slack.world.homes[office.dana.id].definition["private_metadata"] = '{"version": 1}'
    assert "Someone else changed the settings" in await office.pick(office.dana, "home_tell_dris", "no")
    workspace = await office.workspace()
    assert (workspace.posts_per_minute, workspace.tell_dris) != (30, False)
    assert workspace.tell_dris
