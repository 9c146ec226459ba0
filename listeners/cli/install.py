"""Installing the app in a workspace from the terminal, with a bot token, where Slack cannot redirect to the app."""

from __future__ import annotations

import asyncio
import sys
from argparse import Namespace
from getpass import getpass

from domain.errors import PermanentError, TransientError
from listeners.cli.running.preparing import prepared
from listeners.cli.terminal import COMMAND, RefusedError, Terminal
from store.encryption import Cipher

_TOKEN = "Bot User OAuth Token (xoxb-…, from OAuth & Permissions of the Slack app): "  # noqa: S105


def install(_options: Namespace, terminal: Terminal) -> int:
    """Read a bot token from a hidden prompt or standard input: a command line is visible to every user."""
    settings = terminal.settings(serving=True)
    token = (getpass(_TOKEN) if sys.stdin.isatty() else sys.stdin.readline()).strip()
    if not token:
        raise RefusedError("No token was entered.", status=2)
    with prepared(settings, works=False) as cipher:
        asyncio.run(_install(terminal, cipher, token))
    return 0


async def _install(terminal: Terminal, cipher: Cipher, token: str) -> None:
    async with terminal.build(terminal.settings(), cipher) as app:
        try:
            installation = await app.token_install.install(token)
        except (PermanentError, TransientError) as error:
            raise RefusedError(f"{str(error).rstrip('.')}.") from None
    if installation.is_enterprise_install:
        place = f"the organization {installation.enterprise_name} ({installation.enterprise_id})"
    else:
        place = f"{installation.team_name} ({installation.team_id})"
    terminal.write(f"The app is installed in {place}.")
    terminal.note(
        f"Next: run {COMMAND} serve, open the app's Home in Slack as a workspace admin, and choose the default channel"
        " there."
    )
