"""Cursors: how long lists are read a page at a time. https://docs.slack.dev/apis/web-api/pagination"""

import base64
import binascii
from collections.abc import Sequence
from typing import TypeVar

from sandbox.slack.web_api.calls import ApiError, Call

T = TypeVar("T")


def page(call: Call, items: Sequence[T], default: int, most: int = 999) -> tuple[Sequence[T], str]:
    """The page asked for, and the cursor of the next one, empty at the end."""
    start = _position(call.text("cursor"), len(items))
    end = start + limit(call, default, most)
    return items[start:end], _cursor(end) if end < len(items) else ""


def limit(call: Call, default: int, most: int = 999) -> int:
    try:
        asked = int(call.text("limit") or default)
    except ValueError:
        raise ApiError("invalid_limit") from None
    # "Must be an integer under 1000": https://docs.slack.dev/reference/methods/conversations.list
    if not 0 < asked <= most:
        raise ApiError("invalid_limit")
    return asked


def _cursor(position: int) -> str:
    return base64.b64encode(f"next:{position}".encode()).decode()


def _position(cursor: str, length: int) -> int:
    if not cursor:
        return 0
    try:
        name, _, position = base64.b64decode(cursor, validate=True).decode().partition(":")
        start = int(position)
    except (binascii.Error, ValueError):
        raise ApiError("invalid_cursor") from None
    if name != "next" or not 0 <= start <= length:
        raise ApiError("invalid_cursor")
    return start
