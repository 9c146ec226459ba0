"""How slack_sdk's own stores come to work inside a transaction of ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection


@dataclass(frozen=True)
class OpenTransaction:
    """Stands in for the Engine of slack_sdk's stores, so that what they do is part of the transaction at hand."""

    connection: Connection

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        yield self.connection

    connect = begin
