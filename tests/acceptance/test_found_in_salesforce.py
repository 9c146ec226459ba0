"""Ten thousand job changes found in Salesforce by two replicas, one of which is killed in the middle of reading."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from slack_sdk.oauth.installation_store import Installation
from sqlalchemy import func, select, update

from domain.salesforce import NewSource
from store.database import Database
from store.encryption import Cipher
from store.salesforce import sources
from store.salesforce.sources import FIND
from store.schema import job_changes, turns
from store.slack.installations import AsyncInstallationStore
from tests.acceptance.process import Served, surroundings
from tests.services.intake.salesforce_org import MOVE

RECORDS = 10_000
FOR_EVER = 3_600.0
PATIENCE = 90.0

pytestmark = pytest.mark.process

DEFINITION = {
    "map": {
        "Full_Name__c": "person.full_name",
        "Work_Email__c": "person.emails",
        "New_Company__c": "current.company.name",
    },
    "set": {"signal": "contact_tracking", "change_type": "new_company"},
}


async def install(served: Served, database: Database, cipher: Cipher) -> str:
    """The workspace, as after OAuth, with nothing chosen; its id."""
    team, admin = served.office.team, served.office.admin
    token = served.slack.world.tokens[served.slack.install(team.id, admin.id)]
    await AsyncInstallationStore(database, served.slack.app.client_id, cipher).async_save(
        Installation(
            app_id=served.slack.app.id,
            team_id=team.id,
            team_name=team.name,
            bot_token=token.value,
            bot_id=token.bot_id,
            bot_user_id=token.bot_user,
            bot_scopes=sorted(token.scopes),
            user_id=admin.id,
            installed_at=time.time(),
        )
    )
    return team.id


async def accepted(database: Database) -> tuple[int, int]:
    """How many job changes there are, and how many different ones."""
    return await database.run(
        lambda connection: tuple(
            connection.execute(select(func.count(), func.count(job_changes.c.key.distinct()))).one()
        )
    )


async def until(database: Database, holds: Callable[[int], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not holds((await accepted(database))[0]):  # noqa: ASYNC110 - what another process stores sets no event
            await asyncio.sleep(0.02)


async def test_each_is_found_once_though_the_one_who_reads_is_killed(tmp_path: Path, postgresql_url: str) -> None:
    """The other waits its turn, and goes on behind the last page that was taken in once the lease has run out."""
    key = Fernet.generate_key().decode()
    database = Database(postgresql_url)
    async with surroundings(tmp_path) as served:
        served.environ |= {"DATABASE_URL": postgresql_url, "ENCRYPTION_KEYS": key}
        workspace_id = await install(served, database, Cipher.of([key]))
        since = round(time.time() * 1_000) - 60_000
        new = NewSource(
            workspace_id=workspace_id,
            name="Job_Move__c",
            sobject="Job_Move__c",
            definition=DEFINITION,
            org_id=None,
            since=since,
            made_by=served.office.admin.id,
            made_at=since,
        )
        served.salesforce.org.define(MOVE)
        for number in range(RECORDS):
            served.salesforce.add(
                "Job_Move__c",
                Full_Name__c=f"Person {number:05}",
                Work_Email__c=f"person{number:05}@initech.example",
                New_Company__c="Globex",
            )
        await database.run(sources.save, new)

        first = await served.serve("worker")
        await until(database, lambda count: count >= 500)
        served.salesforce.faults.add("query", delay=FOR_EVER)  # the next page does not come: it goes on waiting for it
        second = await served.serve("worker")
        await served.end(first, signal.SIGKILL)
        found, _ = await accepted(database)
        assert found < RECORDS
        given_up = update(turns).where(turns.c.half == FIND).values(lease_until=0)  # half a minute has gone by
        await database.run(lambda connection: connection.execute(given_up))
        await until(database, lambda count: count >= RECORDS)
        await served.end(second, signal.SIGTERM)

        assert await accepted(database) == (RECORDS, RECORDS)
        (source,) = await database.run(sources.all_of, workspace_id)
        assert source.problem is None
    await database.close()
