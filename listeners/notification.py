"""The buttons under a notification."""

from __future__ import annotations

import re

from slack_bolt.async_app import AsyncAck, AsyncApp

LINKS = re.compile(r"^link_")
"""Buttons that only open a page: Slack tells of them all the same, and wants to hear that we know."""


def register(app: AsyncApp) -> None:
    app.action(LINKS)(open_link)


async def open_link(ack: AsyncAck) -> None:
    await ack()
