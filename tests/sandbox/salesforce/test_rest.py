"""The REST API of the sandbox org over HTTP."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from aiohttp.test_utils import TestServer

from sandbox.salesforce import SalesforceSandbox

DATA = "/services/data/v66.0"


@pytest.fixture
async def org() -> AsyncIterator[SalesforceSandbox]:
    sandbox = SalesforceSandbox(now=lambda: 1_795_000_000.0, client_id="app", client_secret="secret")
    server = TestServer(sandbox.web_app())
    await server.start_server()
    sandbox.url = str(server.make_url("")).rstrip("/")
    yield sandbox
    await server.close()


@pytest.fixture
async def http(org: SalesforceSandbox) -> AsyncIterator[aiohttp.ClientSession]:
    """A client with a session of the integration user."""
    token = org.oauth.token({"grant_type": "client_credentials", "client_id": "app", "client_secret": "secret"})
    headers = {"Authorization": f"Bearer {token['access_token']}"}
    async with aiohttp.ClientSession(org.url, headers=headers, max_line_size=32_000) as session:
        yield session


async def answer(http: aiohttp.ClientSession, method: str, path: str, **kwargs: Any) -> tuple[int, Any]:
    async with http.request(method, path, **kwargs) as response:
        return response.status, await response.json() if response.content_type == "application/json" else None


async def test_a_query_is_paged(org: SalesforceSandbox, http: aiohttp.ClientSession) -> None:
    """nextRecordsUrl leads to the next page, and totalSize is the number of all rows."""
    org.api.page_size = 2
    for number in range(5):
        org.add("Contact", LastName=f"C{number}")

    path, names = f"{DATA}/query?q=SELECT+LastName+FROM+Contact", []
    while path:
        status, page = await answer(http, "GET", path)
        assert (status, page["totalSize"]) == (200, 5)
        names += [row["LastName"] for row in page["records"]]
        path = page.get("nextRecordsUrl")

    assert names == ["C0", "C1", "C2", "C3", "C4"]
    assert page["done"] is True
    assert len(org.calls_of("query")) == 3
    status, counted = await answer(http, "GET", f"{DATA}/query?q=SELECT+COUNT()+FROM+Contact")
    assert counted == {"totalSize": 5, "done": True, "records": []}


async def test_records_are_created_updated_and_deleted(org: SalesforceSandbox, http: aiohttp.ClientSession) -> None:
    """Over the sobjects resource."""
    status, created = await answer(http, "POST", f"{DATA}/sobjects/Contact", json={"LastName": "Smith"})
    assert (status, created["success"]) == (201, True)
    path = f"{DATA}/sobjects/contact/{created['id'][:15]}"
    assert await answer(http, "PATCH", path, json={"FirstName": "Ada"}) == (204, None)
    status, read = await answer(http, "GET", path)
    assert (read["Name"], read["attributes"]["type"]) == ("Ada Smith", "Contact")
    assert await answer(http, "DELETE", path) == (204, None)
    status, gone = await answer(http, "GET", path)
    assert (status, gone[0]["errorCode"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("call", "body", "status", "code"),
    [
        ("POST /sobjects/Contact", {"FirstName": "Ada"}, 400, "REQUIRED_FIELD_MISSING"),
        ("POST /sobjects/Contact", {"LastName": "Smith", "Shoe": 1}, 400, "INVALID_FIELD"),
        ("POST /sobjects/Contact", {"LastName": "Smith", "OwnerId": "003"}, 400, "MALFORMED_ID"),
        ("POST /sobjects/Contact", {"LastName": "Smith", "Id": "003"}, 400, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        ("POST /sobjects/Shoe", {"Name": "Left"}, 404, "NOT_FOUND"),
        ("PUT /sobjects/Contact", {"LastName": "Smith"}, 405, "METHOD_NOT_ALLOWED"),
        ("GET /query", None, 400, "MALFORMED_QUERY"),
        ("GET /query/01gNONE-2000", None, 400, "INVALID_QUERY_LOCATOR"),
        ("GET /shoes", None, 404, "NOT_FOUND"),
        ("POST /composite", {}, 400, "JSON_PARSER_ERROR"),
        ("POST /composite/sobjects/Contact", {"ids": ["003"]}, 400, "MISSING_ARGUMENT"),
        ("POST /composite/sobjects/Contact", {"ids": ["003"], "fields": ["Shoe"]}, 400, "INVALID_FIELD"),
    ],
)
async def test_an_error_is_a_list_with_one_item(
    http: aiohttp.ClientSession, call: str, body: object, status: int, code: str
) -> None:
    """It has Salesforce's error code."""
    method, path = call.split()
    actual, errors = await answer(http, method, DATA + path, json=body)
    assert (actual, [error["errorCode"] for error in errors]) == (status, [code])


