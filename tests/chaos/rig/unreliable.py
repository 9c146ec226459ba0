"""A database whose connections fail at random, before a transaction or after its commit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

from sqlalchemy import Connection

from store.database import Database, DatabaseUnavailableError


class UnreliableDatabase(Database):
    """A `share` of all transactions fails, half of them after their commit. It is 0 until a test sets it."""

    def __init__(self, url: str, seed: int) -> None:
        super().__init__(url)
        self.share = 0.0
        self.failures = 0
        self._chance = Random(seed)

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        draw = self._chance.random()
        if draw < self.share / 2:
            self.failures += 1
            raise DatabaseUnavailableError("connection lost before the transaction")
        with super().begin() as connection:
            yield connection
        if draw < self.share:
            self.failures += 1
            raise DatabaseUnavailableError("connection lost after the commit")
