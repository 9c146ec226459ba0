"""Signatures of Standard Webhooks are valid or invalid, and never raise an error."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from services.intake.senders.proofs import TimedSignature
from services.intake.signatures import Signature, secret_of, text_of
from tests.conftest import SOMEDAY

SECRET = bytes(range(32))
NOW = str(SOMEDAY // 1_000).encode()


def signature_of(body: str, secret: bytes = SECRET, message_id: str = "msg_1") -> bytes:
    """Return a signature made by the standard's reference library."""
    moment = datetime.fromtimestamp(SOMEDAY // 1_000, UTC)
    return Webhook(secret).sign(message_id, moment, body).encode()


@given(st.text(), st.binary(min_size=24, max_size=64), st.text(min_size=1).filter(str.isprintable))
def test_signatures_of_the_reference_library_are_valid(body, secret, message_id):
    """Any body and any secret works, and another body does not."""
    signature = Signature(message_id.encode(), NOW, signature_of(body, secret, message_id))

    assert signature.is_made_with(secret, body.encode())
    assert not signature.is_made_with(secret, body.encode() + b" ")


@pytest.mark.parametrize(
    "signatures",
    [
        signature_of("{}") + b" v1,AAAA",
        b"v1,AAAA " + signature_of("{}"),
        b"v1a,AAAA v2,AAAA " + signature_of("{}"),
    ],
)
def test_one_valid_signature_of_several_is_enough(signatures):
    """A sender that rotates its secret signs with both."""
    assert Signature(b"msg_1", NOW, signatures).is_made_with(SECRET, b"{}")


@pytest.mark.parametrize(
    "signature",
    [
        Signature(b"msg_2", NOW, signature_of("{}")),
        Signature(b"msg_1", b"1", signature_of("{}")),
        Signature(b"msg_1", NOW, signature_of("{}").removeprefix(b"v1,")),
        Signature(b"msg_1", NOW, signature_of("{}").replace(b"v1,", b"v1a,")),
        Signature(b"msg_1", NOW, signature_of("{}", bytes(32))),
        Signature(b"msg_1", NOW, signature_of("{}")[:-4]),
        Signature(b"msg_1", NOW, b""),
        Signature(b"msg_1", NOW, b"v1,"),
        Signature(b"\xff", b"\xff", b"\xff\x00 ,, v1"),
    ],
)
def test_forged_and_malformed_signatures_are_invalid(signature):
    """They never raise an error."""
    assert not signature.is_made_with(SECRET, b"{}")


@pytest.mark.parametrize(
    ("timestamp", "is_timely"),
    [
        (NOW, True),
        (str(SOMEDAY // 1_000 - 300).encode(), True),
        (str(SOMEDAY // 1_000 + 300).encode(), True),
        (str(SOMEDAY // 1_000 - 301).encode(), False),
        (str(SOMEDAY // 1_000 + 301).encode(), False),
        (b"", False),
        (b"now", False),
        (b"1e9", False),
        (b"-5", False),
        (NOW + b".5", False),
        (b"9" * 5_000, False),
        ("\u0661".encode(), False),
        (b"\xff", False),
        (b"nan", False),
    ],
)
def test_a_timestamp_may_be_off_by_five_minutes(timestamp, is_timely):
    """Older requests could be replays, and clocks differ. This holds for the signatures of every sender."""
    assert Signature(b"msg_1", timestamp, b"v1,AAAA").is_timely(SOMEDAY) is is_timely
    assert TimedSignature(timestamp, (b"AAAA",)).is_timely(SOMEDAY) is is_timely


def test_a_secret_has_the_format_of_the_standard():
    """Its prefix lets secret scanners find it."""
    assert text_of(SECRET) == "whsec_" + base64.b64encode(SECRET).decode()
    assert secret_of(text_of(SECRET)) == SECRET
    assert Webhook(text_of(SECRET)).sign("1", datetime(2026, 11, 1, tzinfo=UTC), "{}")


def test_an_invalid_secret_is_an_error():
    """Otherwise every request would be refused."""
    with pytest.raises(ValueError, match="whsec_ followed by base64"):
        secret_of("whsec_§§")
