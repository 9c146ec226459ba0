"""Whoever asks too often is asked to wait, and nobody else because of them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from listeners.http.limits import PAGES_A_SECOND, PAGES_AT_ONCE, REFUSALS_AT_ONCE, address_of
from services.intake.rate_limit import MOST_KNOWN, Allowance
from tests.security.two_workspaces import Fort, fort
from tests.world import sample_job_change


@pytest.fixture
async def castle(sqlite_url: str) -> AsyncIterator[Fort]:
    async with fort(sqlite_url) as made:
        yield made


@dataclass
class _Stopped:
    """Added to the time of day, it is always the same time."""

    moment: float

    def __radd__(self, _: float) -> float:
        return self.moment


@dataclass
class Visitor:
    """Somebody for whom no time passes, however slow this machine is: a proxy on it passes on what they ask for."""

    castle: Fort
    address: str
    begun: float = field(default_factory=time.time)

    async def ask(self, path: str, method: str = "GET", **more: Any) -> tuple[int, str | None]:
        """The status, and when to come back."""
        self.castle.acme.clock_offset = _Stopped(self.begun)
        headers = {"X-Forwarded-For": self.address, **more.pop("headers", {})}
        async with self.castle.acme.http.request(
            method, self.castle.acme.url + path, headers=headers, allow_redirects=False, **more
        ) as answer:
            return answer.status, answer.headers.get("Retry-After")


async def test_one_address_cannot_begin_installations_without_end(castle: Fort) -> None:
    """Each stores a state; beyond the limit it is 429 with Retry-After, and others go on."""
    one, another = Visitor(castle, "93.184.215.1"), Visitor(castle, "93.184.215.2")
    statuses = [(await one.ask("/slack/install"))[0] for _ in range(PAGES_AT_ONCE)]

    assert statuses == [302] * PAGES_AT_ONCE
    assert await one.ask("/slack/install") == (429, "1")
    assert await one.ask("/salesforce/callback?state=x") == (429, "1")
    assert (await one.ask("/"))[0] == 200
    assert (await another.ask("/slack/install"))[0] == 302
    one.begun += 60
    assert (await one.ask("/slack/install"))[0] == 302


async def test_strangers_at_the_door_wait_and_the_genuine_do_not(castle: Fort) -> None:
    """Guessing keys gets 429 after a while; a sender behind the same address is let in all the while."""
    path = f"/v1/workspaces/{castle.acme.team.id}/job-changes"
    key = await castle.acme.app.intake_keys.make(castle.acme.team.id, "bearer", "operator")
    who = Visitor(castle, "93.184.215.1")
    guessed = {"headers": {"X-Api-Key": "guessed"}, "data": b"{}"}
    statuses = Counter([(await who.ask(path, "POST", **guessed))[0] for _ in range(REFUSALS_AT_ONCE + 20)])

    assert statuses == {401: REFUSALS_AT_ONCE, 429: 20}
    assert await who.ask(path, "POST", json=sample_job_change(), headers={"X-Api-Key": key}) == (202, None)


def test_only_so_many_addresses_are_remembered(clock) -> None:
    """Who comes from ever new ones does not fill the memory."""
    allowance = Allowance(clock, at_once=1, a_second=1)
    for number in range(MOST_KNOWN + 500):
        allowance.wait_for(str(number), 1)

    assert len(allowance._buckets) == MOST_KNOWN
    assert allowance.wait_for(str(MOST_KNOWN + 499), 1) is not None


@pytest.mark.parametrize(
    ("peer", "forwarded", "whose"),
    [
        ("93.184.215.7", None, "93.184.215.7"),
        ("93.184.215.7", "198.51.100.1", "93.184.215.7"),
        ("127.0.0.1", None, "127.0.0.1"),
        ("127.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.3", "6.6.6.6, 198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", "198.51.100.1, nonsense", "127.0.0.1"),
        ("127.0.0.1", "\x00", "127.0.0.1"),
        ("::ffff:127.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("2001:db8:1:2:3:4:5:6", None, "2001:db8:1:2::/64"),
        ("::1", "2001:db8:1:2:ffff::9", "2001:db8:1:2::/64"),
        (None, None, "None"),
    ],
)
def test_whose_a_request_is(peer: str | None, forwarded: str | None, whose: str) -> None:
    """A proxy of ours is believed, a stranger is not; of several addresses the one that our proxy saw counts."""
    assert address_of(peer, {"X-Forwarded-For": forwarded} if forwarded else {}) == whose


def test_the_limits_are_for_floods_not_for_people() -> None:
    """An office behind one address installs, and a forgetful sender tries its old key, without noticing them."""
    assert PAGES_A_SECOND >= 10
    assert PAGES_AT_ONCE >= 100
    assert REFUSALS_AT_ONCE >= 1_000
