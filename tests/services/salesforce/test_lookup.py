"""Finding people in Salesforce, over HTTP, with all that can go wrong there."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from domain.errors import PermanentError, TransientError
from domain.salesforce import SalesforceConnection
from sandbox.salesforce import SalesforceSandbox
from services.salesforce.moved_orgs import FAILURES_IN_A_ROW, RENEW_AGAIN_MS
from services.salesforce.queries.describe import SalesforceDescribe
from services.salesforce.queries.lookup import Salesforce
from services.salesforce.records import PersonLookup, PersonRecords, RequiredRecords
from services.salesforce.refusals import LIMIT_RETRY_SECONDS
from store.salesforce import connections
from tests.conftest import Clock
from tests.servers import GENEROUS_TIMEOUT

ADA = (PersonLookup("ada", emails=("ada@initech.com",)),)
API_KINDS = ("query", "composite", "sobjects", "limits")


async def stored_connection(salesforce: Salesforce) -> SalesforceConnection:
    found = await salesforce.sessions.database.run(connections.find, salesforce.sessions.cipher, "T1")
    assert found is not None
    return found


async def find(salesforce: Salesforce, *lookups: PersonLookup) -> dict[str, PersonRecords]:
    """Record the calls, too, as the caller of `find_people` does."""
    found = await salesforce.find_people("T1", lookups)
    assert found is not None
    if found.calls is not None:
        sessions = salesforce.sessions
        await sessions.database.run(connections.note_answer, "T1", sessions.now(), found.calls)
    return dict(found.people)


@asynccontextmanager
async def stand_in(
    salesforce: Salesforce, answer: Callable[[web.Request], Awaitable[web.Response]]
) -> AsyncIterator[Salesforce]:
    """A Salesforce that returns sessions and answers every other call with the given handler."""

    async def token(request: web.Request) -> web.Response:
        return web.json_response({"access_token": "secret-token", "instance_url": f"http://{request.host}"})

    app = web.Application()
    app.router.add_post("/services/oauth2/token", token)
    app.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(app) as server:
        other = Salesforce(replace(salesforce.sessions, login_url=str(server.make_url("")).rstrip("/")))
        yield other
        await other.close()


def id_of(org: SalesforceSandbox, sobject: str) -> str:
    return str(next(org.org.rows(org.org.sobject(sobject)))["Id"])


async def test_a_contact_comes_with_its_owner_and_account(salesforce: Salesforce) -> None:
    """One answer has all that routing needs. Email addresses are compared without regard to case."""
    contact = (await find(salesforce, *ADA))["ada"].contact
    assert contact is not None
    assert (contact.name, contact.email) == ("Ada Smith", "Ada@Initech.com")
    assert contact.owner is not None
    assert (contact.owner.email, contact.owner.is_active, contact.owner.kind) == ("dana@acme.com", True, "user")
    assert contact.account is not None
    assert (contact.account.name, contact.account.domain) == ("Initech", "initech.com")
    assert contact.account.owner is not None
    assert (contact.account.owner.name, contact.account.owner.is_active) == ("Sam Cole", False)


async def test_a_lead_may_be_owned_by_a_queue(salesforce: Salesforce, org: SalesforceSandbox) -> None:
    """The owner is marked as a queue, and its address is not a person's."""
    lead = (await find(salesforce, PersonLookup("lee", lead_id=id_of(org, "Lead")[:15])))["lee"].lead
    assert lead is not None
    assert lead.owner is not None
    assert (lead.company, lead.owner.kind, lead.owner.name, lead.owner.email) == ("Hooli", "queue", "Inbound", None)


async def test_accounts_and_opportunities_are_found_by_id(salesforce: Salesforce, org: SalesforceSandbox) -> None:
    """A sender may know the ids of companies and opportunity."""
    account_id = id_of(org, "Account")
    deal = org.add("Opportunity", Name="Big", StageName="Won", CloseDate="2026-03-01", AccountId=account_id)
    records = (await find(salesforce, PersonLookup("a", account_ids=(account_id,), opportunity_id=deal)))["a"]
    assert records.accounts[account_id].name == "Initech"
    assert records.opportunity is not None
    assert records.opportunity.owner is None


