"""A Salesforce org with job changes, and replicas of the app that import them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp.test_utils import TestServer
from cryptography.fernet import Fernet
from sqlalchemy import func, select

from sandbox.salesforce import SalesforceSandbox
from sandbox.salesforce.schema import AUDIT, Field, SObject, lookup, strings
from services.intake.intake import Intake
from services.intake.salesforce.poller import SalesforcePoller
from services.intake.salesforce.sources import SalesforceSources
from services.salesforce.queries.describe import SalesforceDescribe
from services.salesforce.queries.lookup import Salesforce
from services.salesforce.sessions import SalesforceSessions
from store.database import Database
from store.encryption import Cipher
from store.schema import job_changes
from store.slack import workspaces
from tests.conftest import Clock
from tests.world import installed

USERGEM = SObject(
    "UserGems__UserGem__c",
    "a01",
    (
        Field("Id", "id"),
        *strings("Name UserGems__New_Title__c UserGems__Past_Relationship_Type__c UserGems__Persona__c"),
        Field("UserGems__Start_Date__c", "date"),
        Field("UserGems__LinkedIn_URL__c", "url"),
        lookup("UserGems__Past_Contact__c", "Contact"),
        lookup("UserGems__Past_Account__c", "Account"),
        lookup("UserGems__New_Account__c", "Account"),
        lookup("UserGems__Current_Record_DRI__c", "User"),
        lookup("OwnerId", "Group", "User"),
        *AUDIT,
    ),
)
MOVE = SObject(
    "Job_Move__c",
    "a02",
    (
        Field("Id", "id"),
        *strings("Name Full_Name__c New_Company__c Previous_Company__c Stage__c"),
        Field("Work_Email__c", "email"),
        *AUDIT,
    ),
)


@dataclass
class Replica:
    sessions: SalesforceSessions
    salesforce: Salesforce
    describe: SalesforceDescribe
    sources: SalesforceSources
    poller: SalesforcePoller


@dataclass
class Org:
    """Workspace T1, connected with client credentials, with a UserGems object and another custom object."""

    sandbox: SalesforceSandbox
    database: Database
    cipher: Cipher
    clock: Clock
    http: aiohttp.ClientSession
    replicas: list[Replica]

    @property
    def poller(self) -> SalesforcePoller:
        return self.replicas[0].poller

    @property
    def sources(self) -> SalesforceSources:
        return self.replicas[0].sources

    def replica(self, database: Database | None = None, **fields: Any) -> Replica:
        """Start another process with the same settings. `database` gives it its own connections."""
        database = database or self.database
        sessions = SalesforceSessions(database, self.cipher, self.http, self.sandbox.url, "app", "secret", self.clock)
        salesforce = Salesforce(sessions)
        describe = SalesforceDescribe(salesforce)
        intake = Intake(database, self.clock, lambda: None)
        poller = SalesforcePoller(database, describe, intake, self.clock, **fields)
        replica = Replica(sessions, salesforce, describe, SalesforceSources(database, describe, self.clock), poller)
        self.replicas.append(replica)
        return replica

    def move(self, name: str = "Ada Smith", **fields: Any) -> str:
        """Add a record of a job change, and return its id."""
        first = name.split(maxsplit=1)[0].lower()
        values = {"Full_Name__c": name, "Work_Email__c": f"{first}@globex.example", "New_Company__c": "Globex"}
        return self.sandbox.add("Job_Move__c", **values | fields)

    async def count_accepted(self) -> int:
        """Return how many job changes have been accepted."""
        count: int = await self.database.run(
            lambda connection: connection.execute(select(func.count()).select_from(job_changes)).scalar_one()
        )
        return count

    async def choose(self, name: str = "Job_Move__c", days: int | None = None, **changed: Any) -> None:
        """Start to import an object as an admin, with the proposed definition."""
        proposal = await self.sources.propose("T1", name)
        assert proposal is not None
        proposal.definition.update(changed)
        await self.sources.start("T1", "U1", proposal, days)

    async def poll(self, replica: Replica | None = None) -> bool:
        """Poll a minute later."""
        self.clock.advance(seconds=61)
        return await (replica or self.replicas[0]).poller.poll()


@asynccontextmanager
async def org_beside(database: Database, clock: Clock, **fields: Any) -> AsyncIterator[Org]:
    sandbox = SalesforceSandbox(now=lambda: clock() / 1000, client_id="app", client_secret="secret")
    sandbox.org.define(USERGEM)
    sandbox.org.define(MOVE)
    await database.run(workspaces.install, installed())
    async with TestServer(sandbox.web_app()) as server, aiohttp.ClientSession() as http:
        sandbox.url = str(server.make_url("")).rstrip("/")
        made = Org(sandbox, database, Cipher.of([Fernet.generate_key().decode()]), clock, http, [])
        made.replica(**fields)
        yield made
        for replica in made.replicas:
            await replica.salesforce.close()
