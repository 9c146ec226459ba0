"""
The test kit of senders: every shipped adapter, and a workspace's own mapping, keeps the same rules.

docs/senders.md says how to add an adapter. It is tested here without further code.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from domain.job_change.model import JobChange
from domain.job_change.validation import InvalidJobChangeError
from domain.workspace import BEARER, SIGNING
from services.intake.files.columns import RowReader
from services.intake.mapping.row_mapping import RowMapping
from services.intake.senders import crustdata, registry
from services.intake.senders.proofs import Credentials
from services.intake.senders.sender import Sender
from services.intake.signatures import text_of
from tests.conftest import SOMEDAY

OWN = RowMapping.parse({"map": {"who": "person.full_name", "mail": "person.emails", "to": "current.company.name"}})
SENDERS = [*registry.SHIPPED.values(), registry.find("our_crm", OWN)]
OWN_SAMPLE = {"who": "Ada Smith", "mail": "ada@initech.example", "to": "Globex"}

every_sender = pytest.mark.parametrize("sender", SENDERS, ids=[sender.name for sender in SENDERS])

SECRET = "secret of the vendor"
NOW = SOMEDAY // 1_000


def sample_of(sender: Sender) -> dict[str, Any]:
    return dict(OWN_SAMPLE if sender.name == "our_crm" else sender.sample)


def read(sender: Sender, payload: object) -> list[JobChange]:
    own = OWN if sender.name == "our_crm" else None
    return [JobChange.parse(raw) for raw in registry.read(payload, sender.name, own).job_changes]


def timed(at: int, body: bytes, secret: str) -> str:
    return hmac.digest(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hex()


def headers_of(sender: Sender, body: bytes, at: int, secret: str) -> dict[str, str]:
    """The headers of a genuine request, made here and not by the app."""
    makers: dict[str, Callable[[], dict[str, str]]] = {
        "webhook": lambda: {
            "webhook-id": "msg_1",
            "webhook-timestamp": str(at),
            "webhook-signature": Webhook(text_of(secret.encode())).sign(
                "msg_1", datetime.fromtimestamp(at, UTC), body.decode()
            ),
        },
        "common_room": lambda: {"x-commonroom-webhook-secret": secret},
        "crustdata": lambda: {"x-crustdata-signature": f"t={at},v1={timed(at, body, secret)}"},
        "lusha": lambda: {"X-Lusha-Timestamp": str(at), "X-Lusha-Signature": timed(at, body, secret)},
    }
    return makers.get(sender.name, lambda: {"X-Api-Key": secret})()


def is_genuine(sender: Sender, headers: dict[str, str], body: bytes) -> bool:
    credentials: Credentials = registry.credentials(headers, sender.name)
    if sender.proof.kind == BEARER:
        return SECRET.encode() in credentials.bearers
    signature = credentials.signature
    return bool(signature and signature.is_timely(SOMEDAY) and signature.is_made_with(SECRET.encode(), body))


@every_sender
def test_the_sample_is_the_move_that_everybody_reports(sender: Sender) -> None:
    """Ada Smith moves to Globex, with a key by which she can be found."""
    (job_change,) = read(sender, sample_of(sender))

    assert job_change.source == sender.name
    assert job_change.current.company is not None
    assert job_change.current.company.name == "Globex"
    assert "Ada" in job_change.person.name or job_change.person.external_id
    if sender.name != "our_crm":
        assert job_change.previous.company is not None
        assert (job_change.change_type, job_change.previous.company.name) == ("new_company", "Initech")
    if sender.person_field:
        assert job_change.custom[sender.person_field] == job_change.person.external_id


@every_sender
def test_several_people_in_one_payload_are_several_job_changes(sender: Sender) -> None:
    """In order, as each would be read alone."""
    people = read(sender, [sample_of(sender), sample_of(sender)])
    assert len(read(sender, [sample_of(sender)])) == 1

    assert people == read(sender, sample_of(sender)) * 2


@every_sender
def test_a_genuine_request_proves_itself(sender: Sender) -> None:
    """With the secret of the sender, in its own way."""
    body = json.dumps(sample_of(sender)).encode()

    assert is_genuine(sender, headers_of(sender, body, NOW, SECRET), body)


@every_sender
def test_a_forged_or_stale_proof_is_refused(sender: Sender) -> None:
    """Another secret, another body, another time than the signed one, an old one, none, and malformed ones."""
    body = json.dumps(sample_of(sender)).encode()
    genuine = headers_of(sender, body, NOW, SECRET)

    assert not is_genuine(sender, headers_of(sender, body, NOW, "another secret"), body)
    assert not is_genuine(sender, {}, body)
    for name in genuine:
        for value in ("", "x", "t=,v1=", "t=1,t=2,v1=x", "\udcff", genuine[name][:-1], f"{genuine[name]}0"):
            assert not is_genuine(sender, genuine | {name: value}, body)
    if sender.proof.kind == SIGNING:
        assert not is_genuine(sender, genuine, body + b" ")
        for at in (NOW - 301, NOW + 301):
            assert not is_genuine(sender, headers_of(sender, body, at, SECRET), body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def leaves(payload: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The path of everything in a payload."""
    items = payload.items() if isinstance(payload, dict) else enumerate(payload) if isinstance(payload, list) else ()
    return [path, *(leaf for name, inner in items for leaf in leaves(inner, (*path, name)))]


