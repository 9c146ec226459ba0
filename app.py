"""Runs the terminal. The only module that reads the environment."""

from __future__ import annotations

import gc
import os
import shutil
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from dotenv import load_dotenv

if TYPE_CHECKING:
    from listeners.cli.terminal import App
    from services.settings import Settings
    from store.encryption import Cipher

UMASK = 0o077
"""Files that the app creates are readable by its own user only."""

PROXY_VARIABLES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy")


def build(settings: Settings, cipher: Cipher, now: Callable[[], int] | None = None) -> AbstractAsyncContextManager[App]:
    """Build the whole app, see listeners/assembly.py."""
    from listeners import assembly  # noqa: PLC0415 - takes most of the time to start, and few verbs need it

    return assembly.build(settings, cipher, now)


def main() -> int:
    """Run the verb on the command line and return the exit status."""
    # Modules live until the end. Looking for garbage in them again and again takes a sixth of the time to start.
    gc.disable()
    from listeners.cli import table  # noqa: PLC0415 - loads most of what a verb needs

    os.umask(UMASK)
    load_dotenv()
    environ = dict(os.environ)
    for name in PROXY_VARIABLES:  # the Slack SDK would use them for every address, even for this machine
        os.environ.pop(name, None)
    return table.run(sys.argv[1:], environ, build, _command())


def _command() -> str:
    """What was typed before the verb, so that hints can be copied as they are."""
    python = Path(sys.executable)
    if Path(shutil.which("python") or "") == python:
        return f"python {sys.argv[0]}"
    return f"{python.relative_to(Path.cwd()) if python.is_relative_to(Path.cwd()) else python} {sys.argv[0]}"


if __name__ == "__main__":
    sys.exit(main())
