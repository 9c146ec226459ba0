"""The health figures of a workspace are right and are not those of another one."""

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


def end(connection, outcome, sent_to=None, *, at=SOMEDAY, accepted_at=SOMEDAY - HOUR, workspace_id="T1"):
    job_change_id = add_job_change(connection, workspace_id, due_at=accepted_at)
    connection.execute(
        text("UPDATE job_changes SET outcome = :outcome, told = :told, ended_at = :at WHERE id = :id"),
        {"outcome": outcome, "told": sent_to, "at": at, "id": job_change_id},
    )


async def test_the_figures_of_a_new_workspace_are_zero(status):
    """Reading them works before there is any job change."""
    figures = await status.of("T1")

    assert (figures.waiting, figures.waiting_since, figures.failed, figures.last_accepted_at) == (0, None, 0, None)
    assert figures.last_day == {"told_dri": 0, "told_channel": 0, "buried": 0, "muted": 0}
    assert [line.text.partition(":")[0] for line in figures.salesforce] == ["Not connected to Salesforce"]
    assert figures.default_channel_id == "C_DEFAULT"


@pytest.mark.both_databases
async def test_outcomes_of_the_last_day_are_counted(status, database):
    """Each outcome has its own count. Failed job changes are also counted without a time limit."""
    for outcome, sent_to in (
        [("delivered", "dri")] * 3 + [("delivered", "channel")] * 2 + [("muted", None), ("buried", None)]
    ):
        await database.run(end, outcome, sent_to)
    await database.run(end, "delivered", "dri", at=SOMEDAY - 24 * HOUR - 1)
    await database.run(end, "buried", at=SOMEDAY - 48 * HOUR)

    figures = await status.of("T1")

    assert figures.last_day == {"told_dri": 3, "told_channel": 2, "buried": 1, "muted": 1}
    assert figures.failed == 2


async def test_waiting_job_changes_are_counted_with_the_time_of_the_oldest(status, database):
    """The oldest one shows how long job changes have been waiting."""
    await database.run(add_job_change, due_at=SOMEDAY - 2 * HOUR)
    await database.run(add_job_change, due_at=SOMEDAY - HOUR)

    figures = await status.of("T1")

    assert (figures.waiting, figures.waiting_since, figures.last_accepted_at) == (2, SOMEDAY - 2 * HOUR, SOMEDAY - HOUR)


async def test_the_latest_job_change_may_have_ended(status, database):
    """A later one may end before an earlier one."""
    await database.run(end, "delivered", "dri", at=SOMEDAY - 100, accepted_at=SOMEDAY - 200)
    await database.run(end, "delivered", "dri", at=SOMEDAY - 50, accepted_at=SOMEDAY - 2 * HOUR)

    assert (await status.of("T1")).last_accepted_at == SOMEDAY - 200


async def test_job_changes_of_another_workspace_are_not_counted(status, database):
    """The figures never mix workspaces."""
    await database.run(add_workspace, "T2")
    await database.run(add_job_change, "T2")
    await database.run(end, "buried", workspace_id="T2")

    figures = await status.of("T1")

    assert (figures.waiting, figures.failed, figures.last_day["buried"]) == (0, 0, 0)
    assert await status.of("T9") is None


async def test_the_status_names_the_problems_of_the_connections(status, database):
    """An admin has to fix these."""
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

    figures = await status.of("T1")

    assert figures.default_channel_problem == "it is archived"
    assert [(line.text, line.at) for line in figures.salesforce] == [
        ("Salesforce (Acme Sales) needs an admin: the login was revoked", None),
        ("Last synced", SOMEDAY - HOUR),
    ]
    assert "ciphertext" not in json.dumps(figures.as_dict())


async def test_the_status_can_be_written_as_json(status):
    """`status --json` has every figure by its name."""
    figures = json.loads(json.dumps((await status.of("T1")).as_dict()))

    assert figures["workspace_name"] == "Acme"
    assert figures["last_day"]["sent_to_dri"] == 0
    assert figures["at"] == SOMEDAY
