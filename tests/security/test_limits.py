"""Rate limits slow down the address that sends too much, and nobody else."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from listeners.http.limits import PAGES_A_SECOND, PAGES_AT_ONCE, REFUSALS_AT_ONCE, address_of
from services.intake.rate_limit import MOST_BUCKETS, RateLimiter
from tests.security.two_workspaces import TwoWorkspaces, open_two_workspaces
from tests.world import sample_job_change


@pytest.fixture
async def server(sqlite_url: str) -> AsyncIterator[TwoWorkspaces]:
    async with open_two_workspaces(sqlite_url) as made:
        yield made


@dataclass
class _FrozenTime:
    """Stands in for `clock_offset`: adding it to any time gives the same moment."""

    moment: float

    def __radd__(self, _: float) -> float:
        return self.moment


@dataclass
class Client:
    """A client behind a local proxy. Its clock stands still, so the speed of the machine does not matter."""

    server: TwoWorkspaces
    address: str
    began: float = field(default_factory=time.time)

    async def request(self, path: str, method: str = "GET", **more: Any) -> tuple[int, str | None]:
        """The status and the Retry-After header."""
        self.server.acme.clock_offset = _FrozenTime(self.began)
        headers = {"X-Forwarded-For": self.address, **more.pop("headers", {})}
        async with self.server.acme.http.request(
            method, self.server.acme.url + path, headers=headers, allow_redirects=False, **more
        ) as answer:
            return answer.status, answer.headers.get("Retry-After")


async def test_one_address_can_start_only_so_many_installations(server: TwoWorkspaces) -> None:
    """Each start stores a state. Beyond the limit the address gets 429 with Retry-After; others do not."""
    client, other = Client(server, "93.184.215.1"), Client(server, "93.184.215.2")
    statuses = [(await client.request("/slack/install"))[0] for _ in range(PAGES_AT_ONCE)]

    assert statuses == [302] * PAGES_AT_ONCE
    assert await client.request("/slack/install") == (429, "1")
    assert await client.request("/salesforce/callback?state=x") == (429, "1")
    assert (await client.request("/"))[0] == 200
    assert (await other.request("/slack/install"))[0] == 302
    client.began += 60
    assert (await client.request("/slack/install"))[0] == 302


async def test_guessing_keys_is_limited_and_valid_senders_are_not(server: TwoWorkspaces) -> None:
    """Guessing keys ends in 429. A sender with a valid key behind the same address is not affected."""
    path = f"/v1/workspaces/{server.acme.team.id}/job-changes"
    key = await server.acme.app.intake_keys.make(server.acme.team.id, "bearer", "operator")
    guesser = Client(server, "93.184.215.1")
    guessed = {"headers": {"X-Api-Key": "guessed"}, "data": b"{}"}
    statuses = Counter([(await guesser.request(path, "POST", **guessed))[0] for _ in range(REFUSALS_AT_ONCE + 20)])

    assert statuses == {401: REFUSALS_AT_ONCE, 429: 20}
    assert await guesser.request(path, "POST", json=sample_job_change(), headers={"X-Api-Key": key}) == (202, None)


def test_only_so_many_addresses_are_kept_in_memory(clock) -> None:
    """Requests from ever new addresses do not fill the memory."""
    rate_limiter = RateLimiter(clock, burst=1, per_second=1)
    for number in range(MOST_BUCKETS + 500):
        rate_limiter.seconds_to_wait(str(number), 1)

    assert len(rate_limiter._buckets) == MOST_BUCKETS
    assert rate_limiter.seconds_to_wait(str(MOST_BUCKETS + 499), 1) is not None


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("93.184.215.7", [], "93.184.215.7"),
        ("93.184.215.7", ["198.51.100.1"], "93.184.215.7"),
        ("127.0.0.1", [], "127.0.0.1"),
        ("127.0.0.1", ["6.6.6.6", "198.51.100.1"], "198.51.100.1"),
        ("127.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.3", ["6.6.6.6, 198.51.100.1"], "198.51.100.1"),
        ("127.0.0.1", ["198.51.100.1, nonsense"], "127.0.0.1"),
        ("127.0.0.1", ["\x00"], "127.0.0.1"),
        ("::ffff:127.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("2001:db8:1:2:3:4:5:6", [], "2001:db8:1:2::/64"),
        ("::1", ["2001:db8:1:2:ffff::9"], "2001:db8:1:2::/64"),
        (None, [], "None"),
    ],
)
def test_the_client_address_of_a_request(peer: str | None, forwarded: list[str], expected: str) -> None:
    """Only a local proxy's X-Forwarded-For is trusted, and of that the last address."""
    assert address_of(peer, forwarded) == expected


def test_the_limits_leave_room_for_normal_use() -> None:
    """An office behind one address, or a sender with an old key, stays below the limits."""
    assert PAGES_A_SECOND >= 10
    assert PAGES_AT_ONCE >= 100
    assert REFUSALS_AT_ONCE >= 1_000