async def test_two_hundred_lookups_cost_one_call(salesforce: Salesforce, org: SalesforceSandbox) -> None:
    """Lookups that find nothing, or have invalid ids, do not affect the others."""
    lookups = [
        PersonLookup(str(n), contact_id=f"003Sb0{n:09}", lead_id="nonsense", emails=(f"person{n}@example.com",))
        for n in range(199)
    ]
    found = await find(salesforce, *lookups, *ADA)
    assert len(found) == 200
    assert found["0"] == PersonRecords()
    assert found["ada"].contact is not None
    assert [call.kind for call in org.calls if call.kind in API_KINDS] == ["composite"]


async def test_ids_that_salesforce_refuses_do_not_affect_other_lookups(salesforce: Salesforce) -> None:
    """If Salesforce is stricter about ids than we are, people are still found by email."""
    refused = [{"errorCode": "INVALID_QUERY_FILTER_OPERATOR", "message": "invalid ID field"}]
    ada = {"Id": "003000000000001AAA", "Name": "Ada Smith", "Email": "ada@initech.com"}

    async def choosy(request: web.Request) -> web.Response:
        answers = [
            {"referenceId": one["referenceId"], "httpStatusCode": 400, "body": refused}
            if "Id+IN" in one["url"]
            else {"referenceId": one["referenceId"], "httpStatusCode": 200, "body": {"done": True, "records": [ada]}}
            for one in (await request.json())["compositeRequest"]
        ]
        return web.json_response({"compositeResponse": answers})

    async with stand_in(salesforce, choosy) as fussy:
        records = await find(fussy, *ADA, PersonLookup("odd", contact_id="003000000000009AAA"))
    assert records["ada"].contact is not None
    assert records["odd"] == PersonRecords()


@pytest.mark.parametrize("gone", [404, 410])
async def test_an_org_without_our_api_version_is_queried_with_the_nearest_one(
    salesforce: Salesforce, gone: int
) -> None:
    """Salesforce retires old versions and lists the others. The list is read once per session."""
    ada, asked = {"Id": "003000000000001AAA", "Name": "Ada Smith", "Email": "ada@initech.com"}, []

    async def newer(request: web.Request) -> web.Response:
        asked.append(request.path.removeprefix("/services/data"))
        if not asked[-1]:
            return web.json_response([{"version": "90.0"}, {"version": "88.0"}])
        if not asked[-1].startswith("/v88.0/"):
            return web.json_response([{"errorCode": "NOT_FOUND", "message": "Not here."}], status=gone)
        subrequests = (await request.json())["compositeRequest"]
        assert all(one["url"].startswith("/services/data/v88.0/query?") for one in subrequests)
        found = {"done": True, "records": [ada]}
        records = [{"referenceId": one["referenceId"], "httpStatusCode": 200, "body": found} for one in subrequests]
        return web.json_response({"compositeResponse": records})

    async with stand_in(salesforce, newer) as future:
        for _ in range(2):
            assert (await find(future, *ADA))["ada"].contact is not None
    assert asked.count("") == 1
    assert asked[-2:] == ["/v88.0/composite"] * 2


async def test_the_list_of_api_versions_is_read_once(salesforce: Salesforce, org: SalesforceSandbox) -> None:
    """A resource that is missing in our version is missing in others too."""
    org.faults.add("composite", status=404, times=None)
    org.faults.add("query", status=404, times=None)
    for _ in range(2):
        with pytest.raises(PermanentError, match="404"):
            await find(salesforce, *ADA)
    assert [call.path for call in org.calls].count("/services/data") == 1


