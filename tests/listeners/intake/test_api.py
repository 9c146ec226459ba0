"""Senders post job changes over HTTP: every answer of the contract, and malformed requests."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer
from cryptography.fernet import Fernet
from sqlalchemy import update
from standardwebhooks import Webhook
from yarl import URL

from domain.workspace import BEARER, SIGNING
from listeners.http.bodies import MOST_BYTES_IN_FLIGHT, BytesInFlight
from listeners.http.metrics import Metrics
from listeners.http.server import create_runner
from listeners.intake import api
from services.intake.intake import Intake
from services.intake.keys import IntakeKeys
from services.intake.rate_limit import Allowance
from services.journal import Journal
from store.database import Database
from store.encryption import Cipher
from store.schema import job_changes
from store.slack import workspaces
from tests.conftest import SOMEDAY, Clock
from tests.servers import GENEROUS_TIMEOUT
from tests.store.sample_rows import add_workspace

PATH = "/v1/workspaces/T1/job-changes"


def job_change(**changes: Any) -> dict[str, Any]:
    return {
        "source": "tests",
        "signal": "contact_tracking",
        "change_type": "new_company",
        "person": {"full_name": "Ada Smith", "emails": ["ada@globex.example"]},
        "current": {"company": {"name": "Globex"}},
    } | changes


@dataclass
class ApiClient:
    """A server with the intake API of workspace T1, and its API key."""

    client: TestClient
    keys: IntakeKeys
    metrics: Metrics
    clock: Clock
    key: str
    bytes_in_flight: BytesInFlight
    woken: list[bool]
    routes: list[web.RouteDef]

    async def post(self, data: object, path: str = PATH, **headers: str) -> ClientResponse:
        """Send `data` authorized and as JSON unless `headers` say otherwise. Bytes are sent unchanged."""
        body = data if isinstance(data, bytes) else json.dumps(data).encode()
        given = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.post(
            path, data=BytesIO(body), headers={name: value for name, value in given.items() if value}
        )

    async def show(self, job_change_id: str, path: str = PATH) -> ClientResponse:
        return await self.client.get(f"{path}/{job_change_id}", headers={"X-Api-Key": self.key})

    def signed(self, secret: str, body: bytes, at: int = SOMEDAY) -> dict[str, str]:
        """Return the headers of Standard Webhooks, made by its reference library."""
        moment = datetime.fromtimestamp(at // 1_000, UTC)
        return {
            "webhook-id": "msg_1",
            "webhook-timestamp": str(at // 1_000),
            "webhook-signature": Webhook(secret).sign("msg_1", moment, body.decode()),
            "Content-Type": "application/json",
        }

    async def send_raw(self, sent: bytes) -> bytes:
        """Send bytes over a socket and return the answer until the server closes it."""
        reader, writer = await asyncio.open_connection(self.client.host, self.client.port)
        writer.write(sent)
        writer.write_eof()
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer


@pytest.fixture
async def intake_api(database, clock) -> AsyncIterator[ApiClient]:
    await database.run(add_workspace)
    async with open_intake(database, database, clock) as intake_api:
        yield intake_api


@asynccontextmanager
async def open_intake(
    database: Database, intake_database: Database, clock: Clock, *, burst: int = 100_000, body_seconds: float = 15
) -> AsyncIterator[ApiClient]:
    woken: list[bool] = []
    keys = IntakeKeys(database, Cipher.of([Fernet.generate_key().decode()]), clock, clock)
    metrics, allowance = Metrics(), Allowance.of(clock, burst, 10)
    intake = Intake(intake_database, clock, lambda: woken.append(True), Journal(metrics))
    app = web.Application()
    in_flight = BytesInFlight()
    limits = {"body_seconds": body_seconds, "bytes_in_flight": in_flight}
    routes = api.routes(intake, keys, allowance, metrics, **limits)
    app.add_routes(routes)
    async with TestClient(TestServer(app)) as client:
        key = await keys.make("T1", BEARER, "U_ADMIN")
        yield ApiClient(client, keys, metrics, clock, key, in_flight, woken, routes)


async def error_of(answer: ClientResponse) -> list[tuple[str, str]]:
    """Return the path and message of each fault. Every error has a text for people."""
    body = await answer.json()
    assert body.keys() == {"error", "errors"}
    assert body["error"]
    return [(fault["path"], fault["message"]) for fault in body["errors"]]


async def test_a_job_change_is_accepted(intake_api):
    """202 is answered once it is stored, and the worker is woken."""
    answer = await intake_api.post(job_change())

    assert answer.status == 202
    result = await answer.json()
    assert result["status"] == "accepted"
    assert intake_api.woken == [True]
    assert (await intake_api.show(result["id"])).status == 200


async def test_a_repeated_job_change_is_a_duplicate_with_the_id_of_the_first(intake_api):
    """The worker is not woken again."""
    first = await (await intake_api.post(job_change())).json()

    answer = await intake_api.post(job_change())

    assert answer.status == 200
    assert await answer.json() == {"id": first["id"], "status": "duplicate"}
    assert intake_api.woken == [True]


@pytest.mark.both_databases
async def test_the_same_job_change_sent_many_times_at_once_is_accepted_once(intake_api):
    """A sender may retry before it gets the first answer."""
    answers = await asyncio.gather(*(intake_api.post(job_change()) for _ in range(20)))

    results = [await answer.json() for answer in answers]
    assert sorted(answer.status for answer in answers) == [200] * 19 + [202]
    assert len({result["id"] for result in results}) == 1


async def test_a_batch_is_answered_item_by_item_in_order(intake_api):
    """Valid items are accepted although others are not valid."""
    before = await (await intake_api.post(job_change(source_event_id="0"))).json()
    items = [
        job_change(source_event_id="1"),
        job_change(score="87"),
        job_change(source_event_id="0"),
        job_change(source_event_id="1"),
        "Ada",
    ]

    answer = await intake_api.post({"job_changes": items})

    assert answer.status == 202
    first, invalid, duplicate, repeated, not_an_object = (await answer.json())["results"]
    assert first["status"] == "accepted"
    assert invalid == {"status": "refused", "errors": [{"path": "score", "message": "must be a number"}]}
    assert duplicate == {"id": before["id"], "status": "duplicate"}
    assert repeated == {"id": first["id"], "status": "duplicate"}
    assert not_an_object == {"status": "refused", "errors": [{"path": "", "message": "must be an object"}]}


@pytest.mark.both_databases
async def test_a_batch_of_a_thousand_keeps_its_order(intake_api):
    """A thousand is the most that one request may have."""
    items = [job_change(source_event_id=str(number)) for number in range(1_000)]

    results = (await (await intake_api.post({"job_changes": items})).json())["results"]

    assert [result["status"] for result in results] == ["accepted"] * 1_000
    assert [result["id"] for result in results] == sorted(result["id"] for result in results)


async def test_a_batch_without_a_valid_item_wakes_nobody(intake_api):
    """Each item is answered with its errors."""
    answer = await intake_api.post({"job_changes": [{}, {}]})

    assert answer.status == 202
    assert [result["status"] for result in (await answer.json())["results"]] == ["refused", "refused"]
    assert intake_api.woken == []


_SIZE = [("job_changes", "must have 1 to 1,000 items")]


@pytest.mark.parametrize(
    ("data", "status", "faults"),
    [
        ({"job_changes": []}, 422, _SIZE),
        ({"job_changes": [{}] * 1_001}, 422, _SIZE),
        ({"job_changes": {}}, 422, [("job_changes", "must be a list")]),
        ({"job_changes": None}, 422, [("job_changes", "must be a list")]),
        ([], 422, [("", "must be an object")]),
        ("Ada", 422, [("", "must be an object")]),
        (
            job_change(score="87", signal="rumour"),
            422,
            [
                ("signal", "must be one of contact_tracking, new_hires_promotions or custom"),
                ("score", "must be a number"),
            ],
        ),
        (b"", 400, []),
        (b"{", 400, []),
        (b"\xff\xfe", 400, []),
        (b"[" * 100_000, 400, []),
        (b'{"score": NaN}', 400, []),
        (b"9" * 10_000, 400, []),
        (b'{"a": "\\ud800"}', 400, []),
        (b" " * (1024 * 1024 + 1), 413, []),
    ],
)
async def test_an_invalid_request_is_answered_with_every_fault(intake_api, data, status, faults):
    """The answer is JSON, with a text for people and paths for programs."""
    answer = await intake_api.post(data)

    assert answer.status == status
    assert await error_of(answer) == faults


async def test_a_body_of_exactly_one_mebibyte_is_accepted(intake_api):
    """The limit itself is allowed."""
    body = json.dumps(job_change()).encode()

    answer = await intake_api.post(body + b" " * (1024 * 1024 - len(body)))

    assert answer.status == 202


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "", "json"])
async def test_a_body_of_another_content_type_is_refused(intake_api, media_type):
    """The status is 415, even if the body is JSON."""
    assert (await intake_api.post(job_change(), Content_Type=media_type)).status == 415


@pytest.mark.parametrize("media_type", ["application/json; charset=utf-8", "Application/JSON", "application/x+json"])
async def test_every_form_of_the_json_content_type_is_accepted(intake_api, media_type):
    """Parameters, case and a `+json` suffix make no difference."""
    assert (await intake_api.post(job_change(), Content_Type=media_type)).status == 202


async def test_a_compressed_body_is_refused(intake_api):
    """A few kilobytes could decompress to gigabytes."""
    answer = await intake_api.post(gzip.compress(json.dumps(job_change()).encode()), Content_Encoding="gzip")

    assert answer.status == 415


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer ugk_wrong"},
        {"Authorization": "Basic ugk_wrong"},
        {"Authorization": "", "X_Api_Key": "\udcff\udcfe"},
        {
            "Authorization": "",
            "webhook_id": "1",
            "webhook_timestamp": str(SOMEDAY // 1_000),
            "webhook_signature": "v1,x",
        },
    ],
)
async def test_an_unauthorized_request_gets_401_and_nothing_else(intake_api, headers):
    """Its body is not parsed."""
    answer = await intake_api.post(b"not JSON", **headers)

    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert await error_of(answer) == []


async def test_the_key_may_come_in_either_header(intake_api):
    """Tools that cannot sign can often set only one of them."""
    assert (await intake_api.post(job_change(source_event_id="1"))).status == 202
    assert (
        await intake_api.post(job_change(source_event_id="2"), Authorization="", X_Api_Key=intake_api.key)
    ).status == 202
    assert (
        await intake_api.post(job_change(source_event_id="3"), Authorization=f"bearer {intake_api.key}")
    ).status == 202


async def test_a_signed_request_is_authorized(intake_api):
    """It is signed by the reference library of Standard Webhooks."""
    secret = await intake_api.keys.make("T1", SIGNING, "U_ADMIN")
    body = json.dumps(job_change()).encode()

    answer = await intake_api.client.post(PATH, data=body, headers=intake_api.signed(secret, body))

    assert answer.status == 202


async def test_a_signature_is_valid_for_its_own_body_only(intake_api):
    """One more byte makes it another body."""
    secret = await intake_api.keys.make("T1", SIGNING, "U_ADMIN")
    body = json.dumps(job_change()).encode()

    answer = await intake_api.client.post(PATH, data=body + b" ", headers=intake_api.signed(secret, body))

    assert answer.status == 401


async def test_a_replayed_signed_request_is_a_duplicate(intake_api):
    """The same body has the same key, so nothing is sent twice."""
    secret = await intake_api.keys.make("T1", SIGNING, "U_ADMIN")
    body = json.dumps(job_change()).encode()
    headers = intake_api.signed(secret, body)

    statuses = [(await intake_api.client.post(PATH, data=body, headers=headers)).status for _ in range(3)]

    assert statuses == [202, 200, 200]


async def test_a_signed_get_is_valid_for_its_path_and_query_only(intake_api):
    """It has no body. What was signed for one job change does not show another."""
    secret = await intake_api.keys.make("T1", SIGNING, "U_ADMIN")
    one, other = [
        f"{PATH}/{(await (await intake_api.post(job_change(source_event_id=event))).json())['id']}" for event in "12"
    ]
    headers = intake_api.signed(secret, one.encode())
    with_query = f"{one}?fields=caf%C3%A9"

    async def status(target: str, headers: dict[str, str]) -> int:
        return (await intake_api.client.get(URL(target, encoded=True), headers=headers)).status

    assert await status(one, headers) == 200
    assert await status(with_query, intake_api.signed(secret, with_query.encode())) == 200
    assert [await status(target, headers) for target in (other, with_query)] == [401, 401]
    empty = intake_api.signed(secret, b"") | {"webhook-id": "msg_1"}
    assert [await status(target, empty) for target in (one, other, with_query, one)] == [200, 401, 401, 200]


@pytest.mark.parametrize("workspace_id", ["T2", "T9", "%00", "%ED%A0%80", "a" * 300, "T1'--"])
async def test_a_key_is_valid_for_its_own_workspace_only(intake_api, database, workspace_id):
    """The status is 401 whether the other workspace exists or not."""
    await database.run(add_workspace, "T2")

    answer = await intake_api.post(job_change(), f"/v1/workspaces/{workspace_id}/job-changes")

    assert answer.status == 401


async def test_only_authorized_senders_learn_that_a_workspace_removed_the_app(intake_api, database):
    """Authorized requests get 404, others 401 as before."""
    await database.run(workspaces.mark_gone, "T1", SOMEDAY)

    assert (await intake_api.post(job_change())).status == 404
    assert (await intake_api.post(job_change(), Authorization="Bearer ugk_wrong")).status == 401


@pytest.mark.both_databases
async def test_a_workspace_that_removes_the_app_stops_accepting_at_once(intake_api, database):
    """Its keys stay cached for some seconds, but nothing is stored."""
    assert (await intake_api.post(job_change(source_event_id="1"))).status == 202
    await database.run(workspaces.mark_gone, "T1", SOMEDAY)

    assert (await intake_api.post(job_change(source_event_id="2"))).status == 404
    assert (await intake_api.post({"job_changes": [job_change(source_event_id="3")]})).status == 404


async def test_a_sender_over_the_rate_limit_is_asked_to_wait(database, clock):
    """After `Retry-After` seconds its requests are accepted again."""
    await database.run(add_workspace)
    async with open_intake(database, database, clock, burst=20) as intake_api:
        batch = {"job_changes": [job_change(source_event_id=str(number)) for number in range(15)]}
        assert (await intake_api.post(batch)).status == 202

        answer = await intake_api.post(batch)

        assert answer.status == 429
        assert answer.headers["Retry-After"] == "2"
        clock.advance(seconds=2)
        assert (await intake_api.post(batch)).status == 202


async def test_nothing_is_accepted_while_the_database_is_unavailable(database, clock, tmp_path):
    """Every request that shared the commit gets 503 with `Retry-After`."""
    await database.run(add_workspace)
    unavailable = Database(f"sqlite:///{tmp_path}/no-such-folder/usergems.db")
    async with open_intake(database, unavailable, clock) as intake_api:
        answers = await asyncio.gather(
            *(intake_api.post(job_change(source_event_id=str(number))) for number in range(5)),
            intake_api.post({"job_changes": [job_change()]}),
            intake_api.show("1"),
        )

        assert [answer.status for answer in answers] == [503] * 7
        assert {answer.headers["Retry-After"] for answer in answers} == {"5"}
        assert intake_api.woken == []
    await unavailable.close()


async def test_an_unavailable_database_is_no_reason_for_401(database, clock, tmp_path):
    """A sender gives up at 401 but retries after 503."""
    unavailable = Database(f"sqlite:///{tmp_path}/no-such-folder/usergems.db")
    await database.run(add_workspace)
    async with open_intake(database, database, clock) as intake_api:
        keys = IntakeKeys(unavailable, intake_api.keys.cipher, clock, clock)
        app = web.Application()
        app.add_routes(api.routes(Intake(unavailable, clock, lambda: None), keys, Allowance.of(clock), Metrics()))
        async with TestClient(TestServer(app)) as client:
            answer = await client.post(PATH, data=b"{}", headers={"X-Api-Key": intake_api.key})
            assert answer.status == 503
    await unavailable.close()


async def test_the_state_of_a_job_change_is_shown(intake_api):
    """The answer has state, outcome, decision, deliveries and trace."""
    accepted = await (await intake_api.post(job_change())).json()

    shown = await (await intake_api.show(accepted["id"])).json()

    assert shown == {
        "id": accepted["id"],
        "source": "tests",
        "state": "accepted",
        "outcome": None,
        "sent_to": None,
        "attached_to": None,
        "reports": [],
        "reason": None,
        "attempts": 0,
        "last_error": None,
        "accepted_at": datetime.fromtimestamp(SOMEDAY / 1_000, UTC).isoformat(timespec="milliseconds"),
        "routed_at": None,
        "ended_at": None,
        "decision": None,
        "deliveries": [],
        "trace": [
            {
                "at": datetime.fromtimestamp(SOMEDAY / 1_000, UTC).isoformat(timespec="milliseconds"),
                "step": "accepted",
                "detail": "from tests",
            }
        ],
    }


async def test_a_failed_job_change_is_shown_in_todays_words(intake_api, database):
    """The database stores older words for a failure and for a notified candidate."""
    accepted = await (await intake_api.post(job_change())).json()
    decision = json.dumps({"considered": [{"name": "Dana", "result": "told"}, {"name": "Sam", "result": "inactive"}]})
    ended = {"outcome": "buried", "reason": "the channel is archived", "ended_at": SOMEDAY, "decision": decision}
    await database.run(lambda connection: connection.execute(update(job_changes).values(ended)))

    shown = await (await intake_api.show(accepted["id"])).json()

    assert (shown["state"], shown["outcome"], shown["sent_to"]) == ("failed", "failed", None)
    assert [candidate["result"] for candidate in shown["decision"]["considered"]] == ["notified", "inactive"]
    assert [step["step"] for step in shown["trace"]] == ["accepted", "failed"]


@pytest.mark.parametrize("job_change_id", ["unknown", "%00", "a" * 100, "%ED%A0%80"])
async def test_an_unknown_id_is_not_found(intake_api, job_change_id):
    """The status is 404, whatever the id looks like."""
    assert (await intake_api.show(job_change_id)).status == 404


async def test_a_job_change_of_another_workspace_is_not_shown(intake_api, database):
    """Only senders of its own workspace can read it."""
    accepted = await (await intake_api.post(job_change())).json()
    await database.run(add_workspace, "T2")
    key = await intake_api.keys.make("T2", BEARER, "U_ADMIN")

    answer = await intake_api.client.get(f"/v1/workspaces/T2/job-changes/{accepted['id']}", headers={"X-Api-Key": key})

    assert answer.status == 404


@pytest.mark.parametrize(("method", "path", "allowed"), [("GET", PATH, "POST"), ("DELETE", PATH + "/1", "GET")])
async def test_another_method_is_not_allowed(intake_api, method, path, allowed):
    """The status is 405, and the answer is JSON."""
    answer = await intake_api.client.request(method, path)

    assert answer.status == 405
    assert answer.headers["Allow"] == allowed
    assert await error_of(answer) == []


@pytest.mark.parametrize(
    "rest",
    [
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n5\r\n{}\r\n",
        b"Content-Length: 1000\r\n\r\n{}",
        b"Content-Length: -1\r\n\r\n{}",
        b"Content-Length: 99999999999999999999\r\n\r\n{}",
        b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        b"Content-Length: 2\r\nwebhook-id: \xff\xfe\r\nwebhook-timestamp: \xff\r\nwebhook-signature: \xff\r\n\r\n{}",
        b"Content-Length: 2\r\nX-Api-Key: \x01\r\n\r\n{}",
        b"Content-Length: 2\r\nAuthorization: Bearer \xe2\x82\r\n\r\n{}",
        b"X: " + b"x" * 100_000 + b"\r\n\r\n",
    ],
)
async def test_a_malformed_request_never_causes_a_5xx(intake_api, rest):
    """A client error is answered with 4xx, and the server keeps working."""
    answer = await intake_api.send_raw(b"POST " + PATH.encode() + b" HTTP/1.1\r\nHost: x\r\n" + rest)

    assert not answer or answer.startswith((b"HTTP/1.0 4", b"HTTP/1.1 4")), answer[:100]
    assert (await intake_api.post(job_change())).status == 202


async def test_a_body_in_many_small_pieces_is_one_body(intake_api):
    """It may arrive in chunks of any size."""
    body = json.dumps(job_change()).encode()

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 20):
            yield body[start : start + 20]

    headers = {"X-Api-Key": intake_api.key, "Content-Type": "application/json"}
    assert (await intake_api.client.post(PATH, data=pieces(), headers=headers)).status == 202


async def answer_without_body(intake_api: ApiClient, key: str, begun: bytes = b"") -> bytes:
    """The first line of the answer to a request of which only the head is sent, and what is `begun` of the body."""
    reader, writer = await asyncio.open_connection(intake_api.client.host, intake_api.client.port)
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nX-Api-Key: {key}\r\nContent-Length: 1000000\r\n\r\n"
    writer.write(head.encode() + begun)
    line = await reader.readline()
    writer.close()
    await writer.wait_closed()
    return line


def authorized_head(intake_api: ApiClient) -> bytes:
    return f"POST {PATH} HTTP/1.1\r\nHost: x\r\nX-Api-Key: {intake_api.key}\r\n".encode()


@pytest.mark.parametrize("key", ["", "ugk_wrong"])
async def test_a_request_without_a_valid_key_is_refused_before_its_body_is_read(intake_api, key):
    """Otherwise strangers could fill the memory with bodies."""
    assert await answer_without_body(intake_api, key) == b"HTTP/1.1 401 Unauthorized\r\n"


async def test_bodies_that_are_arriving_have_a_limit_together(intake_api):
    """Requests beyond it are asked to come again."""
    intake_api.bytes_in_flight.held = MOST_BYTES_IN_FLIGHT - 1
    assert await answer_without_body(intake_api, intake_api.key, b"  ") == b"HTTP/1.1 503 Service Unavailable\r\n"
    intake_api.bytes_in_flight.held = 0

    assert (await intake_api.post(b" " * 200_000)).status == 400


async def test_a_body_that_does_not_arrive_times_out(database, clock):
    """Idle connections must not block other senders."""
    await database.run(add_workspace)
    async with open_intake(database, database, clock, body_seconds=0.05) as intake_api:
        sent = authorized_head(intake_api) + b"Content-Length: 9\r\n\r\n{"
        reader, writer = await asyncio.open_connection(intake_api.client.host, intake_api.client.port)
        writer.write(sent)

        assert (await reader.readline()).startswith(b"HTTP/1.1 408")
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("ending", [b"Content-Length: 9\r\n\r\n{", b"Transfer-Encoding: chunked\r\n\r\n9\r\n{"])
async def test_a_sender_that_disconnects_leaves_no_traceback_in_the_log(intake_api, caplog, ending):
    """Otherwise anybody could fill the log."""
    app = web.Application()
    app.add_routes(intake_api.routes)
    runner = create_runner(app)  # the test server cancels the handler, which would hide the error
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    _, writer = await asyncio.open_connection(*runner.addresses[0])
    writer.write(authorized_head(intake_api) + ending)
    await writer.drain()
    writer.close()
    await writer.wait_closed()

    def counted_400() -> bool:
        return b'turned_away_total{status="400"} 1.0' in intake_api.metrics.exposition(None, SOMEDAY)

    async with asyncio.timeout(GENEROUS_TIMEOUT):
        while not counted_400():  # noqa: ASYNC110 - a closed connection gives no event to wait for
            await asyncio.sleep(0.01)
    await runner.cleanup()
    assert "Traceback" not in caplog.text


async def test_a_chunked_body_that_is_too_large_is_cut_off(intake_api):
    """Its length is not known in advance."""

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(33):
            yield b" " * 32 * 1024

    headers = {"X-Api-Key": intake_api.key, "Content-Type": "application/json"}
    assert (await intake_api.client.post(PATH, data=pieces(), headers=headers)).status == 413


async def test_requests_are_counted(intake_api, caplog):
    """They are counted by result and by status, without workspace ids. Refused ones leave a line in the log."""
    await intake_api.post(job_change())
    await intake_api.post(job_change())
    await intake_api.post({"job_changes": [{}]})
    await intake_api.post(b"{")

    text = intake_api.metrics.exposition(None, SOMEDAY).decode()

    for result in ("accepted", "duplicate", "refused"):
        assert f'usergems_job_changes_received_total{{result="{result}"}} 1.0' in text
    assert 'usergems_intake_turned_away_total{status="400"} 1.0' in text
    refused = [record for record in caplog.records if record.message.startswith("Refused")]
    assert [(record.message, record.workspace) for record in refused] == [
        ("Refused 1 request to the intake with HTTP 400", "T1")
    ]
    assert "T1" not in text
