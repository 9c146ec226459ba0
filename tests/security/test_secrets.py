"""Secrets stay where they belong: encrypted in the database, the keys outside of it, and nowhere else."""

from __future__ import annotations

import json
import logging
import stat
from argparse import ArgumentParser
from collections.abc import AsyncIterator, Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest
from sqlalchemy import Connection, select

from listeners.cli.running.preparing import cipher_of, is_readable_by_others, warn_of_readable
from listeners.cli.table import VERBS
from listeners.cli.terminal import RefusedError
from services.settings import Settings
from store.encryption import KEY_FILE, key_in
from store.slack.sdk_stores import metadata
from tests.acceptance.process import surroundings
from tests.security.two_workspaces import Fort, fort


@pytest.fixture
async def castle(sqlite_url: str) -> AsyncIterator[Fort]:
    async with fort(sqlite_url) as made:
        yield made


async def secrets_of(castle: Fort) -> dict[str, str]:
    """All that would open a door, by what it is."""
    acme = castle.acme
    known = await acme.connection()
    assert known is not None
    settings = acme.app.settings
    return {
        "the bot's token": next(iter(acme.slack.world.tokens)),
        "the client secret": settings.slack_client_secret,
        "the signing secret": settings.slack_signing_secret,
        "Salesforce's session": known.access_token or "",
        "Salesforce's refresh token": known.refresh_token or "",
        "Salesforce's client secret": settings.salesforce_client_secret or "",
        "a sender's key": castle.rival_key,
        "the encryption key": settings.encryption_keys[0],
    }


async def test_nothing_in_the_database_opens_a_door(castle: Fort, tmp_path: Path) -> None:
    """Every cell of every table, and the bytes of its files: no secret as it is, and no key to them."""
    sought = await secrets_of(castle)
    assert all(len(secret) > 7 for secret in sought.values()), sought.keys()

    cells = "\n".join(await castle.acme.app.database.run(_cells))
    stored = _bytes_of(tmp_path)
    assert len(cells) > 1_000
    for what, secret in sought.items():
        assert secret not in cells, what
        assert secret.encode() not in stored, what


def _bytes_of(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.glob("usergems.db*"))


def _modes_of(folder: Path) -> dict[str, int]:
    return {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir() if file.is_file()}


def _title_of(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().decode()


def _cells(connection: Connection) -> list[str]:
    return [str(cell) for table in metadata.sorted_tables for row in connection.execute(select(table)) for cell in row]


async def test_nothing_that_is_printed_tells_a_secret(castle: Fort) -> None:
    """The repr of every part of the app, down to its last field: that is what a traceback, or a careless log, shows."""
    sought = await secrets_of(castle)
    printed = {type(part).__name__: repr(part) for part in _parts(castle.acme.app)}

    assert len(printed) > 20
    for part, text in printed.items():
        for what, secret in sought.items():
            assert secret not in text, (part, what)


def _parts(part: object, seen: set[int] | None = None) -> Iterator[object]:
    seen = set() if seen is None else seen
    if id(part) in seen or not is_dataclass(part):
        return
    seen.add(id(part))
    yield part
    for each in fields(part):
        yield from _parts(getattr(part, each.name), seen)


async def test_no_page_and_no_document_tells_a_secret(castle: Fort) -> None:
    """What anybody may read: the landing page, the contract, the health of the process, the metrics, an error."""
    sought = await secrets_of(castle)
    for path in ("/", "/openapi.json", "/healthz", "/readyz", "/metrics", "/nowhere", "/salesforce/connect?link=x"):
        async with castle.acme.http.get(castle.acme.url + path) as answer:
            told = f"{answer.headers} {await answer.text()}"
        assert castle.acme.team.id not in told, path
        for what, secret in sought.items():
            assert secret not in told, (path, what)


def test_no_verb_takes_a_secret_from_the_command_line() -> None:
    """Other users of a machine read what was typed in the list of processes. A database's address is checked below."""
    suspicious = {"secret", "token", "key", "password"}
    for verb in VERBS:
        parser = ArgumentParser()
        if verb.arguments:
            verb.arguments(parser)
        for action in parser._actions:
            assert not suspicious & set(action.dest.split("_")), (verb.name, action.dest)


async def test_the_list_of_processes_and_the_log_tell_no_secret(tmp_path: Path) -> None:
    """Of a process that really serves: its title, its arguments, all that it says at DEBUG and when asked nonsense."""
    async with surroundings(tmp_path) as served:
        served.environ["LOG_LEVEL"] = "DEBUG"
        process = await served.serve()
        title = _title_of(process.pid)
        ended = await served.end(process, 15)
        key = (tmp_path / KEY_FILE).read_text()
        for secret in (served.slack.app.client_secret, served.slack.app.signing_secret, key):
            assert secret not in title
            assert secret not in ended.out + ended.err
        modes = _modes_of(tmp_path)

    assert {"usergems.db", KEY_FILE} <= modes.keys()
    assert {name: oct(mode) for name, mode in modes.items() if mode & 0o077} == {}


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o666, 0o644])
def test_a_key_that_everybody_can_read_is_refused_at_the_start(tmp_path: Path, mode: int) -> None:
    """As SSH does: the tokens are as safe as the key. What to do is said."""
    settings = Settings.from_environ({"DATABASE_URL": f"sqlite:///{tmp_path}/usergems.db"}, serving=False)
    key_in(tmp_path)
    cipher_of(settings)

    (tmp_path / KEY_FILE).chmod(mode)

    with pytest.raises(RefusedError, match="chmod 600"):
        cipher_of(settings)


@pytest.mark.parametrize(("mode", "is_told"), [(0o600, False), (0o640, False), (0o644, True), (0o606, True)])
def test_open_files_are_told_at_the_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, mode: int, *, is_told: bool
) -> None:
    """Settings and database hold secrets and people; a group may be wanted, everybody never is."""
    file = tmp_path / ".env"
    file.touch()
    file.chmod(mode)

    with caplog.at_level(logging.WARNING):
        warn_of_readable([file, tmp_path / "not-there"])

    assert is_readable_by_others(file) is is_told
    assert (f"chmod o= {file}" in caplog.text) is is_told


def test_settings_print_without_their_secrets() -> None:
    """Not even by accident, in an error of a test."""
    names = ("SLACK_CLIENT_SECRET", "SLACK_SIGNING_SECRET", "SALESFORCE_CLIENT_SECRET", "METRICS_TOKEN")
    environ = {name: f"hidden-{number}" for number, name in enumerate(names)}
    environ |= {"SLACK_CLIENT_ID": "1.2", "SALESFORCE_CLIENT_ID": "3MVG9", "SLACK_APP_TOKEN": "xapp-hidden"}
    environ |= {"DATABASE_URL": "postgresql://gems:hidden@db.example/gems", "HEARTBEAT_URL": "https://a.example/hidden"}
    environ |= {"ENCRYPTION_KEYS": "aGlkZGVuaGlkZGVuaGlkZGVuaGlkZGVuaGlkZGVuMTI="}

    assert "hidden" not in repr(Settings.from_environ(environ))
    assert "aGlkZGVu" not in repr(Settings.from_environ(environ))


def test_the_openapi_document_names_no_server_and_no_secret() -> None:
    """It describes keys, and gives none."""
    from listeners.intake.openapi import document  # noqa: PLC0415 - built at import

    text = json.dumps(document())
    for marker in ("whsec_", "ugk_", "xox", "Bearer ey"):
        assert marker not in text
