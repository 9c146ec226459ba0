"""/usergems-status answers whoever asks, and only them."""

from __future__ import annotations

import pytest

from listeners.status_view import status_blocks, status_lines
from services.salesforce_health import Health, HealthLine, lines
from services.status import WorkspaceStatus
from store import workspaces
from tests.conftest import SOMEDAY

HOUR = 60 * 60 * 1_000
COMMAND = "/usergems-status"


def status(**changes: object) -> WorkspaceStatus:
    values: dict[str, object] = {
        "at": SOMEDAY,
        "workspace_id": "T1",
        "workspace_name": "Acme",
        "is_active": True,
        "default_channel_id": "C1",
        "default_channel_name": "wins",
        "default_channel_problem": None,
        "salesforce": (
            HealthLine(Health.GOOD, "Connected to Salesforce: Acme Sales"),
            HealthLine(Health.GOOD, "Last answered", SOMEDAY - HOUR),
        ),
        "last_accepted_at": SOMEDAY - HOUR,
        "last_day": {"told_dri": 1_200, "told_channel": 3, "buried": 0, "muted": 1},
        "waiting": 0,
        "waiting_since": None,
        "buried": 0,
    }
    return WorkspaceStatus(**values | changes)


def test_when_all_is_well():
    """A line for each thing one may wonder about."""
    assert [line.split("<!date")[0] for line in status_lines(status())] == [
        "*Job changes in Acme*",
        ":white_check_mark: <#C1> is the default channel.",
        ":white_check_mark: Connected to Salesforce: Acme Sales.",
        "Last answered ",
        "The last job change came in ",
        "Last 24 hours: 1,200 told to the DRI, 3 told to the channel, 0 buried, 1 muted.",
        "Nothing waits.",
    ]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"is_active": False}, "not installed in this workspace any more"),
        ({"default_channel_id": None}, "No default channel yet: an admin chooses one in the Home tab"),
        ({"default_channel_problem": "it is <archived>"}, "cannot be posted to: it is &lt;archived&gt;"),
        ({"salesforce": tuple(lines(None, 5_000, SOMEDAY))}, ":information_source: Not connected to Salesforce"),
        (
            {"salesforce": (HealthLine(Health.BAD, "Salesforce (Acme) needs an admin: the login was revoked"),)},
            ":warning: Salesforce (Acme) needs an admin: the login was",
        ),
        ({"last_accepted_at": None}, "No job change has come in yet."),
        ({"waiting": 1, "waiting_since": SOMEDAY}, "1 waits to be told, the oldest since <!date"),
        ({"waiting": 2_000, "waiting_since": SOMEDAY}, "2,000 wait to be told"),
        ({"buried": 2}, "2 could not be delivered. For the operator: `python app.py buried`"),
    ],
)
def test_what_is_not_well_is_said(changes, line):
    """With what to do about it."""
    assert line in "\n".join(status_lines(status(**changes)))


def test_the_text_says_all_that_the_blocks_say():
    """Notifications and screen readers know only the text."""
    shown, _ = status_blocks(status(buried=2))

    assert shown["text"]["text"] == "\n".join(status_lines(status(buried=2)))


async def test_anybody_may_ask_and_only_they_read_it(office):
    """Numbers, nothing of people."""
    answer = await office.slack.command(office.mo.id, COMMAND)

    assert answer.problem == ""
    assert answer.message.ephemeral_to == office.mo.id
    assert "*Job changes in Acme*" in answer.message.text
    assert "No default channel yet" in str(answer.message.blocks)


@pytest.mark.parametrize("word", ["help", " HELP ", "restart", "<@U1>"])
async def test_any_word_is_answered_with_help(office, word):
    """What was asked for, or how to ask."""
    answer = await office.slack.command(office.mo.id, COMMAND, word)

    assert answer.message.text.startswith(f"`{COMMAND}` shows how job changes are doing")


async def test_the_default_channel_is_named(office):
    """With the trouble it has."""
    await office.database.run(
        workspaces.change,
        office.team.id,
        None,
        default_channel_id=office.wins.id,
        default_channel_problem="it is archived",
    )

    answer = await office.slack.command(office.mo.id, COMMAND)

    assert f"<#{office.wins.id}>, the default channel, cannot be posted to: it is archived" in answer.message.text
