"""A sender posts job changes over HTTP: every answer of the contract, and garbage."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer
from cryptography.fernet import Fernet
from standardwebhooks import Webhook

from domain.intake_key import BEARER, SIGNING
from listeners.http.metrics import Metrics
from listeners.http.server import create_runner
from listeners.intake import api
from services.intake.intake import Intake
from services.intake.keys import IntakeKeys
from services.intake.rate_limit import RateLimiter
from services.journal import Journal
from store.database import Database
from store.encryption import Cipher
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
class Door:
    """A server with the intake of workspace T1, and its API key."""

    client: TestClient
    keys: IntakeKeys
    metrics: Metrics
    clock: Clock
    key: str
    woken: list[bool] = field(default_factory=list)

    async def post(self, data: object, path: str = PATH, **headers: str) -> ClientResponse:
        """Genuine and JSON, unless *headers* say otherwise; *data* is sent as it is when it is bytes."""
        body = data if isinstance(data, bytes) else json.dumps(data).encode()
        given = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.post(
            path, data=BytesIO(body), headers={name: value for name, value in given.items() if value}
        )

    async def show(self, job_change_id: str, path: str = PATH) -> ClientResponse:
        return await self.client.get(f"{path}/{job_change_id}", headers={"X-Api-Key": self.key})

    def signed(self, secret: str, body: bytes, at: int = SOMEDAY) -> dict[str, str]:
        """The headers of the standard, made by its reference library."""
        moment = datetime.fromtimestamp(at // 1_000, UTC)
        return {
            "webhook-id": "msg_1",
            "webhook-timestamp": str(at // 1_000),
            "webhook-signature": Webhook(secret).sign("msg_1", moment, body.decode()),
            "Content-Type": "application/json",
        }

    async def send_raw(self, sent: bytes) -> bytes:
        """Bytes on the wire; what is answered until the server closes."""
        reader, writer = await asyncio.open_connection(self.client.host, self.client.port)
        writer.write(sent)
        writer.write_eof()
        answer = await reader.read()
        writer.close()
        return answer


@pytest.fixture
async def door(database, clock) -> AsyncIterator[Door]:
    await database.run(add_workspace)
    async with opened(database, database, clock) as door:
        yield door


@asynccontextmanager
async def opened(
    database: Database, intake_database: Database, clock: Clock, *, at_once: int = 100_000, body_seconds: float = 15
) -> AsyncIterator[Door]:
    woken: list[bool] = []
    keys = IntakeKeys(database, Cipher.of([Fernet.generate_key().decode()]), clock)
    metrics, allowance = Metrics(), RateLimiter(clock, at_once, 10)
    taking = Intake(intake_database, clock, lambda: woken.append(True), Journal(metrics))
    app = web.Application()
    app.add_routes(api.routes(taking, keys, allowance, metrics, body_seconds=body_seconds))
    async with TestClient(TestServer(app)) as client:
        yield Door(client, keys, metrics, clock, await keys.make("T1", BEARER, "U_ADMIN"), woken)


async def error_of(answer: ClientResponse) -> list[tuple[str, str]]:
    """The faults of an error, which has a text for people whatever it is."""
    told = await answer.json()
    assert told.keys() == {"error", "errors"}
    assert told["error"]
    return [(fault["path"], fault["message"]) for fault in told["errors"]]


async def test_a_job_change_is_accepted(door):
    """202 only after it is a row, and the worker is woken for it."""
    answer = await door.post(job_change())

    assert answer.status == 202
    told = await answer.json()
    assert told["status"] == "accepted"
    assert door.woken == [True]
    assert (await door.show(told["id"])).status == 200


async def test_sent_again_it_is_a_duplicate_with_the_first_one_s_id(door):
    """The sender learns that it is known, and nobody is told twice."""
    first = await (await door.post(job_change())).json()

    answer = await door.post(job_change())

    assert answer.status == 200
    assert await answer.json() == {"id": first["id"], "status": "duplicate"}
    assert door.woken == [True]


@pytest.mark.both_databases
async def test_the_same_sent_many_times_at_once_is_accepted_once(door):
    """A sender that retries before it hears the answer."""
    answers = await asyncio.gather(*(door.post(job_change()) for _ in range(20)))

    told = [await answer.json() for answer in answers]
    assert sorted(answer.status for answer in answers) == [200] * 19 + [202]
    assert len({each["id"] for each in told}) == 1


async def test_a_batch_is_answered_item_by_item_in_order(door):
    """Those that can be read are accepted although others cannot."""
    before = await (await door.post(job_change(source_event_id="0"))).json()
    items = [
        job_change(source_event_id="1"),
        job_change(score="87"),
        job_change(source_event_id="0"),
        job_change(source_event_id="1"),
        "Ada",
    ]

    answer = await door.post({"job_changes": items})

    assert answer.status == 202
    first, refused, known, again, no_object = (await answer.json())["results"]
    assert first["status"] == "accepted"
    assert refused == {"status": "refused", "errors": [{"path": "score", "message": "must be a number"}]}
    assert known == {"id": before["id"], "status": "duplicate"}
    assert again == {"id": first["id"], "status": "duplicate"}
    assert no_object == {"status": "refused", "errors": [{"path": "", "message": "must be an object"}]}


@pytest.mark.both_databases
async def test_a_batch_of_a_thousand_in_order(door):
    """The most that one request may carry."""
    items = [job_change(source_event_id=str(number)) for number in range(1_000)]

    results = (await (await door.post({"job_changes": items})).json())["results"]

    assert [result["status"] for result in results] == ["accepted"] * 1_000
    assert [result["id"] for result in results] == sorted(result["id"] for result in results)


async def test_a_batch_of_which_nothing_can_be_read(door):
    """Each says why, and nobody is woken."""
    answer = await door.post({"job_changes": [{}, {}]})

    assert answer.status == 202
    assert [result["status"] for result in (await answer.json())["results"]] == ["refused", "refused"]
    assert door.woken == []


_SIZE = [("job_changes", "must have from 1 to 1,000 items")]


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
async def test_what_cannot_be_taken_is_told_with_every_fault(door, data, status, faults):
    """In JSON, with something for people and something for programs."""
    answer = await door.post(data)

    assert answer.status == status
    assert await error_of(answer) == faults


async def test_a_body_of_exactly_one_mebibyte_is_taken(door):
    """The limit is part of what is allowed."""
    body = json.dumps(job_change()).encode()

    answer = await door.post(body + b" " * (1024 * 1024 - len(body)))

    assert answer.status == 202


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "", "json"])
async def test_a_body_that_does_not_say_it_is_json(door, media_type):
    """415, whatever it is."""
    assert (await door.post(job_change(), Content_Type=media_type)).status == 415


@pytest.mark.parametrize("media_type", ["application/json; charset=utf-8", "Application/JSON", "application/x+json"])
async def test_json_by_any_of_its_names(door, media_type):
    """Parameters and case say nothing."""
    assert (await door.post(job_change(), Content_Type=media_type)).status == 202


async def test_a_compressed_body_is_not_taken(door):
    """A few kilobytes can be gigabytes."""
    answer = await door.post(gzip.compress(json.dumps(job_change()).encode()), Content_Encoding="gzip")

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
async def test_a_stranger_is_told_nothing_but_that(door, headers):
    """401, and the body was not looked into."""
    answer = await door.post(b"not JSON", **headers)

    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert await error_of(answer) == []


async def test_either_header_takes_the_key(door):
    """Senders that cannot sign have one or the other."""
    assert (await door.post(job_change(source_event_id="1"))).status == 202
    assert (await door.post(job_change(source_event_id="2"), Authorization="", X_Api_Key=door.key)).status == 202
    assert (await door.post(job_change(source_event_id="3"), Authorization=f"bearer {door.key}")).status == 202


async def test_a_signed_request_is_genuine(door):
    """Signed by the reference library of Standard Webhooks."""
    secret = await door.keys.make("T1", SIGNING, "U_ADMIN")
    body = json.dumps(job_change()).encode()

    answer = await door.client.post(PATH, data=body, headers=door.signed(secret, body))

    assert answer.status == 202


async def test_a_signature_is_of_this_very_body(door):
    """One byte more is another body."""
    secret = await door.keys.make("T1", SIGNING, "U_ADMIN")
    body = json.dumps(job_change()).encode()

    answer = await door.client.post(PATH, data=body + b" ", headers=door.signed(secret, body))

    assert answer.status == 401


async def test_a_signed_request_replayed_is_harmless(door):
    """The same body has the same key."""
    secret = await door.keys.make("T1", SIGNING, "U_ADMIN")
    body = json.dumps(job_change()).encode()
    headers = door.signed(secret, body)

    statuses = [(await door.client.post(PATH, data=body, headers=headers)).status for _ in range(3)]

    assert statuses == [202, 200, 200]


async def test_to_ask_one_signs_an_empty_body(door):
    """GET has no other."""
    secret = await door.keys.make("T1", SIGNING, "U_ADMIN")
    told = await (await door.post(job_change())).json()

    answer = await door.client.get(f"{PATH}/{told['id']}", headers=door.signed(secret, b""))

    assert answer.status == 200


@pytest.mark.parametrize("workspace_id", ["T2", "T9", "%00", "%ED%A0%80", "a" * 300, "T1'--"])
async def test_a_workspace_s_key_opens_no_other(door, database, workspace_id):
    """401 whether it exists or not, for who asks cannot be genuine."""
    await database.run(add_workspace, "T2")

    answer = await door.post(job_change(), f"/v1/workspaces/{workspace_id}/job-changes")

    assert answer.status == 401


async def test_a_workspace_that_uninstalled_us_is_gone_for_the_genuine_only(door, database):
    """They learn why; a stranger learns nothing."""
    await database.run(workspaces.mark_gone, "T1", SOMEDAY)

    assert (await door.post(job_change())).status == 404
    assert (await door.post(job_change(), Authorization="Bearer ugk_wrong")).status == 401


@pytest.mark.both_databases
async def test_a_workspace_that_uninstalls_meanwhile_is_gone_at_once(door, database):
    """Its keys are remembered for some seconds; it takes nothing all the same."""
    assert (await door.post(job_change(source_event_id="1"))).status == 202
    await database.run(workspaces.mark_gone, "T1", SOMEDAY)

    assert (await door.post(job_change(source_event_id="2"))).status == 404
    assert (await door.post({"job_changes": [job_change(source_event_id="3")]})).status == 404


async def test_who_sends_too_much_is_asked_to_wait(database, clock):
    """And is heard again after as long as it was told."""
    await database.run(add_workspace)
    async with opened(database, database, clock, at_once=20) as door:
        batch = {"job_changes": [job_change(source_event_id=str(number)) for number in range(15)]}
        assert (await door.post(batch)).status == 202

        answer = await door.post(batch)

        assert answer.status == 429
        assert answer.headers["Retry-After"] == "2"
        clock.advance(seconds=2)
        assert (await door.post(batch)).status == 202


async def test_nothing_is_accepted_while_the_database_is_away(database, clock, tmp_path):
    """503, and when to send it again: one answer for each of those who shared the commit."""
    await database.run(add_workspace)
    away = Database(f"sqlite:///{tmp_path}/no-such-folder/usergems.db")
    async with opened(database, away, clock) as door:
        answers = await asyncio.gather(
            *(door.post(job_change(source_event_id=str(number))) for number in range(5)),
            door.post({"job_changes": [job_change()]}),
            door.show("1"),
        )

        assert [answer.status for answer in answers] == [503] * 7
        assert {answer.headers["Retry-After"] for answer in answers} == {"5"}
        assert door.woken == []
    await away.close()


async def test_nobody_is_a_stranger_only_because_the_database_is_away(database, clock, tmp_path):
    """A sender would give up at 401, and comes back after 503."""
    away = Database(f"sqlite:///{tmp_path}/no-such-folder/usergems.db")
    await database.run(add_workspace)
    async with opened(database, database, clock) as door:
        keys = IntakeKeys(away, door.keys.cipher, clock)
        app = web.Application()
        app.add_routes(api.routes(Intake(away, clock, lambda: None), keys, RateLimiter(clock), Metrics()))
        async with TestClient(TestServer(app)) as client:
            answer = await client.post(PATH, data=b"{}", headers={"X-Api-Key": door.key})
            assert answer.status == 503
    await away.close()


async def test_what_became_of_it_is_shown(door):
    """State, outcome, decision, deliveries and steps."""
    told = await (await door.post(job_change())).json()

    shown = await (await door.show(told["id"])).json()

    assert shown == {
        "id": told["id"],
        "source": "tests",
        "state": "accepted",
        "outcome": None,
        "told": None,
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


@pytest.mark.parametrize("job_change_id", ["unknown", "%00", "a" * 100, "%ED%A0%80"])
async def test_an_id_that_is_not_of_this_workspace(door, job_change_id):
    """404, whatever it is."""
    assert (await door.show(job_change_id)).status == 404


async def test_another_workspace_s_job_change_is_not_shown(door, database):
    """Its own sender sees it, nobody else."""
    told = await (await door.post(job_change())).json()
    await database.run(add_workspace, "T2")
    key = await door.keys.make("T2", BEARER, "U_ADMIN")

    answer = await door.client.get(f"/v1/workspaces/T2/job-changes/{told['id']}", headers={"X-Api-Key": key})

    assert answer.status == 404


@pytest.mark.parametrize(("method", "path", "allowed"), [("GET", PATH, "POST"), ("DELETE", PATH + "/1", "GET")])
async def test_another_method_is_not_understood(door, method, path, allowed):
    """405, in JSON as everything here."""
    answer = await door.client.request(method, path)

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
async def test_no_garbage_on_the_wire_makes_a_5xx(door, rest):
    """What a client sent wrong is the client's fault."""
    answer = await door.send_raw(b"POST " + PATH.encode() + b" HTTP/1.1\r\nHost: x\r\n" + rest)

    assert not answer or answer.startswith(b"HTTP/1.1 4"), answer[:100]
    assert (await door.post(job_change())).status == 202


