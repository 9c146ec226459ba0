"""The sandbox org has the facts of a real org: its fields, permissions, errors and limits."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestServer

import sandbox.salesforce
from sandbox.salesforce import SalesforceSandbox
from sandbox.salesforce.errors import CONCURRENT_LIMIT, SalesforceError
from sandbox.salesforce.profile import DeployError
from sandbox.salesforce.schema import STANDARD
from sandbox.salesforce.soql.parser import parse
from sandbox.salesforce.soql.query import Select

DATA = "/services/data/v66.0"
CREDENTIALS = {"grant_type": "client_credentials", "client_id": "app", "client_secret": "secret"}


def permission_set(*fields: str, objects: tuple[str, ...] = ("Account", "Contact"), view_all: bool = True) -> str:
    granted = "".join(
        f"<fieldPermissions><editable>false</editable><field>{field}</field><readable>true</readable></fieldPermissions>"
        for field in fields
    )
    granted += "".join(
        f"<objectPermissions><allowRead>true</allowRead><object>{name}</object>"
        f"<viewAllRecords>{str(view_all).lower()}</viewAllRecords></objectPermissions>"
        for name in objects
    )
    return f'<PermissionSet xmlns="http://soap.sforce.com/2006/04/metadata">{granted}</PermissionSet>'


@pytest.fixture
async def org() -> AsyncIterator[SalesforceSandbox]:
    sandbox = SalesforceSandbox(now=lambda: 1_795_000_000.0, client_id="app", client_secret="secret")
    server = TestServer(sandbox.web_app())
    await server.start_server()
    sandbox.url = str(server.make_url("")).rstrip("/")
    yield sandbox
    await server.close()


def rows(org: SalesforceSandbox, soql: str) -> list[dict[str, object]]:
    return Select(org.org, "66.0").rows(parse(soql))


def refused(org: SalesforceSandbox, soql: str) -> str:
    with pytest.raises(SalesforceError) as error:
        rows(org, soql)
    return f"{error.value.error_code}: {error.value.message}"


async def get(org: SalesforceSandbox, path: str, **params: str) -> tuple[int, Any]:
    token = org.oauth.token(CREDENTIALS)["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(org.url, headers=headers) as http, http.get(path, params=params) as response:
        return response.status, await response.json()


def test_every_object_says_where_its_facts_come_from() -> None:
    """Those that were recorded name the recording, the others the page of the object reference."""
    facts = json.loads((Path(sandbox.salesforce.__file__).parent / "objects.json").read_text())

    assert {sobject.name for sobject in STANDARD} == facts.keys() - {"Name"}
    assert all(facts[name]["source"].count("https://") == 1 for name in facts)


async def test_a_describe_says_what_can_be_filtered_and_hidden(org: SalesforceSandbox) -> None:
    """Contact.AccountId can be hidden by field-level security, Contact.OwnerId cannot."""
    _, described = await get(org, f"{DATA}/sobjects/Contact/describe")
    fields = {field["name"]: field for field in described["fields"]}

    assert (fields["AccountId"]["permissionable"], fields["OwnerId"]["permissionable"]) == (True, False)
    assert (fields["Email"]["filterable"], fields["Description"]["filterable"]) == (True, False)
    assert fields["AccountId"]["label"] == "Account ID"


def test_a_user_with_the_least_privileges_sees_only_what_is_granted(org: SalesforceSandbox) -> None:
    """A field that can be hidden needs a field permission, an object an object permission."""
    account = org.add("Account", Name="Initech", Website="initech.com")
    org.add("Contact", LastName="Smith", Email="ada@initech.com", AccountId=account)
    org.org.restrict_to(permission_set("Contact.Email"))

    assert rows(org, "SELECT LastName, Email FROM Contact")[0]["Email"] == "ada@initech.com"
    assert "No such column 'Website' on entity 'Account'" in refused(org, "SELECT Website FROM Account")
    assert "relationship 'Account' in field path" in refused(org, "SELECT Account.Name FROM Contact")
    assert refused(org, "SELECT Id FROM Lead").startswith("INVALID_TYPE")


def test_a_user_without_view_all_sees_no_records_of_others(org: SalesforceSandbox) -> None:
    """The org is private; users can be seen with View All Users."""
    dana = org.add("User", LastName="Reyes")
    org.add("Contact", LastName="Smith", OwnerId=dana)
    org.org.restrict_to(permission_set(view_all=False))

    assert rows(org, "SELECT Id FROM Contact") == []
    assert [row["LastName"] for row in rows(org, "SELECT LastName FROM User")] == ["Integration"]


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        (("Contact.LastName",), "You cannot deploy to a required field: Contact.LastName"),
        (("Contact.Nonsense__c",), "no CustomField named Contact.Nonsense__c found"),
    ],
)
def test_a_wrong_permission_set_is_not_deployed(org: SalesforceSandbox, fields: tuple[str, ...], problem: str) -> None:
    """Salesforce refuses fields that nobody can hide, and fields that do not exist."""
    with pytest.raises(DeployError, match=problem):
        org.org.restrict_to(permission_set(*fields))


def test_reading_contacts_depends_on_reading_accounts(org: SalesforceSandbox) -> None:
    """A permission set with contacts alone is refused."""
    with pytest.raises(DeployError, match="Read Contact depends on"):
        org.org.restrict_to(permission_set(objects=("Contact",)))


def test_an_encrypted_field_is_read_but_not_filtered(org: SalesforceSandbox) -> None:
    """So is any other field that is not filterable, such as a long text."""
    org.add("Contact", LastName="Smith", Email="ada@initech.com")
    org.org.encrypt_field("Contact", "Email")

    assert rows(org, "SELECT Email FROM Contact")[0]["Email"] == "ada@initech.com"
    text = refused(org, "SELECT Id FROM Contact WHERE Email IN ('ada@initech.com')")
    assert text.startswith("INVALID_FIELD")
    assert "field 'Email' can not be filtered in a query call" in text
    assert "can not be sorted" in refused(org, "SELECT Id FROM Contact ORDER BY Description")


async def test_an_error_quotes_the_query_around_the_fault(org: SalesforceSandbox) -> None:
    """So the text before `ERROR at Row` may hold values, the sentence after it does not."""
    soql = "SELECT Nope FROM Contact WHERE Email = 'ada@initech.com'"
    status, body = await get(org, f"{DATA}/query", q=soql)

    before, _, after = body[0]["message"].partition("ERROR at Row:1:Column:8")
    assert status == 400
    assert "ada@initech.com" in before
    assert after.startswith("\nNo such column 'Nope' on entity 'Contact'.")


def test_a_leading_wildcard_times_out_on_a_large_table(org: SalesforceSandbox) -> None:
    """It reads every record; exact values and trailing wildcards can use an index."""
    org.add("Account", Name="Initech", Website="www.initech.com")
    org.org.large_tables.add("Account")

    assert refused(org, "SELECT Id FROM Account WHERE Website LIKE '%initech.com%'").startswith("QUERY_TIMEOUT")
    assert len(rows(org, "SELECT Id FROM Account WHERE Website IN ('www.initech.com')")) == 1


async def test_too_many_calls_at_once_are_refused(org: SalesforceSandbox) -> None:
    """With the error code of the daily limit, and another text."""
    org.concurrent_limit, org.latency = 1, 0.05
    answers = await asyncio.gather(*(get(org, f"{DATA}/limits") for _ in range(2)))
    refusals = [body[0] for status, body in answers if status == 403]

    assert refusals == [{"message": CONCURRENT_LIMIT, "errorCode": "REQUEST_LIMIT_EXCEEDED"}]


def test_a_sandbox_appends_invalid_to_the_addresses_of_users(org: SalesforceSandbox) -> None:
    """So that nothing in a copy of the org writes to real people."""
    org.add("Organization", Name="Acme")
    org.add("User", LastName="Reyes", Email="dana@acme.com")
    org.org.become_sandbox()

    assert rows(org, "SELECT IsSandbox FROM Organization")[0]["IsSandbox"] is True
    assert [row["Email"] for row in rows(org, "SELECT Email FROM User")][1] == "dana@acme.com.invalid"


def test_a_person_account_has_a_contact_of_its_own(org: SalesforceSandbox) -> None:
    """Its address is PersonEmail on the account and Email on the contact."""
    org.org.enable_person_accounts()
    org.org.add_person_account(FirstName="Ada", LastName="Smith", PersonEmail="ada@home.com")
    (contact,) = rows(org, "SELECT Name, IsPersonAccount, Account.Name FROM Contact WHERE Email = 'ada@home.com'")

    assert (contact["Name"], contact["IsPersonAccount"]) == ("Ada Smith", True)
    assert rows(org, "SELECT PersonContact.Email FROM Account")[0]["PersonContact"]["Email"] == "ada@home.com"