@pytest.mark.parametrize(
    "answer",
    [
        7,
        None,
        [],
        {},
        {"compositeResponse": 7},
        {"compositeResponse": [{"referenceId": "q0"}]},
        {"compositeResponse": [{"referenceId": f"q{n}", "httpStatusCode": 200, "body": None} for n in (0, 1)]},
        {"compositeResponse": [{"referenceId": f"q{n}", "httpStatusCode": "x", "body": None} for n in (0, 1)]},
        {"compositeResponse": [{"referenceId": f"q{n}", "httpStatusCode": 500, "body": "oops"} for n in (0, 1)]},
    ],
)
async def test_an_answer_of_another_shape_is_transient(salesforce: Salesforce, answer: object) -> None:
    """It affects only one call."""

    async def confused(_: web.Request) -> web.Response:
        return web.json_response(answer)

    async with stand_in(salesforce, confused) as strange:
        with pytest.raises(TransientError):
            await find(strange, *ADA)


async def test_endless_pages_are_given_up(salesforce: Salesforce) -> None:
    """An answer that always has another page does not hold up the app for ever."""
    page = {"done": False, "records": [], "nextRecordsUrl": "/services/data/v66.0/query/01g-1"}
    records = [{"referenceId": f"q{n}", "httpStatusCode": 200, "body": page} for n in (0, 1)]

    async def endless(request: web.Request) -> web.Response:
        return web.json_response({"compositeResponse": records} if request.method == "POST" else page)

    async with stand_in(salesforce, endless) as tiring:
        with pytest.raises(TransientError):
            await find(tiring, *ADA)


async def test_people_are_found_without_the_modification_date(salesforce: Salesforce, org: SalesforceSandbox) -> None:
    """It only decides between several records with one address."""
    org.org.hide_field("Contact", "LastModifiedDate")
    assert (await find(salesforce, *ADA))["ada"].contact is not None


async def test_all_pages_are_read(salesforce: Salesforce, org: SalesforceSandbox, clock: Clock) -> None:
    """The contact modified last is found even if it is on the last page."""
    org.api.page_size = 2
    for number in range(7):
        clock.advance(seconds=1)
        org.add("Contact", LastName=f"Smith {number}", Email="ada@initech.com")
    contact = (await find(salesforce, *ADA))["ada"].contact
    assert contact is not None
    assert contact.name == "Smith 6"


async def test_an_empty_lookup_makes_no_call(salesforce: Salesforce, org: SalesforceSandbox) -> None:
    """Salesforce never gets an empty list."""
    assert await find(salesforce, PersonLookup("nobody")) == {"nobody": PersonRecords()}
    assert org.calls_of(*API_KINDS) == []


async def test_without_salesforce_the_result_is_none(salesforce: Salesforce) -> None:
    """Routing can then say so."""
    assert await salesforce.find_people("T9", ADA) is None


async def test_an_expired_session_is_renewed_and_the_call_repeated(
    salesforce: Salesforce, org: SalesforceSandbox
) -> None:
    """A new session that is refused too is a transient error."""
    await find(salesforce, *ADA)
    org.expire_sessions()
    org.calls.clear()
    assert (await find(salesforce, *ADA))["ada"].contact is not None
    assert [call.kind for call in org.calls] == ["composite", "token", "composite"]

    org.faults.add("composite", error="INVALID_SESSION_ID", times=None)
    org.calls.clear()
    with pytest.raises(TransientError, match="refused a new session"):
        await find(salesforce, *ADA)
    assert len(org.calls) == 3


async def test_the_daily_limit_asks_to_wait_15_minutes(salesforce: Salesforce, org: SalesforceSandbox) -> None:
    """Salesforce names no time. The API calls in use are known afterwards."""
    await find(salesforce, *ADA)
    assert ((await stored_connection(salesforce)).api_used, (await stored_connection(salesforce)).api_limit) == (
        1,
        15_000,
    )
    org.api.api_limit = 1
    with pytest.raises(TransientError) as limited:
        await find(salesforce, *ADA)
    assert limited.value.retry_after == LIMIT_RETRY_SECONDS


