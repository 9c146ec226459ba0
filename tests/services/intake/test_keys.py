"""Keys are created, shown once, rotated with a day of grace, and never stored in clear text."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import select
from standardwebhooks import Webhook

from domain.workspace import BEARER, SIGNING
from services.intake.keys import CACHED_MS, IntakeKeys, KeyCheck, valid_keys
from services.intake.senders.proofs import Credentials
from services.intake.signatures import Signature
from store import audit
from store.encryption import Cipher
from store.schema import intake_keys as table
from store.slack import workspaces
from tests.conftest import SOMEDAY
from tests.store.sample_rows import add_workspace
from tests.world import installed

DAY_SECONDS = 24 * 60 * 60


@pytest.fixture
def encryption_key():
    return Fernet.generate_key().decode()


@pytest.fixture
def cipher(encryption_key):
    return Cipher.of([encryption_key])


@pytest.fixture
async def keys(database, clock, cipher):
    await database.run(add_workspace)
    return IntakeKeys(database, cipher, clock, clock)


async def check(keys: IntakeKeys, key: str, workspace_id: str = "T1") -> KeyCheck:
    if not key.startswith("whsec_"):
        return (await keys.check_head(workspace_id, Credentials(None, (key.encode(),)))).result
    now = keys.now() // 1_000
    signed = Webhook(key).sign("msg_1", datetime.fromtimestamp(now, UTC), "{}").encode()
    signature = Signature(b"msg_1", str(now).encode(), signed)
    credentials = Credentials(signature, ())
    assert (await keys.check_head(workspace_id, credentials)).result is KeyCheck.NEEDS_BODY
    return (await keys.check_signature(workspace_id, credentials, b"{}")).result


@pytest.mark.parametrize("kind", [SIGNING, BEARER])
async def test_a_new_key_works_at_once(keys, kind):
    """This holds even if a request was refused just before."""
    assert await check(keys, "ugk_wrong") is KeyCheck.INVALID

    key = await keys.make("T1", kind, "U_DANA")

    assert await check(keys, key) is KeyCheck.VALID
    assert await check(keys, key, "T9") is KeyCheck.INVALID


@pytest.mark.parametrize("kind", [SIGNING, BEARER])
async def test_a_key_created_by_another_process_works_at_once(keys, database, clock, cipher, kind):
    """This process may have cached the earlier keys."""
    known = await keys.make("T1", kind, "U_DANA")
    assert await check(keys, known) is KeyCheck.VALID

    key = await IntakeKeys(database, cipher, clock, clock).make("T1", kind, "U_DANA")

    assert await check(keys, key) is KeyCheck.VALID


@pytest.mark.parametrize("kind", [SIGNING, BEARER])
@pytest.mark.both_databases
async def test_a_rotated_key_works_for_another_day(keys, clock, kind):
    """Its sender can be updated in the meantime."""
    old = await keys.make("T1", kind, "U_DANA")
    new = await keys.make("T1", kind, "U_DANA")

    clock.advance(seconds=DAY_SECONDS - 1)
    assert await check(keys, old) is KeyCheck.VALID
    clock.advance(seconds=1)
    assert await check(keys, old) is KeyCheck.INVALID
    assert await check(keys, new) is KeyCheck.VALID


@pytest.mark.parametrize("kind", [SIGNING, BEARER])
async def test_a_stolen_key_can_be_revoked_at_once(keys, clock, kind):
    """Earlier ones end too. Other processes cache it for a few more seconds."""
    older, stolen = [await keys.make("T1", kind, "U_DANA") for _ in range(2)]
    other = await keys.make("T1", BEARER if kind == SIGNING else SIGNING, "U_DANA")
    assert await check(keys, stolen) is KeyCheck.VALID

    new = await keys.make("T1", kind, "operator", grace_ms=0)
    clock.advance(seconds=CACHED_MS / 1_000 + 1)

    assert [await check(keys, key) for key in (older, stolen)] == [KeyCheck.INVALID] * 2
    assert [await check(keys, key) for key in (new, other)] == [KeyCheck.VALID] * 2


async def test_rotating_again_does_not_extend_the_first_keys_grace_period(keys, clock):
    """It expires a day after it was rotated."""
    first = await keys.make("T1", BEARER, "U_DANA")
    await keys.make("T1", BEARER, "U_DANA")
    clock.advance(seconds=DAY_SECONDS / 2)
    await keys.make("T1", BEARER, "U_DANA")

    clock.advance(seconds=DAY_SECONDS / 2)

    assert await check(keys, first) is KeyCheck.INVALID


async def test_rotating_one_kind_leaves_the_other(keys, clock):
    """They are used by different senders."""
    signing = await keys.make("T1", SIGNING, "U_DANA")
    await keys.make("T1", BEARER, "U_DANA")
    await keys.make("T1", BEARER, "U_DANA")

    clock.advance(seconds=2 * DAY_SECONDS)

    assert await check(keys, signing) is KeyCheck.VALID


async def test_keys_are_listed_without_their_secrets(keys, clock):
    """The newest comes first, and expired keys are left out."""
    await keys.make("T1", BEARER, "U_DANA")
    clock.advance(seconds=60)
    await keys.make("T1", BEARER, "U_MO")
    await keys.make("T1", SIGNING, "U_DANA")

    listed = [
        (key.kind, key.made_at, key.made_by, key.expires_at)
        for key in await keys.database.run(valid_keys, "T1", keys.now())
    ]

    assert listed == [
        (SIGNING, SOMEDAY + 60_000, "U_DANA", None),
        (BEARER, SOMEDAY + 60_000, "U_MO", None),
        (BEARER, SOMEDAY, "U_DANA", SOMEDAY + 60_000 + DAY_SECONDS * 1_000),
    ]
    clock.advance(seconds=DAY_SECONDS)
    assert len(await keys.database.run(valid_keys, "T1", keys.now())) == 2


@pytest.mark.parametrize("kind", [SIGNING, BEARER])
async def test_a_key_is_not_stored_in_clear_text(keys, database, kind):
    """Read access to the database is not enough to post."""
    key = await keys.make("T1", kind, "U_DANA")

    rows = await database.run(lambda connection: connection.execute(select(table)).all())

    assert key.removeprefix("whsec_") not in str(rows)
    assert key not in repr(keys)


async def test_a_new_key_is_in_the_audit_log(keys, database):
    """The entry has who created it and its kind."""
    await keys.make("T1", BEARER, "U_DANA")

    [change] = await database.run(audit.recent, "T1")
    assert (change.actor, change.action, change.detail) == ("U_DANA", "made an intake key", BEARER)


async def test_keys_of_a_workspace_that_removed_the_app_are_recognized(keys, database):
    """The sender learns that the app was removed. After a reinstall the keys work again."""
    key = await keys.make("T1", BEARER, "U_DANA")
    await database.run(workspaces.mark_gone, "T1", SOMEDAY)

    assert await check(keys, key) is KeyCheck.UNINSTALLED

    await database.run(workspaces.install, installed("T1", installed_at=SOMEDAY))
    assert await check(keys, key) is KeyCheck.VALID


async def test_missing_or_expired_credentials_are_invalid(keys):
    """The database is not queried."""
    await keys.make("T1", SIGNING, "U_DANA")

    for credentials in (Credentials(), Credentials(Signature(b"1", b"1", b"v1,x"))):
        assert (await keys.check_head("T1", credentials)).result is KeyCheck.INVALID


async def test_an_unknown_workspace_costs_the_same(keys, monkeypatch):
    """A signature is computed for it too, so that the time of a refusal does not show which workspaces exist."""
    computed: list[bytes] = []
    signature = Signature(b"msg_1", str(keys.now() // 1_000).encode(), b"v1,x")
    monkeypatch.setattr(Signature, "is_made_with", lambda _self, _secret, body: bool(computed.append(body)))
    await keys.make("T1", SIGNING, "U_DANA")

    for workspace_id, body in (("T1", b"known"), ("T_UNKNOWN", b"unknown")):
        checked = await keys.check_signature(workspace_id, Credentials(signature), body)
        assert checked.result is KeyCheck.INVALID

    assert computed == [b"known", b"unknown"]