async def test_a_body_in_many_small_pieces_is_one_body(door):
    """How it is cut on the wire says nothing."""
    body = json.dumps(job_change()).encode()

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 20):
            yield body[start : start + 20]

    headers = {"X-Api-Key": door.key, "Content-Type": "application/json"}
    assert (await door.client.post(PATH, data=pieces(), headers=headers)).status == 202


async def test_a_body_that_does_not_come_is_not_waited_for(database, clock):
    """Whoever opens connections and then says nothing must not keep others out."""
    await database.run(add_workspace)
    async with opened(database, database, clock, body_seconds=0.05) as door:
        sent = b"POST " + PATH.encode() + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{"
        reader, writer = await asyncio.open_connection(door.client.host, door.client.port)
        writer.write(sent)

        assert (await reader.readline()).startswith(b"HTTP/1.1 408")
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("ending", [b"Content-Length: 9\r\n\r\n{", b"Transfer-Encoding: chunked\r\n\r\n9\r\n{"])
async def test_a_sender_who_hangs_up_is_no_failure_of_ours(door, caplog, ending):
    """Any stranger could fill the log with tracebacks otherwise."""
    runner = create_runner(door.client.app)  # a server for tests cancels the handler, which hides it
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    _, writer = await asyncio.open_connection(*runner.addresses[0])
    writer.write(b"POST " + PATH.encode() + b" HTTP/1.1\r\nHost: x\r\n" + ending)
    await writer.drain()
    writer.close()
    await writer.wait_closed()

    def counted_400() -> bool:
        return b'turned_away_total{status="400"} 1.0' in door.metrics.exposition(None, SOMEDAY)

    async with asyncio.timeout(GENEROUS_TIMEOUT):
        while not counted_400():  # noqa: ASYNC110 - who has hung up is told of nothing
            await asyncio.sleep(0.01)
    await runner.cleanup()
    assert "Traceback" not in caplog.text


async def test_a_chunked_body_that_is_too_large_is_cut_off(door):
    """It says nothing of its length before."""

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(33):
            yield b" " * 32 * 1024

    headers = {"X-Api-Key": door.key, "Content-Type": "application/json"}
    assert (await door.client.post(PATH, data=pieces(), headers=headers)).status == 413


async def test_what_came_in_is_counted(door):
    """By result and by error, without a name."""
    await door.post(job_change())
    await door.post(job_change())
    await door.post({"job_changes": [{}]})
    await door.post(b"{")

    text = door.metrics.exposition(None, SOMEDAY).decode()

    for result in ("accepted", "duplicate", "refused"):
        assert f'usergems_job_changes_received_total{{result="{result}"}} 1.0' in text
    assert 'usergems_intake_turned_away_total{status="400"} 1.0' in text
    assert "T1" not in text
