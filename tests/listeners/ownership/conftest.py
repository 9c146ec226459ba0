"""The ownership dialogs of one workspace, as its admins use them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from listeners.dialogs.dialog import Patience
from tests.listeners.ownership.ownership_world import AdminSession
from tests.listeners.salesforce.salesforce_world import SalesforceWorld, open_salesforce_world


@pytest.fixture
async def acme(sqlite_url: str, patience: Patience) -> AsyncIterator[SalesforceWorld]:
    async with open_salesforce_world(sqlite_url, patience=patience) as made:
        yield made


@pytest.fixture
def dana(acme: SalesforceWorld) -> AdminSession:
    return AdminSession(acme, acme.dana)


@pytest.fixture
def lee(acme: SalesforceWorld) -> AdminSession:
    return AdminSession(acme, acme.slack.add_user(acme.team, "Lee Park", "lee@acme.example", is_owner=True))
