"""Home as data: Slack takes it in every state, and it says what there is to do."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from listeners.app_home_view import home_view, seen_version
from listeners.intake_keys_view import how_to_send_view, key_view, no_right_view, wait_view
from sandbox.slack.blocks import check_view
from services.home import HomeState
from services.intake_keys import ListedKey
from store.salesforce_connections import WEB_SERVER, SalesforceConnection
from store.workspaces import Workspace
from tests.conftest import SOMEDAY

URL = "https://usergems.example.com/v1/workspaces/T1/job-changes"
LIVE = "<!channel> & <https://evil.example|here> *bold*" * 20

# What Home does not show is left out.
_SHOWN = {"id": "T1", "state": "active", "version": 7, "channel_gets": "unmatched", "tell_dris": True}
_SHOWN |= {"salesforce_daily_calls": 5_000}
ACME = Workspace(**dict.fromkeys(Workspace.__dataclass_fields__) | _SHOWN | {"default_channel_id": "C1"})
SALESFORCE = SalesforceConnection(
    workspace_id="T1",
    flow=WEB_SERVER,
    login_url="https://login.salesforce.com",
    connected_at=SOMEDAY,
    org_name="Acme & Sons",
    last_success_at=SOMEDAY,
)
STATE = HomeState(ACME, True, 0, SALESFORCE, (), URL, SOMEDAY)
KEYS = (ListedKey("bearer", SOMEDAY, "U1", None), ListedKey("bearer", SOMEDAY, "U1", SOMEDAY + 1))


@pytest.mark.parametrize(
    ("is_admin", "channel", "problem", "gets", "tell", "notice"),
    [
        (is_admin, channel, problem, gets, tell, notice)
        for is_admin, tell in product((True, False), repeat=2)
        for channel, problem, notice in product((None, "C1"), (None, LIVE), (None, "Saved."))
        for gets in ("unmatched", "everything")
    ],
)
def test_slack_takes_home_in_every_state(is_admin, channel, problem, gets, tell, notice):
    """Limits, element types and ids, as Slack checks them."""
    workspace = replace(
        ACME, default_channel_id=channel, default_channel_problem=problem, channel_gets=gets, tell_dris=tell
    )
    trouble = replace(SALESFORCE, problem=LIVE, org_name=LIVE)
    for salesforce, keys in product((None, SALESFORCE, trouble), ((), KEYS, KEYS * 10)):
        state = HomeState(workspace, is_admin, 1_234, salesforce, keys, URL, SOMEDAY)

        view = home_view(state, notice)

        assert check_view(view, "home") == []
        assert "<!channel>" not in str(view)


@pytest.mark.parametrize(
    "view",
    [
        wait_view("Signing secret"),
        key_view("signing", "whsec_abc", URL),
        key_view("bearer", "ugk_abc", URL),
        no_right_view("API key"),
        how_to_send_view(URL),
    ],
)
def test_slack_takes_every_dialog(view):
    """As above."""
    assert check_view(view, "modal") == []


def test_home_says_which_version_it_showed():
    """That is how nobody overwrites what they have not seen."""
    assert seen_version(home_view(STATE)) == 7


@pytest.mark.parametrize("said", [None, "", "{}", "[]", "7", "not json", '{"version": "7"}', '{"version": null}'])
def test_a_home_that_does_not_say_has_seen_nothing(said):
    """Then nothing may be overwritten."""
    assert seen_version({"private_metadata": said}) == -1


def test_a_missing_channel_comes_before_everything_else():
    """What to do first is read first, with how much waits."""
    blocks = home_view(replace(STATE, waiting=3, workspace=replace(ACME, default_channel_id=None)))["blocks"]

    assert "No default channel yet" in blocks[1]["text"]["text"]
    assert "3 job changes are kept until then" in blocks[1]["text"]["text"]


def test_members_are_told_whom_to_ask():
    """They can read everything and use nothing."""
    text = str(home_view(replace(STATE, is_admin=False, workspace=replace(ACME, default_channel_id=None))))

    assert "Ask a workspace admin" in text
    assert "action_id" not in text


def test_rolling_a_key_in_use_is_confirmed_first():
    """One that does not exist yet is made at once."""
    *_, elements = (block for block in home_view(replace(STATE, keys=KEYS))["blocks"] if block["type"] == "actions")
    signing, bearer, _how = elements["elements"]

    assert (signing["text"]["text"], "confirm" in signing) == ("Make signing secret", False)
    assert (bearer["text"]["text"], "confirm" in bearer) == ("Roll API key", True)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "All is well"),
        ({"salesforce": replace(SALESFORCE, problem="Connect it again")}, "Salesforce needs attention"),
        ({"salesforce": None}, "Nothing sends job changes yet"),
        ({"salesforce": None, "keys": KEYS}, "All is well"),
        ({"salesforce": None, "is_admin": False}, "All is well"),
    ],
)
def test_the_health_line_says_what_matters_most(changes, said):
    """One line; who may not see the keys is not told of their lack."""
    assert said in home_view(replace(STATE, **changes))["blocks"][1]["text"]["text"]


def test_keys_made_at_the_terminal_are_the_operators():
    """No Slack user made those."""
    home = str(home_view(replace(STATE, keys=(ListedKey("bearer", SOMEDAY, "operator", None),))))

    assert "API key of" in home
    assert "made by the operator" in home
