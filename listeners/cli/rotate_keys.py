"""Putting every secret at rest under the first of the operator's keys, so that the older ones can go."""

from __future__ import annotations

from argparse import Namespace

from listeners.cli.running.preparing import cipher_of
from listeners.cli.terminal import RefusedError, Terminal
from services.settings import Settings
from store.database import Database
from store.encryption import KEY_FILE, Cipher, WrongKeyError
from store.operations import secrets as rotating
from store.operations.secrets import Secrets

_HOW = (
    "Make a new one, put it in front of the old one (ENCRYPTION_KEYS=NEW,OLD), restart every process, and run this"
    f" again. Where ENCRYPTION_KEYS was never set, the old key is what stands in {KEY_FILE} beside the database."
)


def rotate_keys(_asked: Namespace, terminal: Terminal) -> int:
    settings = terminal.settings()
    cipher, first = cipher_of(settings), _first(settings)
    anew = already = 0
    with terminal.database() as database:
        for secrets in rotating.ALL:
            counts = _rotate(database, secrets, cipher, first)
            anew, already = anew + counts[0], already + counts[1]
            terminal.write(f"{secrets.table.name:<24}{counts[0]:>8,} encrypted anew  {counts[1]:>8,} were already")
    terminal.write(f"{'in all':<24}{anew:>8,} encrypted anew  {already:>8,} were already")
    terminal.note("All secrets are under the first key: the others may be removed from ENCRYPTION_KEYS.")
    return 0


def _first(settings: Settings) -> Cipher:
    if len(settings.encryption_keys) < 2:
        raise RefusedError(f"There is only one key. {_HOW}")
    return Cipher.of(settings.encryption_keys[:1])


def _rotate(database: Database, secrets: Secrets, cipher: Cipher, first: Cipher) -> tuple[int, int]:
    anew, already, last = 0, 0, None
    try:
        while done := database.run_sync(rotating.rotate_some, secrets, cipher, first, last):
            anew, already, last = anew + done.anew, already + done.already, done.last
    except WrongKeyError as error:
        raise RefusedError(f"{secrets.table.name}: {error}") from None
    return anew, already
