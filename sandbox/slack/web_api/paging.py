"""Pagination with cursors. https://docs.slack.dev/apis/web-api/pagination"""

import base64
import binascii
from collections.abc import Sequence
from typing import TypeVar

from sandbox.slack.web_api.calls import ApiError, Call

T = TypeVar("T")


def page(call: Call, items: Sequence[T], default: int, maximum: int = 999, clamp: int = 999) -> tuple[Sequence[T], str]:
    """The requested page, with at most `clamp` items, and the cursor of the next one, which is empty on the last."""
    start = _position(call.text("cursor"), len(items))
    end = start + min(limit(call, default, maximum), clamp)
    cursor = base64.b64encode(f"next:{end}".encode()).decode()
    return items[start:end], cursor if end < len(items) else ""


def limit(call: Call, default: int, maximum: int = 999) -> int:
    try:
        size = int(call.text("limit") or default)
    except ValueError:
        raise ApiError("invalid_limit") from None
    # "Must be an integer under 1000": https://docs.slack.dev/reference/methods/conversations.list
    if not 0 < size <= maximum:
        raise ApiError("invalid_limit")
    return size


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
