"""A Salesforce org with one contact and its owners, and the app connected to it."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp.test_utils import TestServer
from cryptography.fernet import Fernet

from sandbox.salesforce import SalesforceSandbox
from services.salesforce.queries.lookup import Salesforce
from services.salesforce.sessions import SalesforceSessions
from store.database import Database
from store.encryption import Cipher
from store.slack import workspaces
from tests.conftest import Clock
from tests.world import installed


@pytest.fixture
async def org(clock: Clock) -> AsyncIterator[SalesforceSandbox]:
    """Sam owns the account Initech, Dana owns its contact Ada, and a queue owns the lead Lee."""
    sandbox = SalesforceSandbox(now=lambda: clock() / 1000, client_id="app", client_secret="secret")
    dana = sandbox.add("User", FirstName="Dana", LastName="Reyes", Email="dana@acme.com")
    sam = sandbox.add("User", FirstName="Sam", LastName="Cole", Email="sam@acme.com", IsActive=False)
    inbound = sandbox.add("Group", Name="Inbound", Email="inbound@acme.com")
    initech = sandbox.add("Account", Name="Initech", Website="www.initech.com", OwnerId=sam)
    sandbox.add("Contact", FirstName="Ada", LastName="Smith", Email="Ada@Initech.com", AccountId=initech, OwnerId=dana)
    sandbox.add("Lead", LastName="Lee", Company="Hooli", Email="lee@hooli.com", OwnerId=inbound)
    server = TestServer(sandbox.web_app())
    await server.start_server()
    sandbox.url = str(server.make_url("")).rstrip("/")
    yield sandbox
    await server.close()


@pytest.fixture
async def salesforce(org: SalesforceSandbox, database: Database, clock: Clock) -> AsyncIterator[Salesforce]:
    """A Salesforce connected to a workspace T1."""
    await database.run(workspaces.install, installed())
    cipher = Cipher.of([Fernet.generate_key().decode()])
    async with aiohttp.ClientSession() as http:
        salesforce = Salesforce(SalesforceSessions(database, cipher, http, org.url, "app", "secret", clock))
        yield salesforce
        await salesforce.close()
