"""Connections to Salesforce: secrets are encrypted, and one process renews a token."""

from collections.abc import Iterator

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import Connection, select

from domain.salesforce import CLIENT_CREDENTIALS, WEB_SERVER, CallsMade, SalesforceConnection, SalesforceTokens
from store.database import Database
from store.encryption import Cipher
from store.salesforce import connections
from store.salesforce.connections import RENEWAL_LEASE_MS, Renewal
from store.schema import salesforce_connections as table
from store.slack import workspaces
from tests.conftest import SOMEDAY
from tests.world import installed

OLD_KEY = Fernet.generate_key().decode()
CIPHER = Cipher.of([OLD_KEY])
ACME = SalesforceConnection(
    workspace_id="T1",
    flow=WEB_SERVER,
    login_url="https://acme.my.salesforce.com",
    connected_at=SOMEDAY,
    instance_url="https://acme.my.salesforce.com",
    access_token="access-1",
    refresh_token="refresh-1",
    client_secret="secret",
)
TOKENS = SalesforceTokens(
    access_token="access-2",
    refresh_token="refresh-2",
    instance_url="https://moved.my.salesforce.com",
    org_id="00D000000000001",
    user_id="005000000000001",
)


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    """Open a transaction in which the workspace T1 is connected to the org of Acme."""
    with database.begin() as connection:
        workspaces.install(connection, installed("T1"))
        workspaces.install(connection, installed("T2"))
        connections.save(connection, CIPHER, ACME)
        yield connection


def test_secrets_are_readable_with_the_key_only(connection: Connection) -> None:
    """Neither the stored values nor their repr contain them."""
    assert connections.find(connection, CIPHER, "T1") == ACME
    stored = connection.execute(select(table)).one()
    for secret in ("access-1", "refresh-1", "secret"):
        assert secret not in stored
        assert secret not in repr(ACME)
    assert connections.find(connection, CIPHER, "T2") is None


def test_connecting_again_replaces_the_connection(connection: Connection) -> None:
    """A workspace has one Salesforce org."""
    again = SalesforceConnection(
        workspace_id="T1", flow=CLIENT_CREDENTIALS, login_url="https://b.my.salesforce.com", connected_at=1
    )
    connections.save(connection, CIPHER, again)
    assert connections.find(connection, CIPHER, "T1") == again
    assert connections.remove(connection, "T1") is True
    assert connections.remove(connection, "T1") is False


def test_a_connection_is_added_only_if_there_is_none(connection: Connection) -> None:
    """An existing one stays, and an unknown workspace gets none."""
    new = SalesforceConnection(
        workspace_id="T2", flow=CLIENT_CREDENTIALS, login_url="https://b.my.salesforce.com", connected_at=1
    )
    for workspace_id, expected in (("T2", new), ("T1", ACME), ("T3", None)):
        added = SalesforceConnection(**vars(new) | {"workspace_id": workspace_id})
        assert connections.add_if_absent(connection, CIPHER, added) == expected


def test_one_renews_and_the_others_wait(connection: Connection) -> None:
    """The first to see the session end renews it. The others learn that it is busy, and then that it is done."""
    assert claim(connection, "access-1", SOMEDAY) is Renewal.OURS
    assert claim(connection, "access-1", SOMEDAY + 1) is Renewal.BUSY
    assert claim(connection, None, SOMEDAY + 1) is Renewal.BUSY
    connections.store_tokens(connection, CIPHER, "T1", TOKENS, SOMEDAY + 2)
    assert claim(connection, "access-1", SOMEDAY + 3) is Renewal.DONE
    assert claim(connection, "access-2", SOMEDAY + 3) is Renewal.OURS
    assert connections.claim_renewal(connection, CIPHER, "T2", None, SOMEDAY) is None


def claim(connection: Connection, stale_token: str | None, now: int) -> Renewal:
    claimed = connections.claim_renewal(connection, CIPHER, "T1", stale_token, now)
    assert claimed is not None
    return claimed[0]


def test_a_renewal_of_a_dead_process_is_taken_over(connection: Connection) -> None:
    """The right to renew ends with the lease, or when it is released."""
    assert claim(connection, "access-1", SOMEDAY) is Renewal.OURS
    assert claim(connection, "access-1", SOMEDAY + RENEWAL_LEASE_MS) is Renewal.OURS
    connections.give_up_renewal(connection, "T1", "fix it")
    assert claim(connection, "access-1", SOMEDAY + RENEWAL_LEASE_MS + 1) is Renewal.OURS
    known = connections.find(connection, CIPHER, "T1")
    assert known is not None
    assert known.problem == "fix it"


def test_a_refresh_token_stays_unless_there_is_a_new_one(connection: Connection) -> None:
    """Without rotation Salesforce returns none. A renewal also clears the problem."""
    connections.note_problem(connection, "T1", "fix it")
    same = SalesforceTokens(**vars(TOKENS) | {"refresh_token": None})
    for tokens, expected in ((same, "refresh-1"), (TOKENS, "refresh-2")):
        connections.store_tokens(connection, CIPHER, "T1", tokens, SOMEDAY)
        known = connections.find(connection, CIPHER, "T1")
        assert known is not None
        assert (known.refresh_token, known.access_token, known.problem) == (expected, "access-2", None)
        assert (known.instance_url, known.org_id) == (TOKENS.instance_url, TOKENS.org_id)


def test_an_answer_is_stored_with_its_api_usage(connection: Connection) -> None:
    """Status shows the time and the remaining calls. An answer without usage changes neither."""
    assert connections.note_answer(connection, "T1", SOMEDAY, CallsMade(1, (18, 15_000))) == 1
    assert connections.note_answer(connection, "T1", SOMEDAY + 1, CallsMade(2)) == 3
    known = connections.find(connection, CIPHER, "T1")
    assert known is not None
    assert (known.last_success_at, known.api_used, known.api_limit) == (SOMEDAY + 1, 18, 15_000)
