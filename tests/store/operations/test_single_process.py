"""One process at a time on a SQLite file, and the key beside it."""

from __future__ import annotations

import stat

import pytest
from cryptography.fernet import Fernet

from domain.salesforce import SalesforceApp
from domain.workspace import SIGNING
from services.intake.keys import IntakeKeys
from store.encryption import KEY_FILE, Cipher, WrongKeyError, key_in
from store.operations import secrets
from store.operations.single_process import DatabaseInUseError, exclusive_lock, sqlite_file
from store.salesforce import apps
from tests.conftest import SOMEDAY
from tests.store.sample_rows import add_workspace


def test_a_second_process_is_refused(tmp_path):
    """A link to the file is the same file."""
    file, link = tmp_path / "usergems.db", tmp_path / "link.db"
    file.touch()
    link.symlink_to(file)

    with (
        exclusive_lock(file),
        pytest.raises(DatabaseInUseError, match=r"link\.db"),
        exclusive_lock(link),
    ):
        pass


def test_the_lock_ends_with_its_process(tmp_path):
    """The next process may use the file."""
    with exclusive_lock(tmp_path / "usergems.db"):
        pass

    with exclusive_lock(tmp_path / "usergems.db"):
        assert (tmp_path / "usergems.db.lock").exists()


@pytest.mark.parametrize(
    ("url", "file"),
    [
        ("sqlite:///./usergems.db", "usergems.db"),
        ("sqlite:////var/lib/usergems.db", "/var/lib/usergems.db"),
        ("sqlite:///:memory:", None),
        ("sqlite://", None),
        ("postgresql://db/usergems", None),
    ],
)
def test_only_a_sqlite_file_has_a_path(url, file):
    """Only a file can be locked and have a key beside it."""
    found = sqlite_file(url)

    assert (None if found is None else str(found)) == file


def test_the_key_is_created_once_and_readable_by_its_owner_only(tmp_path):
    """Anyone who can read it can decrypt every token."""
    key = key_in(tmp_path)

    assert key_in(tmp_path) == key
    assert Fernet(key)
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == [KEY_FILE]


async def test_a_wrong_key_is_noticed_at_the_start(database):
    """One value of each encrypted column is decrypted."""
    await database.run(add_workspace)
    right, wrong = (Cipher.of([Fernet.generate_key().decode()]) for _ in range(2))
    await IntakeKeys(database, right, lambda: SOMEDAY, lambda: SOMEDAY).make("T1", SIGNING, "operator")

    await database.run(secrets.check_readable, right)
    with pytest.raises(WrongKeyError, match=r"ENCRYPTION_KEYS"):
        await database.run(secrets.check_readable, wrong)


async def test_every_kind_of_secret_is_checked(database):
    """Also if it is the only one."""
    right, wrong = (Cipher.of([Fernet.generate_key().decode()]) for _ in range(2))
    await database.run(add_workspace)
    await database.run(apps.save, right, "T1", SalesforceApp("id", "secret", "U1", SOMEDAY))

    await database.run(secrets.check_readable, right)
    with pytest.raises(WrongKeyError):
        await database.run(secrets.check_readable, wrong)


async def test_an_empty_database_accepts_any_key(database):
    """There is nothing to decrypt."""
    cipher = Cipher.of([Fernet.generate_key().decode()])

    assert await database.run(secrets.check_readable, cipher) is None
