"""The doctor at the terminal: one line per check, with what to do if it fails."""

from __future__ import annotations

import asyncio
import json
from argparse import ArgumentParser, Namespace
from collections.abc import AsyncIterator
from dataclasses import asdict

from cryptography.fernet import Fernet

from listeners.cli.running.preparing import cipher_of
from listeners.cli.terminal import COMMAND, RefusedError, Terminal
from services.operations.check_results import CheckResult, CheckState
from services.settings import Settings, SettingsError
from store.encryption import KEY_FILE, Cipher
from store.operations.single_process import sqlite_file

_LABELS = {CheckState.OK: "ok", CheckState.FAILED: "FAILED", CheckState.UNKNOWN: "unknown"}


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="as JSON")


def run_doctor(options: Namespace, terminal: Terminal) -> int:
    return asyncio.run(_run(terminal, as_json=options.json))


async def _run(terminal: Terminal, *, as_json: bool) -> int:
    results = []
    async for result in _results(terminal):
        results.append(result)
        if not as_json:
            terminal.write(f"{_LABELS[result.state]:<8} {result.name}: {result.text}")
    if as_json:
        terminal.write(json.dumps([asdict(result) for result in results], indent=2))
    return 1 if any(result.state is CheckState.FAILED for result in results) else 0


async def _results(terminal: Terminal) -> AsyncIterator[CheckResult]:
    try:
        terminal.settings(serving=True)
        yield CheckResult("settings", CheckState.OK, "all required settings are set")
    except SettingsError as error:
        for fault in error.faults:
            yield CheckResult("settings", CheckState.FAILED, fault)
    try:
        settings = terminal.settings()
    except SettingsError:
        return
    file = sqlite_file(settings.database_url)
    if file and not file.exists():  # connecting would create it
        yield CheckResult(
            "database", CheckState.FAILED, f"there is no file at {file} yet; to create it, run: {COMMAND} serve"
        )
        return
    try:
        cipher = _cipher(settings)
    except RefusedError as error:
        yield CheckResult("encryption keys", CheckState.FAILED, str(error).rstrip("."))
        return
    async with terminal.build(settings, cipher) as app:
        async for result in app.doctor.run():
            yield result


def _cipher(settings: Settings) -> Cipher:
    """Return the cipher for the operator's keys, or for a temporary key if there are none yet: checks create no key."""
    file = sqlite_file(settings.database_url)
    if file and not settings.encryption_keys and not (file.parent / KEY_FILE).exists():
        return Cipher.of([Fernet.generate_key().decode()])
    return cipher_of(settings)
