"""Secrets are encrypted in the database, their keys are outside it, and neither is shown anywhere."""

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
from tests.acceptance.process import open_deployment
from tests.security.two_workspaces import TwoWorkspaces, open_two_workspaces


@pytest.fixture
async def server(sqlite_url: str) -> AsyncIterator[TwoWorkspaces]:
    async with open_two_workspaces(sqlite_url) as made:
        yield made


async def secrets_of(server: TwoWorkspaces) -> dict[str, str]:
    """All secrets of the server, by description."""
    acme = server.acme
    connection = await acme.connection()
    assert connection is not None
    settings = acme.app.settings
    return {
        "the bot's token": next(iter(acme.slack.world.tokens)),
        "the client secret": settings.slack_client_secret,
        "the signing secret": settings.slack_signing_secret,
        "Salesforce's session": connection.access_token or "",
        "Salesforce's refresh token": connection.refresh_token or "",
        "Salesforce's client secret": settings.salesforce_client_secret or "",
        "a sender's key": server.rival_key,
        "the encryption key": settings.encryption_keys[0],
    }


async def test_the_database_contains_no_readable_secret(server: TwoWorkspaces, tmp_path: Path) -> None:
    """No secret and no encryption key is in any cell of any table, or in the bytes of the database files."""
    secret_values = await secrets_of(server)
    assert all(len(secret) > 7 for secret in secret_values.values()), secret_values.keys()

    cells = "\n".join(await server.acme.app.database.run(_cells))
    stored = _bytes_of(tmp_path)
    assert len(cells) > 1_000
    for description, secret in secret_values.items():
        assert secret not in cells, description
        assert secret.encode() not in stored, description


def _bytes_of(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.glob("usergems.db*"))


def _modes_of(folder: Path) -> dict[str, int]:
    return {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir() if file.is_file()}


def _title_of(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().decode()


def _cells(connection: Connection) -> list[str]:
    return [str(cell) for table in metadata.sorted_tables for row in connection.execute(select(table)) for cell in row]


async def test_no_repr_contains_a_secret(server: TwoWorkspaces) -> None:
    """The repr of every part of the app, which a traceback or a log line may show, contains no secret."""
    secret_values = await secrets_of(server)
    printed = {type(part).__name__: repr(part) for part in _parts(server.acme.app)}

    assert len(printed) > 20
    for part, text in printed.items():
        for description, secret in secret_values.items():
            assert secret not in text, (part, description)


def _parts(part: object, seen: set[int] | None = None) -> Iterator[object]:
    seen = set() if seen is None else seen
    if id(part) in seen or not is_dataclass(part):
        return
    seen.add(id(part))
    yield part
    for field in fields(part):
        yield from _parts(getattr(part, field.name), seen)


async def test_no_public_page_contains_a_secret(server: TwoWorkspaces) -> None:
    """No public page contains a secret: landing page, OpenAPI document, health, metrics, errors."""
    secret_values = await secrets_of(server)
    for path in ("/", "/openapi.json", "/healthz", "/readyz", "/metrics", "/nowhere", "/salesforce/connect?link=x"):
        async with server.acme.http.get(server.acme.url + path) as answer:
            shown = f"{answer.headers} {await answer.text()}"
        assert server.acme.team.id not in shown, path
        for description, secret in secret_values.items():
            assert secret not in shown, (path, description)


def test_no_verb_takes_a_secret_from_the_command_line() -> None:
    """Other users of the machine can read a process's arguments."""
    suspicious = {"secret", "token", "key", "password"}
    for verb in VERBS:
        parser = ArgumentParser()
        verb.add_arguments(parser)
        for action in parser._actions:
            assert not suspicious & set(action.dest.split("_")), (verb.name, action.dest)


async def test_process_arguments_and_logs_contain_no_secret(tmp_path: Path) -> None:
    """A running server shows no secret in its title and arguments or in its log at DEBUG."""
    async with open_deployment(tmp_path) as app:
        app.environ["LOG_LEVEL"] = "DEBUG"
        process = await app.serve()
        title = _title_of(process.pid)
        ended = await app.stop(process, 15)
        key = (tmp_path / KEY_FILE).read_text()
        for secret in (app.slack.app.client_secret, app.slack.app.signing_secret, key):
            assert secret not in title
            assert secret not in ended.out + ended.err
        modes = _modes_of(tmp_path)

    assert {"usergems.db", KEY_FILE} <= modes.keys()
    assert {name: oct(mode) for name, mode in modes.items() if mode & 0o077} == {}


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o666, 0o644])
def test_a_world_readable_key_file_is_refused_at_startup(tmp_path: Path, mode: int) -> None:
    """As SSH does. The error says how to fix it."""
    settings = Settings.from_environ({"DATABASE_URL": f"sqlite:///{tmp_path}/usergems.db"}, serving=False)
    key_in(tmp_path)
    cipher_of(settings)

    (tmp_path / KEY_FILE).chmod(mode)

    with pytest.raises(RefusedError, match="chmod 600"):
        cipher_of(settings)


@pytest.mark.parametrize(("mode", "is_warned"), [(0o600, False), (0o640, False), (0o644, True), (0o606, True)])
def test_world_readable_files_are_reported_at_startup(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, mode: int, *, is_warned: bool
) -> None:
    """Group access to the settings and the database may be intended; access for everybody never is."""
    file = tmp_path / ".env"
    file.touch()
    file.chmod(mode)

    with caplog.at_level(logging.WARNING):
        warn_of_readable([file, tmp_path / "not-there"])

    assert is_readable_by_others(file) is is_warned
    assert (f"chmod o= {file}" in caplog.text) is is_warned


def test_settings_hide_their_secrets_in_repr() -> None:
    """The repr of the settings contains no secret."""
    names = ("SLACK_CLIENT_SECRET", "SLACK_SIGNING_SECRET", "SALESFORCE_CLIENT_SECRET", "METRICS_TOKEN")
    environ = {name: f"hidden-{number}" for number, name in enumerate(names)}
    environ |= {"SLACK_CLIENT_ID": "1.2", "SALESFORCE_CLIENT_ID": "3MVG9", "SLACK_APP_TOKEN": "xapp-hidden"}
    environ |= {"DATABASE_URL": "postgresql://gems:hidden@db.example/gems", "HEARTBEAT_URL": "https://a.example/hidden"}
    environ |= {"ENCRYPTION_KEYS": "aGlkZGVuaGlkZGVuaGlkZGVuaGlkZGVuaGlkZGVuMTI="}

    assert "hidden" not in repr(Settings.from_environ(environ))
    assert "aGlkZGVu" not in repr(Settings.from_environ(environ))


def test_the_openapi_document_contains_no_secret() -> None:
    """The document describes keys but contains no real ones."""
    from listeners.intake.openapi import document  # noqa: PLC0415 - built at import

    text = json.dumps(document())
    for marker in ("whsec_", "ugk_", "xox", "Bearer ey"):
        assert marker not in text
