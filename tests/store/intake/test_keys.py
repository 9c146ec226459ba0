"""Rotating the keys of senders."""

from __future__ import annotations

from domain.workspace import BEARER
from store.intake import keys
from tests.conftest import SOMEDAY
from tests.store.delivery.test_held_back import overlapping
from tests.store.sample_rows import add_workspace

DAY_MS = 24 * 60 * 60 * 1_000


async def test_of_two_keys_made_at_the_same_time_only_the_second_has_no_end(database):
    """Its transaction waits for the first one, and then sees its key."""
    await database.run(add_workspace)

    def rotate(secret):
        return lambda connection: keys.rotate(connection, "T1", BEARER, secret, "U_DANA", SOMEDAY, grace_ms=DAY_MS)

    await overlapping(database, rotate("first"), rotate("second"))

    stored = [(key.secret, key.expires_at) for key in await database.run(keys.of_workspace, "T1")]
    assert stored == [("second", None), ("first", SOMEDAY + DAY_MS)]