@pytest.mark.parametrize(
    "trouble",
    [
        {"status": 500},
        {"status": 503},
        {"status": 429},
        {"error": "SERVER_UNAVAILABLE"},
        {"error": "QUERY_TIMEOUT"},
        {"drop": True},
        {"garbage": True},
        {"garbage": True, "status": 500},
    ],
)
async def test_an_outage_is_transient(
    salesforce: Salesforce, org: SalesforceSandbox, trouble: dict[str, object]
) -> None:
    """After an outage or an invalid answer, a retry works."""
    org.faults.add("composite", **trouble)  # type: ignore[arg-type]  # one of them at a time
    with pytest.raises(TransientError):
        await find(salesforce, *ADA)
    assert (await find(salesforce, *ADA))["ada"].contact is not None
    assert (await stored_connection(salesforce)).problem is None


async def test_a_401_with_an_invalid_body_is_an_expired_session(salesforce: Salesforce, org: SalesforceSandbox) -> None:
    """The status alone decides."""
    org.faults.add("composite", garbage=True, status=401)
    assert (await find(salesforce, *ADA))["ada"].contact is not None


async def test_a_slow_answer_times_out(salesforce: Salesforce, org: SalesforceSandbox) -> None:
    """The next batch starts with a new client."""
    hasty = Salesforce(salesforce.sessions, deadline_seconds=0.8)
    await find(hasty, *ADA)
    org.faults.add("composite", delay=1.2)
    with pytest.raises(TransientError, match="longer"):
        await find(hasty, *ADA)
    assert (await find(hasty, *ADA))["ada"].contact is not None
    await hasty.close()


async def test_a_redirect_is_not_followed(salesforce: Salesforce, org: SalesforceSandbox) -> None:
    """Our session is not sent to a host that an answer names."""

    async def elsewhere(request: web.Request) -> web.Response:
        raise web.HTTPTemporaryRedirect(org.url + request.path)

    async with stand_in(salesforce, elsewhere) as astray:
        with pytest.raises(PermanentError):
            await find(astray, *ADA)
    assert org.calls == []


async def test_settings_of_the_machine_do_not_affect_calls(
    salesforce: Salesforce, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A .netrc file would replace our session, and a proxy could read it."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password else")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert (await find(salesforce, *ADA))["ada"].contact is not None


