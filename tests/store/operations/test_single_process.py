"""One process at a time on a SQLite file, and the key beside it."""

from __future__ import annotations

import stat

import pytest
from cryptography.fernet import Fernet

from domain.intake_key import SIGNING
from domain.salesforce import SalesforceApp
from services.intake.keys import IntakeKeys
from store.encryption import KEY_FILE, Cipher, WrongKeyError, key_in
from store.operations import secrets
from store.operations.single_process import DatabaseInUseError, exclusive_lock, sqlite_file
from store.salesforce import apps
from tests.conftest import SOMEDAY
from tests.store.sample_rows import add_workspace


def test_a_second_one_is_refused_however_it_names_the_file(tmp_path):
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


def test_the_next_one_may_come_when_the_first_is_gone(tmp_path):
    """The lock goes with its holder."""
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
def test_which_file_a_database_is(url, file):
    """Only a SQLite file can be locked, and have a key beside it."""
    found = sqlite_file(url)

    assert (None if found is None else str(found)) == file


def test_the_key_is_made_once_for_its_owner_alone(tmp_path):
    """Who can read it can read every token."""
    key = key_in(tmp_path)

    assert key_in(tmp_path) == key
    assert Fernet(key)
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == [KEY_FILE]


async def test_a_wrong_key_is_noticed_before_it_is_needed(database):
    """Whatever stands encrypted in the database is tried."""
    await database.run(add_workspace)
    right, wrong = (Cipher.of([Fernet.generate_key().decode()]) for _ in range(2))
    await IntakeKeys(database, right, lambda: SOMEDAY).make("T1", SIGNING, "operator")

    await database.run(secrets.check_readable, right)
    with pytest.raises(WrongKeyError, match=r"ENCRYPTION_KEYS"):
        await database.run(secrets.check_readable, wrong)


async def test_a_secret_of_any_kind_is_tried(database):
    """Also where it is the only one there is."""
    right, wrong = (Cipher.of([Fernet.generate_key().decode()]) for _ in range(2))
    await database.run(add_workspace)
    await database.run(apps.save, right, "T1", SalesforceApp("id", "secret", "U1", SOMEDAY))

    await database.run(secrets.check_readable, right)
    with pytest.raises(WrongKeyError):
        await database.run(secrets.check_readable, wrong)


async def test_an_empty_database_goes_with_any_key(database):
    """There is nothing yet that could not be read."""
    cipher = Cipher.of([Fernet.generate_key().decode()])

    assert await database.run(secrets.check_readable, cipher) is None
