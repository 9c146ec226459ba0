"""A stand-in for Salesforce behind the app's own interface: contacts with owners, and outages."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from domain.errors import PermanentError, TransientError
from services.salesforce.queries.statements import RecordQuery
from services.salesforce.records import BatchRecords, Contact, PersonLookup, PersonRecords, SalesforceUser

if TYPE_CHECKING:
    from tests.simulation.simulation import Simulation

CONTACT = "contact{owner}@hooli.example"
Rows = dict[str, list[dict[str, Any]]]


class _Client:
    def rows(self, queries: Sequence[RecordQuery]) -> Rows:
        manager = {"Id": "005MANAGER", "Name": "Mona Manager", "Email": "manager@acme.example", "IsActive": True}
        row = {"Id": "005REPORT", "Name": "Any Report", "Email": "report@acme.example", "IsActive": True}
        return {query.kind: [{**row, "Manager": manager}] for query in queries}


@dataclass(frozen=True)
class SimulatedSalesforce:
    """Answers both as the app's `Salesforce` and as its `SalesforceDescribe`."""

    simulation: Simulation

    async def find_people(
        self, _workspace_id: str, lookups: Sequence[PersonLookup], _required: object, _hidden: object
    ) -> BatchRecords:
        await self._answer("find_people")
        return BatchRecords(
            {lookup.key: _records(lookup) for lookup in lookups}, base_url="https://acme.my.salesforce.example"
        )

    async def read(self, _workspace_id: str, work: Callable[[_Client], Rows]) -> Rows:
        """Everybody reports to the same manager."""
        await self._answer("read")
        return work(_Client())

    async def _answer(self, what: str) -> None:
        simulation = self.simulation
        fate = simulation.fate(simulation.profile.salesforce_fates, simulation.profile.salesforce_down)
        if fate != "fine":
            simulation.note("salesforce", what, fate)
        await asyncio.sleep(simulation.chance.uniform(5, 40) if fate == "slow" else simulation.chance.uniform(0, 1))
        match fate:
            case "down" | "unavailable":
                raise TransientError("Salesforce cannot be reached")
            case "asked to wait":
                raise TransientError("Salesforce asks us to wait", retry_after=simulation.chance.uniform(5, 200))
            case "refused":
                raise PermanentError("Salesforce refuses the connection")


def _records(lookup: PersonLookup) -> PersonRecords:
    email = lookup.emails[0]
    owner = email.removeprefix("contact").partition("@")[0]
    if not owner.isdigit():
        return PersonRecords()
    user = SalesforceUser(f"005OWNER{owner}", f"Owner {owner}", f"owner{owner}@acme.example", is_active=True)
    contact = Contact(f"003CONTACT{owner}", "A Contact", email, None, user)
    return PersonRecords(contact=contact, contacts=(contact,))