def replaced(payload: Any, path: tuple[str | int, ...], value: object) -> Any:
    if not path:
        return value
    copy = payload.copy()
    copy[path[0]] = replaced(payload[path[0]], path[1:], value)
    return copy


@every_sender
@given(data=st.data(), value=JSON)
def test_no_payload_crashes_an_adapter(sender: Sender, data: st.DataObject, value: object) -> None:
    """Whatever a part of its sample is replaced with, it is read, skipped or refused, and nothing else is raised."""
    sample = sample_of(sender)
    path = data.draw(st.sampled_from(leaves(sample)))
    stored: list[str] = []
    with suppress(InvalidJobChangeError):
        stored = [job_change.to_stored() for job_change in read(sender, replaced(sample, path, value))]

    assert all(JobChange.from_stored(payload) for payload in stored)


@every_sender
def test_a_file_with_its_payloads_needs_no_mapping_by_hand(sender: Sender) -> None:
    """`simulate FILE --source NAME` and `import` read it as it would be posted."""
    reader = RowReader(sender.name, {"our_crm": OWN})

    assert [JobChange.parse(raw) for raw in reader.read(sample_of(sender))] == read(sender, sample_of(sender))


@every_sender
def test_an_adapter_tells_what_an_admin_does(sender: Sender) -> None:
    """In three steps with the address, the secret if the app makes it, and a page of the vendor."""
    steps = " ".join(sender.steps)

    assert len(sender.steps) == 3
    assert "{url}" in steps
    assert ("{secret}" in steps) is not sender.proof.is_made_by_vendor
    assert sender.documents.startswith("https://")
    assert steps.format(url="U", secret="S")


def test_a_payload_before_the_newest_api_of_crustdata_is_read() -> None:
    """It names positions in another way, and has no name of the person but the one in the address."""
    (job_change,) = read(crustdata.SENDER, crustdata.EARLIER_SAMPLE)

    assert (job_change.person.name, str(job_change.occurred_on)) == ("Ada Smith", "2026-11-01")
    assert job_change.current.company is not None
    assert (job_change.current.title, job_change.current.company.name) == ("CRO", "Globex")


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        ("crustdata", {"uid": "1", "profile_url": "https://linkedin.com/in/a", "changes": {"field_changes": [{}]}}),
        ("crustdata", {"metadata": {"dataset": "job"}, "results": [{"record": {}}]}),
        ("crustdata", {"results": [{"changes": [{"field": "skills", "type": "added"}], "record": {}}]}),
        ("lusha", {"id": "1", "type": "fundingRound", "data": {"personId": "1"}}),
        ("common_room", {"payload": {"type": "contact", "fullName": "Ada", "primaryEmail": "ada@x.example"}}),
        ("explorium", {"event_id": "1", "event_name": "prospect_job_start_anniversary", "prospect_id": "p"}),
        ("tamradar", {"event_type": "radar_failure"}),
    ],
)
def test_what_is_no_job_change_is_skipped_with_a_reason(name: str, payload: dict[str, Any]) -> None:
    """It is not refused, so that the vendor neither sends it again nor stops sending."""
    reading = registry.read(payload, name)

    assert (reading.job_changes, len(reading.skipped)) == ((), 1)


def test_a_title_that_changes_is_no_new_company() -> None:
    """Crustdata reports the field that moved, with both values."""
    result = crustdata.SENDER.sample["results"][0]
    change = {"field": "basic_profile.current_title", "type": "changed", "from": "CRO", "to": "CEO"}
    (job_change,) = read(crustdata.SENDER, {"results": [result | {"changes": [change]}]})

    assert job_change.change_type == "lateral"
    assert (job_change.previous.title, job_change.current.title) == ("CRO", "CEO")


def test_a_person_who_left_has_no_new_company() -> None:
    """Crustdata's field of the current company is empty then."""
    record = {"crustdata_person_id": 1, "basic_profile": {"name": "Ada Smith"}}
    change = {"field": "experience.employment_details.current.name", "type": "changed", "from": "Initech", "to": None}
    (job_change,) = read(crustdata.SENDER, {"results": [{"changes": [change], "record": record}]})

    assert job_change.change_type == "departure"
    assert job_change.previous.company is not None
    assert job_change.previous.company.name == "Initech"


def test_a_test_event_is_marked() -> None:
    """It is read and shown, and nobody is notified."""
    reading = registry.read(crustdata.SENDER.sample | {"metadata": {"watch_id": 0, "test": True}}, "crustdata")

    assert reading.is_test
    assert len(reading.job_changes) == 1
