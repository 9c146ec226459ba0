"""What is wrong, and what to do about it: one line a check."""

from __future__ import annotations

import asyncio
import json
from argparse import ArgumentParser, Namespace
from collections.abc import AsyncIterator
from dataclasses import asdict

from cryptography.fernet import Fernet

from listeners.cli.running.preparing import cipher_of
from listeners.cli.terminal import RefusedError, Terminal
from services.operations.check_results import Finding, State
from services.settings import Settings, SettingsError
from store.encryption import KEY_FILE, Cipher
from store.operations.single_process import sqlite_file

NAME = "settings"

_SIGNS = {State.OK: "ok", State.FAILED: "FAILED", State.UNKNOWN: "unknown"}


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="as JSON")


def doctor(asked: Namespace, terminal: Terminal) -> int:
    return asyncio.run(_examine(terminal, as_json=asked.json))


async def _examine(terminal: Terminal, *, as_json: bool) -> int:
    found = []
    async for finding in _findings(terminal):
        found.append(finding)
        if not as_json:
            terminal.write(f"{_SIGNS[finding.state]:<8} {finding.name}: {finding.text}")
    if as_json:
        terminal.write(json.dumps([asdict(finding) for finding in found], indent=2))
    return 1 if any(finding.state is State.FAILED for finding in found) else 0


async def _findings(terminal: Terminal) -> AsyncIterator[Finding]:
    for finding in _settings_findings(terminal):
        yield finding
    try:
        settings = terminal.settings()
    except SettingsError:
        return
    if problem := _problem_with_file(settings):
        yield problem
        return
    try:
        cipher = _cipher(settings)
    except RefusedError as error:
        yield Finding("encryption keys", State.FAILED, str(error).rstrip("."))
        return
    async with terminal.build(settings, cipher) as app:
        async for finding in app.checkup.run():
            yield finding


def _settings_findings(terminal: Terminal) -> list[Finding]:
    try:
        terminal.settings(serving=True)
    except SettingsError as error:
        return [Finding(NAME, State.FAILED, fault) for fault in error.faults]
    return [Finding(NAME, State.OK, "everything required is set")]


def _problem_with_file(settings: Settings) -> Finding | None:
    """Looking into a SQLite file that is not there would make one."""
    file = sqlite_file(settings.database_url)
    if file and not file.exists():
        text = f"there is none at {file} yet: start with python app.py serve"
        return Finding("database", State.FAILED, text)
    return None


def _cipher(settings: Settings) -> Cipher:
    """The operator's keys; where there are none yet, one that reads nothing, so that none is made here."""
    file = sqlite_file(settings.database_url)
    if file and not settings.encryption_keys and not (file.parent / KEY_FILE).exists():
        return Cipher.of([Fernet.generate_key().decode()])
    return cipher_of(settings)
