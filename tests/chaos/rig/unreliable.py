"""A database whose connections are cut at random: before a transaction, or after its commit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

from sqlalchemy import Connection

from store.database import Database, DatabaseUnavailableError


class UnreliableDatabase(Database):
    """*share* of all transactions fail, half of them although they were committed; 0 until it is set."""

    def __init__(self, url: str, seed: int) -> None:
        super().__init__(url)
        self.share = 0.0
        self.cuts = 0
        self._chance = Random(seed)

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        fate = self._chance.random()
        if fate < self.share / 2:
            self.cuts += 1
            raise DatabaseUnavailableError("cut before it began")
        with super().begin() as connection:
            yield connection
        if fate < self.share:
            self.cuts += 1
            raise DatabaseUnavailableError("cut after it was committed")
