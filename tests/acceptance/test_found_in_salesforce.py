"""Two replicas read ten thousand job changes from Salesforce, and one of them is killed."""

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
from store.leases import FIND
from store.salesforce import sources
from store.schema import job_changes, turns
from store.slack.installations import AsyncInstallationStore
from tests.acceptance.process import Deployment, open_deployment
from tests.services.intake.salesforce_org import MOVE

RECORDS = 10_000
ENDLESS_DELAY = 3_600.0
TIMEOUT_SECONDS = 90.0

pytestmark = pytest.mark.process

DEFINITION = {
    "map": {
        "Full_Name__c": "person.full_name",
        "Work_Email__c": "person.emails",
        "New_Company__c": "current.company.name",
    },
    "set": {"signal": "contact_tracking", "change_type": "new_company"},
}


async def install(app: Deployment, database: Database, cipher: Cipher) -> str:
    """Install the app as OAuth would, without a default channel. Returns the workspace id."""
    team, admin = app.office.team, app.office.admin
    token = app.slack.world.tokens[app.slack.install(team.id, admin.id)]
    await AsyncInstallationStore(database, app.slack.app.client_id, cipher).async_save(
        Installation(
            app_id=app.slack.app.id,
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


async def count_accepted(database: Database) -> tuple[int, int]:
    """The numbers of job changes and of distinct keys."""
    return await database.run(
        lambda connection: tuple(
            connection.execute(select(func.count(), func.count(job_changes.c.key.distinct()))).one()
        )
    )


async def wait_until(database: Database, holds: Callable[[int], bool]) -> None:
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while not holds((await count_accepted(database))[0]):  # noqa: ASYNC110 - another process stores them
            await asyncio.sleep(0.02)


async def test_each_record_becomes_one_job_change_even_when_a_replica_is_killed(
    tmp_path: Path, postgresql_url: str
) -> None:
    """When its lease ends, the other replica continues after the last page that was stored."""
    key = Fernet.generate_key().decode()
    database = Database(postgresql_url)
    async with open_deployment(tmp_path) as app:
        app.environ |= {"DATABASE_URL": postgresql_url, "ENCRYPTION_KEYS": key}
        workspace_id = await install(app, database, Cipher.of([key]))
        since = round(time.time() * 1_000) - 60_000
        new = NewSource(
            workspace_id=workspace_id,
            name="Job_Move__c",
            sobject="Job_Move__c",
            definition=DEFINITION,
            org_id=None,
            since=since,
            made_by=app.office.admin.id,
            made_at=since,
        )
        app.salesforce.org.define(MOVE)
        for number in range(RECORDS):
            app.salesforce.add(
                "Job_Move__c",
                Full_Name__c=f"Person {number:05}",
                Work_Email__c=f"person{number:05}@initech.example",
                New_Company__c="Globex",
            )
        await database.run(sources.save, new)

        first = await app.serve("worker")
        await wait_until(database, lambda count: count >= 500)
        app.salesforce.faults.add("query", delay=ENDLESS_DELAY)  # the replica waits for the next page
        second = await app.serve("worker")
        await app.stop(first, signal.SIGKILL)
        count, _ = await count_accepted(database)
        assert count < RECORDS
        expire_lease = update(turns).where(turns.c.half == FIND).values(lease_until=0)  # as after half a minute
        await database.run(lambda connection: connection.execute(expire_lease))
        await wait_until(database, lambda count: count >= RECORDS)
        await app.stop(second, signal.SIGTERM)

        assert await count_accepted(database) == (RECORDS, RECORDS)
        (source,) = await database.run(sources.all_of, workspace_id)
        assert source.problem is None
    await database.close()