async def test_a_uri_has_at_most_16384_bytes(http: aiohttp.ClientSession) -> None:
    """Beyond that Salesforce answers 414; a composite request has the query in its body."""
    soql = "SELECT Id FROM Contact WHERE LastName IN (" + ",".join(["'Smith'"] * 2_500) + ")"
    url = f"{DATA}/query?q={quote(soql)}"
    assert (await answer(http, "GET", url))[0] == 414
    subrequest = {"method": "GET", "url": url, "referenceId": "long"}
    status, response = await answer(http, "POST", f"{DATA}/composite", json={"compositeRequest": [subrequest]})
    assert (status, response["compositeResponse"][0]["httpStatusCode"]) == (200, 200)


def query(reference_id: str, soql: str) -> dict[str, object]:
    return {"method": "GET", "url": f"{DATA}/query?q={quote(soql)}", "referenceId": reference_id}


async def test_a_composite_request_counts_as_one_call(org: SalesforceSandbox, http: aiohttp.ClientSession) -> None:
    """Each subrequest has its own status, and a failed one does not affect the others."""
    org.add("Contact", LastName="Smith")
    requests = [query("good", "SELECT Id FROM Contact"), query("bad", "SELECT Shoe FROM Contact")]
    _, response = await answer(
        http, "POST", f"{DATA}/composite", json={"allOrNone": False, "compositeRequest": requests}
    )
    good, bad = response["compositeResponse"]
    assert (good["httpStatusCode"], good["referenceId"], good["body"]["totalSize"]) == (200, "good", 1)
    assert (bad["httpStatusCode"], bad["body"][0]["errorCode"]) == (400, "INVALID_FIELD")
    assert org.api.api_used == 1


async def test_all_or_none_rolls_back_after_a_failure(org: SalesforceSandbox, http: aiohttp.ClientSession) -> None:
    """Subrequests can refer to answers of earlier ones; if one fails, all are rolled back."""
    created = {
        "method": "POST",
        "url": f"{DATA}/sobjects/Account",
        "referenceId": "created",
        "body": {"Name": "Globex"},
    }
    person = {"LastName": "Smith", "AccountId": "@{created.id}"}
    contact = {"method": "POST", "url": f"{DATA}/sobjects/Contact", "referenceId": "person", "body": person}
    both = {"allOrNone": True, "compositeRequest": [created, contact]}
    _, response = await answer(http, "POST", f"{DATA}/composite", json=both)
    assert [result["httpStatusCode"] for result in response["compositeResponse"]] == [201, 201]

    accounts = query("accounts", "SELECT Id FROM Account") | {"body": None}
    contact["body"] = {"LastName": "Smith", "AccountId": "@{accounts.records[0].Id}"}
    _, response = await answer(http, "POST", f"{DATA}/composite", json={"compositeRequest": [accounts, contact]})
    assert [result["httpStatusCode"] for result in response["compositeResponse"]] == [200, 201]

    contact["body"] = {"AccountId": "@{created.shoe}"}
    _, response = await answer(http, "POST", f"{DATA}/composite", json=both)
    assert [result["body"][0]["errorCode"] for result in response["compositeResponse"]] == ["PROCESSING_HALTED"] * 2
    assert len(list(org.org.rows(org.org.sobject("Account")))) == 1


@pytest.mark.parametrize("count", [6, 26])
async def test_a_composite_request_has_limits(http: aiohttp.ClientSession, count: int) -> None:
    """It has at most 25 subrequests, of which 5 are queries."""
    requests = [query(f"q{number}", "SELECT Id FROM Contact") for number in range(count)]
    status, errors = await answer(http, "POST", f"{DATA}/composite", json={"compositeRequest": requests})
    assert (status, errors[0]["errorCode"]) == (400, "LIMIT_EXCEEDED")


