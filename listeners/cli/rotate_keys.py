"""Re-encrypting all stored secrets with the first encryption key, so that older keys can be removed."""

from __future__ import annotations

from argparse import Namespace

from listeners.cli.running.preparing import cipher_of
from listeners.cli.terminal import RefusedError, Terminal
from store.database import Database
from store.encryption import KEY_FILE, Cipher, WrongKeyError
from store.operations import secrets as stored_secrets
from store.operations.secrets import SecretColumns

_HOW = (
    "Create a new key, put it before the old one (ENCRYPTION_KEYS=NEW,OLD), restart every process and run this again."
    f" If ENCRYPTION_KEYS was never set, the old key is in the file {KEY_FILE} beside the database."
)


def rotate_keys(_options: Namespace, terminal: Terminal) -> int:
    settings = terminal.settings()
    if len(settings.encryption_keys) < 2:
        raise RefusedError(f"There is only one encryption key. {_HOW}")
    cipher, first = cipher_of(settings), Cipher.of(settings.encryption_keys[:1])
    total_rotated = total_unchanged = 0
    with terminal.database() as database:
        for secrets in stored_secrets.ALL_SECRETS:
            rotated, unchanged = _rotate(database, secrets, cipher, first)
            total_rotated, total_unchanged = total_rotated + rotated, total_unchanged + unchanged
            terminal.write(f"{secrets.table.name:<24}{rotated:>8,} re-encrypted  {unchanged:>8,} unchanged")
    terminal.write(f"{'Total':<24}{total_rotated:>8,} re-encrypted  {total_unchanged:>8,} unchanged")
    terminal.note("All secrets are encrypted with the first key. You can remove the other keys from ENCRYPTION_KEYS.")
    return 0


def _rotate(database: Database, secrets: SecretColumns, cipher: Cipher, first: Cipher) -> tuple[int, int]:
    rotated, unchanged, last = 0, 0, None
    try:
        while batch := database.run_sync(stored_secrets.rotate_batch, secrets, cipher, first, last):
            rotated, unchanged, last = rotated + batch.rotated, unchanged + batch.unchanged, batch.last
    except WrongKeyError as error:
        raise RefusedError(f"{secrets.table.name}: {error}") from None
    return rotated, unchanged
