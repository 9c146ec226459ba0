"""The numbers of a workspace are right, and its own."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import insert, text

from services.home.status import Status
from store.schema import salesforce_connections
from store.slack import workspaces
from tests.conftest import SOMEDAY
from tests.store.sample_rows import add_job_change, add_workspace

HOUR = 60 * 60 * 1_000


@pytest.fixture
async def status(database, clock):
    await database.run(add_workspace)
    return Status(database, clock)


def end(connection, outcome, told=None, *, at=SOMEDAY, accepted_at=SOMEDAY - HOUR, workspace_id="T1"):
    job_change_id = add_job_change(connection, workspace_id, due_at=accepted_at)
    connection.execute(
        text("UPDATE job_changes SET outcome = :outcome, told = :told, ended_at = :at WHERE id = :id"),
        {"outcome": outcome, "told": told, "at": at, "id": job_change_id},
    )


async def test_a_new_workspace_has_nothing_to_tell(status):
    """Noughts, and no errors."""
    found = await status.of("T1")

    assert (found.waiting, found.waiting_since, found.failed, found.last_accepted_at) == (0, None, 0, None)
    assert found.last_day == {"told_dri": 0, "told_channel": 0, "buried": 0, "muted": 0}
    assert [line.text.partition(":")[0] for line in found.salesforce] == ["Not connected to Salesforce"]
    assert found.default_channel_id == "C_DEFAULT"


@pytest.mark.both_databases
async def test_outcomes_of_the_last_day_are_counted(status, database):
    """Each under its own name; those of yesterday are over, but what is buried is buried."""
    for outcome, told in (
        [("delivered", "dri")] * 3 + [("delivered", "channel")] * 2 + [("muted", None), ("buried", None)]
    ):
        await database.run(end, outcome, told)
    await database.run(end, "delivered", "dri", at=SOMEDAY - 24 * HOUR - 1)
    await database.run(end, "buried", at=SOMEDAY - 48 * HOUR)

    found = await status.of("T1")

    assert found.last_day == {"told_dri": 3, "told_channel": 2, "buried": 1, "muted": 1}
    assert found.failed == 2


async def test_what_waits_and_since_when(status, database):
    """The oldest is the one to worry about."""
    await database.run(add_job_change, due_at=SOMEDAY - 2 * HOUR)
    await database.run(add_job_change, due_at=SOMEDAY - HOUR)

    found = await status.of("T1")

    assert (found.waiting, found.waiting_since, found.last_accepted_at) == (2, SOMEDAY - 2 * HOUR, SOMEDAY - HOUR)


async def test_the_last_job_change_may_have_ended_or_not(status, database):
    """One that came later may end sooner."""
    await database.run(end, "delivered", "dri", at=SOMEDAY - 100, accepted_at=SOMEDAY - 200)
    await database.run(end, "delivered", "dri", at=SOMEDAY - 50, accepted_at=SOMEDAY - 2 * HOUR)

    assert (await status.of("T1")).last_accepted_at == SOMEDAY - 200


async def test_another_workspace_s_are_not_counted(status, database):
    """Nor is one told of another's."""
    await database.run(add_workspace, "T2")
    await database.run(add_job_change, "T2")
    await database.run(end, "buried", workspace_id="T2")

    found = await status.of("T1")

    assert (found.waiting, found.failed, found.last_day["buried"]) == (0, 0, 0)
    assert await status.of("T9") is None


async def test_the_connections_say_how_they_are(status, database):
    """What an admin must mend."""
    await database.run(workspaces.change, "T1", None, default_channel_problem="it is archived")
    values = {
        "workspace_id": "T1",
        "flow": "web_server",
        "login_url": "https://login.salesforce.com",
        "access_token": "ciphertext",
        "org_name": "Acme Sales",
        "problem": "the login was revoked",
        "connected_at": SOMEDAY,
        "last_success_at": SOMEDAY - HOUR,
    }
    await database.run(lambda connection: connection.execute(insert(salesforce_connections).values(values)))

    found = await status.of("T1")

    assert found.default_channel_problem == "it is archived"
    assert [(line.text, line.at) for line in found.salesforce] == [
        ("Salesforce (Acme Sales) needs an admin: the login was revoked", None),
        ("Last answer:", SOMEDAY - HOUR),
    ]
    assert "ciphertext" not in json.dumps(found.as_dict())


async def test_it_can_be_told_as_json(status):
    """For `status --json`: every number by its name."""
    told = json.loads(json.dumps((await status.of("T1")).as_dict()))

    assert told["workspace_name"] == "Acme"
    assert told["last_day"]["sent_to_dri"] == 0
    assert told["at"] == SOMEDAY
