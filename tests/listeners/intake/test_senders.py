"""Vendors send over HTTP as they really do: their proof, their shape, and the answer that they expect."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import func, select

from domain.states import Outcome
from services.intake.senders import common_room, crustdata, lusha, registry
from store.intake import refused_payloads, senders
from store.schema import job_changes
from tests.conftest import SOMEDAY
from tests.listeners.intake.test_api import PATH, ApiClient, job_change, open_intake
from tests.store.sample_rows import add_workspace

NOW = SOMEDAY // 1_000


@pytest.fixture
async def intake_api(database, clock) -> AsyncIterator[ApiClient]:
    await database.run(add_workspace)
    async with open_intake(database, database, clock) as intake_api:
        yield intake_api


async def added(intake_api: ApiClient, name: str, secret: str | None = None) -> str:
    """Add a sender, and return its secret."""
    key = await intake_api.keys.make_for("T1", registry.find(name), "U_ADMIN", secret)
    return key or secret or ""


def signature(secret: str, body: bytes, at: int = NOW) -> str:
    return hmac.digest(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hex()


async def figures(intake_api: ApiClient, name: str) -> tuple[int, int, int, int]:
    by_name = {one.name: one for one in await intake_api.keys.database.run(senders.all_of, "T1")}
    sender = by_name[name]
    return sender.accepted, sender.duplicate, sender.refused, sender.skipped


async def post_lusha(intake_api: ApiClient, payload: dict[str, Any], secret: str) -> Any:
    body = json.dumps(payload).encode()
    headers = {"X-Lusha-Timestamp": str(NOW), "X-Lusha-Signature": f"sha256={signature(secret, body)}"}
    return await intake_api.client.post(
        f"{PATH}?source=lusha", data=body, headers=headers | {"Content-Type": "application/json"}
    )


async def test_lusha_verifies_the_address_and_is_acknowledged(intake_api):
    """It wants its challenge back, and an answer of its own; three others would switch the address off."""
    secret = await added(intake_api, "lusha", "secret of lusha")

    challenge = await intake_api.client.get(f"{PATH}?source=lusha&challenge=abc")
    assert (challenge.status, await challenge.json()) == (200, {"challenge": "abc"})
    assert (await intake_api.client.get(f"{PATH}?source=clay&challenge=abc")).status == 405
    assert (await intake_api.client.get(f"{PATH}?source=lusha&challenge={'a' * 201}")).status == 405

    unreadable = lusha.SENDER.sample | {"id": "evt_2", "data": {}, "entityId": None}
    for payload in (lusha.SENDER.sample, lusha.SENDER.sample | {"type": "fundingRound"}, unreadable):
        answer = await post_lusha(intake_api, payload, secret)
        assert answer.status == 200
        assert (await answer.json())["received"] is True
    assert await figures(intake_api, "lusha") == (1, 0, 1, 1)
    assert (await post_lusha(intake_api, lusha.SENDER.sample, "another secret")).status == 401


async def test_a_payload_of_crustdata_with_several_people_is_several_job_changes(intake_api):
    """One result for each, in order. Its test event is answered, shown and not stored."""
    secret = await added(intake_api, "crustdata", "api key of crustdata")
    [result] = crustdata.SENDER.sample["results"]
    other = result | {"record": result["record"] | {"crustdata_person_id": 2, "social_handles": {}}}
    no_move = result | {"changes": [{"field": "skills", "type": "added", "new_elements": [{}]}]}

    async def post(payload: dict[str, Any], at: int = NOW) -> Any:
        body = json.dumps(payload).encode()
        header = f"t={at},v1={signature(secret, body, at)}"
        return await intake_api.post(
            body, f"{PATH}?source=crustdata", Authorization="", **{"x-crustdata-signature": header}
        )

    answer = await post(crustdata.SENDER.sample | {"results": [result, other, no_move]})
    assert answer.status == 202
    assert [one["status"] for one in (await answer.json())["results"]] == ["accepted", "accepted", "skipped"]
    tested = await post(crustdata.SENDER.sample | {"metadata": {"watch_id": 0, "test": True}})
    assert (tested.status, (await tested.json())["status"]) == (200, "test")
    assert (await post(crustdata.SENDER.sample, NOW - 301)).status == 401

    [sender] = await intake_api.keys.database.run(senders.all_of, "T1")
    assert (sender.accepted, sender.skipped, sender.tested_at) == (2, 1, SOMEDAY)
    assert sender.test == "reads as new_company: Ada Smith, Initech to Globex"
    count = select(func.count()).select_from(job_changes)
    assert await intake_api.keys.database.run(lambda c: c.execute(count).scalar_one()) == 2


async def test_common_room_sends_its_secret_and_all_addresses(intake_api):
    """The address at the company left is among them."""
    secret = await added(intake_api, "common_room")
    header = {"x-commonroom-webhook-secret": secret}
    path = f"{PATH}?source=common_room"

    answer = await intake_api.post(common_room.SENDER.sample, path, Authorization="", **header)
    assert answer.status == 202
    contact = {"payload": {"fullName": "Ada", "primaryEmail": "ada@x.example"}}
    skipped = await intake_api.post(contact, path, Authorization="", **header)
    assert (skipped.status, (await skipped.json())["status"]) == (200, "skipped")
    assert (await intake_api.post(contact, f"{PATH}?source=clay", Authorization="", **header)).status == 401


async def test_the_key_of_a_sender_is_its_own(intake_api):
    """It names the sender if the address does not, is refused for another one, and shows only its own job changes."""
    clay, zapier = await added(intake_api, "clay"), await added(intake_api, "zapier")
    row = {"Full Name": "Ada Smith", "Work Email": "ada@initech.example", "New Company": "Globex"}

    answer = await intake_api.post(row, Authorization="", X_Api_Key=clay)
    assert answer.status == 202
    job_change_id = (await answer.json())["id"]
    assert (await intake_api.post(row, f"{PATH}?source=zapier", Authorization="", X_Api_Key=clay)).status == 401
    shown = [
        (await intake_api.client.get(f"{PATH}/{job_change_id}", headers={"X-Api-Key": key})).status
        for key in (clay, zapier, intake_api.key)
    ]
    assert shown == [200, 404, 200]


async def test_a_sender_rotates_and_revokes_its_key(intake_api):
    """The old key works for another day; a revoked one ends at once. Other senders keep theirs."""
    first, other = await added(intake_api, "clay"), await added(intake_api, "zapier")
    second = await added(intake_api, "clay")

    async def works(key: str) -> bool:
        return (await intake_api.post({}, Authorization="", X_Api_Key=key)).status != 401

    assert [await works(key) for key in (first, second, other)] == [True, True, True]
    intake_api.clock.advance(seconds=24 * 60 * 60)
    assert [await works(key) for key in (first, second, other)] == [False, True, True]
    assert await intake_api.keys.revoke("T1", "clay", "U_ADMIN")
    assert [await works(key) for key in (first, second, other)] == [False, False, True]


async def test_a_refused_payload_is_kept_for_the_admins(intake_api):
    """With its reason, as it was sent, and for a week: the latest ones of senders that were added."""
    await added(intake_api, "clay")
    assert (await intake_api.post({"Full Name": "Ada Smith"}, f"{PATH}?source=zapier")).status == 422
    assert await intake_api.keys.database.run(refused_payloads.all_payloads) == []
    answer = await intake_api.post({"Full Name": "Ada Smith"}, f"{PATH}?source=clay")
    assert answer.status == 422

    database = intake_api.keys.database
    [kept] = await database.run(refused_payloads.of_sender, "T1", "clay", 10)
    assert json.loads(kept.payload) == {"Full Name": "Ada Smith"}
    assert "current.company is required" in kept.reason
    await intake_api.post({"job_changes": [{"Full Name": "A"}] * 120}, f"{PATH}?source=clay")
    assert len(await database.run(refused_payloads.of_sender, "T1", "clay", 500)) == refused_payloads.MOST_KEPT
    assert await figures(intake_api, "clay") == (0, 0, 121, 0)
    week_ms = 7 * 24 * 60 * 60 * 1_000
    await database.run(refused_payloads.delete_old, SOMEDAY + week_ms)
    assert len(await database.run(refused_payloads.of_sender, "T1", "clay", 10)) == 10
    await database.run(refused_payloads.delete_old, SOMEDAY + week_ms + 1)
    assert await database.run(refused_payloads.of_sender, "T1", "clay", 10) == []


async def test_a_receipt_says_that_a_report_is_attached(intake_api):
    """To which job change, in the answer, in that of a repetition, and in the state of both."""
    first = await (await intake_api.post(job_change(source="a"))).json()
    assert first == {"id": first["id"], "status": "accepted"}
    second = await (await intake_api.post(job_change(source="b"))).json()
    attached = {"outcome": "attached", "attached_to": first["id"]}
    assert second == {"id": second["id"], "status": "accepted"} | attached
    again = await (await intake_api.post(job_change(source="b"))).json()
    assert again == {"id": second["id"], "status": "duplicate"} | attached

    shown = await (await intake_api.show(second["id"])).json()
    assert (shown["state"], shown["outcome"], shown["attached_to"]) == (Outcome.ATTACHED, Outcome.ATTACHED, first["id"])
    assert shown["reason"] == "Another sender has reported the move."
    shown = await (await intake_api.show(first["id"])).json()
    assert [report["id"] for report in shown["reports"]] == [second["id"]]