async def test_records_by_ids_keep_their_order(org: SalesforceSandbox, http: aiohttp.ClientSession) -> None:
    """Unknown, hidden and malformed ids are null."""
    visible, hidden = org.add("Contact", LastName="Smith"), org.add("Contact", LastName="Secret")
    org.org.hide_record(hidden)
    ids = ["003nonsense", visible[:15], hidden, org.add("Account", Name="Globex")]
    requests = {"ids": ids, "fields": ["id", "name"]}
    status, response = await answer(http, "POST", f"{DATA}/composite/sobjects/Contact", json=requests)
    assert status == 200
    assert [record and record["Name"] for record in response] == [None, "Smith", None, None]


async def test_describe_lists_readable_fields(org: SalesforceSandbox, http: aiohttp.ClientSession) -> None:
    """It also marks polymorphic references."""
    org.org.hide_field("Lead", "Title")
    _, response = await answer(http, "GET", f"{DATA}/sobjects/Lead/describe")
    fields = {field["name"]: field for field in response["fields"]}
    assert fields["OwnerId"]["referenceTo"] == ["Group", "User"]
    assert fields["OwnerId"]["polymorphicForeignKey"] is True
    assert "Title" not in fields
    _, listed = await answer(http, "GET", f"{DATA}/sobjects")
    assert {"Contact", "Lead", "Account"} <= {sobject["name"] for sobject in listed["sobjects"]}
    _, limits = await answer(http, "GET", f"{DATA}/limits")
    assert limits["DailyApiRequests"] == {"Max": 15_000, "Remaining": 14_997}


async def test_api_usage_is_reported_and_limited(org: SalesforceSandbox, http: aiohttp.ClientSession) -> None:
    """Every response has the usage in a header; beyond the daily limit calls are rejected."""
    org.api.api_used, org.api.api_limit = 17, 18
    async with http.get(f"{DATA}/limits") as response:
        assert response.headers["Sforce-Limit-Info"] == "api-usage=18/18"
    status, errors = await answer(http, "GET", f"{DATA}/limits")
    assert (status, errors[0]["errorCode"]) == (403, "REQUEST_LIMIT_EXCEEDED")


async def test_only_the_versions_need_no_session(org: SalesforceSandbox, http: aiohttp.ClientSession) -> None:
    """An expired session gets INVALID_SESSION_ID."""
    org.expire_sessions()
    status, errors = await answer(http, "GET", f"{DATA}/limits")
    assert (status, errors[0]["errorCode"]) == (401, "INVALID_SESSION_ID")
    status, versions = await answer(http, "GET", "/services/data")
    assert (status, versions[-1]["version"]) == (200, "68.0")


async def test_faults_apply_once_by_default(org: SalesforceSandbox, http: aiohttp.ClientSession) -> None:
    """An outage, a Salesforce error, an invalid body and a dropped connection; then calls succeed again."""
    org.faults.add("limits", status=503)
    org.faults.add("limits", error="REQUEST_LIMIT_EXCEEDED")
    org.faults.add(f"{DATA}/limits", garbage=True)
    assert (await answer(http, "GET", f"{DATA}/limits"))[0] == 503
    status, errors = await answer(http, "GET", f"{DATA}/limits")
    assert (status, errors[0]["errorCode"]) == (403, "REQUEST_LIMIT_EXCEEDED")
    async with http.get(f"{DATA}/limits") as response:
        assert (response.status, response.content_type) == (200, "text/html")
    org.faults.add("sobjects", drop=True, after=True)
    with pytest.raises(aiohttp.ClientError):
        await answer(http, "POST", f"{DATA}/sobjects/Contact", json={"LastName": "Smith"})
    assert len(list(org.org.rows(org.org.sobject("Contact")))) == 1
    assert (await answer(http, "GET", f"{DATA}/limits"))[0] == 200


async def test_a_link_to_a_record_opens_its_page(org: SalesforceSandbox, http: aiohttp.ClientSession) -> None:
    """All values on the page are escaped."""
    record_id = org.add("Contact", LastName="<Smith>")
    for path in (f"/{record_id}", f"/lightning/r/Contact/{record_id}/view"):
        async with http.get(path) as response:
            assert response.status == 200
            assert "&lt;Smith&gt;" in await response.text()
    async with http.get("/003000000000000AAA") as response:
        assert response.status == 404