async def test_a_hidden_field_is_listed_and_left_out(
    salesforce: Salesforce, org: SalesforceSandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """People are still found, at the cost of one more call once, and admins see which field it is."""
    caplog.set_level(logging.DEBUG)
    org.org.hide_field("Account", "Website")
    for _ in range(2):
        contact = (await find(salesforce, *ADA))["ada"].contact
        assert contact is not None
        assert contact.account is not None
        assert (contact.account.name, contact.account.domain) == ("Initech", None)
    assert (await stored_connection(salesforce)).unreadable == "Account.Website"
    assert [call.kind for call in org.calls if call.kind in API_KINDS] == ["composite"] * 3
    assert "ada@" not in caplog.text


async def test_owners_that_were_read_lately_are_not_asked_for_again(
    salesforce: Salesforce, org: SalesforceSandbox, clock: Clock
) -> None:
    """For five minutes. A user with other fields is another question."""
    managers, addresses = RequiredRecords(managers=True), RequiredRecords(email_field="Email")
    calls = []
    for seconds, required in ((0, managers), (299, managers), (0, addresses), (2, managers)):
        clock.advance(seconds=seconds)
        org.calls.clear()
        found = await salesforce.find_people("T1", ADA, required)
        assert found is not None
        assert sorted(user.name for user in found.users.values()) == ["Dana Reyes", "Sam Cole"]
        calls.append(len([call for call in org.calls if call.kind in API_KINDS]))
    assert calls == [2, 1, 2, 2]


async def test_an_org_may_have_no_leads(salesforce: Salesforce, org: SalesforceSandbox) -> None:
    """Contacts are still found. An org without contacts needs an admin."""
    org.org.hide_type("Lead")
    assert (await find(salesforce, *ADA))["ada"].contact is not None
    org.org.hide_type("Contact")
    with pytest.raises(PermanentError, match="object Contact cannot be read"):
        await find(salesforce, *ADA)


@pytest.mark.parametrize("status", [400, 404, 405, 501])
async def test_without_the_composite_resource_queries_run_one_by_one(
    salesforce: Salesforce, org: SalesforceSandbox, status: int
) -> None:
    """Some gateways only allow queries. This is detected once per session."""
    org.faults.add("composite", status=status, times=None)
    org.org.hide_type("Lead")
    for _ in range(2):
        assert (await find(salesforce, *ADA))["ada"].contact is not None
    assert [call.kind for call in org.calls if call.kind in API_KINDS] == ["composite"] + ["query"] * 4


async def test_records_hidden_by_sharing_are_not_found(salesforce: Salesforce, org: SalesforceSandbox) -> None:
    """A hidden owner or account is None."""
    contact = (await find(salesforce, *ADA))["ada"].contact
    assert contact is not None
    assert contact.owner is not None
    assert contact.account is not None
    org.org.hide_record(contact.owner.id)
    org.org.hide_record(contact.account.id)
    hidden = (await find(salesforce, *ADA))["ada"].contact
    assert hidden is not None
    assert (hidden.owner, hidden.account) == (None, None)


class Elsewhere:
    """The former host of an org. It answers with a status or not at all, and counts its calls in `heard`."""

    def __init__(self, status: int) -> None:
        self.status, self.heard = status, 0

    async def answer(self, request: web.Request) -> web.Response:
        self.heard += 1
        if not self.status and request.transport is not None:
            request.transport.abort()
        return web.Response(status=self.status or 500, headers={"Location": "http://127.0.0.1:1/"})


@asynccontextmanager
async def moved_from(salesforce: Salesforce, status: int) -> AsyncIterator[Elsewhere]:
    """Store a session for a former host of the org, which answers with `status`; 0 closes the connection."""
    await find(salesforce, *ADA)
    old = Elsewhere(status)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", old.answer)
    async with TestServer(app) as server:
        url = str(server.make_url("")).rstrip("/")
        await salesforce.sessions.database.run(connections._change, "T1", instance_url=url)
        yield old


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_moved_org_is_found_with_a_new_session(
    salesforce: Salesforce, org: SalesforceSandbox, status: int
) -> None:
    """After a renamed My Domain the old host redirects, and the token endpoint returns the new host."""
    async with moved_from(salesforce, status) as old:
        org.calls.clear()
        for _ in range(2):
            assert (await find(salesforce, *ADA))["ada"].contact is not None
        assert [call.kind for call in org.calls] == ["token", "composite", "composite"]
        assert old.heard == 1
    assert (await stored_connection(salesforce)).instance_url == org.url
    assert (await stored_connection(salesforce)).problem is None


async def test_all_calls_share_the_new_session_of_a_moved_org(salesforce: Salesforce, org: SalesforceSandbox) -> None:
    """All batches in progress are answered."""
    async with moved_from(salesforce, 301):
        org.calls.clear()
        records = await asyncio.gather(*(find(salesforce, *ADA) for _ in range(5)))
        assert all(one["ada"].contact for one in records)
        assert len(org.calls_of("token")) == 1


async def test_a_permanent_redirect_needs_an_admin(
    salesforce: Salesforce, org: SalesforceSandbox, clock: Clock
) -> None:
    """New sessions are requested at once and then at most every five minutes."""
    await find(salesforce, *ADA)
    org.faults.add("composite", status=301, times=None)
    org.calls.clear()
    for _ in range(5):
        with pytest.raises(PermanentError, match="301"):
            await find(salesforce, *ADA)
    assert len(org.calls_of("token")) == 1
    clock.advance(seconds=RENEW_AGAIN_MS / 1_000)
    with pytest.raises(PermanentError, match="301"):
        await find(salesforce, *ADA)
    assert len(org.calls_of("token")) == 2
    assert (await stored_connection(salesforce)).problem is not None


async def test_an_unreachable_host_leads_to_a_new_session_at_the_third_failure(
    salesforce: Salesforce, org: SalesforceSandbox
) -> None:
    """Earlier failures may be temporary. Then the token endpoint returns the new host."""
    async with moved_from(salesforce, 0):
        org.calls.clear()
        for _ in range(FAILURES_IN_A_ROW - 1):
            with pytest.raises(TransientError):
                await find(salesforce, *ADA)
        assert org.calls == []
        assert (await find(salesforce, *ADA))["ada"].contact is not None
    assert (await stored_connection(salesforce)).instance_url == org.url


async def test_an_outage_of_the_host_costs_few_sessions(
    salesforce: Salesforce, org: SalesforceSandbox, clock: Clock
) -> None:
    """At most one new session is requested in five minutes."""
    await find(salesforce, *ADA)
    org.faults.add("composite", drop=True, times=None)
    org.calls.clear()
    for _ in range(8):
        with pytest.raises(TransientError):
            await find(salesforce, *ADA)
    assert len(org.calls_of("token")) == 1
    clock.advance(seconds=RENEW_AGAIN_MS / 1_000)
    with pytest.raises(TransientError):
        await find(salesforce, *ADA)
    assert len(org.calls_of("token")) == 2
    org.faults.clear()
    assert (await find(salesforce, *ADA))["ada"].contact is not None


@pytest.mark.parametrize("status", [301, 0])
async def test_a_session_that_cannot_be_renewed_is_kept(
    salesforce: Salesforce, org: SalesforceSandbox, status: int
) -> None:
    """Without a refresh token an outage must not end the connection."""
    async with moved_from(salesforce, status):
        about = {"flow": "web_server", "connected_by": "U1", "refresh_token": None}
        await salesforce.sessions.database.run(connections._change, "T1", **about)
        for _ in range(FAILURES_IN_A_ROW + 1):
            with pytest.raises((PermanentError, TransientError)):
                await find(salesforce, *ADA)
    assert (await stored_connection(salesforce)).access_token is not None


async def test_a_hanging_salesforce_does_not_use_up_the_default_threads(salesforce: Salesforce) -> None:
    """DNS lookups and rule checks run in those."""
    session = await salesforce.sessions.session_for("T1")
    assert session is not None
    answered = threading.Event()
    await salesforce.read("T1", lambda _client: None)

    calls = [salesforce._run(session, lambda _client: answered.wait(60)) for _ in range(40)]
    asking = [asyncio.create_task(call) for call in calls]  # more than a machine's usual threads
    await asyncio.sleep(0)
    try:
        async with asyncio.timeout(GENEROUS_TIMEOUT):
            assert await asyncio.to_thread(lambda: "free") == "free"
    finally:
        answered.set()
        assert all(await asyncio.gather(*asking))


async def test_a_moved_org_must_be_on_a_host_of_salesforce(salesforce: Salesforce, org: SalesforceSandbox) -> None:
    """The new address passes the same check as the first one."""
    async with moved_from(salesforce, 301):
        org.url = "https://salesforce.example.com"
        with pytest.raises(PermanentError, match="outside its own domains"):
            await find(salesforce, *ADA)


@pytest.mark.parametrize("kind", ["unknown", "sandbox", "production"])
async def test_a_sandboxs_owners_have_their_real_addresses(
    salesforce: Salesforce, org: SalesforceSandbox, kind: str
) -> None:
    """Salesforce appends `.invalid` to the addresses of all users there. In production an address is as it is."""
    organization = org.add("Organization", Name="Acme")
    org.org.become_sandbox()
    org.org.update(organization, IsSandbox=kind != "production")
    await find(salesforce, *ADA)
    if kind != "unknown":
        await SalesforceDescribe(salesforce).refresh_org_details("T1")
    contact = (await find(salesforce, *ADA))["ada"].contact
    assert contact is not None
    assert contact.owner is not None
    assert contact.owner.email == ("dana@acme.com.invalid" if kind == "production" else "dana@acme.com")
