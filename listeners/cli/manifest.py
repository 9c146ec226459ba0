"""The manifest with the operator's address in it, and the link that creates the Slack app from it."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from listeners.cli.terminal import MANIFEST, RefusedError, Terminal
from services.slack.manifest import Manifest


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--url", required=True, metavar="https://…", help="where browsers, and Slack, reach this app")
    parser.add_argument(
        "--socket-mode",
        action="store_true",
        help="for Socket Mode, where Slack need not reach the app; set SLACK_APP_TOKEN too",
    )


def manifest(asked: Namespace, terminal: Terminal) -> int:
    try:
        ours = Manifest.parse(MANIFEST.read_text()).at(asked.url)
    except ValueError as error:
        raise RefusedError(f"{error}.", status=2) from None
    if asked.socket_mode:
        ours = ours.by_socket()
    terminal.tell(ours.as_json())
    terminal.remark(f"\nThis link creates the Slack app from it:\n{ours.share_link}")
    return 0
